"""The command line: arguments in, words and exit codes out. No other room writes to the terminal."""
