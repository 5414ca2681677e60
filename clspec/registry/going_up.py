"""Promotion and rollback by a person, and what models there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clspec.data.models import short
from clspec.data.promotion import Ladder, Reached, Rung, Said, passing, roll_back
from clspec.data.stages import CHAMPION
from clspec.diagnostic import Refused, UsageError
from clspec.lower import judging
from clspec.step import demands
from clspec.stored import models_of, rungs_of, stage_of

if TYPE_CHECKING:
    from datetime import datetime

    from clspec.check import Facts
    from clspec.data.models import Record
    from clspec.data.stages import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted:
    """A model that went up, and how far it came."""

    model: str
    reached: Reached


def promote(facts: Facts, word: str, *, stage: str | None, approved_by: str | None, said: Said) -> Promoted:
    """Take a registered model up: to a stage by name, to the next that is approved, or as far as none has to be.

    Raises:
        UsageError: the word names no model or several, there is no such stage, or who approves has no name.
        Refused: the model has not passed the spec's gates on the pinned golden version, lacks an approval, or was
            judged against another champion than the present one.
    """
    models = models_of(facts)
    model = models.named(word)
    record = passing(models.records(model), model, _pinned_golden(facts))
    _refuse_other_gates(facts, record)
    ladder = Ladder(
        storage=models.storage, spec=models.spec, rungs=rungs_of(facts), compares=judging.compares(facts.spec)
    )
    if approved_by is not None and not approved_by.strip():
        message = "an approval is somebody's: say --approved-by NAME"
        raise UsageError(message)
    if stage is None and approved_by is None:
        reached = ladder.climb(record, said)
        _refuse_rolled_back(facts, record, reached)
        return Promoted(model=model, reached=reached)
    target = _target(facts, record, stage)
    if target.approval is not None and approved_by is None:
        message = (
            f"stage `{target.alias}` needs the approval of {target.approval}: "
            f"clspec promote {short(model)} --stage {target.alias} --approved-by NAME"
        )
        raise Refused(message)
    return Promoted(model=model, reached=ladder.approve(record, target.alias, said))


def _pinned_golden(facts: Facts) -> str:
    name = facts.spec.golden.dataset
    if facts.lock is None or name not in facts.lock.datasets:
        message = f"{facts.lock_path} pins no golden dataset `{name}`: run `clspec lock {facts.document.path}`"
        raise UsageError(message)
    return facts.lock.datasets[name].digest


def _refuse_other_gates(facts: Facts, record: Record) -> None:
    """A pass by gates that were other ones then is no pass by those that the spec has now.

    Raises:
        Refused: a must-pass scenario of the spec is new or was changed since, or the seeds were other ones.
    """
    then = record.asked
    changed = [name for name, asked in _asked(facts).items() if then.get(name) != asked]
    if record.seeds != facts.spec.training.seeds:
        changed.append("the seeds")
    if changed:
        message = (
            f"model {short(record.model)} passed other gates than the spec has now: {', '.join(changed)} changed "
            f"since. `clspec run` judges it by these, where the lock pins what it learned from: "
            f"`clspec lock {facts.document.path} --update {facts.spec.training.dataset}` pins the newest"
        )
        raise Refused(message)


def _asked(facts: Facts) -> dict[str, tuple[str, str]]:
    """What each must-pass scenario of the spec asks for: what is counted, and what is demanded of it."""
    whole = judging.measured_golden(facts.spec)
    counted = {s["id"]: demands.counted(s, whole["slices"], facts.spec.golden.cluster_by) for s in whole["scenarios"]}
    must = [scenario for scenario in judging.demanded_golden(facts.spec)["scenarios"] if scenario["must_pass"]]
    return {scenario["id"]: (counted[scenario["id"]], demands.demanded(scenario)) for scenario in must}


def _target(facts: Facts, record: Record, stage: str | None) -> Rung:
    """The stage that is meant: the one named, else the next that the model has not had, else the last."""
    rungs = rungs_of(facts)
    if stage is not None:
        stage_of(facts, stage)
        return next(rung for rung in rungs if rung.alias == stage)
    for rung in rungs:
        history = stage_of(facts, rung.alias).history()
        if rung.approval is not None and all(change.model != record.model for change in history):
            return rung
    return rungs[-1]


def _refuse_rolled_back(facts: Facts, record: Record, reached: Reached) -> None:
    """What was rolled back goes up again only if it is said in so many words."""
    if CHAMPION not in reached.reached:
        return
    history = stage_of(facts, CHAMPION).history()
    if history and history[-1].model != record.model:
        message = (
            f"model {short(record.model)} was champion and is no more: "
            f"`clspec promote {short(record.model)} --stage {CHAMPION}` makes it that again"
        )
        raise Refused(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBack:
    """A stage that went back from one model to another."""

    alias: str
    before: Change
    now: Change


def rollback(facts: Facts, stage: str, said: Said) -> RolledBack:
    """Give a stage back to the model that held it before.

    Raises:
        UsageError: there is no such stage.
        Refused: no other model held it before.
    """
    before, now = roll_back(stage_of(facts, stage), said)
    return RolledBack(alias=stage, before=before, now=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A registered model as a list shows it."""

    digest: str
    registered: datetime
    pipeline: str
    stages: tuple[str, ...]
    """The stages that it holds."""
    datasets: dict[str, str]
    judgements: int


def models(facts: Facts) -> tuple[Model, ...]:
    """The registered models, the newest last."""
    found, holders = models_of(facts), _holders(facts)
    listed = []
    for digest in found.digests():
        *_, last = records = found.records(digest)
        listed.append(
            Model(
                digest=digest,
                registered=records[0].written,
                pipeline=str(last.made_by["pipeline"]),
                stages=tuple(alias for alias, holder in holders.items() if holder == digest),
                datasets=last.datasets,
                judgements=len(records),
            )
        )
    return tuple(sorted(listed, key=lambda model: (model.registered, model.digest)))


def _holders(facts: Facts) -> dict[str, str]:
    histories = ((rung.alias, stage_of(facts, rung.alias).history()) for rung in rungs_of(facts))
    return {alias: history[-1].model for alias, history in histories if history}
