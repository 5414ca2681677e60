"""Earlier results on Argo: what may stand in for a run, what it is found by, and what never is taken from before."""

import copy
import json
from dataclasses import replace

import pytest
import yaml

from clspec.plan import Artifact, ArtifactType, Condition, Input, Kind, Retry, Secret, canonical
from clspec.step import content
from clspec.testing.plans import IMAGE, plan_of
from clspec_argo import Options, backend, emit, memo, rules
from clspec_argo.validate import findings
from tests.argo_cluster import Cluster

ON = Options(memoize_seconds=600)
TYPES = ArtifactType
WRITES = {
    Kind.SNAPSHOT: TYPES.DATASET,
    Kind.TRAIN: TYPES.MODEL,
    Kind.PREDICT: TYPES.PREDICTIONS,
    Kind.EVALUATE: TYPES.METRICS,
    Kind.GATE: TYPES.VERDICT,
    Kind.REPORT: TYPES.REPORT,
}


def step(name, kind, *reads, **more):
    from clspec.plan import Step

    inputs = tuple(Input(name=f"in-{source}", step=source, output="made") for source in reads)
    given = {
        "config": canonical({"step": name}),
        "needs": tuple(sorted({*reads, *more.pop("needs", ())})),
        "inputs": inputs,
        "outputs": (Artifact(name="made", type=WRITES[kind]),),
        "image": IMAGE,
        "pure": kind is not Kind.GATE,
    }
    return Step(id=name, kind=kind, **{**given, **more})


def steps(**changes):
    return (
        step("data", Kind.SNAPSHOT),
        step("train", Kind.TRAIN, "data", **{"retry": Retry(times=2), **changes.get("train", {})}),
        step("predict", Kind.PREDICT, "train", "data", **changes.get("predict", {})),
        step("evaluate", Kind.EVALUATE, "data", "predict", **changes.get("evaluate", {})),
        step("gate", Kind.GATE, "evaluate", parameters=("outcome",)),
        step("report", Kind.REPORT, "gate", when=Condition(step="gate", parameter="outcome", equals="pass")),
    )


def made(given=None, options=ON, **changes):
    plan = plan_of(*(given or steps(**changes)))
    assert [d for d in backend.check(plan, options) if d.is_error] == []
    return plan, backend.emit(plan, options)


def templates(bundle):
    document = yaml.safe_load(bundle["regression.workflowtemplate.yaml"])
    return {template["name"]: template for template in document["spec"]["templates"]}


def pods(contents):
    """Pods that write what `contents` says, or else the name of their step, and its word where they are asked."""

    def pod(cluster, task, container, root, leaf):
        del cluster, task
        name = leaf["metadata"]["labels"]["clspec.dev/step"]
        outputs = {}
        for artifact in leaf.get("outputs", {}).get("artifacts", ()):
            path = root / artifact["path"].lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(contents.get(name, name))
            outputs[artifact["name"]] = path
        for parameter in leaf.get("outputs", {}).get("parameters", ()):
            path = root / parameter["valueFrom"]["path"].lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            said = content.word(outputs) if parameter["name"] == memo.WORD else contents.get("outcome", "pass")
            path.write_text(said)
        assert (memo.WORD in str(leaf.get("outputs"))) is ("--digest" in container["args"])
        return 0, "", "Succeeded"

    return pod


class Place:
    """One cluster in which one run follows the other."""

    def __init__(self, folder):
        self.folder, self.cached, self.runs = folder, {}, 0

    def run(self, bundle, exits=None, **contents):
        self.runs += 1
        cluster = Cluster(bundle, self.folder, exits=exits, pod=pods(contents))
        cluster.cached = self.cached
        return cluster.run("contract-regression", uid=f"uid-{self.runs}", store="s3://bucket/cl")


KEPT = {"train", "predict", "evaluate"}


def test_nothing_is_asked_for_unless_it_is():
    _, bundle = made(options=Options())
    text = "".join(bundle.values())
    assert not any(word in text for word in ("memoize", "digest", "configmaps", "ConfigMap"))


def test_a_second_run_makes_only_what_judges(tmp_path):
    place = Place(tmp_path)
    _, bundle = made()
    first, again = place.run(bundle), place.run(bundle)
    assert (first.hits, set(again.hits)) == ([], KEPT)
    assert first.phase == again.phase == "Succeeded"
    assert set(again.attempts) == {"data", "gate", "report"}
    assert first.errors == again.errors == []


