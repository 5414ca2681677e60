"""Plans for tests of the Kubeflow target, and slips that can be planted in what is made of them."""

from dataclasses import replace

import yaml

from clspec.diagnostic import Span
from clspec.plan import (
    Artifact,
    ArtifactType,
    Condition,
    Gpu,
    Input,
    Kind,
    Pipeline,
    Plan,
    Resources,
    Retry,
    Secret,
    Step,
    Toleration,
    canonical,
)
from clspec_kfp import Options, backend

IMAGE = "registry.example.com/perception@sha256:" + "0f" * 32
GIB = 1024**3
TRAINING = Span(30, 1, 40, 1)

HOSTILE = [
    "{{workflow.name}}",
    "{{$}}",
    "{{$.inputs.parameters['store']}}",
    "{{{{=1+1}}",
    "\\{{",
    "$(POD_NAME)",
    "$$(POD_NAME)",
    "$$$",
    "a 'quoted' \"text\" \\ with $1",
    "line\nbreak\r\n---\n...\n# no comment",
    "\u2028\u202e\u0085\x00\x1b[31m",
    "pédestrian 🚶",
    "no",
    "1e3",
    "0o17",
    "2026-11-23",
    " trailing ",
    '{"Concat": ["a"]}',
    "x" * 5000,
]


def step(name, kind, *, reads=(), after=(), writes=(), **more):
    """A step of the test's plan; `reads` is `(input, step, output)`, `writes` is `(output, type)`."""
    inputs = tuple(Input(name=given, step=producer, output=output) for given, producer, output in reads)
    needs = tuple(dict.fromkeys([*(given.step for given in inputs), *after]))
    outputs = tuple(Artifact(name=output, type=kind_of) for output, kind_of in writes)
    settings = {"image": IMAGE, "where": kind.value, "config": "{}"} | more
    return Step(id=name, kind=kind, inputs=inputs, needs=needs, outputs=outputs, **settings)


def regression(**of_training):
    """A small regression pipeline with two seeds; the keywords change both of its training steps."""
    dataset, model = ArtifactType.DATASET, ArtifactType.MODEL
    training = {"origin": TRAINING, "where": "training"} | of_training
    steps = [step("pin", Kind.PIN, writes=[("pins", ArtifactType.REPORT)], pure=False)]
    steps += [
        step(
            f"snapshot-{name}",
            Kind.SNAPSHOT,
            reads=[("pins", "pin", "pins")],
            writes=[("dataset", dataset)],
            config=canonical({"dataset": name}),
        )
        for name in ("canonical", "golden")
    ]
    for seed in (1, 2):
        steps += [
            step(
                f"train-{seed}",
                Kind.TRAIN,
                reads=[("data", "snapshot-canonical", "dataset")],
                writes=[("model", model)],
                config=canonical({"seed": seed}),
                **training,
            ),
            step(
                f"predict-{seed}",
                Kind.PREDICT,
                reads=[("model", f"train-{seed}", "model"), ("data", "snapshot-golden", "dataset")],
                writes=[("predictions", ArtifactType.PREDICTIONS)],
            ),
            step(
                f"evaluate-{seed}",
                Kind.EVALUATE,
                reads=[("predictions", f"predict-{seed}", "predictions"), ("data", "snapshot-golden", "dataset")],
                writes=[("metrics", ArtifactType.METRICS)],
            ),
        ]
    steps += [
        step(
            "gate",
            Kind.GATE,
            reads=[("metrics-1", "evaluate-1", "metrics"), ("metrics-2", "evaluate-2", "metrics")],
            writes=[("judgement", ArtifactType.VERDICT)],
            parameters=("verdict",),
        ),
        step(
            "register",
            Kind.REGISTER,
            reads=[("model", "train-1", "model"), ("judgement", "gate", "judgement")],
            when=Condition(step="gate", parameter="verdict", equals="pass"),
            pure=False,
        ),
        step(
            "report",
            Kind.REPORT,
            reads=[("judgement", "gate", "judgement")],
            after=["register"],
            writes=[("report", ArtifactType.REPORT)],
            pure=False,
        ),
        step("conclude", Kind.CONCLUDE, reads=[("judgement", "gate", "judgement")], after=["report"], pure=False),
    ]
    return Pipeline(name="regression", steps=tuple(steps))


def plan(pipeline=None, **changes):
    settings = {
        "name": "robotaxi-perception",
        "spec": "specs/robotaxi.yaml",
        "store": "s3://perception/cl",
        "workdir": "/app",
    }
    return Plan(pipelines=(pipeline or regression(),), **(settings | changes))


