"""Environments: what they may change, where their problems stand, and that they change no gate."""

import dataclasses
import json
from datetime import date
from pathlib import Path

import pytest
from pets import DAY, DIAGNOSTICS, GONE, LOOP, in_check, judged, pins, said, spec

from clspec import compile as pipe
from clspec import lock
from clspec.diagnostic import UsageError
from clspec_schema import schema


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    """An empty project with the code of the diagnostics' cases."""
    monkeypatch.chdir(tmp_path)
    Path("code").mkdir()
    Path("code/model.py").write_text((DIAGNOSTICS / "code" / "model.py").read_text())


def there(value, environment):
    """The spec as it is in an environment."""
    assert [d for d in judged(value) if d.is_error] == []
    return pipe.read("spec.yaml", environment, DAY)


def plain(part):
    if dataclasses.is_dataclass(part):
        fields = {f.name: plain(getattr(part, f.name)) for f in dataclasses.fields(part)}
        return {name: item for name, item in fields.items() if not name.endswith(("origin", "where"))}
    return [plain(item) for item in part] if isinstance(part, tuple) else part


def planned(value, environment):
    return plain(pipe.plan(there(value, environment)))


RESOURCES = {
    "cpu": 3,
    "memory": "4Gi",
    "gpu": {"count": 1, "model": "a", "memory": "1Gi", "resource": "amd.com/gpu"},
    "shared_memory": "1Gi",
    "ephemeral_storage": "1Gi",
    "node_selector": {"pool": "train"},
    "tolerations": [{"key": "gpu"}],
}
"""All but `nodes`, which is for training alone."""
PLACE = {
    "resources": RESOURCES,
    "isolation": "spawn",
    "secrets": [{"env": "TOKEN", "kubernetes": {"name": "hub", "key": "token"}}],
    "timeout": "6h",
    "retry": {"times": 2, "for": ["infrastructure"]},
}
OVERRIDES = {
    "store": "s3://bucket/pets",
    "code.image": f"registry.example.com/pets@sha256:{0:064}",
    "code.workdir": "/app",
    "sources.fleet.uri": "s3://fleet/*.parquet",
    "sources.fleet.freshness": "24h",
    "sources.reports.dsn_env": "OTHER_DSN",
    "sources.reports.query": "select 1",
    **{f"{section}.{key}": value for section in ("training", "inference") for key, value in PLACE.items()},
}
OVERRIDES["training.resources"] = {**RESOURCES, "nodes": 2}


def override(path, value):
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


@pytest.mark.parametrize("path", OVERRIDES)
def test_an_override_means_what_the_spec_would_mean_with_it(path):
    small = override(path, OVERRIDES[path])
    value = spec(**LOOP, environments={"prod": small, "dev": {}})
    assert planned(value, "dev") == planned(value, None)
    changed = spec(**{**LOOP, path.replace(".", "__"): OVERRIDES[path]})
    assert planned(value, "prod") == planned(changed, None) != planned(value, None)


def test_everything_that_an_environment_may_say_is_tried():
    part = schema()["$defs"]["environment"]["properties"]
    source = next(iter(part["sources"]["patternProperties"].values()))["properties"]
    known = {f"{section}.{key}" for section in ("code", "training", "inference") for key in part[section]["properties"]}
    known |= {f"sources.{key}" for key in source} | {"store"}
    assert known == {path.replace(".fleet", "").replace(".reports", "") for path in OVERRIDES}
    assert set(PLACE) == set(part["training"]["properties"])
    assert set(RESOURCES) | {"nodes"} == set(schema()["$defs"]["resources"]["properties"])


def test_nothing_that_an_environment_may_say_is_a_gate():
    part = schema()["$defs"]["environment"]["properties"]
    assert set(part) == {"store", "code", "sources", "training", "inference"}
    assert not {"params", "seeds", "dataset", "split", "entrypoint", "command"} & set(part["training"]["properties"])
    for key in ("golden", "datasets", "task", "feedback", "promotion", "waivers"):
        found = said(spec(environments={"prod": {key: {}}}))
        assert found == [("CLS201", f"environments.prod.{key}")]


