"""Going up: which model may hold a stage, and who the champion is.

A model goes up the stages of the spec one by one: it has held all that are below the one it reaches, and where a stage
asks for an approval, somebody gave it by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clspec.data.models import Models, short
from clspec.data.stages import CHAMPION, Change, Stage
from clspec.data.table import DataError
from clspec.diagnostic import Refused, UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clspec.data.models import Record
    from clspec.data.storage import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """The model that holds the stage `champion`: by which change, and the judgement that let it in."""

    number: int
    change: Change
    record: Record


def champion(storage: Storage, spec: str) -> Champion | None:
    """The champion, or None while there is none.

    Raises:
        DataError: the store has no record of it.
    """
    history = Stage(storage, spec, CHAMPION).history()
    if not history:
        return None
    change = history[-1]
    records = Models(storage, spec).records(change.model)
    named = [record for record in records if record.name == change.record]
    passed = [record for record in records if record.passed]
    if not (named or passed):
        message = f"{storage.uri} has no record of the champion {change.model}: restore {spec}/models"
        raise DataError(message)
    return Champion(number=len(history), change=change, record=(named or passed)[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """A stage as the spec has it: its alias, and the role that must approve, if any."""

    alias: str
    approval: str | None = None


def rungs(stages: Iterable[Mapping[str, str | None]]) -> tuple[Rung, ...]:
    """The stages of a spec, the lowest first; where it has none, there is the champion alone."""
    found = tuple(Rung(alias=str(stage["alias"]), approval=stage["approval"]) for stage in stages)
    return found or (Rung(alias=CHAMPION),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Who moves a model, why and when."""

    by: str
    why: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """How far a model came: the stages that it has or had, and the one that waits for an approval."""

    reached: tuple[str, ...]
    awaiting: Rung | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """The stages of a spec in a store; `compares` says that its models are judged against the champion."""

    storage: Storage
    spec: str
    rungs: tuple[Rung, ...]
    compares: bool

    def climb(self, record: Record, said: Said) -> Reached:
        """Take a model up to the first stage that waits for an approval which it does not have.

        Raises:
            Refused: it was judged against another champion than the present one.
        """
        reached: list[str] = []
        for rung in self.rungs:
            if not self._held(rung, record):
                if rung.approval is not None:
                    return Reached(reached=tuple(reached), awaiting=rung)
                self._put(rung, record, said)
            reached.append(rung.alias)
        return Reached(reached=tuple(reached), awaiting=None)

    def approve(self, record: Record, alias: str, said: Said) -> Reached:
        """Take a model up to a stage, as who may approve that says.

        Raises:
            UsageError: the spec has no such stage.
            Refused: it lacks the approval of a stage below, or was judged against another champion.
        """
        names = [rung.alias for rung in self.rungs]
        if alias not in names:
            message = f"there is no stage `{alias}`: {did_you_mean(alias, names)}"
            raise UsageError(message)
        *below, target = self.rungs[: names.index(alias) + 1]
        for rung in below:
            if self._held(rung, record):
                continue
            if rung.approval is not None:
                message = (
                    f"model {short(record.model)} has not been approved for `{rung.alias}`, which comes before "
                    f"`{alias}`: clspec promote {short(record.model)} --stage {rung.alias} --approved-by NAME"
                )
                raise Refused(message)
            self._put(rung, record, said)
        self._put(target, record, said)
        return Reached(reached=(*(rung.alias for rung in below), alias), awaiting=None)

    def _held(self, rung: Rung, record: Record) -> bool:
        """Whether this judgement of the model has ever had the stage: what was rolled back goes up only if told to."""
        history = Stage(self.storage, self.spec, rung.alias).history()
        return any((change.model, change.record) == (record.model, record.name) for change in history)

    def _put(self, rung: Rung, record: Record, said: Said) -> None:
        stage = Stage(self.storage, self.spec, rung.alias)
        change = Change(
            model=record.model,
            action="promote",
            by=said.by,
            why=said.why,
            at=said.at,
            compared_with=record.champion,
            record=record.name,
            approval=rung.approval,
        )
        while True:
            history = stage.history()
            last = history[-1] if history else None
            if last is not None and (last.model, last.record) == (record.model, record.name):
                return
            if rung.alias == CHAMPION and self.compares:
                _refuse_another_champion(record, last)
            if stage.add(change, after=len(history)):
                return


def _refuse_another_champion(record: Record, last: Change | None) -> None:
    present = None if last is None else last.model
    if present in {record.champion, record.model}:
        return
    judged = f"against {short(record.champion)}" if record.champion else "against no champion"
    now = f"the champion is now {short(present)}" if present else "there is no champion now"
    message = f"model {short(record.model)} was judged {judged}, {now}: run again, so that the two are compared"
    raise Refused(message)


def passing(records: Iterable[Record], model: str, golden: str) -> Record:
    """The newest judgement that lets a model go up: a pass on the pinned golden version.

    Raises:
        Refused: there is none.
    """
    found = [record for record in records if record.passed and record.dataset("golden")[1] == golden]
    if not found:
        message = (
            f"model {short(model)} has no passing verdict on the golden version that the lock pins ({golden}): "
            f"run the pipeline with it first"
        )
        raise Refused(message)
    return found[-1]


def roll_back(stage: Stage, said: Said) -> tuple[Change, Change]:
    """Give a stage back to the model before, and say who held it and who does now.

    Raises:
        Refused: there is no earlier model, or somebody else changed the stage at the same moment.
    """
    history = stage.history()
    earlier = _before(history)
    if earlier is None:
        message = f"stage `{stage.alias}` has had no other model before: there is nothing to go back to"
        raise Refused(message)
    change = Change(
        model=earlier.model,
        action="rollback",
        by=said.by,
        why=said.why,
        at=said.at,
        compared_with=earlier.compared_with,
        record=earlier.record,
        approval=earlier.approval,
    )
    if not stage.add(change, after=len(history)):
        message = f"stage `{stage.alias}` was changed by somebody else just now: look at `clspec models` first"
        raise Refused(message)
    return history[-1], change


def _before(history: tuple[Change, ...]) -> Change | None:
    """The promotion that a rollback of the last change goes back to.

    Going back twice goes back twice as far: what was rolled back is out of the way.
    """
    standing: list[Change] = []
    for change in history:
        if change.action == "promote":
            standing.append(change)
            continue
        while standing and standing[-1].model != change.model:
            standing.pop()
    return next((change for change in reversed(standing) if change.model != standing[-1].model), None)
