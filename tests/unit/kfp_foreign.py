"""Pipelines as others write them: built with Kubeflow's own SDK, so that what it compiles is what it means."""

import itertools
import warnings

IMAGE = "registry.example.com/perception@sha256:" + "0f" * 32


class Maker:
    """The components and pipelines that the corpus is made of."""

    def __init__(self, kfp):
        self.dsl, self.kubernetes, self.compiler = kfp.dsl, kfp.kubernetes, kfp.compiler
        dsl = self.dsl

        @dsl.container_component
        def draw(rows: dsl.Output[dsl.Dataset], count: int = 5):
            return dsl.ContainerSpec(image=IMAGE, command=["draw"], args=["--out", rows.path, "--count", count])

        @dsl.container_component
        def train(rows: dsl.Input[dsl.Dataset], model: dsl.Output[dsl.Model], rate: float = 0.1, name: str = "m"):
            words = ["--rows", rows.uri, "--model", model.path, "--rate", rate]
            return dsl.ContainerSpec(
                image=IMAGE, command=["train"], args=[*words, dsl.IfPresentPlaceholder("name", ["--name", name])]
            )

        @dsl.container_component
        def judge(model: dsl.Input[dsl.Model], verdict: dsl.OutputPath(str), score: dsl.OutputPath(int)):
            joined = dsl.ConcatPlaceholder(["model=", model.path])
            return dsl.ContainerSpec(image=IMAGE, command=["judge", joined], args=[verdict, score])

        @dsl.container_component
        def say(text: str):
            return dsl.ContainerSpec(image=IMAGE, command=["echo"], args=[text])

        @dsl.container_component
        def shards(many: dsl.OutputPath(list)):
            return dsl.ContainerSpec(image=IMAGE, command=["shards"], args=[many])

        @dsl.component(base_image=IMAGE)
        def total(scores: list[int]) -> int:
            return sum(scores)

        @dsl.component(base_image=IMAGE)
        def merge(parts: dsl.Input[list[dsl.Dataset]], whole: dsl.Output[dsl.Dataset]):
            pass

        @dsl.component(base_image=IMAGE)
        def tell(status: dsl.PipelineTaskFinalStatus, whom: str = "all"):
            pass

        self.draw, self.train, self.judge, self.say, self.shards = draw, train, judge, say, shards
        self.total, self.merge, self.tell = total, merge, tell

        @dsl.pipeline
        def inner(count: int = 3) -> dsl.Model:
            return train(rows=draw(count=count).output).outputs["model"]

        self.inner = inner

    def text(self, make, name, **config):
        """What the SDK compiles a function's pipeline to."""
        import tempfile
        from pathlib import Path

        make.__name__ = name
        with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
            warnings.simplefilter("ignore")
            path = Path(folder) / "pipeline.yaml"
            self.compiler.Compiler().compile(self.dsl.pipeline(name=name, **config)(make), str(path))
            return path.read_text()

    # -- what a pipeline may hold --------------------------------------------------------------------------------------

    def chain(self, count):
        return self.train(rows=self.draw(count=count).output)

    def gated(self, count):
        verdict = self.judge(model=self.chain(count).outputs["model"])
        with self.dsl.If(verdict.outputs["verdict"] == "pass"):
            self.say(text="good")
        with self.dsl.Elif(verdict.outputs["score"] > 3):
            self.say(text="fair")
        with self.dsl.Else():
            self.say(text=f"bad: {verdict.outputs['score']}")
        return verdict

    def nested_conditions(self, count):
        verdict = self.judge(model=self.chain(count).outputs["model"])
        with self.dsl.If(verdict.outputs["verdict"] == "pass"), self.dsl.If(verdict.outputs["score"] >= 5):
            self.say(text=verdict.outputs["verdict"])
        return verdict

    def static_loop(self, count):
        with self.dsl.ParallelFor(["a", "b", "c"], parallelism=2) as item:
            self.say(text=item)
        return self.draw(count=count)

    def loop_of_mappings(self, count):
        with self.dsl.ParallelFor([{"a": "x", "b": "y"}, {"a": "z", "b": "w"}]) as item:
            self.say(text=item.a)
            self.say(text=item.b)
        return self.draw(count=count)

    def dynamic_loop(self, count):
        with self.dsl.ParallelFor(self.shards().output) as shard:
            self.say(text=shard)
        return self.draw(count=count)

    def collected(self, count):
        self.draw(count=count)
        with self.dsl.ParallelFor([1, 2, 3]) as item:
            made = self.draw(count=item)
            judged = self.judge(model=self.train(rows=made.output).outputs["model"])
        self.merge(parts=self.dsl.Collected(made.outputs["rows"]))
        return self.total(scores=self.dsl.Collected(judged.outputs["score"]))

    def exit_handler(self, count):
        with self.dsl.ExitHandler(self.tell(whom="board"), name="work"):
            return self.chain(count)

    def importer(self, count):
        found = self.dsl.importer(
            artifact_uri="s3://bucket/rows", artifact_class=self.dsl.Dataset, metadata={"by": "hand"}
        )
        self.draw(count=count)
        return self.train(rows=found.output)

    def pipeline_in_pipeline(self, count):
        return self.judge(model=self.inner(count=count).output)

    def ignoring(self, count):
        first = self.chain(count)
        return self.say(text="anyway").after(first).ignore_upstream_failure()

    def told(self, count):
        return self.say(text=self.dsl.PIPELINE_JOB_ID_PLACEHOLDER).after(self.draw(count=count))

    @property
    def shapes(self):
        return [
            *(self.chain, self.gated, self.nested_conditions, self.static_loop, self.loop_of_mappings),
            *(self.dynamic_loop, self.collected, self.exit_handler, self.importer, self.pipeline_in_pipeline),
            *(self.ignoring, self.told),
        ]

    # -- what may be said of a task ------------------------------------------------------------------------------------

    def of_tasks(self):
        k = self.kubernetes
        yield "plain", lambda task: task
        yield "retry", lambda task: task.set_retry(3, backoff_duration="30s", backoff_factor=2)
        yield "no cache", lambda task: task.set_caching_options(enable_caching=False)
        yield (
            "machine",
            lambda task: (
                task.set_cpu_limit("4")
                .set_cpu_request("500m")
                .set_memory_limit("16Gi")
                .set_memory_request("512Mi")
                .set_accelerator_type("nvidia.com/gpu")
                .set_accelerator_limit(2)
            ),
        )
        yield "environment", lambda task: task.set_env_variable("A", "b").set_display_name("A name, with signs!")
        yield (
            "secrets",
            lambda task: k.use_secret_as_env(
                k.use_secret_as_volume(task, secret_name="s", mount_path="/mnt/s"), "hub", {"token": "HF_TOKEN"}
            ),
        )
        yield (
            "config maps",
            lambda task: k.use_config_map_as_env(
                k.use_config_map_as_volume(task, config_map_name="c", mount_path="/mnt/c"), "c", {"k": "V"}
            ),
        )
        yield (
            "nodes",
            lambda task: k.add_node_affinity(
                k.add_node_selector(
                    k.add_toleration(task, key="gpu", operator="Exists", effect="NoExecute", toleration_seconds=9),
                    "a",
                    "b",
                ),
                match_expressions=[{"key": "pool", "operator": "In", "values": ["x", "y"]}],
                weight=10,
            ),
        )
        yield (
            "volumes",
            lambda task: k.empty_dir_mount(
                k.mount_pvc(task, pvc_name="data", mount_path="/data"),
                "dshm",
                "/dev/shm",
                medium="Memory",
                size_limit="1Gi",
            ),
        )
        yield (
            "pod",
            lambda task: k.set_timeout(
                k.set_image_pull_policy(
                    k.add_pod_label(k.add_pod_annotation(task, "a.b/c", "any text"), "l", "v"), "Always"
                ),
                60,
            ),
        )
        yield (
            "ephemeral",
            lambda task: k.add_ephemeral_volume(
                task, volume_name="v", mount_path="/v", access_modes=["ReadWriteOnce"], size="5Gi"
            ),
        )
        yield "fields", lambda task: k.use_field_path_as_env(task, env_name="POD", field_path="metadata.name")
        yield "user", lambda task: k.set_security_context(task, run_as_user=1000, run_as_non_root=True)

    def corpus(self):
        """Every shape with everything that may be said of a task, and shapes beside each other."""
        number = 0
        for shape, (said, say) in itertools.product(self.shapes, self.of_tasks()):
            number += 1

            def make(count: int = 4, *, shape=shape, say=say):
                say(shape(count))

            yield f"{shape.__name__}, {said}", self.text(_plain(make), f"one-{number}")
        for one, other in itertools.combinations(self.shapes, 2):
            number += 1

            def make(count: int = 4, *, one=one, other=other):
                other(count)
                one(count)

            yield f"{one.__name__} and {other.__name__}", self.text(_plain(make), f"two-{number}")


def _plain(make):
    """The same with the one parameter that the SDK is to see."""

    def pipeline(count: int = 4):
        make(count)

    return pipeline