def test_mappings_are_merged_and_lists_replaced():
    base = {
        "cpu": 2,
        "memory": "1Gi",
        "gpu": {"count": 1, "memory": "1Gi"},
        "tolerations": [{"key": "a"}],
        "node_selector": {"x": "1"},
    }
    other = {
        "memory": "2Gi",
        "gpu": {"count": 2, "model": "b"},
        "tolerations": [{"key": "b"}],
        "node_selector": {"y": "2"},
    }
    value = spec(training__resources=base, environments={"prod": {"training": {"resources": other}}})
    found = there(value, "prod").facts.spec.training.resources
    assert (found.cpu, found.memory, found.gpu.count, found.gpu.model) == (2, "2Gi", 2, "b")
    assert found.gpu.memory == "1Gi"
    assert [toleration.key for toleration in found.tolerations] == ["b"]
    assert found.node_selector == {"x": "1", "y": "2"}
    assert there(value, None).facts.spec.training.resources.memory == "1Gi"


def secret(env, name):
    return {"env": env, "kubernetes": {"name": name, "key": "key"}}


def test_lists_whose_items_have_names_are_merged_by_them():
    base = [secret("A", "one"), secret("B", "one"), secret("C", "one")]
    other = [secret("B", "two"), secret("D", "two")]
    value = spec(training__secrets=base, environments={"prod": {"training": {"secrets": other}}})
    found = there(value, "prod").facts
    assert [(one.env, one.kubernetes.name) for one in found.spec.training.secrets] == [
        ("A", "one"), ("B", "two"), ("C", "one"), ("D", "two"),
    ]  # fmt: skip
    document = found.document
    places = [document.where(("training", "secrets", number, "env")) for number in range(4)]
    assert places == [
        "training.secrets.0.env",
        "environments.prod.training.secrets.0.env",
        "training.secrets.2.env",
        "environments.prod.training.secrets.1.env",
    ]
    for number, written in enumerate((base[0], other[0], base[2], other[1])):
        assert document.text_of(("training", "secrets", number, "env")).strip('"') == written["env"]
    assert [one.env for one in there(value, None).facts.spec.training.secrets] == ["A", "B", "C"]


def test_a_secret_that_is_the_same_anyway_is_told_of_by_itself():
    base = [secret("A", "one"), secret("B", "one")]
    value = spec(training__secrets=base, environments={"prod": {"training": {"secrets": [base[1]]}}})
    assert said(value) == [("CLS317", "environments.prod.training.secrets.0")]


def test_a_problem_stands_in_the_lines_of_the_environment():
    value = spec(**LOOP, environments={"prod": {"sources": {"fleet": {"uri": "ftp://fleet"}}}})
    (found,) = judged(value)
    assert (found.code, found.where) == ("CLS315", "environments.prod.sources.fleet.uri")
    assert found.message.startswith("in environment `prod`: ")
    line = Path("spec.yaml").read_text().splitlines()[found.span.line - 1]
    assert line[found.span.column - 1 : found.span.end_column - 1] == '"ftp://fleet"'


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, []),
        ({"store": "s3://x"}, []),
        ({"store": "store"}, [("CLS317", "store")]),
        ({"store": 3}, [("CLS203", "store")]),
        ({"store": "ftp://x"}, [("CLS315", "store")]),
        ({"stre": "s3://x"}, [("CLS201", "stre")]),
        ({"sources": {"flet": {"uri": "x"}}}, [("CLS301", "sources.flet")]),
        ({"sources": {"reports": {"uri": "x"}}}, [("CLS201", "sources.reports.uri")]),
        ({"sources": {"fleet": {"uri": "fleet/*.parquet"}}}, [("CLS317", "sources.fleet.uri")]),
        ({"sources": {"reports": {"freshness": "1h"}}}, [("CLS318", "sources.reports.freshness")]),
        ({"inference": {"resources": {"nodes": 2}}}, [("CLS520", "inference.resources.nodes")]),
        ({"training": {"resources": {"gpu": {"model": "a"}}}}, [("CLS202", "training.resources.gpu")]),
    ],
)
def test_every_environment_is_judged_on_every_check(environment, expected):
    value = spec(**LOOP, environments={"prod": environment, "dev": {"store": "elsewhere"}})
    assert said(value) == [(code, f"environments.prod.{where}") for code, where in expected]


def test_what_is_wrong_anyway_is_told_once():
    value = spec(training__dataset="cannonical", environments={"prod": {"store": "s3://x"}, "dev": {"store": "y"}})
    assert said(value) == [("CLS301", "training.dataset")]
    broken = spec(environments={"prod": {"store": "s3://x", "training": {"timeout": 3}}}, store=3)
    assert said(broken) == [("CLS203", "store"), ("CLS203", "environments.prod.training.timeout")]


