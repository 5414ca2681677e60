"""The user's training code called once: by one process, which may be one of many that make the same model."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from clspec.data import usercode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


HISTORY = "history"
"""The word under which a training tells what it measured after each epoch."""
_LONGEST = 10_000


def fit(root: Path, config: Mapping[str, Any], data: Path, validation: Path, directory: Path) -> dict[str, Any]:
    """Let the code in `root` fill the directory, and return what it says of that.

    Raises:
        UserCodeFailed: it raises, or does not keep to its contract.
    """
    call, params = config["call"], config["params"]
    given = {
        "data": str(data),
        "validation": str(validation),
        "model_dir": str(directory),
        "seed": config["seed"],
    }
    if call["entrypoint"] is not None:
        return numbers(usercode.call(root, call["entrypoint"], {**given, **params}), call["entrypoint"])
    values = {name: str(value) for name, value in given.items()}
    usercode.command(root, call["command"], {**values, **{f"params.{n}": _word(v) for n, v in params.items()}})
    return {}


def numbers(returned: Any, entrypoint: str) -> dict[str, Any]:
    """What a training function returns: a dict of finite floats, and the `history` of its epochs, or nothing.

    Raises:
        UserCodeFailed: it is something else.
    """
    if returned is None:
        return {}
    if not isinstance(returned, dict):
        message = f"`{entrypoint}` must return a dict of floats, not a {type(returned).__name__}"
        raise usercode.UserCodeFailed(message)
    found = {str(n): _number(value, str(n), entrypoint) for n, value in returned.items() if n != HISTORY}
    return {**found, HISTORY: _history(returned[HISTORY], entrypoint)} if HISTORY in returned else found


def _history(told: Any, entrypoint: str) -> list[dict[str, float]]:
    """What was measured after each epoch, one dict of finite floats for each."""
    if not isinstance(told, list | tuple) or not all(isinstance(entry, dict) for entry in told):
        message = f"`{entrypoint}` must return its `{HISTORY}` as a list with a dict of floats for each epoch"
        raise usercode.UserCodeFailed(message)
    if len(told) > _LONGEST:
        message = (
            f"`{entrypoint}` returned a `{HISTORY}` of {len(told)} entries, {_LONGEST} are kept: tell fewer of them"
        )
        raise usercode.UserCodeFailed(message)
    return [
        {str(name): _number(value, f"{HISTORY}[{number}].{name}", entrypoint) for name, value in entry.items()}
        for number, entry in enumerate(told)
    ]


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
