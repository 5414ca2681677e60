"""The step program: what happens when a plan runs, the same on every target (`python -m clspec.step`)."""
