"""The pipeline in which code moves and every dataset is pinned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clspec import plan, spec
from clspec.lower.parts import call, demanded, measured, placed, source_config
from clspec.plan import Artifact, ArtifactType, Input, Kind, canonical

if TYPE_CHECKING:
    from clspec.check import Facts
    from clspec.diagnostic import Pointer

_DATASET = ArtifactType.DATASET


class Regression:
    """The pipeline in which code moves and every dataset is pinned."""

    def __init__(self, facts: Facts, code_digest: str) -> None:
        self.facts = facts
        self.spec = facts.spec
        self.code = code_digest
        self.training_data = self.spec.training.dataset
        self.golden_data = self.spec.golden.dataset

    def pipeline(self) -> plan.Pipeline:
        """All of it, each step after those it reads from."""
        seeds = self.spec.training.seeds
        steps = (
            self._pin(),
            self._snapshot_training(),
            self._snapshot_golden(),
            *(self._train(seed) for seed in seeds),
            *(self._predict(seed, shard) for seed in seeds for shard in range(1, self.spec.inference.shards + 1)),
            *(self._evaluate(seed) for seed in seeds),
            self._gate(),
            self._register(),
            self._report(),
            self._conclude(),
        )
        triggers = tuple(
            self._trigger(index, trigger)
            for index, trigger in enumerate(self.spec.triggers)
            if trigger.run == "regression"
        )
        return plan.Pipeline(name="regression", steps=steps, triggers=triggers, origin=self._span(("metadata",)))

    # -- the steps, in their order -----------------------------------------------------------------------------------

    def _pin(self) -> plan.Step:
        names = dict.fromkeys((self.training_data, self.golden_data))
        config = {"datasets": {name: self._dataset(name) for name in names}, "code": self.code}
        return self._step(
            "pin",
            Kind.PIN,
            config,
            ("datasets",),
            outputs=(Artifact(name="pins", type=ArtifactType.METRICS),),
            pure=False,
        )

    def _snapshot_training(self) -> plan.Step:
        dataset = self._dataset(self.training_data)
        config = {
            "dataset": self.training_data,
            **dataset,
            "split": {"validation": self.spec.training.split.validation, "by": dataset["group"] or dataset["key"]},
        }
        del config["from"]
        outputs = (Artifact(name="data", type=_DATASET), Artifact(name="validation", type=_DATASET))
        return self._snapshot("training", self.training_data, config, outputs)

    def _snapshot_golden(self) -> plan.Step:
        config = {"dataset": self.golden_data, **self._dataset(self.golden_data), "split": None}
        del config["from"]
        return self._snapshot("golden", self.golden_data, config, (Artifact(name="data", type=_DATASET),))

    def _snapshot(self, role: str, name: str, config: dict[str, Any], outputs: tuple[Artifact, ...]) -> plan.Step:
        inputs = (Input(name="pins", step="pin", output="pins"),)
        return self._step(f"snapshot-{role}", Kind.SNAPSHOT, config, ("datasets", name), inputs=inputs, outputs=outputs)

    def _train(self, seed: int) -> plan.Step:
        training = self.spec.training
        dataset = self._dataset(self.training_data)
        config = {
            "call": call(training, self.code),
            "params": {name: list(v) if isinstance(v, tuple) else v for name, v in training.params.items()},
            "seed": seed,
            "key": dataset["key"],
            "group": dataset["group"],
            "golden": {key: self._dataset(self.golden_data)[key] for key in ("key", "group")},
        }
        inputs = (
            Input(name="data", step="snapshot-training", output="data"),
            Input(name="validation", step="snapshot-training", output="validation"),
            Input(name="golden", step="snapshot-golden", output="data"),
        )
        outputs = (Artifact(name="model", type=ArtifactType.MODEL), Artifact(name="metrics", type=ArtifactType.METRICS))
        return self._step(
            f"train-seed-{seed}", Kind.TRAIN, config, ("training",), inputs=inputs, outputs=outputs, place=training
        )

    def _predict(self, seed: int, shard: int) -> plan.Step:
        inference = self.spec.inference
        config = {
            "call": call(inference, self.code),
            "task": self._task(),
            "key": self._dataset(self.golden_data)["key"],
            "shard": shard,
            "shards": inference.shards,
        }
        inputs = (
            Input(name="model", step=f"train-seed-{seed}", output="model"),
            Input(name="data", step="snapshot-golden", output="data"),
        )
        outputs = (Artifact(name="predictions", type=ArtifactType.PREDICTIONS),)
        name = self._prediction(seed, shard)
        return self._step(name, Kind.PREDICT, config, ("inference",), inputs=inputs, outputs=outputs, place=inference)

    def _prediction(self, seed: int, shard: int) -> str:
        return f"predict-seed-{seed}" + (f"-shard-{shard}" if self.spec.inference.shards > 1 else "")

    def _evaluate(self, seed: int) -> plan.Step:
        dataset = self._dataset(self.golden_data)
        config = {
            "task": self._task(),
            "key": dataset["key"],
            "columns": dataset["columns"],
            "cluster_by": self.spec.golden.cluster_by,
            "scenarios": [measured(scenario) for scenario in self.spec.golden.scenarios],
        }
        inputs = (
            Input(name="data", step="snapshot-golden", output="data"),
            *(
                Input(name=f"predictions-{shard}", step=self._prediction(seed, shard), output="predictions")
                for shard in range(1, self.spec.inference.shards + 1)
            ),
        )
        outputs = (Artifact(name="metrics", type=ArtifactType.METRICS),)
        return self._step(f"evaluate-seed-{seed}", Kind.EVALUATE, config, ("golden",), inputs=inputs, outputs=outputs)

    def _gate(self) -> plan.Step:
        config = {
            "seeds": list(self.spec.training.seeds),
            "scenarios": [self._judged(scenario) for scenario in self.spec.golden.scenarios],
        }
        inputs = tuple(
            Input(name=f"metrics-seed-{seed}", step=f"evaluate-seed-{seed}", output="metrics")
            for seed in self.spec.training.seeds
        )
        outputs = (Artifact(name="verdict", type=ArtifactType.VERDICT),)
        return self._step(
            "gate", Kind.GATE, config, ("golden",), inputs=inputs, outputs=outputs, parameters=("outcome",)
        )

    def _register(self) -> plan.Step:
        first = self.spec.training.seeds[0]
        inputs = (
            Input(name="model", step=f"train-seed-{first}", output="model"),
            Input(name="training", step=f"train-seed-{first}", output="metrics"),
            Input(name="metrics", step=f"evaluate-seed-{first}", output="metrics"),
            Input(name="verdict", step="gate", output="verdict"),
        )
        passed = plan.Condition(step="gate", parameter="outcome", equals="pass")
        record = self._record()
        return self._step("register", Kind.REGISTER, record, ("golden",), inputs=inputs, when=passed, pure=False)

    def _report(self) -> plan.Step:
        seeds = self.spec.training.seeds
        inputs = (
            Input(name="verdict", step="gate", output="verdict"),
            *(Input(name=f"training-seed-{s}", step=f"train-seed-{s}", output="metrics") for s in seeds),
            *(Input(name=f"metrics-seed-{s}", step=f"evaluate-seed-{s}", output="metrics") for s in seeds),
        )
        outputs = (Artifact(name="report", type=ArtifactType.REPORT),)
        return self._step("report", Kind.REPORT, self._record(), ("metadata",), inputs=inputs, outputs=outputs)

    def _conclude(self) -> plan.Step:
        inputs = (Input(name="verdict", step="gate", output="verdict"),)
        return self._step("conclude", Kind.CONCLUDE, {}, ("golden",), inputs=inputs, needs=("report",), pure=False)

    # -- what they are made of ---------------------------------------------------------------------------------------

    def _step(  # noqa: PLR0913  # a step has this many parts
        self,
        name: str,
        kind: Kind,
        config: dict[str, Any],
        at: Pointer,
        *,
        inputs: tuple[Input, ...] = (),
        outputs: tuple[Artifact, ...] = (),
        needs: tuple[str, ...] = (),
        parameters: tuple[str, ...] = (),
        when: plan.Condition | None = None,
        place: spec.Place | None = None,
        pure: bool = True,
    ) -> plan.Step:
        conditions = (when.step,) if when else ()
        return plan.Step(
            id=name,
            kind=kind,
            config=canonical({"spec": self.spec.metadata.name, **config}),
            needs=tuple(sorted({*needs, *conditions, *(i.step for i in inputs)})),
            inputs=inputs,
            outputs=outputs,
            parameters=parameters,
            when=when,
            image=self._image(),
            pure=pure,
            origin=self._span(at),
            where=self.facts.document.where(at),
            **({} if place is None else placed(place)),
        )

    def _span(self, at: Pointer) -> Any:
        return self.facts.document.key_span(at)

    def _image(self) -> str:
        """The image by digest; a tag that the lock does not know stays a tag, which a cluster's target refuses."""
        image = self.spec.code.image
        digest = self.facts.lock.images.get(image) if self.facts.lock else None
        return f"{image.partition('@')[0]}@{digest}" if digest else image

    def _dataset(self, name: str) -> dict[str, Any]:
        """What a step must know of a dataset: its pinned digest, its shape and where a first version comes from."""
        assert self.facts.lock is not None  # the checks have seen every pin
        dataset = self.facts.dataset(name)
        return {
            "digest": self.facts.lock.datasets[name].digest,
            "columns": dataset.columns,
            "key": dataset.key,
            "group": dataset.group,
            "from": source_config(self.spec, dataset.from_),
        }

    def _task(self) -> dict[str, Any]:
        task = self.spec.task
        return {
            "type": task.type,
            "label": task.label,
            "classes": list(task.classes),
            "prediction": task.prediction,
            "score": task.score,
        }

    def _confidence(self, scenario: spec.Scenario) -> float:
        return scenario.confidence or self.spec.golden.defaults.confidence

    def _judged(self, scenario: spec.Scenario) -> dict[str, Any]:
        """A scenario as the gate reads it."""
        return {
            "id": scenario.id,
            "must_pass": scenario.must_pass,
            "confidence": self._confidence(scenario),
            "min_samples": scenario.min_samples or self.spec.golden.defaults.min_samples,
            "checks": [demanded(check) for check in scenario.checks],
            "guard": [demanded(check) for check in scenario.guard.checks] if scenario.guard else [],
        }

    def _record(self) -> dict[str, Any]:
        """What moved and what was pinned: the facts that a model's record and a report state."""
        assert self.facts.lock is not None  # the checks have seen every pin
        names = (self.training_data, self.golden_data)
        return {
            "pipeline": "regression",
            "code": self.code,
            "image": self._image(),
            "params": {k: list(v) if isinstance(v, tuple) else v for k, v in self.spec.training.params.items()},
            "seeds": list(self.spec.training.seeds),
            "datasets": {name: self.facts.lock.datasets[name].digest for name in names},
            "roles": {"training": self.training_data, "golden": self.golden_data},
            "scenarios": [
                {"id": s.id, "select": s.select, "guard": s.guard.select if s.guard else None}
                for s in self.spec.golden.scenarios
            ],
        }

    def _trigger(self, index: int, trigger: spec.Trigger) -> plan.Trigger:
        at: Pointer = ("triggers", index)
        known = {
            key: getattr(trigger, key) for key in ("paths", "cron", "time_zone", "source") if hasattr(trigger, key)
        }
        event = plan.Event(type(trigger).__struct_config__.tag)
        return plan.Trigger(event=event, origin=self._span(at), where=self.facts.document.where(at), **known)
