"""What has become of every row that was ever put before people: a fold over the queue's events, and nothing else.

An item is open until it has its label, labelled until a dataset has it, then appended; or it is rejected. A label that
a run has taken in is final: what is said of the item afterwards is kept, and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from clspec.data.table import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

PEOPLE = "people"
AUTO = "auto"
UNUSABLE = "unusable"
DISAGREEMENT = "disagreement"
ADJUDICATE, DROP = "adjudicate", "drop"


class State(Enum):
    """Where an item stands. Of an erased one nothing is left but the digest of its key."""

    OPEN = "open"
    LABELLED = "labelled"
    APPENDED = "appended"
    REJECTED = "rejected"
    ERASED = "erased"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """What one person says of one item; without a label it is that the row is unusable."""

    key: str
    label: str | None
    by: str
    at: datetime
    note: str | None
    source: str
    """The digest of the file that it came in, so that the file can come again."""


class Item(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A row of the queue without its data: where it came from and what was said of it."""

    key: str
    needed: int = 1
    """So many people must say the same."""
    on_disagreement: str = ADJUDICATE
    queued_at: datetime | None = None
    """None where the queue never held the row: it was rejected or appended by another way."""
    champion: str | None = None
    """The champion when the row was put here."""
    group: str | None = None
    time: datetime | None = None
    event: str | None = None
    rule: str | None = None
    rules: str | None = None
    audit: bool = False
    prediction: str | None = None
    confidence: float | None = None
    given: str | None = None
    """A label that came with the row, from feedback or a teacher."""
    given_by: str | None = None
    auto_label: str | None = None
    auto_accepted: bool = False
    auto_audited: bool = False
    votes: tuple[Vote, ...] = ()
    answers: tuple[Vote, ...] = ()
    """What labellers said when it was put to them as a gold question."""
    late: tuple[Vote, ...] = ()
    decision: Vote | None = None
    taken: str | None = None
    """The label that a run has taken in."""
    appended: str | None = None
    """The dataset version that has it."""
    rejected: str | None = None
    gold: bool = False

    @cached_property
    def standing(self) -> dict[str, Vote]:
        """The vote of each labeller that counts: the newest by its own time, of equals the one that came last."""
        return newest(self.votes)

    @cached_property
    def disagrees(self) -> bool:
        """Whether enough people have spoken and not all say the same."""
        said = {vote.label for vote in self.standing.values()}
        return len(self.standing) >= self.needed and len(said) > 1

    @cached_property
    def verdict(self) -> tuple[State, str | None]:
        """The state, and with it the final label or the reason of a rejection."""
        if self.appended is not None:
            return State.APPENDED, self.taken if self.taken is not None else self._said()[1]
        if self.rejected is not None:
            return State.REJECTED, self.rejected
        if self.taken is not None:
            return State.LABELLED, self.taken
        return self._said()

    def _said(self) -> tuple[State, str | None]:
        if self.decision is not None:
            return _told(self.decision.label)
        if self.given is not None:
            return State.LABELLED, self.given
        if len(self.standing) < self.needed:
            return State.OPEN, None
        if not self.disagrees:
            return _told(next(iter(self.standing.values())).label)
        return (State.REJECTED, DISAGREEMENT) if self.on_disagreement == DROP else (State.OPEN, None)

    @property
    def state(self) -> State:
        """Where it stands."""
        return self.verdict[0]

    @property
    def label(self) -> str | None:
        """The final label, where there is one."""
        return self.verdict[1] if self.state in {State.LABELLED, State.APPENDED} else None

    @property
    def origin(self) -> str | None:
        """Who the final label is from, where there is one."""
        if self.label is None:
            return None
        return self.given_by if self.given is not None and self.decision is None else PEOPLE

    @property
    def waits(self) -> bool:
        """Whether a person must decide between those who disagree."""
        return self.state is State.OPEN and self.disagrees

    @property
    def unanimous(self) -> bool:
        """Whether people gave the final label, and all the same: its answer is known."""
        return self.origin == PEOPLE and self.decision is None and not self.disagrees and bool(self.votes)

    @property
    def is_taken(self) -> bool:
        """Whether a run has taken the label in, so that it is final."""
        return self.taken is not None or self.appended is not None

    @property
    def labelled_at(self) -> datetime | None:
        """When the final label was given."""
        if self.decision is not None:
            return self.decision.at
        return max((vote.at for vote in self.standing.values()), default=self.queued_at)

    @property
    def voices(self) -> tuple[Vote, ...]:
        """All that was ever said of it."""
        return (*self.votes, *self.answers, *self.late)


