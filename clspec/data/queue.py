"""The label queue of a spec: what waits for people, what they said, and what became of it.

Whoever else writes at the same moment: one is first, the other reads that and decides again. What is there already is
never written twice, so that every call may be made again after a crash.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from clspec.data import queue_log as log
from clspec.data.queue_rows import by_key, fresh_rows, gold_questions, hash_of, index_of, keys_of, texts
from clspec.data.queue_state import ADJUDICATE, Contents, Item, State, fold
from clspec.data.queue_votes import Outcome, decided
from clspec.data.table import DataError
from clspec.diagnostic import Refused, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from clspec.data.queue_state import Vote
    from clspec.data.queue_votes import Answer, Refusal
    from clspec.data.storage import Storage

_NOTHING = pa.schema([(log.ROW_KEY, pa.large_string())]).empty_table()


@dataclass(frozen=True, slots=True)
class Queue:
    """The label queue of one spec in a store."""

    storage: Storage
    spec: str

    @property
    def log(self) -> log.Log:
        """Its log."""
        return log.Log(self.storage, self.spec)

    def contents(self) -> Contents:
        """The queue as it stands.

        Raises:
            DataError: an event or a payload is not what was written.
        """
        return fold(self.log.read())

    def items(self, state: State) -> tuple[Item, ...]:
        """The items in one state, in the order of their keys."""
        return self.contents().of(state)

    def known_keys(self) -> pa.Array:
        """Every key that was ever enqueued, rejected or appended, as text; erased ones only `is_erased` knows."""
        return self.log.keys()

    def is_erased(self, keys: pa.Array | pa.ChunkedArray) -> pa.Array:
        """For each key, as text, whether it was erased."""
        erased = self.contents().erased
        if not erased:
            return pa.array([False] * len(keys), type=pa.bool_())
        return pa.array([hash_of(key) in erased for key in keys.to_pylist()], type=pa.bool_())

    def rows(self, keys: Sequence[str]) -> pa.Table:
        """Those of these rows that it holds, in the order given, with the key as text in `clspec.key`.

        Columns that only some rows came with are NULL in the others.
        """
        wanted = pa.array(keys, type=pa.large_string())
        found = [rows.filter(pc.is_in(rows.column(log.ROW_KEY), value_set=wanted)) for rows in self.log.rows()]
        try:
            whole = pa.concat_tables([_NOTHING, *found], promote_options="default")
        except pa.ArrowException as error:
            message = f"rows of the queue have other columns than later ones: {error}"
            raise DataError(message) from error
        places = pc.index_in(wanted, value_set=whole.column(log.ROW_KEY).combine_chunks())
        return whole.take(places.drop_null())

    def enqueue(  # noqa: PLR0913  # what is asked of people, and by which rules
        self,
        rows: pa.Table,
        key: str,
        *,
        votes_needed: int,
        gold: float,
        at: datetime,
        on_disagreement: str = ADJUDICATE,
        group: str | None = None,
        champion: str | None = None,
    ) -> dict[str, int]:
        """Put candidate rows before people; those with `clspec.label` have their label already.

        With them go gold questions, a share `gold` of all that is open: rows whose answer people know. A row that the
        queue knows stays as it is.

        Raises:
            DataError: a row has no key.
        """
        named = by_key(rows, texts(rows.column(key)))
        while True:
            events = self.log.read()
            contents = fold(events)
            fresh, counts = fresh_rows(named, contents)
            if len(fresh) == 0:
                return {**counts, "gold": 0}
            index = index_of(fresh, group)
            asked = gold_questions(contents, index, gold)
            event = {
                "event": "enqueued",
                "at": at.isoformat(),
                "needed": votes_needed,
                "on_disagreement": on_disagreement,
                "champion": champion,
            }
            payloads = {"index": index, log.ROWS: fresh, "gold": keys_of(asked)}
            if self.log.add(event, payloads, after=len(events)):
                return {**counts, "gold": len(asked)}

    def vote(
        self, answers: Sequence[Answer | Refusal], classes: Sequence[str], source: str, at: datetime
    ) -> tuple[Outcome, ...]:
        """Take in what people said, all of it or none; what became of each answer, in order."""
        while True:
            events = self.log.read()
            outcomes = decided(answers, fold(events), classes, source, at)
            votes = [outcome.vote for outcome in outcomes if outcome.vote is not None]
            if not votes or self._voted("voted", votes, after=len(events)):
                return outcomes

    def adjudicate(self, vote: Vote) -> bool:
        """Let a person decide between those who disagree; False if that is what was decided already.

        Raises:
            Refused: there is nothing to decide.
        """
        while True:
            events = self.log.read()
            items = fold(events).items
            if vote.key not in items:
                message = f"the queue has no `{vote.key}`: {did_you_mean(vote.key, items) or 'see `clspec label list`'}"
                raise Refused(message)
            item = items[vote.key]
            if item.decision is not None and (item.decision.label, item.decision.by) == (vote.label, vote.by):
                return False
            _refuse_decided(item)
            if self._voted("adjudicated", [vote], after=len(events)):
                return True

    def _voted(self, kind: str, votes: Sequence[Vote], *, after: int) -> bool:
        rows = [{name: getattr(vote, name) for name in log.VOTES.names} for vote in votes]
        return self.log.add({"event": kind}, {"votes": pa.Table.from_pylist(rows, schema=log.VOTES)}, after=after)

    def take(self, classes: Sequence[str]) -> Contents:
        """Make the labels that are there final, and say what the queue holds then.

        A label that is none of the classes (of which there are none where labels are no classes) is not taken.
        """
        while True:
            events = self.log.read()
            contents = fold(events)
            labels = [
                {"key": item.key, "label": item.label}
                for item in contents.of(State.LABELLED)
                if item.taken is None and (not classes or item.label in classes)
            ]
            rows = pa.Table.from_pylist(labels, schema=log.LABELS)
            if not labels:
                return contents
            if self.log.add({"event": "taken"}, {"labels": rows}, after=len(events)):
                return self.contents()

    def append_done(self, keys: pa.Array | pa.ChunkedArray, digest: str) -> int:
        """Record that a dataset's version has these rows; how many that is news of."""
        return self._close(texts(keys), {"event": "appended", "digest": digest}, (State.APPENDED,))

    def reject(self, keys: pa.Array | pa.ChunkedArray, reason: str) -> int:
        """Record that these rows are not to be learned from, and why; how many that is news of.

        Rows that a dataset has, or that were rejected before, stay as they are.
        """
        return self._close(texts(keys), {"event": "rejected", "reason": reason}, (State.APPENDED, State.REJECTED))

    def _close(self, keys: pa.Array, event: Mapping[str, Any], closed: tuple[State, ...]) -> int:
        while True:
            events = self.log.read()
            contents = fold(events)
            fresh = [
                key
                for key in sorted(set(keys.to_pylist()))
                if hash_of(key) not in contents.erased
                and (key not in contents.items or contents.items[key].state not in closed)
            ]
            if not fresh or self.log.add(event, {"keys": keys_of(fresh)}, after=len(events)):
                return len(fresh)

    def erase(self, keys: pa.Array | pa.ChunkedArray) -> int:
        """Take rows out of the queue for good, their votes too; of how many it held any.

        No payload that an event stands by has them afterwards. The old ones lie in the store until `garbage` is
        deleted. Only the digests of the keys are kept, so that the rows are never mined again.
        """
        gone = texts(keys)
        while True:
            events = self.log.read()
            contents = fold(events)
            hashes = sorted({hash_of(key) for key in gone.to_pylist()} - contents.erased)
            instead = self.log.without(gone)
            if not hashes and not instead:
                return 0
            held = sum(key in contents.items for key in set(gone.to_pylist()))
            if self.log.add({"event": "erased", "hashes": hashes, "replaced": instead}, {}, after=len(events)):
                return held

    def garbage(self) -> tuple[str, ...]:
        """The objects of the queue that nothing stands by any more; a young one may belong to a writer at work."""
        return self.log.unnamed()


def _refuse_decided(item: Item) -> None:
    """Make sure that there is something to decide.

    Raises:
        Refused: nobody disagrees about it, or its label is final.
    """
    final = item.taken is not None or item.appended is not None or item.rejected is not None
    if final or not (item.waits or item.decision is not None):
        message = (
            f"there is nothing to decide about `{item.key}`: it is {item.state.value}"
            + (f" ({item.verdict[1]})" if item.verdict[1] else "")
            + "; `clspec label review` lists what waits"
        )
        raise Refused(message)
