"""Work in a process of its own: whatever ends that process, a crash or the user's `os._exit`, ends no more than it."""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clspec.diagnostic import ClspecError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_OWN = "clspec."
_PR_SET_PDEATHSIG = 1


def run(function: str, arguments: Mapping[str, Any], died: Callable[[str], ClspecError]) -> Any:
    """What a function of clspec (`clspec.module:name`) returns for these arguments, all of it plain JSON values.

    `died` makes the error for a process that ended before it was done, out of the words for how it ended.

    Raises:
        ClspecError: the function raised it there.
    """
    with tempfile.TemporaryDirectory(prefix="clspec-") as folder:
        asked, answered = Path(folder, "asked.json"), Path(folder, "answered.json")
        asked.write_text(json.dumps({"function": function, "arguments": arguments}), encoding="utf-8")
        command = [sys.executable, "-P", "-m", "clspec.data.apart", str(asked), str(answered), str(os.getpid())]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True) as process:  # noqa: S603  # our own
            try:
                code = process.wait()
            except BaseException:
                with suppress(ProcessLookupError):  # it, and what it has begun, which is of its session
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise
        if not answered.is_file():
            raise died(f"signal {-code}" if code < 0 else f"exit code {code}")
        return _result(json.loads(answered.read_text(encoding="utf-8")))


def _result(answer: dict[str, Any]) -> Any:
    if "fault" in answer:
        raise RuntimeError(answer["fault"])
    if "error" in answer:
        module, _, name = answer["error"].partition(":")
        raise getattr(importlib.import_module(module), name)(answer["text"])
    return answer["result"]


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    module, _, name = asked["function"].partition(":")
    assert module.startswith(_OWN), module
    try:
        return {"result": getattr(importlib.import_module(module), name)(**asked["arguments"])}
    except ClspecError as error:
        return {"error": f"{type(error).__module__}:{type(error).__qualname__}", "text": str(error)}
    except Exception:  # noqa: BLE001  # a fault of ours: the process that waits says so
        return {"fault": traceback.format_exc()}


def _end_with(parent: int) -> None:
    """Have this process end where the one that waits for it does, however that ends; Linux alone can say so."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it has ended already
            os.kill(os.getpid(), signal.SIGKILL)


def _main(asked: Path, answered: Path) -> None:
    answer = json.dumps(_answer(json.loads(asked.read_text(encoding="utf-8"))))
    unfinished = answered.with_suffix(".unfinished")
    unfinished.write_text(answer, encoding="utf-8")
    unfinished.replace(answered)


if __name__ == "__main__":
    _end_with(int(sys.argv[3]))
    _main(Path(sys.argv[1]), Path(sys.argv[2]))
