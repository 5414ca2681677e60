"""`python -m clspec` is the command `clspec`."""

from clspec.cli.start import main

if __name__ == "__main__":
    main()