def test_what_other_inputs_were_made_into_never_stands_in(tmp_path):
    place = Place(tmp_path)
    _, bundle = made()
    place.run(bundle)
    assert place.run(bundle, data="other rows").hits == [], "all hang on the rows"
    assert set(place.run(bundle).hits) == KEPT, "the first are still there"
    place.cached.pop("contract-regression-train")
    lost = place.run(bundle, train="another model of the same rows")
    assert "predict" not in lost.hits, "predictions of one model never pass for another's"
    assert lost.hits == ["evaluate"], "and those of both were equal"


@pytest.mark.parametrize(
    ("changes", "anew"),
    [
        ({"train": {"config": canonical({"step": "train", "seed": 2})}}, {"train"}),
        ({"predict": {"image": IMAGE.replace("@sha256:", "@sha256:1")[:-1]}}, {"predict"}),
        ({"evaluate": {"secrets": (Secret(env="A", name="a", key="b"),)}}, {"evaluate"}),
        ({"train": {"timeout": 60}}, set()),
        ({"train": {"retry": Retry(times=5)}}, set()),
    ],
)
def test_a_key_hangs_on_all_that_decides_a_result_and_on_nothing_else(tmp_path, changes, anew):
    place = Place(tmp_path)
    place.run(made()[1])
    assert set(place.run(made(**changes)[1]).hits) == KEPT - anew


def test_a_refusal_is_made_anew(tmp_path):
    place = Place(tmp_path)
    _, bundle = made()
    assert place.run(bundle).phases["report"] == "Succeeded"
    refused = place.run(bundle, outcome="fail")
    assert (set(refused.hits), refused.phases["report"]) == (KEPT, "Skipped")
    assert Kind.GATE not in memo.KINDS


def test_what_failed_is_not_kept(tmp_path):
    place = Place(tmp_path)
    _, bundle = made()
    failed = place.run(bundle, exits={"train": [(3, "", "Failed")], "predict": [(3, "", "Failed")]})
    inner = next(name for name in templates(bundle) if name.startswith("train-"))
    assert failed.phase == "Failed"
    assert "contract-regression-predict" not in place.cached
    assert templates(bundle)[inner]["retryStrategy"]["limit"] == "2"
    again = place.run(bundle)
    assert again.phase == "Succeeded"
    assert "predict" not in again.hits


def test_a_step_with_retries_is_a_dag_whose_result_is_kept():
    found = templates(made()[1])
    inner = next(name for name in found if name.startswith("train-"))
    assert "retryStrategy" not in found["train"]
    assert found["train"]["dag"]["tasks"][0]["template"] == inner
    assert "memoize" not in found[inner]
    assert found["train"]["memoize"]["maxAge"] == "600s"
    assert "memoize" in found["predict"]
    assert "memoize" not in found["gate"]
    assert "memoize" not in found["data"], "rows may have been erased from the store"


def test_the_controller_may_change_these_config_maps_and_no_others():
    _, bundle = made(options=Options(memoize_seconds=60, controller="workflows/robot"))
    (rule,) = yaml.safe_load(bundle["access.regression-results.role.yaml"])["rules"]
    names = {f"contract-regression-{name}" for name in KEPT}
    assert (set(rule["resourceNames"]), rule["verbs"]) == (names, ["get", "update"])
    (subject,) = yaml.safe_load(bundle["access.regression-results.rolebinding.yaml"])["subjects"]
    assert subject == {"kind": "ServiceAccount", "name": "robot", "namespace": "workflows"}
    there = yaml.safe_load(bundle["regression.results.yaml"])["items"]
    assert {one["metadata"]["name"] for one in there} == names


def test_argo_37_wants_a_key_of_the_config_map():
    _, bundle = made(options=Options(memoize_seconds=60, argo_version="3.7"))
    assert templates(bundle)["predict"]["memoize"]["cache"]["configMap"]["key"] == "results"