FULL = {
    "resources": Resources(
        cpu=4.0,
        memory=16 * GIB,
        gpu=Gpu(count=2, model="NVIDIA-A100-SXM4-80GB", memory=40 * GIB),
        shared_memory=8 * GIB,
        ephemeral_storage=20 * GIB,
        node_selector=(("pool", "train"),),
        tolerations=(Toleration(key="gpu", operator="Exists", effect="NoSchedule"), Toleration(key="a", value="b")),
    ),
    "secrets": (
        Secret(env="HF_TOKEN", name="hub", key="token"),
        Secret(env="HF_USER", name="hub", key="user"),
        Secret(env="WANDB", name="wandb", key="key"),
    ),
    "timeout": 6 * 3600,
    "retry": Retry(times=2),
}


def emitted(of_plan=None, options=None):
    """The documents of the plan's one pipeline, read back from the text."""
    of_plan = of_plan or plan()
    bundle = backend.emit(of_plan, options or Options())
    return list(yaml.safe_load_all(bundle[f"{of_plan.pipelines[0].name}.yaml"]))


def codes(of_plan, options=None):
    return [(problem.code, problem.is_error) for problem in backend.check(of_plan, options or Options())]


def with_step(pipeline, name, **changes):
    changed = tuple(replace(s, **changes) if s.id == name else s for s in pipeline.steps)
    return replace(pipeline, steps=changed)


RETRAIN = Condition(step="decide", parameter="retrain", equals="yes")
PASSED = Condition(step="gate", parameter="outcome", equals="pass")


def improvement():
    """A small pipeline that branches twice, one branch within the other, and tells people at its end."""
    metrics = ArtifactType.METRICS
    return Pipeline(
        name="improvement",
        steps=(
            step("pin", Kind.PIN, writes=[("pins", metrics)], pure=False),
            step(
                "decide",
                Kind.DECIDE,
                reads=[("standing", "pin", "pins")],
                writes=[("decision", metrics)],
                parameters=("retrain",),
                pure=False,
            ),
            step(
                "train",
                Kind.TRAIN,
                reads=[("pins", "pin", "pins")],
                after=["decide"],
                writes=[("model", ArtifactType.MODEL), ("metrics", metrics)],
                when=RETRAIN,
            ),
            step(
                "gate",
                Kind.GATE,
                reads=[("metrics", "train", "metrics")],
                after=["decide"],
                writes=[("verdict", ArtifactType.VERDICT)],
                parameters=("outcome",),
                when=RETRAIN,
                pure=False,
            ),
            step(
                "register",
                Kind.REGISTER,
                reads=[("model", "train", "model"), ("pins", "pin", "pins"), ("verdict", "gate", "verdict")],
                writes=[("registered", metrics)],
                when=PASSED,
                pure=False,
            ),
            step(
                "promote",
                Kind.PROMOTE,
                reads=[("registered", "register", "registered")],
                after=["gate"],
                writes=[("promoted", metrics)],
                when=PASSED,
                pure=False,
            ),
            optional(
                step(
                    "report",
                    Kind.REPORT,
                    reads=[
                        ("loop-decision", "decide", "decision"),
                        ("training", "train", "metrics"),
                        ("verdict", "gate", "verdict"),
                        ("loop-promoted", "promote", "promoted"),
                    ],
                    writes=[("report", ArtifactType.REPORT)],
                ),
                "training",
                "verdict",
                "loop-promoted",
            ),
            step("conclude", Kind.CONCLUDE, reads=[("loop-decision", "decide", "decision")], after=["report"]),
            optional(
                step(
                    "notify",
                    Kind.NOTIFY,
                    reads=[("verdict", "gate", "verdict"), ("loop-decision", "decide", "decision")],
                    after=["report"],
                    always=True,
                    pure=False,
                    secrets=(Secret(env="HOOK", name="hooks", key="hook"),),
                ),
                "verdict",
                "loop-decision",
            ),
        ),
    )


def optional(made, *names):
    """The step, with inputs that may be missing."""
    inputs = tuple(replace(given, optional=given.name in names) for given in made.inputs)
    return replace(made, inputs=inputs)


def at_path(tree, path):
    """What stands at a path."""
    for key in path:
        tree = tree[key]
    return tree


def put(*path_and_value):
    """A slip: another value at a path."""
    *path, key, value = path_and_value
    return lambda tree: at_path(tree, path).__setitem__(key, value)


def drop(*path):
    """A slip: something is missing."""
    return lambda tree: at_path(tree, path[:-1]).__delitem__(path[-1])


def move(*path_and_name):
    """A slip: something has another name."""
    *path, key, name = path_and_name
    return lambda tree: at_path(tree, path).__setitem__(name, at_path(tree, path).pop(key))
