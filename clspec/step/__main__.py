"""Runs one step: `python -m clspec.step KIND --config JSON --store URI --code DIR --in NAME=PATH --out NAME=PATH`."""

from __future__ import annotations

import sys

from clspec.step.program import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
