"""One machine of a training on several: `python -m clspec.step.machine`, in each pod of the job that a launcher made.

It fetches from the store what the launcher laid down, runs this machine's processes, and lays down what became of
them. The first machine's list of outputs is written last, so that half a model is never taken for one.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from clspec.data.storage import Storage, storage_at
from clspec.diagnostic import ClspecError, StepFailed, UsageError
from clspec.plan import canonical
from clspec.step import model, parcel, world
from clspec.step.job import Job, Paths
from clspec.step.unchanged import unchanged

if TYPE_CHECKING:
    from collections.abc import Sequence

TASK = "task.json"
"""What is to be done, by whomever it is done."""
DONE = "done.json"
"""The list of what was made."""
FAILED = "failed"
"""The folder of what the machines that failed say, each in a file of its own."""
_OWN_FAULT = 2
_ASKED_TO_END = 143


def main(arguments: Sequence[str]) -> int:
    """Do this machine's part and return its exit code, as the step program does."""
    given = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _end)  # a container's first process has no answer of its own
    try:
        place = world.told(os.environ)
        storage = storage_at(given.store)
    except ClspecError as error:
        print(f"clspec: {error}", file=sys.stderr, flush=True)  # noqa: T201
        return error.exit_code
    try:
        _run(storage, given, place)
    except Exception as error:  # noqa: BLE001  # whatever it is, the launcher must hear of it
        code, text = _told(error)
        print(f"clspec: {text}", file=sys.stderr, flush=True)  # noqa: T201
        number = place.first // place.processes
        report = canonical({"machine": number, "exit_code": code, "text": text})
        storage.write(f"{given.task}/{FAILED}/{number}.json", report.encode())
        return code
    return 0


def _end(*_: object) -> NoReturn:
    sys.exit(_ASKED_TO_END)


def _told(error: Exception) -> tuple[int, str]:
    if isinstance(error, ClspecError):
        return error.exit_code, str(error)
    if isinstance(error, OSError):
        return StepFailed.exit_code, str(error)
    traceback.print_exception(error)
    return _OWN_FAULT, f"{error!r}; this is a fault of clspec itself"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m clspec.step.machine", description=__doc__, allow_abbrev=False)
    parser.add_argument("--store", required=True, help="the URI of the store")
    parser.add_argument("--task", required=True, help="the folder of the store with what is to be done")
    parser.add_argument("--code", required=True, type=Path, help="the folder with the user's code")
    return parser


def _run(storage: Storage, given: argparse.Namespace, place: world.World) -> None:
    content = storage.read(f"{given.task}/{TASK}")
    if content is None:
        message = f"there is nothing to do under {given.task}: the launcher has taken it away, or never laid it down"
        raise UsageError(message)
    task = json.loads(content)
    _agree(task["config"].get("world"), place)
    with tempfile.TemporaryDirectory(prefix="clspec-machine-") as scratch:
        inputs = Path(scratch, "inputs")
        parcel.fetch(storage, given.task, task["inputs"], inputs)
        job = Job(
            config=task["config"],
            inputs=Paths("--in", {name: inputs / name for name in task["inputs"]}),
            outputs={},
            store=given.store,
            code=given.code.absolute(),
            folder=None,
            as_of=datetime.now(tz=UTC),
        )
        directory = Path(scratch, "model")
        directory.mkdir()
        with unchanged(job, *job.inputs):
            numbers = world.trained(job, directory, place)
        if place.first == 0:
            made = parcel.send(storage, given.task, model.files(directory))
            storage.write(f"{given.task}/{DONE}", canonical({"files": made, "metrics": numbers}).encode())


def _agree(wanted: dict[str, int] | None, place: world.World) -> None:
    found = {"machines": place.machines, "processes": place.processes}
    if wanted is not None and wanted != found:
        message = f"the training runtime makes {found} of what the plan means as {wanted}"
        raise UsageError(message)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
