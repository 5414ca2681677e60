"""What runs have been: found by a word, laid side by side, and asked whether a commit has passed."""
