"""A step as a call of the step program: what it is told, and what it tells in its log."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from clspec_local.artifacts import PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from clspec.backend import Occasion, Workplace
    from clspec.plan import Step
    from clspec_local.artifacts import Result

_LONGEST = 32 * 1024
"""A configuration that is longer is given in a file, since an argument has a longest length (Linux: 128 KiB)."""
_TAIL = 64 * 1024
"""So many bytes of a log's end are looked at for progress."""


def said(step: Step, place: Workplace, occasion: Occasion, results: Mapping[str, Result], made: Path) -> dict[str, Any]:
    """What a step that writes into the folder `made` is told, by the step program's own names for it."""
    config = step.config
    if len(config) > _LONGEST:
        made.mkdir(parents=True, exist_ok=True)
        file = made / ".config.json"
        file.write_text(config, encoding="ascii")
        config = f"@{file}"
    found: dict[str, Any] = {
        "kind": step.kind.value,
        "config": config,
        "store": place.store,
        "code": str(place.code),
        "folder": str(place.folder),
        "progress": True,
        "inputs": [
            f"{entry.name}={results[entry.step].paths[entry.output]}"
            for entry in step.inputs
            if entry.step in results or not entry.optional
        ],
        "outputs": [f"{artifact.name}={made / artifact.name}" for artifact in step.outputs],
        "parameters": [f"{name}={made / PARAMETERS / name}" for name in step.parameters],
    }
    if not step.pure:  # what is kept by its content may know nothing of the run that made it
        found["as_of"] = occasion.as_of
        if occasion.allow_both:
            found["allow_both"] = json.dumps({"by": occasion.allow_both.by, "why": occasion.allow_both.why})
    return found


_FLAGS = {"inputs": "--in", "outputs": "--out", "parameters": "--out-param"}


def arguments(said: Mapping[str, Any]) -> list[str]:
    """The same as the step program's command line."""
    found = [said["kind"]]
    for name, value in said.items():
        if name in _FLAGS:
            for each in value:
                found += [_FLAGS[name], each]
        elif value is True:
            found.append(f"--{name}")
        elif name != "kind":
            found += [f"--{name.replace('_', '-')}", value]
    return found


def progress(log: Path) -> str:
    """The newest progress that a step tells in its log; lines of the user's that only look like it are none."""
    with suppress(OSError), log.open("rb") as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - _TAIL))
        for line in reversed(stream.read().split(b"\n")[:-1]):
            if line.startswith(b'{"progress"'):
                with suppress(ValueError, KeyError, TypeError, RecursionError):
                    found: dict[str, Any] = json.loads(line)["progress"]
                    return f"{int(found['done'])} of {int(found['of'])} {found['what']}"
    return ""
