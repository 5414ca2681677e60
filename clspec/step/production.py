"""What people's labels say of production: how often the model was wrong where an audit drew rows, and the teacher too.

Only rows drawn at random tell of all rows. The bounds are one-sided, 95 % each, over the groups of the dataset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clspec.data.queue_state import PEOPLE
from clspec.stats.proportion import lower_bound, tally, upper_bound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from clspec.data.queue_state import Contents, Item

CONFIDENCE = 0.95
ENOUGH = 20
"""Fewer labelled rows say too little of a teacher, or of one champion among several."""


def measured(items: Sequence[Item], said: Callable[[Item], str | None]) -> dict[str, Any]:
    """How many of these rows people have labelled, and in how many they contradict what was said of them.

    A row of which nothing was said, or that people called unusable, is sampled and never labelled.
    """
    judged = [item for item in items if item.origin == PEOPLE and said(item) is not None]
    wrong = [said(item) != item.label for item in judged]
    bounds: dict[str, float | None] = {"rate": None, "lower": None, "upper": None}
    if judged:
        counts = tally(wrong, _clusters(judged))
        bounds["rate"] = counts.successes / counts.rows
        bounds["lower"], bounds["upper"] = lower_bound(counts, CONFIDENCE), upper_bound(counts, CONFIDENCE)
    return {"sampled": len(items), "labelled": len(judged), "errors": sum(wrong), **bounds}


def _clusters(items: Sequence[Item]) -> list[tuple[str, str]] | None:
    """Which rows belong together; a row without a group belongs to none."""
    if all(item.group is None for item in items):
        return None
    return [("row", item.key) if item.group is None else ("group", item.group) for item in items]


def audit(contents: Contents, rule: Mapping[str, Any]) -> dict[str, Any]:
    """The error rate that an audit rule measures: of all its rows, by week, and of those that its alarm is judged by.

    The alarm is about the model of today: it is judged by the rows of the newest champion that has enough of them
    labelled, and by all rows where none has.
    """
    drawn = [item for item in contents.items.values() if item.audit and rule["id"] in (item.rules or "").split(",")]
    found = measured(drawn, _prediction)
    champion, current = _newest(drawn)
    judged = found if champion is None else measured(current, _prediction)
    return {
        **found,
        "weeks": [{"week": week, **measured(rows, _prediction)} for week, rows in _by_week(drawn)],
        "judged": {"champion": champion, **judged},
        "alarm": rule["alarm"],
        **_told(rule, judged, found["sampled"]),
    }


def _prediction(item: Item) -> str | None:
    return item.prediction


def _newest(items: Iterable[Item]) -> tuple[str | None, list[Item]]:
    """The newest champion with enough labelled rows, and its rows."""
    by: dict[str, list[Item]] = {}
    for item in sorted((i for i in items if i.queued_at), key=lambda i: (i.queued_at, i.key)):
        if item.champion is not None:
            by[item.champion] = [*by.pop(item.champion, []), item]  # the one that was champion last comes last
    enough = [name for name, rows in by.items() if measured(rows, _prediction)["labelled"] >= ENOUGH]
    return (enough[-1], by[enough[-1]]) if enough else (None, [])


def _by_week(items: Iterable[Item]) -> list[tuple[str, list[Item]]]:
    """The rows by the ISO week of their time; those without one come last, under `unknown`."""
    by: dict[str, list[Item]] = {}
    for item in items:
        week = "unknown" if item.time is None else "{}-W{:02}".format(*item.time.isocalendar()[:2])
        by.setdefault(week, []).append(item)
    return sorted(by.items())


def _told(rule: Mapping[str, Any], judged: Mapping[str, Any], sampled: int) -> dict[str, str | None]:
    """What there is to say in words: an `alarm_text` that fails the run, or a `note`."""
    limit = rule["alarm"]
    if not judged["labelled"]:
        return {"alarm_text": None, "note": f"none of {sampled} audited rows is labelled yet: nothing can be said"}
    if limit is None or judged["rate"] <= limit:
        return {"alarm_text": None, "note": None}
    rate = (
        f"{rule['id']}: the model was wrong in {judged['errors']} of {judged['labelled']} audited rows "
        f"({judged['rate']:.3f}), over the alarm's {limit:g}"
    )
    bound = f"the true rate is at least {judged['lower']:.3f} (95 %)"
    if judged["lower"] > limit:
        return {"alarm_text": f"{rate}; {bound}", "note": None}
    return {"alarm_text": None, "note": f"{rate}, which may be chance: {bound}"}


def teacher(contents: Contents, limit: float | None) -> dict[str, Any]:
    """How often people contradict the teacher where its accepted labels were audited."""
    audited = [item for item in contents.items.values() if item.auto_audited]
    found = measured(audited, lambda item: item.auto_label)
    alarm = note = None
    told = f"people contradict the teacher in {found['errors']} of {found['labelled']} audited labels"
    if not found["labelled"]:
        note = f"none of {found['sampled']} audited labels is checked yet: nothing can be said" if audited else None
    elif found["labelled"] < ENOUGH:
        note = f"{told}: fewer than {ENOUGH} are too few to say"
    elif limit is not None and found["rate"] > limit:
        alarm = f"{told} ({found['rate']:.3f}), more than the {limit:g} that `max_disagreement` allows"
    return {
        "audited": found["sampled"],
        "labelled": found["labelled"],
        "disagreed": found["errors"],
        "rate": found["rate"],
        "lower": found["lower"],
        "upper": found["upper"],
        "max_disagreement": limit,
        "alarm_text": alarm,
        "note": note,
    }