def test_a_section_that_is_missing_is_not_made_by_an_environment():
    value = spec(inference=GONE, environments={"prod": {"inference": {"timeout": "1h"}}})
    assert [code for code, _ in said(value)] == ["CLS202"]


def test_an_environment_that_is_not_there():
    value = spec(environments={"prod": {"store": "s3://x"}, "dev": {}})
    judged(value)
    with pytest.raises(UsageError, match=r"there is no environment `prd` in spec\.yaml: did you mean `prod`\?"):
        pipe.read("spec.yaml", "prd", DAY)
    with pytest.raises(UsageError, match="known: `dev`, `prod`"):
        pipe.read("spec.yaml", "zzz", DAY)
    judged(spec())
    with pytest.raises(UsageError, match="it has none"):
        pipe.read("spec.yaml", "prod", DAY)


def test_a_spec_that_cannot_be_read_says_so_first():
    Path("spec.yaml").write_text("a: [")
    assert [d.code for d in pipe.read("spec.yaml", "prod", DAY).diagnostics] == ["CLS101"]
    judged(spec(environments=3))
    assert ("CLS203", "environments") in [(d.code, d.where) for d in pipe.read("spec.yaml", "prod", DAY).diagnostics]
    judged(spec(environments={"prod": {"store": 3}}))
    assert [d.where for d in pipe.read("spec.yaml", "prod", DAY).diagnostics] == ["environments.prod.store"]


def test_a_pin_for_another_environment_is_of_use():
    images = {"registry.example.com/pets:1": f"sha256:{0:064}", "registry.example.com/pets:2": f"sha256:{1:064}"}
    value = spec(
        code__image="registry.example.com/pets:1",
        environments={"prod": {"code": {"image": "registry.example.com/pets:2"}}},
    )
    made = pins(value)
    fields = {name: getattr(made, name) for name in made.__struct_fields__}
    assert judged(value, lock.Lock(**{**fields, "images": images})) == ()


def test_what_a_target_says_stands_in_the_environment_too():
    value = spec(environments={"prod": {"store": "other", "code": {"image": "pets:1", "workdir": "/app"}}})
    judged(value)
    with pytest.raises(pipe.InvalidSpec) as caught:
        pipe.compile_for("spec.yaml", "argo", {}, "prod", DAY)
    floating = [d for d in caught.value.diagnostics if d.code == "CLS502"]
    assert floating
    made = pipe.compile_for("spec.yaml", "local", {}, "prod", DAY)
    assert made.plan.store == "other"
    line = Path("spec.yaml").read_text().splitlines()[made.plan.store_origin.line - 1]
    assert '"other"' in line


def test_aliases_lead_into_environments():
    text = json.dumps(spec(), indent=1)
    text = (
        text[: text.rindex("}")]
        + ',\n "meta": {"big": &big {cpu: 5}},\n "environments": {"prod": {"training": {"resources": *big}}}\n}'
    )
    Path("spec.yaml").write_text(text)
    Path("spec.lock").write_text(lock.render(pins(spec())))
    checked = pipe.read("spec.yaml", "prod", date(2026, 1, 1))
    assert checked.diagnostics == ()
    assert checked.facts.spec.training.resources.cpu == 5
    assert checked.facts.document.where(("training", "resources", "cpu")) == "environments.prod.training.resources.cpu"
    assert checked.facts.document.text_of(("training", "resources", "cpu")) == "5"


def test_the_rest_of_the_spec_keeps_its_places():
    value = spec(environments={"prod": {"store": "s3://x"}})
    document = there(value, "prod").facts.document
    base = there(value, None).facts.document
    for pointer in [("golden", "scenarios", 0, "select"), ("training",), ("code", "root")]:
        assert document.span(pointer) == base.span(pointer)
        assert document.key_span(pointer) == base.key_span(pointer)
        assert document.where(pointer) == base.where(pointer)
    assert document.text_of(("store",)) == '"s3://x"'
    with pytest.raises(KeyError):
        document.span(("environments",))
    rest = document.without([("golden", "scenarios", 0)])
    assert rest.text_of(("store",)) == '"s3://x"'
    assert rest.value["golden"]["scenarios"] == []


def test_a_broken_scenario_is_broken_everywhere_and_told_once():
    value = spec(**in_check(min="x"), environments={"prod": {"store": "s3://x"}})
    assert said(value) == [("CLS203", "golden.scenarios.dogs.checks.0.min")]
