"""Run in the image by the user of steps, `python -m clspec.image.proof ROOT DIGEST`: is this the code that is meant?"""

from __future__ import annotations

import sys
from pathlib import Path

from clspec.code import digest
from clspec.diagnostic import ClspecError


def main(root: str, wanted: str) -> int:
    """0 if the files below the root are the code with this digest; else 1, and a line that says what is there."""
    try:
        found = digest(Path(root))
    except (ClspecError, OSError) as error:
        found = str(error)
    if found == wanted:
        return 0
    message = f"clspec: {root} in the image is not the code ({wanted}), but {found}: does the base bring files there?"
    print(message, file=sys.stderr)  # noqa: T201  # the builder shows it
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
