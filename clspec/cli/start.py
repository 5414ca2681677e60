"""The entry of the command `clspec`: answers `--version` at once, and knows no traceback for a user's mistake."""

from __future__ import annotations

import gc
import os
import sys

FAULT = 2
INTERRUPTED = 130
READER_GONE = 141
"""What a shell says of a program whose reader went before it was done: 128 + SIGPIPE."""


def main() -> None:
    """Run the command line and leave with its exit code."""
    gc.set_threshold(50_000, 50, 50)  # what a command makes is mostly kept: looking through it often finds nothing
    code = None
    try:
        code = _answer(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        _leave_output()
        code = READER_GONE if code is None else code  # a command that was done has its answer
    except KeyboardInterrupt:
        print("clspec: interrupted", file=sys.stderr)
        code = INTERRUPTED
    except OSError as error:  # such as a full disk under our own output
        _leave_output()
        print(f"clspec: {error}", file=sys.stderr)
        code = FAULT
    except Exception:  # noqa: BLE001  # the last line of defence: what nobody foresaw is a fault of clspec
        import traceback

        traceback.print_exc()
        print("clspec: this is a fault of clspec itself; please report it with the lines above", file=sys.stderr)
        code = FAULT
    gc.freeze()  # else the interpreter, at its end, looks through all of a large spec for cycles once more
    sys.exit(code)


def _answer(arguments: list[str]) -> int:
    if arguments in (["--version"], ["-V"]):
        from clspec import __version__  # all that this answer needs

        print(f"clspec {__version__}")
        return 0
    from clspec.cli.commands import run

    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a terminal may know few characters
    try:
        return run(arguments)
    except SystemExit as ended:  # argparse, after help or wrong use
        return ended.code if isinstance(ended.code, int) else FAULT


def _leave_output() -> None:
    """Nobody takes our output any more; without this, Python would try again at its end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