def _told(label: str | None) -> tuple[State, str | None]:
    return (State.REJECTED, UNUSABLE) if label is None else (State.LABELLED, label)


def newest(votes: Iterable[Vote]) -> dict[str, Vote]:
    """The newest vote of each labeller."""
    found: dict[str, Vote] = {}
    for vote in votes:
        if vote.by not in found or vote.at >= found[vote.by].at:
            found[vote.by] = vote
    return found


def voted(item: Item, vote: Vote) -> Item:
    """The item after a vote: it counts, answers a gold question, or comes too late to count."""
    if item.gold and all(known.by != vote.by for known in item.votes):
        return replace(item, answers=(*item.answers, vote))
    if is_final_for(item, vote.by):
        return replace(item, late=(*item.late, vote))
    return replace(item, votes=(*item.votes, vote))


def is_final_for(item: Item, name: str) -> bool:
    """Whether a labeller's vote no longer changes anything; who has voted may change it until a run takes the label."""
    if any(value is not None for value in (item.appended, item.rejected, item.taken, item.decision, item.given)):
        return True
    if item.state is State.OPEN:
        return False
    return name not in item.standing or item.verdict == (State.REJECTED, DISAGREEMENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event of the log, its payloads read: rows as dicts, by what they are."""

    kind: str
    content: Mapping[str, Any]
    payloads: Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True, kw_only=True)
class Contents:
    """The queue as it stands."""

    items: Mapping[str, Item] = field(default_factory=dict)
    erased: frozenset[str] = frozenset()
    """The sha256 of every erased key."""

    def of(self, state: State) -> tuple[Item, ...]:
        """The items in one state, in the order of their keys."""
        return tuple(item for _, item in sorted(self.items.items()) if item.state is state)


def fold(events: Iterable[Event]) -> Contents:
    """What the events amount to.

    Raises:
        DataError: an event is none of the queue's.
    """
    items: dict[str, Item] = {}
    erased: set[str] = set()
    for event in events:
        if event.kind == "erased":
            erased.update(event.content["hashes"])
        elif event.kind in _FOLDS:
            _FOLDS[event.kind](items, event)
        else:
            message = f"the queue's log has an event `{event.kind}` that this version of clspec does not know"
            raise DataError(message)
    return Contents(items=items, erased=frozenset(erased))


def _enqueued(items: dict[str, Item], event: Event) -> None:
    content = event.content
    shared = {name: content[name] for name in ("needed", "on_disagreement", "champion")}
    shared["queued_at"] = datetime.fromisoformat(content["at"])
    for row in event.payloads["index"]:
        if row["key"] not in items:
            items[row["key"]] = Item(**shared, **row)
    for row in event.payloads["gold"]:
        items[row["key"]] = replace(items[row["key"]], gold=True)


def _voted(items: dict[str, Item], event: Event) -> None:
    for row in event.payloads["votes"]:
        items[row["key"]] = voted(items[row["key"]], Vote(**row))


def _adjudicated(items: dict[str, Item], event: Event) -> None:
    for row in event.payloads["votes"]:
        items[row["key"]] = replace(items[row["key"]], decision=Vote(**row))


def _taken(items: dict[str, Item], event: Event) -> None:
    for row in event.payloads["labels"]:
        items[row["key"]] = replace(items[row["key"]], taken=row["label"])


def _rejected(items: dict[str, Item], event: Event) -> None:
    for row in event.payloads["keys"]:
        item = items.get(row["key"]) or Item(key=row["key"])
        items[item.key] = replace(item, rejected=event.content["reason"])


def _appended(items: dict[str, Item], event: Event) -> None:
    for row in event.payloads["keys"]:
        item = items.get(row["key"]) or Item(key=row["key"])
        items[item.key] = replace(item, appended=event.content["digest"])


_FOLDS: dict[str, Callable[[dict[str, Item], Event], None]] = {
    "enqueued": _enqueued,
    "voted": _voted,
    "adjudicated": _adjudicated,
    "taken": _taken,
    "rejected": _rejected,
    "appended": _appended,
}
