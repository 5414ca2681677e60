"""The entry of the command `clspec`: answers `--version` at once, and knows no traceback for a user's mistake."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from clspec import __version__  # all that this answer needs

        print(f"clspec {__version__}")
        return
    from clspec.cli.commands import run

    try:
        code = run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our output has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except KeyboardInterrupt:
        code = 130
    except Exception:  # noqa: BLE001  # the last line of defence: what nobody foresaw is a fault of clspec
        import traceback

        traceback.print_exc()
        print("clspec: this is a fault of clspec itself; please report it with the lines above", file=sys.stderr)
        code = 2
    sys.exit(code)