def many(count):
    shards = [step(f"shard-{n}", Kind.PREDICT, "train") for n in range(count)]
    return (
        step("data", Kind.SNAPSHOT),
        step("train", Kind.TRAIN, "data"),
        *shards,
        step("evaluate", Kind.EVALUATE, *(f"shard-{n}" for n in range(count))),
    )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (many(6), ""),
        (many(7), "it reads from 7 steps, and a key has room for 6"),
        ((step("train", Kind.TRAIN),), "it reads nothing"),
        (
            (*steps()[:3], step("tell", Kind.REPORT, "predict", always=True)),
            "a step that always runs looks for its outputs",
        ),
        (
            (
                step("data", Kind.SNAPSHOT),
                replace(
                    step("train", Kind.TRAIN, "data"),
                    inputs=(Input(name="in-data", step="data", output="made", optional=True),),
                ),
            ),
            "an input may be missing",
        ),
        (many(220), "it stands in 3 objects"),
    ],
)
def test_what_is_made_anew_is_told(given, told):
    plan = plan_of(*given)
    found = [d for d in backend.check(plan, ON) if d.code == "CLS525"]
    assert bool(found) is bool(told)
    assert all(told in d.message for d in found[-1:])
    assert [d for d in backend.check(plan, Options()) if d.code == "CLS525"] == []
    keys = [len(t["memoize"]["key"]) for t in templates(backend.emit(plan, ON)).values() if "memoize" in t]
    assert all(length < 400 for length in keys)


def put(value, *place):
    for key in place[:-2]:
        value = value[key]
    value[place[-2]] = place[-1]


def of(documents, name):
    found = documents["regression.workflowtemplate.yaml"]["spec"]["templates"]
    return next(t for t in found if t["name"] == name)


DEFECTS = {
    "no such cache as contract-regression-train": lambda d: d["regression.results.yaml"]["items"].pop(0),
    "no such cache": lambda d: put(d, "regression.results.yaml", "items", 1, "metadata", "labels", {}),
    "nobody may change": lambda d: d.pop("access.regression-results.role.yaml"),
    "two templates with the cache": lambda d: put(
        of(d, "predict"), "memoize", "cache", of(d, "evaluate")["memoize"]["cache"]
    ),
    "does not hang on the parameter digest_train": lambda d: put(
        of(d, "predict"), "memoize", "key", "a-{{inputs.parameters.digest_data}}"
    ),
    "nothing says what the input artifacts hold": lambda d: (
        of(d, "predict")["inputs"].pop("parameters"),
        put(of(d, "predict"), "memoize", "key", "a"),
    ),
    "beside retryStrategy": lambda d: put(of(d, "predict"), "retryStrategy", {"limit": "1"}),
    "without maxAge": lambda d: of(d, "predict")["memoize"].pop("maxAge"),
    "no time such as": lambda d: put(of(d, "predict"), "memoize", "maxAge", "1 week"),
    "has other signs": lambda d: put(of(d, "predict"), "memoize", "key", "a_{{inputs.parameters.digest_train}}"),
    "memoize has no key": lambda d: put(of(d, "predict"), "memoize", "key", ""),
    "is not given digest_train": lambda d: _task(d, "predict")["arguments"]["parameters"].pop(0),
    "comes from nowhere": lambda d: put(of(d, "train"), "outputs", "artifacts", 0, {"name": "made"}),
    "has a path, and a dag has no files": lambda d: put(of(d, "train"), "inputs", "artifacts", 0, "path", "/a"),
}


def _task(documents, name):
    return next(t for t in of(documents, "pipeline")["dag"]["tasks"] if t["name"] == name)


@pytest.mark.parametrize("told", DEFECTS)
def test_a_planted_defect_is_found(told):
    documents = json.loads(json.dumps(dict(emit.documents(plan_of(*steps()), ON))))
    assert findings(documents) == ()
    broken = copy.deepcopy(documents)
    DEFECTS[told](broken)
    assert any(told in finding for finding in findings(broken)), findings(broken)


def test_a_key_longer_than_a_config_map_takes_is_refused():
    template = {"memoize": {"key": "a" * 254, "maxAge": "1h", "cache": {"configMap": {"name": "a"}}}}
    assert [message for _, message in rules._memo(template)]
    template["memoize"]["key"] = "a" * 253
    assert not list(rules._memo(template))


def test_a_word_says_what_outputs_hold(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("a")
    other.mkdir()
    (other / "x").write_text("a")
    words = {content.word(o) for o in ({"a": one}, {"b": one}, {"a": other}, {"a": one, "b": one}, {})}
    assert len(words) == 5
    assert all(len(word) == 32 and word.isalnum() and word.islower() for word in words)
    before = content.word({"a": other})
    (other / "x").write_text("b")
    assert content.word({"a": other}) != before
