"""A step as a call of the step program: what it is told on its command line, and what it tells in its log."""

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


def arguments(step: Step, place: Workplace, occasion: Occasion, results: Mapping[str, Result], made: Path) -> list[str]:
    """The command line of a step that writes what it makes into the folder `made`."""
    config = step.config
    if len(config) > _LONGEST:
        made.mkdir(parents=True, exist_ok=True)
        file = made / ".config.json"
        file.write_text(config, encoding="ascii")
        config = f"@{file}"
    found = [step.kind.value, "--config", config, "--store", place.store, "--progress"]
    found += ["--code", str(place.code), "--folder", str(place.folder)]
    if not step.pure:  # what is kept by its content may know nothing of the run that made it
        found += ["--as-of", occasion.as_of]
        if occasion.allow_both:
            found += ["--allow-both", json.dumps({"by": occasion.allow_both.by, "why": occasion.allow_both.why})]
    for entry in step.inputs:
        if entry.optional and entry.step not in results:
            continue
        found += ["--in", f"{entry.name}={results[entry.step].paths[entry.output]}"]
    for artifact in step.outputs:
        found += ["--out", f"{artifact.name}={made / artifact.name}"]
    for name in step.parameters:
        found += ["--out-param", f"{name}={made / PARAMETERS / name}"]
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
