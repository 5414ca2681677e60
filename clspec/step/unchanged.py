"""User code runs between two looks: its own bytes and its inputs must be the same after it as before.

A step's result is kept under what went in. Code that changes its inputs, or that is edited while it runs, would be
judged as something that it is not.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from clspec.data import usercode
from clspec.step import model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clspec.step.job import Job


@contextmanager
def unchanged(job: Job, *names: str) -> Iterator[None]:
    """Run user code inside; `names` are the inputs that it is handed.

    Raises:
        Refused: the code is not the code that the plan means, before or after.
        UserCodeFailed: it changed an input.
    """
    root, meant = job.code_root(), job.config["call"]["code"]
    usercode.verify(root, meant)
    before = {name: _content(job.inputs[name]) for name in names}
    yield
    usercode.verify(root, meant)
    changed = [name for name in names if _content(job.inputs[name]) != before[name]]
    if changed:
        message = f"the code changed its input {', '.join(f'`{name}`' for name in changed)}: write elsewhere"
        raise usercode.UserCodeFailed(message)


def _content(path: Path) -> str:
    if path.is_dir():
        return model.digest(path)
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
