"""train: one model for one seed, from data that no golden row is part of."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from clspec.data import usercode
from clspec.data.versions import overlap
from clspec.diagnostic import Refused
from clspec.step import model
from clspec.step.unchanged import unchanged

if TYPE_CHECKING:
    from pathlib import Path

    from clspec.step.job import Job


def run(job: Job) -> None:
    """Write `model` and `metrics`, the latter what the user's function returned."""
    _no_golden_rows(job)
    directory = job.outputs["model"]
    directory.mkdir()
    job.tell(0, 1, "training")
    with unchanged(job, "data", "validation"):
        metrics = _trained(job, directory)
    job.tell(1, 1, "training")
    model.verify(directory)
    job.write_json("metrics", metrics)


def _trained(job: Job, directory: Path) -> dict[str, float]:
    """Let the user's code fill the directory, and return what it says of that."""
    root, call, params = job.code_root(), job.config["call"], job.config["params"]
    given = {
        "data": str(job.inputs["data"]),
        "validation": str(job.inputs["validation"]),
        "model_dir": str(directory),
        "seed": job.config["seed"],
    }
    if call["entrypoint"] is not None:
        return _numbers(usercode.call(root, call["entrypoint"], {**given, **params}), call["entrypoint"])
    values = {name: str(value) for name, value in given.items()}
    usercode.command(root, call["command"], {**values, **{f"params.{n}": _word(v) for n, v in params.items()}})
    return {}


def _no_golden_rows(job: Job) -> None:
    """Training on a golden row is refused, whatever let it through before.

    Raises:
        Refused: a row has a golden key, or belongs to a golden group.
    """
    golden = job.read_rows("golden")
    for role in ("key", "group"):
        mine, theirs = job.config[role], job.config["golden"][role]
        if mine is None or theirs is None:
            continue
        for name in ("data", "validation"):
            hits = overlap(job.read_rows(name, [mine]), golden, mine, theirs)
            if hits:
                shown = ", ".join(str(hit) for hit in hits[:5]) + (", ..." if len(hits) > 5 else "")  # noqa: PLR2004
                message = f"golden data in training: {len(hits)} values of `{mine}` are golden ({shown})"
                raise Refused(message)


def _numbers(returned: Any, entrypoint: str) -> dict[str, float]:
    """What a training function returns: a dict of finite floats, or nothing."""
    if returned is None:
        return {}
    if not isinstance(returned, dict):
        message = f"`{entrypoint}` must return a dict of floats, not a {type(returned).__name__}"
        raise usercode.UserCodeFailed(message)
    return {str(name): _number(value, str(name), entrypoint) for name, value in returned.items()}


def _number(value: Any, name: str, entrypoint: str) -> float:
    try:
        number = None if isinstance(value, str | bytes) else float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):  # torch raises the last for more than one number
        number = None
    if number is None:
        message = f"`{entrypoint}` returned {value!r:.60} as `{name}`, which is no number"
        raise usercode.UserCodeFailed(message)
    if not math.isfinite(number):
        message = f"`{entrypoint}` returned {value} as `{name}`: the training did not converge to a number"
        raise usercode.UserCodeFailed(message)
    return number


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
