"""The pipeline in which data moves and code is the champion's: mistakes are found, labelled, appended and learned from.

A run never waits for people: it takes in what they have finished, decides whether that is worth a new model, and mines
anew for them. No row reaches the training data but through a guard; `graph.check_guarded` proves it of the plan.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from clspec import plan, spec
from clspec.lower import drawing, judging
from clspec.lower.learning import Learning
from clspec.lower.parts import call, expected, source_config
from clspec.plan import Artifact, ArtifactType, Condition, Input, Kind
from clspec.quantity import seconds

if TYPE_CHECKING:
    from clspec.lower.making import Maker

NAME = "improvement"
_RETRAIN = Condition(step="decide", parameter="retrain", equals="yes")
_DURATIONS = ("within", "matures_after")


def pipeline(maker: Maker, feedback: spec.Feedback) -> plan.Pipeline:
    """All of it, each step after those it reads from."""
    return _Improvement(maker, feedback).pipeline()


class _Improvement:
    def __init__(self, maker: Maker, feedback: spec.Feedback) -> None:
        self._make = maker
        self._spec = maker.spec
        self._feedback = feedback
        self._learning = Learning(maker, NAME, newest="append", when=_RETRAIN)
        self._expect = self._learning.expect(self._sources())
        self._after = tuple(step.id for step in self._expect)
        """What must hold before anything is mined or learned."""

    def pipeline(self) -> plan.Pipeline:
        found = (
            self._learning.pin(),
            *self._expect,
            *self._learning.snapshots(),
            self._ingest(),
            self._guard("labels", "ingest", "rows"),
            self._append(),
            self._decide(),
            *self._learning.learned(),
            self._promote(),
            self._mine(),
            self._guard("mined", "mine", "candidates"),
            self._sample(),
            *self._auto_label(),
            self._enqueue(),
        )
        loop = self._loop()
        told = (*self._learning.judged(), *loop)
        steps = (
            *found,
            self._learning.report(told),
            self._conclude(told),
            *self._learning.notify((told[0], *loop), needs=("report",)),
        )
        origin = self._make.span(("feedback",))
        return plan.Pipeline(name=NAME, steps=drawing.told(steps), triggers=self._make.triggers(NAME), origin=origin)

    def _sources(self) -> tuple[str, ...]:
        """Every source that the loop reads, the production one first."""
        rules = self._feedback.rules
        told = (rule.source for rule in rules if isinstance(rule, spec.HumanFeedback))
        return tuple(dict.fromkeys((self._feedback.source, *told)))

    # -- labels come in ----------------------------------------------------------------------------------------------

    def _ingest(self) -> plan.Step:
        rules = [
            {
                "id": r.id,
                "type": _type(r),
                "alarm": r.alarm.error_rate if isinstance(r, spec.Random) and r.alarm else None,
            }
            for r in self._feedback.rules
        ]
        teacher = self._feedback.auto_label
        config = {
            "dataset": self._shape(),
            "task": self._make.task(),
            "labelling": self._labelling(),
            "rules": rules,
            "max_disagreement": teacher.max_disagreement if teacher else None,
        }
        outputs = (_rows("rows"), _rows("provenance"), _told("labels"))
        at = ("feedback", "labelling") if self._feedback.labelling else ("feedback",)
        return self._step("ingest", Kind.INGEST, config, at, (_pins(),), outputs, needs=self._after)

    def _guard(self, what: str, step: str, output: str) -> plan.Step:
        """Drop what is golden, the newest too; the only way into the training data and into the queue."""
        guard = self._feedback.leakage_guard
        config = {
            "dataset": self._shape(),
            "against": [self._make.shape(name) for name in self._make.protected()],
            "near": self._near(guard.near if guard else None),
        }
        inputs = (Input(name="rows", step=step, output=output), *self._learning.protected_rows("against"))
        outputs = (_rows("rows"), _rows("dropped"), _told("counts"))
        at = ("feedback", "leakage_guard") if guard else ("feedback",)
        return self._make.step(f"guard-{what}", Kind.GUARD, config, at, inputs=inputs, outputs=outputs, pure=False)

    def _append(self) -> plan.Step:
        name = self._feedback.append_to
        origin = source_config(self._spec, self._make.facts.dataset(name).from_)
        config = {
            "dataset": {**self._shape(), "from": origin},
            "code": self._make.code,
            "task": self._make.task(),
        }
        inputs = (
            Input(name="rows", step="guard-labels", output="rows"),
            Input(name="dropped", step="guard-labels", output="dropped"),
            Input(name="provenance", step="ingest", output="provenance"),
        )
        outputs = (_told("pins"), _told("appended"))
        return self._step("append", Kind.APPEND, config, ("feedback", "append_to"), inputs, outputs, needs=("pin",))

    def _decide(self) -> plan.Step:
        wanted = self._feedback.retrain_when
        rule = None
        if wanted:
            rule = {
                "min_new_samples": wanted.min_new_samples,
                "min_per_class": wanted.min_per_class,
                "max_wait": seconds(wanted.max_wait) if wanted.max_wait else None,
            }
        config = {
            "retrain_when": rule,
            "dataset": self._shape(),
            "label": self._spec.task.label,
            "pinned": self._make.pinned(self._feedback.append_to),
            "golden": self._make.pinned(self._make.golden_data),
        }
        inputs = (
            Input(name="appended", step="append", output="appended"),
            Input(name="standing", step="pin", output="standing"),
        )
        at = ("feedback", "retrain_when") if wanted else ("feedback",)
        return self._make.step(
            "decide",
            Kind.DECIDE,
            config,
            at,
            inputs=inputs,
            outputs=(_told("decision"),),
            parameters=("retrain",),
            pure=False,
        )

    def _promote(self) -> plan.Step:
        stages = self._spec.promotion.stages if self._spec.promotion else ()
        config = {
            "stages": [{"alias": s.alias, "approval": s.approval} for s in stages],
            "golden": self._make.pinned(self._make.golden_data),
            "compares": judging.compares(self._spec),
        }
        inputs = (
            Input(name="registered", step="register", output="registered"),
            Input(name="verdict", step="gate", output="verdict"),
        )
        at = ("promotion",) if stages else ("golden",)
        passed = Condition(step="gate", parameter="outcome", equals="pass")
        return self._make.step(
            "promote", Kind.PROMOTE, config, at, inputs=inputs, outputs=(_told("promoted"),), when=passed, pure=False
        )

    # -- mistakes go out ---------------------------------------------------------------------------------------------

    def _mine(self) -> plan.Step:
        sampling = self._feedback.sampling
        config = {
            "source": expected(self._spec, self._feedback.source),
            "dataset": self._shape(),
            "label": self._spec.task.label,
            "task": self._make.task(),
            "rules": [self._rule(rule) for rule in self._feedback.rules],
            "stratify_by": list(sampling.stratify_by) if sampling else [],
            "code": self._make.code,
        }
        outputs = (_rows("candidates"), _told("mined"))
        return self._step("mine", Kind.MINE, config, ("feedback", "rules"), (_pins(),), outputs, needs=self._after)

    def _rule(self, rule: spec.Rule) -> dict[str, Any]:
        """A rule in plain values: durations in seconds, the people's source as it is read."""
        found: dict[str, Any] = msgspec.to_builtins(rule)
        found |= {key: seconds(found[key]) for key in _DURATIONS if found.get(key)}
        if isinstance(rule, spec.HumanFeedback):
            found["feedback"] = expected(self._spec, rule.source)
        return found

    def _sample(self) -> plan.Step:
        sampling = self._feedback.sampling
        config = {
            "dataset": self._shape(),
            "budget": sampling.budget if sampling else None,
            "stratify_by": list(sampling.stratify_by) if sampling else [],
            "max_per_group": sampling.max_per_group if sampling else None,
            "dedupe": self._near(sampling.dedupe if sampling else None),
        }
        inputs = (Input(name="rows", step="guard-mined", output="rows"),)
        at = ("feedback", "sampling") if sampling else ("feedback",)
        outputs = (_rows("rows"), _told("sampled"))
        return self._make.step("sample", Kind.SAMPLE, config, at, inputs=inputs, outputs=outputs)

    def _auto_label(self) -> tuple[plan.Step, ...]:
        teacher = self._feedback.auto_label
        if teacher is None:
            return ()
        config = {
            "call": call(teacher, self._make.code),
            "dataset": self._shape(),
            "task": self._make.task(),
            "columns": teacher.columns,
            "accept_if": teacher.accept_if,
            "audit_rate": teacher.audit_rate,
            "never_for": list(teacher.never_for),
        }
        inputs = (Input(name="rows", step="sample", output="rows"),)
        return (
            self._make.step(
                "auto-label",
                Kind.AUTO_LABEL,
                config,
                ("feedback", "auto_label"),
                inputs=inputs,
                outputs=(_rows("rows"), _told("teacher")),
                place=teacher,
            ),
        )

    def _enqueue(self) -> plan.Step:
        config = {
            "dataset": self._shape(),
            "labelling": self._labelling(),
            "classes": list(self._spec.task.classes),
            "rules": [rule.id for rule in self._feedback.rules],
        }
        last = "auto-label" if self._feedback.auto_label else "sample"
        inputs = (
            Input(name="rows", step=last, output="rows"),
            Input(name="dropped", step="guard-mined", output="dropped"),
        )
        at = ("feedback", "labelling") if self._feedback.labelling else ("feedback",)
        return self._step("enqueue", Kind.ENQUEUE, config, at, inputs, (_told("queued"),), needs=("append",))

    # -- the end -----------------------------------------------------------------------------------------------------

    def _loop(self) -> tuple[Input, ...]:
        """What the loop's steps tell, as a report reads it."""
        told = [
            ("expectations", "expect", "expectations"),
            ("labels", "ingest", "labels"),
            ("dropped-labels", "guard-labels", "counts"),
            ("appended", "append", "appended"),
            ("decision", "decide", "decision"),
            ("promoted", "promote", "promoted"),
            ("mined", "mine", "mined"),
            ("dropped-mined", "guard-mined", "counts"),
            ("sampled", "sample", "sampled"),
            ("teacher", "auto-label", "teacher"),
            ("queued", "enqueue", "queued"),
        ]
        absent = {*(() if self._expect else ("expect",)), *(() if self._feedback.auto_label else ("auto-label",))}
        return tuple(
            Input(name=f"loop-{word}", step=step, output=output, optional=step == "promote")
            for word, step, output in told
            if step not in absent
        )

    def _conclude(self, told: tuple[Input, ...]) -> plan.Step:
        read = {"verdict", "loop-decision", "loop-labels", "loop-promoted"}
        inputs = tuple(entry for entry in told if entry.name in read)
        config = {"pipeline": NAME}
        return self._step("conclude", Kind.CONCLUDE, config, ("golden",), inputs, (), needs=("report",))

    # -- what they are made of ---------------------------------------------------------------------------------------

    def _step(  # noqa: PLR0913, PLR0917  # a step has this many parts
        self,
        name: str,
        kind: Kind,
        config: dict[str, Any],
        at: tuple[str, ...],
        inputs: tuple[Input, ...],
        outputs: tuple[Artifact, ...],
        needs: tuple[str, ...],
    ) -> plan.Step:
        """A step that looks at the store or at the world."""
        return self._make.step(name, kind, config, at, inputs=inputs, outputs=outputs, needs=needs, pure=False)

    def _shape(self) -> dict[str, Any]:
        return self._make.shape(self._feedback.append_to)

    def _near(self, near: spec.Near | None) -> dict[str, Any] | None:
        """What counts as a near-duplicate, and the column whose content is compared."""
        if near is None:
            return None
        media = self._spec.sources[self._feedback.source].roles.media
        return {"method": near.method, "distance": near.distance, "media": media}

    def _labelling(self) -> dict[str, Any]:
        labelling = self._feedback.labelling or spec.Labelling(queue="files")
        found: dict[str, Any] = msgspec.to_builtins(labelling)
        return found


def _pins() -> Input:
    return Input(name="pins", step="pin", output="pins")


def _rows(name: str) -> Artifact:
    return Artifact(name=name, type=ArtifactType.DATASET)


def _told(name: str) -> Artifact:
    return Artifact(name=name, type=ArtifactType.METRICS)


def _type(rule: spec.Rule) -> str:
    return str(type(rule).__struct_config__.tag)


def _alarm(rule: spec.Rule) -> float | None:
    """The error rate above which a run fails, if a rule has one."""
    return rule.alarm.error_rate if isinstance(rule, spec.Random) and rule.alarm else None
