"""From pinned data to a judged model: the steps that both pipelines share, each after those it reads from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from clspec import plan
from clspec.lower import judging
from clspec.lower.parts import call, expected, expected_of, listed, placed
from clspec.plan import Artifact, ArtifactType, Condition, Input, Kind

if TYPE_CHECKING:
    from clspec import spec
    from clspec.lower.making import Maker

_DATA = Artifact(name="data", type=ArtifactType.DATASET)
_PASSED = Condition(step="gate", parameter="outcome", equals="pass")


class Learning:
    """The steps from a snapshot to a registered model, for one pipeline of a spec.

    `newest` is the step whose `pins` say which version of the training data is meant; `when` is the condition under
    which anything is learned at all.
    """

    def __init__(self, maker: Maker, pipeline: str, newest: str, when: Condition | None) -> None:
        self._make = maker
        self._spec = maker.spec
        self._pipeline = pipeline
        self._newest = newest
        self._when = when
        self.record = maker.record(pipeline)

    def pin(self) -> plan.Step:
        """Look at the store and at the champion before anything runs."""
        names = dict.fromkeys((self._make.training_data, *self._make.protected()))
        datasets = {name: self._pinned(name) for name in names}
        reuse = self._spec.golden.reuse
        config = {
            "pipeline": self._pipeline,
            "datasets": datasets,
            "golden": self._make.pinned(self._make.golden_data),
            "code": self._make.code,
            "record": self.record,
            "reuse": {"max_decisions": reuse.max_decisions} if reuse else None,
        }
        outputs = (
            Artifact(name="pins", type=ArtifactType.METRICS),
            Artifact(name="standing", type=ArtifactType.METRICS),
        )
        return self._make.step("pin", Kind.PIN, config, ("datasets",), outputs=outputs, pure=False)

    def _pinned(self, name: str) -> dict[str, Any]:
        """A dataset as `pin` reads it; one that moves has no digest, but the one that its first version has."""
        dataset = self._make.dataset(name)
        if self.record["datasets"].get(name, "") is None:
            return {**dataset, "digest": None, "first": dataset["digest"]}
        return dataset

    def expect(self, sources: tuple[str, ...]) -> tuple[plan.Step, ...]:
        """The data gates, if there are any."""
        named = [expected(self._spec, name) for name in sources]
        asked = [source for source in named if source["expect"] or source["freshness"]]
        training = self._make.facts.dataset(self._make.training_data).expect
        datasets = [self._expected(training)] if training else []
        if not asked and not datasets:
            return ()
        against = sorted(
            {e["drift"]["against"] for e in (x["expect"] for x in (*asked, *datasets)) if e and e["drift"]}
        )
        config = {
            "sources": asked,
            "datasets": datasets,
            "against": [self._make.shape(name) for name in against],
            "code": self._make.code,
        }
        outputs = (Artifact(name="expectations", type=ArtifactType.METRICS),)
        at = ("sources", asked[0]["name"]) if asked else ("datasets", self._make.training_data)
        return (
            self._make.step("expect", Kind.EXPECT, config, at, inputs=(_pins("pin"),), outputs=outputs, pure=False),
        )

    def _expected(self, expect: spec.Expect) -> dict[str, Any]:
        return {**self._make.shape(self._make.training_data), "expect": expected_of(expect)}

    def snapshots(self) -> tuple[plan.Step, ...]:
        """The golden rows, and those of whatever else is protected."""
        golden, *others = self._make.protected()
        return (
            self._snapshot("golden", golden),
            *(self._snapshot(f"against-{number}", name) for number, name in enumerate(others, 1)),
        )

    def _snapshot(self, role: str, name: str) -> plan.Step:
        config = {"dataset": name, **self._make.dataset(name), "split": None}
        del config["from"]
        return self._make.step(
            f"snapshot-{role}", Kind.SNAPSHOT, config, ("datasets", name), inputs=(_pins("pin"),), outputs=(_DATA,)
        )

    def protected_rows(self, called: str) -> tuple[Input, ...]:
        """The protected datasets' rows, as a step reads them: `CALLED-NAME`."""
        golden, *others = self._make.protected()
        steps = {golden: "snapshot-golden"}
        steps |= {name: f"snapshot-against-{number}" for number, name in enumerate(others, 1)}
        return tuple(Input(name=f"{called}-{name}", step=step, output="data") for name, step in steps.items())

    def learned(self) -> tuple[plan.Step, ...]:
        """Everything from the training data's snapshot to the registered model."""
        seeds, shards = self._spec.training.seeds, range(1, self._spec.inference.shards + 1)
        return (
            self._snapshot_training(),
            *(self._train(seed) for seed in seeds),
            *(self._predict(seed, shard) for seed in seeds for shard in shards),
            *((self._baseline(),) if judging.compares(self._spec) else ()),
            *self._evaluations(),
            self._gate(),
            self._register(),
        )

    def _snapshot_training(self) -> plan.Step:
        name = self._make.training_data
        dataset = self._make.dataset(name)
        del dataset["from"]
        config = {
            "dataset": name,
            **dataset,
            "digest": self.record["datasets"][name],
            "split": {"validation": self._spec.training.split.validation, "by": dataset["group"] or dataset["key"]},
        }
        outputs = (_DATA, Artifact(name="validation", type=ArtifactType.DATASET))
        inputs = (_pins(self._newest),)
        at = ("datasets", name)
        return self._make.step(
            "snapshot-training", Kind.SNAPSHOT, config, at, inputs=inputs, outputs=outputs, when=self._when
        )

    def _train(self, seed: int) -> plan.Step:
        training = self._spec.training
        dataset = self._make.shape(self._make.training_data)
        config = {
            "call": call(training, self._make.code),
            "params": {name: listed(value) for name, value in training.params.items()},
            "seed": seed,
            "key": dataset["key"],
            "group": dataset["group"],
            "protected": [self._make.shape(name) for name in self._make.protected()],
        }
        needed = placed(training)["resources"]
        if needed.nodes > 1:  # how many share the work is part of what comes out
            config["world"] = {"machines": needed.nodes, "processes": needed.processes}
        inputs = (
            Input(name="data", step="snapshot-training", output="data"),
            Input(name="validation", step="snapshot-training", output="validation"),
            *self.protected_rows("golden"),
        )
        outputs = (Artifact(name="model", type=ArtifactType.MODEL), Artifact(name="metrics", type=ArtifactType.METRICS))
        return self._make.step(
            f"train-seed-{seed}",
            Kind.TRAIN,
            config,
            ("training",),
            inputs=inputs,
            outputs=outputs,
            place=training,
            when=self._when,
        )

    def _predict(self, seed: int, shard: int) -> plan.Step:
        inference = self._spec.inference
        config = {
            "call": call(inference, self._make.code),
            "task": self._make.task(),
            "key": self._make.shape(self._make.golden_data)["key"],
            "shard": shard,
            "shards": inference.shards,
            "latency": judging.times_rows(self._spec),
        }
        inputs = (
            Input(name="model", step=f"train-seed-{seed}", output="model"),
            Input(name="data", step="snapshot-golden", output="data"),
        )
        return self._make.step(
            self._prediction(seed, shard),
            Kind.PREDICT,
            config,
            ("inference",),
            inputs=inputs,
            outputs=(Artifact(name="predictions", type=ArtifactType.PREDICTIONS),),
            place=inference,
            when=self._when,
        )

    def _prediction(self, seed: int, shard: int) -> str:
        return f"predict-seed-{seed}" + (f"-shard-{shard}" if self._spec.inference.shards > 1 else "")

    def _predictions(self, seed: int) -> tuple[Input, ...]:
        shards = range(1, self._spec.inference.shards + 1)
        return tuple(
            Input(name=f"predictions-{shard}", step=self._prediction(seed, shard), output="predictions")
            for shard in shards
        )

    def _baseline(self) -> plan.Step:
        inference, golden = self._spec.inference, self._make.golden_data
        config = {
            "task": self._make.task(),
            "key": self._make.shape(golden)["key"],
            "columns": self._make.shape(golden)["columns"],
            "call": call(inference, self._make.code),
            "golden": self._make.pinned(golden),
        }
        inputs = (
            Input(name="standing", step="pin", output="standing"),
            Input(name="data", step="snapshot-golden", output="data"),
        )
        outputs = (Artifact(name="predictions", type=ArtifactType.PREDICTIONS),)
        return self._make.step(
            "baseline",
            Kind.BASELINE,
            config,
            ("golden",),
            inputs=inputs,
            outputs=outputs,
            place=inference,
            when=self._when,
            pure=False,
        )

    def _evaluations(self) -> tuple[plan.Step, ...]:
        """One step for each seed; all are told the same."""
        golden = self._make.shape(self._make.golden_data)
        config = {
            "task": self._make.task(),
            "key": golden["key"],
            "columns": golden["columns"],
            "cluster_by": self._spec.golden.cluster_by,
            "code": self._make.code if judging.runs_code(self._spec) else None,
            **self._make.measured,
        }
        return tuple(self._evaluate(seed, config) for seed in self._spec.training.seeds)

    def _evaluate(self, seed: int, config: dict[str, Any]) -> plan.Step:
        champion = (Input(name="baseline", step="baseline", output="predictions"),)
        inputs = (
            Input(name="data", step="snapshot-golden", output="data"),
            *self._predictions(seed),
            *(champion if judging.compares(self._spec) else ()),
        )
        outputs = (Artifact(name="metrics", type=ArtifactType.METRICS),)
        return self._make.step(
            f"evaluate-seed-{seed}",
            Kind.EVALUATE,
            config,
            ("golden",),
            inputs=inputs,
            outputs=outputs,
            when=self._when,
        )

    def _gate(self) -> plan.Step:
        config = {
            "pipeline": self._pipeline,
            "golden": self._make.pinned(self._make.golden_data),
            "training": self._make.training_data,
            **self._make.demanded,
        }
        metrics = (
            Input(name=f"metrics-seed-{seed}", step=f"evaluate-seed-{seed}", output="metrics")
            for seed in self._spec.training.seeds
        )
        inputs = (*metrics, _pins(self._newest), Input(name="standing", step="pin", output="standing"))
        outputs = (Artifact(name="verdict", type=ArtifactType.VERDICT),)
        return self._make.step(
            "gate",
            Kind.GATE,
            config,
            ("golden",),
            inputs=inputs,
            outputs=outputs,
            parameters=("outcome",),
            when=self._when,
            pure=False,
        )

    def _register(self) -> plan.Step:
        first = self._spec.training.seeds[0]
        inputs = (
            Input(name="model", step=f"train-seed-{first}", output="model"),
            Input(name="training", step=f"train-seed-{first}", output="metrics"),
            Input(name="metrics", step=f"evaluate-seed-{first}", output="metrics"),
            *self._predictions(first),
            _pins(self._newest),
            Input(name="standing", step="pin", output="standing"),
            Input(name="verdict", step="gate", output="verdict"),
        )
        outputs = (Artifact(name="registered", type=ArtifactType.METRICS),)
        config = {**self.record, "key": self._make.shape(self._make.golden_data)["key"]}
        return self._make.step(
            "register", Kind.REGISTER, config, ("golden",), inputs=inputs, outputs=outputs, when=_PASSED, pure=False
        )

    def judged(self) -> tuple[Input, ...]:
        """The verdict and what led to it, as a report reads them; missing where nothing was learned."""
        optional = self._when is not None
        seeds = self._spec.training.seeds
        trained = ((f"training-seed-{s}", f"train-seed-{s}", "metrics") for s in seeds)
        measured = ((f"metrics-seed-{s}", f"evaluate-seed-{s}", "metrics") for s in seeds)
        entries = (("verdict", "gate", "verdict"), *trained, *measured)
        return tuple(Input(name=n, step=s, output=o, optional=optional) for n, s, o in entries)

    def report(self, told: tuple[Input, ...]) -> plan.Step:
        """The page of the run, from what was told, what stood before it, and the golden rows that it shows."""
        inputs = (
            *told,
            Input(name="standing", step="pin", output="standing"),
            Input(name="golden", step="snapshot-golden", output="data"),
        )
        outputs = (Artifact(name="report", type=ArtifactType.REPORT),)
        config = {**self.record, "shown": self._make.shown(), "waivers": msgspec.to_builtins(self._spec.waivers)}
        return self._make.step("report", Kind.REPORT, config, ("metadata",), inputs=inputs, outputs=outputs)

    def notify(self, told: tuple[Input, ...], needs: tuple[str, ...]) -> tuple[plan.Step, ...]:
        """Tell those who want to be told, however the run ends."""
        if not self._spec.notify:
            return ()
        wanted = [
            {"on_event": list(n.on_event), "webhook_env": n.webhook_env, "format": n.format} for n in self._spec.notify
        ]
        config = {"pipeline": self._pipeline, "notify": wanted}
        inputs = tuple(Input(name=i.name, step=i.step, output=i.output, optional=True) for i in told)
        made = self._make.step(
            "notify", Kind.NOTIFY, config, ("notify",), inputs=inputs, needs=needs, pure=False, always=True
        )
        return (replace(made, secrets=self._webhooks()),)

    def _webhooks(self) -> tuple[plan.Secret, ...]:
        """Each webhook once, with its place on a cluster where any entry names one; none has two, as was checked."""
        places = {n.webhook_env: n.kubernetes for n in self._spec.notify if n.kubernetes}
        names = sorted({n.webhook_env for n in self._spec.notify})
        return tuple(
            plan.Secret(env=name, name=places[name].name, key=places[name].key)
            if name in places
            else plan.Secret(env=name)
            for name in names
        )


def _pins(step: str) -> Input:
    return Input(name="pins", step=step, output="pins")
