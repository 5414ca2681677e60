"""What becomes of what people said: every answer has exactly one outcome, and none is lost.

An answer is a line of a file. It is stored, or it is the same again, or it is refused with its reason; a vote that
comes too late to count is stored too, and called late.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

from clspec.data.queue_state import UNUSABLE, Contents, Item, Vote, newest, voted
from clspec.diagnostic import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FIELDS = ("key", "label", "by", "at", "note")
_LONGEST_NAME = 200
_LONGEST_NOTE = 10_000
_AHEAD = timedelta(days=1)
"""So much may a labeller's clock be ahead, zone included: a vote from the far future could never be changed."""


class Fate(Enum):
    """What became of an answer."""

    STORED = "stored"
    SAME = "the same again"
    CHANGED = "changed"
    OLDER = "older than what stands"
    LATE = "late"
    UNANSWERED = "unanswered"
    UNKNOWN_KEY = "unknown key"
    UNKNOWN_CLASS = "unknown class"
    NO_NAME = "without a name"
    MALFORMED = "malformed"

    @property
    def refused(self) -> bool:
        """Whether nothing of it was kept."""
        return self in {Fate.UNKNOWN_KEY, Fate.UNKNOWN_CLASS, Fate.NO_NAME, Fate.MALFORMED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A line as it came: what one person says of one key, or nothing yet."""

    place: str
    """Where it stands in its file."""
    given: Any
    """What was read there, for whoever must mend it."""
    key: str
    label: str | None
    by: str | None
    at: datetime | None
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A line that cannot be an answer."""

    place: str
    given: Any
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one answer."""

    fate: Fate
    place: str
    given: Any
    reason: str = ""
    vote: Vote | None = None
    """What is to be kept of it."""


def answer(place: str, given: Mapping[str, Any], by: str | None) -> Answer | Refusal:
    """A line as an answer; `by` is whose it is where it does not say so."""
    try:
        return Answer(
            place=place,
            given=given,
            key=_key(given.get("key")),
            label=_text(given.get("label"), "label", _LONGEST_NAME),
            by=_name(given.get("by")) or by,
            at=_moment(given.get("at")),
            note=_text(given.get("note"), "note", _LONGEST_NOTE),
        )
    except ValueError as error:
        return Refusal(place=place, given=given, reason=str(error))


def labeller(name: str) -> str:
    """A labeller's name in the one form in which it is kept.

    Raises:
        ValueError: it is none.
    """
    found = _name(name)
    if found is None:
        message = "a labeller has a name"
        raise ValueError(message)
    return found


def _key(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value:
        message = f"`key` is {value!r:.60}, which names no row"
        raise ValueError(message)
    return _whole(value, "key")


def _text(value: Any, field: str, longest: int) -> str | None:
    """A text; an empty one is none."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if value is not None and not isinstance(value, str):
        message = f"`{field}` is {value!r:.60}, not a text"
        raise ValueError(message)
    if value and len(value) > longest:
        message = f"`{field}` is longer than {longest} characters"
        raise ValueError(message)
    return _whole(value, field) if value else None


def _whole(text: str, field: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        message = f"`{field}` holds half of a character"
        raise ValueError(message) from error
    return text


def _name(value: Any) -> str | None:
    """One person, one form of the name, whichever way an accent was typed."""
    text = unicodedata.normalize("NFC", (_text(value, "by", _LONGEST_NAME) or "").strip())
    if "," in text or any(unicodedata.category(character).startswith("C") for character in text):
        message = f"`by` is {text!r:.60}: a name has no comma and no control characters"
        raise ValueError(message)
    return text or None


def _moment(value: Any) -> datetime | None:
    text = _text(value, "at", _LONGEST_NAME)
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        message = f"`at` is {text!r:.60}, which is no ISO 8601 time"
        raise ValueError(message) from error


def decided(
    answers: Sequence[Answer | Refusal], contents: Contents, classes: Sequence[str], source: str, now: datetime
) -> tuple[Outcome, ...]:
    """What becomes of each answer, in order, where the queue stands like this.

    `classes` is empty where any label goes; `source` is the digest of the file that the answers are from.
    """
    items = dict(contents.items)
    outcomes = []
    for given in answers:
        outcome = _outcome(given, items, classes, source, now)
        if outcome.vote is not None and not _came_before(outcome.vote, given, contents):
            items[outcome.vote.key] = voted(items[outcome.vote.key], outcome.vote)
        elif outcome.vote is not None:
            outcome = _become(given, Fate.SAME)
        outcomes.append(outcome)
    return tuple(outcomes)


def _become(given: Answer | Refusal, fate: Fate, reason: str = "") -> Outcome:
    return Outcome(fate=fate, place=given.place, given=given.given, reason=reason)


def _outcome(
    given: Answer | Refusal, items: Mapping[str, Item], classes: Sequence[str], source: str, now: datetime
) -> Outcome:
    if isinstance(given, Refusal):
        return _become(given, Fate.MALFORMED, given.reason)
    if given.label is None and given.note is None:
        return _become(given, Fate.UNANSWERED)
    return _refused(given, items, classes, now) or _kept(given, items, classes, source, now)


def _refused(given: Answer, items: Mapping[str, Item], classes: Sequence[str], now: datetime) -> Outcome | None:
    """Why nothing of an answer can be kept, or None if something can."""
    if given.key not in items or items[given.key].queued_at is None:
        return _become(given, Fate.UNKNOWN_KEY, f"the queue has no `{given.key}`")
    if given.by is None:
        return _become(given, Fate.NO_NAME, "nobody says it: give `by`, or say --by NAME")
    if given.at is not None and given.at > now + _AHEAD:
        return _become(given, Fate.MALFORMED, f"`at` is {given.at.isoformat()}, which is yet to come")
    label = _label(given, classes)
    if label is not None and classes and label not in classes:
        hint = did_you_mean(label, classes)
        return _become(given, Fate.UNKNOWN_CLASS, f"`{label}` is no class: {hint}".removesuffix(": "))
    return None


def _label(given: Answer, classes: Sequence[str]) -> str | None:
    return None if given.label == UNUSABLE and UNUSABLE not in classes else given.label


def _kept(given: Answer, items: Mapping[str, Item], classes: Sequence[str], source: str, now: datetime) -> Outcome:
    """A possible answer as a vote, or the same again."""
    assert given.by is not None  # else it was refused
    item, label = items[given.key], _label(given, classes)
    vote = Vote(key=given.key, label=label, by=given.by, at=given.at or now, note=given.note, source=source)
    own = [said for said in item.voices if said.by == given.by]
    same = [said for said in own if (said.label, said.note) == (label, given.note)]
    stands = newest(own).values()
    if any(said.at == given.at if given.at is not None else said in stands for said in same):
        return _become(given, Fate.SAME)
    return Outcome(fate=_fate(item, vote), place=given.place, given=given.given, vote=vote)


def _came_before(vote: Vote, given: Answer | Refusal, contents: Contents) -> bool:
    """Whether a vote without a time of its own came in this very file before: a file may come again at any time."""
    if not isinstance(given, Answer) or given.at is not None:
        return False
    return any(
        (said.source, said.by, said.label, said.note) == (vote.source, vote.by, vote.label, vote.note)
        for said in contents.items[vote.key].voices
    )


def _fate(item: Item, vote: Vote) -> Fate:
    after = voted(item, vote)
    if len(after.late) > len(item.late):
        return Fate.LATE
    before = newest([*item.votes, *item.answers]).get(vote.by)
    if before is None:
        return Fate.STORED
    return Fate.CHANGED if vote.at >= before.at else Fate.OLDER
