"""What stands: the champion, and what has moved since it was made; only one dimension moves at a time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clspec.data.promotion import Champion, champion
from clspec.diagnostic import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clspec.step.job import Job

_CODE = ("code", "params", "image")
_DATA = ("training", "golden")


def standing(job: Job) -> dict[str, Any]:
    """The champion and what of this run differs from it.

    Raises:
        Refused: what this pipeline holds still has moved, or both have, and nobody allowed it.
    """
    record, found = job.config["record"], champion(job.storage, job.config["spec"])
    moved = {} if found is None else _moved(record, found)
    if found is not None and job.allow_both is None:
        _judge(job, found, moved)
    return {
        "champion": None if found is None else _told(found),
        "pipeline": job.config["pipeline"],
        **{word: record[word] for word in _CODE},
        "moved": list(moved),
        "allow_both": job.allow_both,
    }


def _told(found: Champion) -> dict[str, Any]:
    made_by = found.record.made_by
    return {
        "number": found.number,
        "model": found.change.model,
        **{word: made_by[word] for word in (*_CODE, "datasets", "roles")},
    }


def _moved(record: Mapping[str, Any], found: Champion) -> dict[str, tuple[Any, Any]]:
    """What differs from the champion's record: before and now, by the word for it."""
    made_by = found.record.made_by
    pairs = {word: (made_by[word], record[word]) for word in _CODE}
    for role in _DATA:
        now = record["datasets"][record["roles"][role]]
        if now is not None:  # else it is what this pipeline moves, and not known yet
            pairs[role] = (found.record.dataset(role)[1], now)
    return {word: pair for word, pair in pairs.items() if pair[0] != pair[1]}


def _judge(job: Job, found: Champion, moved: Mapping[str, tuple[Any, Any]]) -> None:
    code, data = [word for word in _CODE if word in moved], [word for word in _DATA if word in moved]
    if job.config["pipeline"] == "improvement":
        if code:
            message = (
                f"the improvement pipeline moves data, and its code is the champion's, but {_listed(code, moved)}: "
                f"go back to what made the champion, or register this change with the regression pipeline and promote "
                f"it first, or say --allow-both with who and why"
            )
            raise Refused(message)
    elif code and data:
        message = (
            f"code and data have both moved since champion {found.change.model}, so that nobody could say which made "
            f"the difference: {_listed([*code, *data], moved)}. {_way_out(job, found)}"
        )
        raise Refused(message)
    elif data:
        print(f"the data moved since the champion was made: {_listed(data, moved)}")  # noqa: T201


def _listed(words: Iterable[str], moved: Mapping[str, tuple[Any, Any]]) -> str:
    return "; ".join(_change(_NAMES[word], *moved[word]) for word in words)


def _change(name: str, before: Any, now: Any) -> str:
    """What was and what is; of two mappings only the entries that differ."""
    if not isinstance(before, dict) or not isinstance(now, dict):
        return f"{name} was {before} and is {now}"
    entries = [key for key in sorted({*before, *now}) if before.get(key) != now.get(key)]
    return ", ".join(f"{name}: `{key}` was {_value(before, key)} and is {_value(now, key)}" for key in entries)


def _value(entries: Mapping[str, Any], key: str) -> str:
    return json.dumps(entries[key]) if key in entries else "not there"


_NAMES = {
    "code": "the code",
    "params": "`params`",
    "image": "the image",
    "training": "the training data",
    "golden": "the golden data",
}


def _way_out(job: Job, found: Champion) -> str:
    """What to do where both moved: follow the champion's data where that is newer, else move one at a time."""
    record = job.config["record"]
    name = record["roles"]["training"]
    dataset = job.dataset(name)
    theirs = dataset.find(found.record.datasets.get(name, ""))
    ours = dataset.find(record["datasets"][name])
    if theirs is not None and (ours is None or theirs.number > ours.number):
        return (
            "The champion has learned from newer data than the lock pins: `clspec lock SPEC --from-champion` moves "
            "the pins to it; or say --allow-both with who and why"
        )
    return "Move one of them at a time, or say --allow-both with who and why"
