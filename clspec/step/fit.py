"""The user's training code called once: by one process, which may be one of many that make the same model."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clspec.data import usercode

if TYPE_CHECKING:
    from collections.abc import Mapping

HISTORY = "history"
"""The word under which a training tells what it measured after each epoch."""
METRICS = "metrics"
"""The placeholder of a command for the file in which it tells the same."""
_PLACEHOLDER = f"{{{METRICS}}}"
_AXES = {"epoch", "step"}
"""The names that make a line an entry of the history."""
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
    with tempfile.TemporaryDirectory(prefix="clspec-metrics-") as scratch:
        told = Path(scratch, "metrics.jsonl")
        values |= {METRICS: str(told), **{f"params.{name}": _word(value) for name, value in params.items()}}
        usercode.command(root, call["command"], values)
        asked = any(_PLACEHOLDER in word for word in call["command"])
        return numbers(_lines(told), _PLACEHOLDER) if asked else {}


def _lines(told: Path) -> dict[str, Any]:
    """What a command wrote of itself, in the form in which a function returns it.

    A line that says its `epoch` or `step` belongs to the history; of the others the last one that has a name counts.

    Raises:
        UserCodeFailed: it wrote nothing, or a line that is no JSON object.
    """
    found: dict[str, Any] = {}
    history: list[dict[str, Any]] = []
    try:
        with told.open(encoding="utf-8") as stream:
            for number, line in enumerate(stream, 1):
                if line.strip():
                    entry = _entry(line, number)
                    history += [entry] if _AXES & entry.keys() else []
                    found |= {} if _AXES & entry.keys() else entry
    except FileNotFoundError as error:
        message = f"the command wrote no {_PLACEHOLDER}, though it names it"
        raise usercode.UserCodeFailed(message) from error
    except (OSError, UnicodeDecodeError) as error:
        message = f"what the command wrote to {_PLACEHOLDER} cannot be read: {error}"
        raise usercode.UserCodeFailed(message) from error
    return {**found, HISTORY: history} if history else found


def _entry(line: str, number: int) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError as error:
        message = f"line {number} of what the command wrote to {_PLACEHOLDER} is no JSON: {error}"
        raise usercode.UserCodeFailed(message) from error
    if not isinstance(entry, dict) or HISTORY in entry:
        what = f"says a `{HISTORY}`" if isinstance(entry, dict) else "is no JSON object"
        message = f"line {number} of what the command wrote to {_PLACEHOLDER} {what}: write one object for each epoch"
        raise usercode.UserCodeFailed(message)
    return entry


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
