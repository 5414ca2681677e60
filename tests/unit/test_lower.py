"""A spec becomes a plan: which steps there are, what each may know, and where in the YAML it comes from."""

import json
import shutil
from datetime import date
from pathlib import Path

import pytest

from clspec import api, code, graph
from clspec.plan import (
    Condition,
    Event,
    Gpu,
    Input,
    Isolation,
    Kind,
    Resources,
    Retry,
    Secret,
    Toleration,
    canonical,
)

ROOT = Path(__file__).resolve().parents[2]
ROBOTAXI = ROOT / "specs" / "robotaxi.yaml"
TINY = ROOT / "tests" / "data" / "tiny"


@pytest.fixture
def tiny(tmp_path):
    return Path(shutil.copytree(TINY, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__"))) / "tiny.yaml"


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


DAY = date(2026, 11, 1)


def lowered(path, name="regression"):
    return api.plan(str(path), day=DAY).pipeline(name)


PIPELINES = [(ROBOTAXI, "regression"), (ROBOTAXI, "improvement"), (TINY / "tiny.yaml", "regression")]


def by_id(pipeline):
    return {step.id: step for step in pipeline.steps}


def config(step):
    return json.loads(step.config)


def spans(path, name="regression"):
    """The text that each step's origin underlines."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return {
        step.id: lines[step.origin.line - 1][step.origin.column - 1 : step.origin.end_column - 1]
        for step in lowered(path, name).steps
    }


# -- steps and fan-out -------------------------------------------------------------------------------------------------


def test_the_regression_pipeline_has_these_steps(tiny):
    pipeline = lowered(tiny)
    assert pipeline.name == "regression"
    assert [step.id for step in graph.order(pipeline)] == [
        *("pin", "snapshot-golden", "snapshot-training", "train-seed-1", "predict-seed-1", "evaluate-seed-1"),
        *("train-seed-2", "predict-seed-2", "evaluate-seed-2", "gate", "register", "report", "conclude"),
    ]


@pytest.mark.parametrize(("seeds", "shards"), [([3], 1), ([1, 2, 3], 1), ([5, 1], 2), ([1, 2, 3], 4)])
def test_seeds_and_shards_are_unrolled(tiny, seeds, shards):
    edit(tiny, "seeds: [1, 2]", f"seeds: {seeds}")
    edit(tiny, 'entrypoint: "model:predict"', f'entrypoint: "model:predict", shards: {shards}')
    pipeline = lowered(tiny)
    steps = by_id(pipeline)
    count = {kind: sum(step.kind is kind for step in pipeline.steps) for kind in Kind}
    assert count[Kind.TRAIN] == count[Kind.EVALUATE] == len(seeds)
    assert count[Kind.PREDICT] == len(seeds) * shards
    assert all(count[kind] == 1 for kind in (Kind.PIN, Kind.GATE, Kind.REGISTER, Kind.REPORT, Kind.CONCLUDE))
    assert count[Kind.SNAPSHOT] == 2
    for seed in seeds:
        assert config(steps[f"train-seed-{seed}"])["seed"] == seed
        names = [f"predict-seed-{seed}" + (f"-shard-{n}" if shards > 1 else "") for n in range(1, shards + 1)]
        told = [config(steps[name]) for name in names]
        assert [(one["shard"], one["shards"]) for one in told] == [(n, shards) for n in range(1, shards + 1)]
        for name in names:
            assert Input(name="model", step=f"train-seed-{seed}", output="model") in steps[name].inputs
        read = [i.step for i in steps[f"evaluate-seed-{seed}"].inputs if i.name.startswith("predictions-")]
        assert read == names
    assert config(steps["gate"])["seeds"] == seeds
    judged = [i.step for i in steps["gate"].inputs if i.name.startswith("metrics-")]
    assert judged == [f"evaluate-seed-{seed}" for seed in seeds]
    assert {i.step for i in steps["report"].inputs} >= {"gate", *(f"train-seed-{seed}" for seed in seeds)}


def test_the_first_seed_is_the_candidate(tiny):
    edit(tiny, "seeds: [1, 2]", "seeds: [7, 2]")
    register = by_id(lowered(tiny))["register"]
    assert {i.step for i in register.inputs} == {"pin", "train-seed-7", "predict-seed-7", "evaluate-seed-7", "gate"}


def test_a_model_is_registered_only_after_a_pass_and_the_run_is_concluded_last(tiny):
    pipeline = lowered(tiny)
    steps = by_id(pipeline)
    assert steps["register"].when == Condition(step="gate", parameter="outcome", equals="pass")
    assert [step.id for step in pipeline.steps if step.when] == ["register"]
    assert steps["gate"].parameters == ("outcome",)
    assert "report" in graph.ancestors(pipeline, "conclude")
    assert "register" not in graph.ancestors(pipeline, "report"), "a report of a refused model is made too"


def test_every_training_reads_the_golden_rows_that_it_must_not_contain(tiny):
    for step in lowered(tiny).steps:
        if step.kind is Kind.TRAIN:
            assert Input(name="golden-golden", step="snapshot-golden", output="data") in step.inputs


@pytest.mark.parametrize(("spec", "name"), PIPELINES)
def test_all_edges_are_typed_and_every_need_is_named(spec, name):
    pipeline = lowered(spec, name)
    graph.check_edges(pipeline)
    for step in pipeline.steps:
        assert step.needs == tuple(sorted(set(step.needs)))
        assert {i.step for i in step.inputs} <= set(step.needs)
        assert step.when is None or step.when.step in step.needs


def test_what_touches_the_store_is_never_taken_from_an_earlier_run(tiny):
    impure = {step.id for step in lowered(tiny).steps if not step.pure}
    assert impure == {"pin", "gate", "register", "conclude"}


# -- what a step may know ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("spec", "name"), PIPELINES)
def test_every_config_is_canonical_json(spec, name):
    for step in lowered(spec, name).steps:
        assert step.config == canonical(json.loads(step.config))
        assert step.config.isascii()


def test_canonical_json_is_one_text_for_one_value():
    assert canonical({"b": [1, 2.5, "ü"], "a": None}) == '{"a":null,"b":[1,2.5,"\\u00fc"]}'
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical({"a": float("nan")})


def test_no_config_knows_the_store_or_where_anything_lies(tiny):
    edit(tiny, "store: .clspec/store", "store: s3://bucket/kept")
    before = lowered(tiny)
    for step in before.steps:
        assert "s3://" not in step.config
        assert "bucket" not in step.config
        assert str(tiny.parent) not in step.config
        assert "workdir" not in step.config
        assert "/app" not in step.config
    edit(tiny, "store: s3://bucket/kept", "store: ../elsewhere")
    edit(tiny, "workdir: /app/tiny", "workdir: /srv")
    moved = Path(shutil.copytree(tiny.parent, tiny.parent.parent / "moved")) / "tiny.yaml"
    after = lowered(moved)
    assert [step.config for step in after.steps] == [step.config for step in before.steps]
    assert api.plan(str(moved)).store == "../elsewhere"
    assert api.plan(str(moved)).workdir == "/srv"


def test_limits_hints_and_the_image_are_not_part_of_what_user_code_steps_are_told(tiny):
    before = {step.id: step.config for step in lowered(tiny).steps}
    edit(tiny, "seeds: [1, 2]\n  timeout: 2m", "seeds: [1, 2]\n  timeout: 3m\n  resources: {cpu: 2, memory: 1Gi}")
    edit(tiny, "tiny@sha256:9f", "tiny@sha256:00")
    after = {step.id: step.config for step in lowered(tiny).steps}
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"pin", "register", "report"}, "they record the image, or compare it with the champion's"


def test_how_many_processes_share_a_training_is_part_of_it(tiny):
    edit(tiny, "training:\n", "training:\n  resources: {nodes: 3, gpu: {count: 8}}\n")
    steps = by_id(lowered(tiny))
    assert config(steps["train-seed-1"])["world"] == {"machines": 3, "processes": 8}
    assert steps["train-seed-1"].resources.nodes == 3
    edit(tiny, "nodes: 3, gpu: {count: 8}", "nodes: 1, gpu: {count: 8}")
    assert "world" not in config(by_id(lowered(tiny))["train-seed-1"])


def test_a_webhook_has_the_place_that_any_of_its_entries_names(tiny):
    with tiny.open("a") as file:
        file.write("""
notify:
  - {on_event: [gate_failed], webhook_env: TEAM}
  - {on_event: [run_failed], webhook_env: TEAM, kubernetes: {name: hooks, key: team}, format: json}
  - {on_event: [run_failed], webhook_env: BOARD}
""")
    notify = by_id(lowered(tiny))["notify"]
    assert notify.secrets == (Secret(env="BOARD"), Secret(env="TEAM", name="hooks", key="team"))
    assert "hooks" not in notify.config


def test_comments_and_order_of_keys_change_nothing_but_lines(tiny):
    before = lowered(tiny)
    edit(tiny, "training:\n", "# a comment\n\ntraining:\n")
    edit(tiny, "  params: {metres: 10}\n  seeds: [1, 2]\n", "  seeds: [1, 2]\n  params: {metres: 10}\n")
    after = lowered(tiny)
    assert [step.config for step in after.steps] == [step.config for step in before.steps]
    assert [step.origin for step in after.steps] != [step.origin for step in before.steps]


def test_user_code_is_named_with_its_digest(tiny):
    digest = code.digest(tiny.parent / "tiny")
    for step in lowered(tiny).steps:
        if step.kind in {Kind.TRAIN, Kind.PREDICT}:
            assert config(step)["call"]["code"] == digest
    (tiny.parent / "tiny" / "more.txt").write_text("1")
    changed = code.digest(tiny.parent / "tiny")
    assert changed != digest
    assert config(by_id(lowered(tiny))["train-seed-1"])["call"]["code"] == changed


def test_data_is_what_the_lock_pins(tiny):
    steps = by_id(lowered(tiny))
    pin = config(steps["pin"])
    lock = api.check(str(tiny)).facts.lock
    assert pin["datasets"]["drives"]["digest"] == lock.datasets["drives"].digest
    assert pin["datasets"]["golden"]["digest"] == lock.datasets["golden"].digest
    assert pin["datasets"]["drives"]["from"]["call"]["entrypoint"] == "rows:drives"
    assert config(steps["snapshot-training"])["digest"] == lock.datasets["drives"].digest
    assert config(steps["snapshot-golden"])["digest"] == lock.datasets["golden"].digest
    assert config(steps["snapshot-training"])["split"] == {"validation": 0.2, "by": "ride"}
    assert config(steps["snapshot-golden"])["split"] is None
    assert config(steps["register"])["datasets"] == {n: lock.datasets[n].digest for n in ("drives", "golden")}


def test_params_arrive_as_they_are_written(tiny):
    edit(tiny, "params: {metres: 10}", "params: {metres: 1e1, rate: 3e-4, word: no, flag: true, many: [1, 2.5, x]}")
    edit(tiny.parent / "tiny" / "model.py", "metres: int = 10)", "metres: int = 10, **rest)")
    told = config(by_id(lowered(tiny))["train-seed-1"])["params"]
    assert told == {"metres": 10.0, "rate": 0.0003, "word": "no", "flag": True, "many": [1, 2.5, "x"]}


def test_a_command_is_carried_instead_of_an_entry_point(tiny):
    command = "[sh, run.sh, '{data}', '{model_dir}', '{seed}', '{params.metres}']"
    edit(tiny, '  entrypoint: "model:train"', f"  command: {command}")
    call = config(by_id(lowered(tiny))["train-seed-1"])["call"]
    assert call["command"] == ["sh", "run.sh", "{data}", "{model_dir}", "{seed}", "{params.metres}"]
    assert call["entrypoint"] is None


def test_scenarios_are_measured_without_their_thresholds_and_judged_with_them(tiny):
    edit(tiny, "  cluster_by: ride\n", "  cluster_by: ride\n  defaults: {min_samples: 55, confidence: 0.9}\n")
    edit(tiny, "    - id: any-light\n", "    - id: any-light\n      min_samples: 77\n      confidence: 0.99\n")
    steps = by_id(lowered(tiny))
    measured = steps["evaluate-seed-1"]
    assert "0.95" not in measured.config, "a changed threshold measures nothing anew"
    first, second = config(measured)["scenarios"]
    assert [(c["metric"], c["class"]) for c in first["checks"]] == [("recall", "brake")]
    assert first["guard"]["select"] == "light = 'green' and gap >= 20"
    assert second["guard"] is None
    red, anything = config(steps["gate"])["scenarios"]
    told = [(c["metric"], c["class"], c["kind"], c["threshold"], c["gate"]) for c in red["checks"]]
    assert told == [("recall", "brake", "min", 0.95, "bound")]
    assert (red["guard"][0]["kind"], red["guard"][0]["threshold"]) == ("max", 0.05)
    assert (red["must_pass"], red["min_samples"], red["confidence"]) == (True, 55, 0.9)
    assert (anything["must_pass"], anything["min_samples"], anything["confidence"]) == (False, 77, 0.99)


# -- where a step runs -------------------------------------------------------------------------------------------------


def test_resources_secrets_retry_and_limits_are_carried(tiny):
    edit(
        tiny,
        "  timeout: 2m\ninference",
        """  timeout: 6h
  retry: {times: 2, for: [infrastructure]}
  isolation: spawn
  secrets: [{env: HF_TOKEN, kubernetes: {name: hub, key: token}}, {env: OTHER}]
  resources:
    cpu: 2.5
    memory: 16Gi
    gpu: {count: 2, model: NVIDIA-A100, memory: 40Gi, resource: example.com/gpu}
    shared_memory: 512Mi
    ephemeral_storage: 20Gi
    node_selector: {zone: b, pool: train}
    tolerations: [{key: gpu, operator: Exists, effect: NoSchedule}, {key: a, value: b}]
inference""",
    )
    steps = by_id(lowered(tiny))
    for seed in (1, 2):
        train = steps[f"train-seed-{seed}"]
        assert train.timeout == 6 * 3600
        assert train.retry == Retry(times=2)
        assert train.isolation is Isolation.SPAWN
        assert train.secrets == (Secret(env="HF_TOKEN", name="hub", key="token"), Secret(env="OTHER"))
        assert train.resources == Resources(
            cpu=2.5,
            memory=16 * 2**30,
            gpu=Gpu(count=2, model="NVIDIA-A100", memory=40 * 2**30, resource="example.com/gpu"),
            shared_memory=512 * 2**20,
            ephemeral_storage=20 * 2**30,
            node_selector=(("pool", "train"), ("zone", "b")),
            tolerations=(
                Toleration(key="gpu", operator="Exists", effect="NoSchedule"),
                Toleration(key="a", operator="Equal", value="b"),
            ),
        )
    for name in ("predict-seed-1", "gate", "pin"):
        assert steps[name].resources == Resources()
        assert steps[name].secrets == ()
        assert steps[name].retry == Retry(times=0)
    assert steps["predict-seed-1"].timeout == 120
    assert steps["gate"].timeout is None


def test_a_tag_is_replaced_by_the_digest_that_the_lock_has_for_it(tiny):
    edit(tiny, "tiny@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "tiny:1.4")
    assert {step.image for step in lowered(tiny).steps} == {"registry.example.com/tiny:1.4"}
    digest = "sha256:" + "ab" * 32
    edit(tiny.with_suffix(".lock"), "scenarios:", f"images: {{registry.example.com/tiny:1.4: '{digest}'}}\nscenarios:")
    (image,) = {step.image for step in lowered(tiny).steps}
    assert image.startswith("registry.example.com/tiny")
    assert image.endswith(f"@{digest}")


# -- places and triggers -----------------------------------------------------------------------------------------------


def test_every_step_knows_its_line():
    underlined = spans(ROBOTAXI)
    assert len(underlined) == len(lowered(ROBOTAXI).steps)
    assert underlined == {
        "pin": "datasets",
        "snapshot-training": "canonical",
        "snapshot-golden": "golden",
        **{f"train-seed-{seed}": "training" for seed in (1, 2, 3)},
        **{f"predict-seed-{seed}": "inference" for seed in (1, 2, 3)},
        **{f"evaluate-seed-{seed}": "golden" for seed in (1, 2, 3)},
        "baseline": "golden",
        "gate": "golden",
        "register": "golden",
        "report": "metadata",
        "conclude": "golden",
        "notify": "notify",
    }
    assert {step.id: step.where for step in lowered(ROBOTAXI).steps}["snapshot-training"] == "datasets.canonical"


def test_the_lines_follow_the_text(tiny):
    before = {step.id: step.origin.line for step in lowered(tiny).steps}
    tiny.write_text("# one line more\n" + tiny.read_text())
    assert {step.id: step.origin.line for step in lowered(tiny).steps} == {n: line + 1 for n, line in before.items()}


def test_triggers_are_carried_with_their_places(tiny):
    with tiny.open("a") as stream:
        stream.write(
            "triggers:\n"
            '  - {event: code_change, paths: ["tiny/**", "tiny.yaml"], run: regression}\n'
            '  - {event: schedule, cron: "0 2 * * 1", time_zone: Europe/Berlin, run: regression}\n'
        )
    code_change, schedule = lowered(tiny).triggers
    assert (code_change.event, code_change.paths) == (Event.CODE_CHANGE, ("tiny/**", "tiny.yaml"))
    assert (schedule.event, schedule.cron, schedule.time_zone) == (Event.SCHEDULE, "0 2 * * 1", "Europe/Berlin")
    first = tiny.read_text().splitlines().index("triggers:") + 2
    assert [t.origin.line for t in (code_change, schedule)] == [first, first + 1]
    assert schedule.where.startswith("triggers")


def test_the_plan_is_a_value_that_can_be_kept(tiny):
    plan = api.plan(str(tiny))
    assert plan == api.plan(str(tiny))
    assert hash(plan) == hash(api.plan(str(tiny)))
    with pytest.raises(AttributeError):
        plan.name = "other"
    with pytest.raises(KeyError):
        plan.pipeline("improvement")


# -- the loop ----------------------------------------------------------------------------------------------------------


def test_the_improvement_pipeline_has_these_steps():
    steps = by_id(lowered(ROBOTAXI, "improvement"))
    learned = {s for s in steps if s.startswith(("snapshot-training", "train-", "predict-", "evaluate-"))}
    assert {*steps} - learned == {
        *("pin", "expect", "snapshot-golden", "ingest", "guard-labels", "append", "decide", "baseline", "gate"),
        *("register", "promote", "mine", "guard-mined", "sample", "auto-label", "enqueue"),
        *("report", "conclude", "notify"),
    }
    worth_it = Condition(step="decide", parameter="retrain", equals="yes")
    assert {steps[name].when for name in (*learned, "baseline", "gate")} == {worth_it}
    assert {steps[name].when for name in ("register", "promote")} == {_passed()}


def _passed():
    return Condition(step="gate", parameter="outcome", equals="pass")


def test_data_gates_stand_before_all_that_is_mined_or_learned():
    pipeline = lowered(ROBOTAXI, "improvement")
    for name in ("ingest", "append", "mine", "train-seed-1", "enqueue"):
        assert "expect" in graph.ancestors(pipeline, name)


def test_what_the_loop_looks_at_is_never_taken_from_an_earlier_run():
    pure = {step.id for step in lowered(ROBOTAXI, "improvement").steps if step.pure}
    assert not pure & {"pin", "expect", "ingest", "append", "decide", "mine", "enqueue", "gate", "baseline", "promote"}


def test_a_report_and_a_message_are_made_without_a_verdict():
    steps = by_id(lowered(ROBOTAXI, "improvement"))
    assert {i.name: i.optional for i in steps["report"].inputs}["verdict"] is True
    assert {i.name: i.optional for i in steps["report"].inputs}["loop-mined"] is False
    assert steps["notify"].always
    assert all(i.optional for i in steps["notify"].inputs)
    assert [step.id for step in steps.values() if step.always] == ["notify"]


def test_the_loops_steps_know_their_lines():
    underlined = spans(ROBOTAXI, "improvement")
    assert (underlined["mine"], underlined["sample"], underlined["decide"]) == ("rules", "sampling", "retrain_when")
    assert (underlined["auto-label"], underlined["append"], underlined["promote"]) == (
        "auto_label",
        "append_to",
        "promotion",
    )
