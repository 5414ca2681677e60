"""`clspec config`: what a spec says when nothing is left open, and where each value is from."""

import json
from pathlib import Path

import mutations as known
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pets import DAY, DIAGNOSTICS, LOOP, spec
from test_environments import OVERRIDES, override

from clspec import api
from clspec import diff as differ
from clspec.cli import commands
from clspec.load import load
from clspec.report.resolved import _flow

FULL = Path(__file__).parents[1] / "data" / "full.yaml"


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("code").mkdir()
    Path("code/model.py").write_text((DIAGNOSTICS / "code" / "model.py").read_text())


def place(value, name="spec"):
    Path(f"{name}.yaml").write_text(value if isinstance(value, str) else json.dumps(value, indent=1))
    return f"{name}.yaml"


def shown(capsys, *words):
    code = commands.run(["config", "--as-of", DAY.isoformat(), *words])
    return code, capsys.readouterr().out


@pytest.mark.parametrize("name", known.SPECS)
@pytest.mark.parametrize("environment", [None, "prod"])
def test_it_is_a_spec_that_says_the_same(name, environment, tmp_path, capsys):
    text, _ = known.SPECS[name]
    value = known.document(name)
    if environment and environment not in value.get("environments", {}):
        value.setdefault("environments", {})[environment] = {"store": "s3://bucket/there"}
    path = known.written(tmp_path / "as-written", name, value)
    code, out = shown(capsys, str(path), *(["--env", environment] if environment else []))
    assert code == 0
    document, problems = load(out, "config.yaml")
    assert problems == ()
    again = known.written(tmp_path / "as-meant", name, {**document.value, "environments": {}})
    old, new = differ.read(str(path)), differ.read(str(again))
    before = old.environments[environment] if environment else old.plain
    assert new.plain.value == before.value
    assert shown(capsys, str(again))[0] == 0
    assert text.exists()


def test_each_value_says_where_it_is_from(capsys):
    value = (DIAGNOSTICS / "valid.yaml").read_text() + "environments:\n  prod: {store: s3://there/pets}\n"
    code, out = shown(capsys, place(value), "--env", "prod")
    lines = out.splitlines()
    assert code == 0
    for line in (
        "  name: pets  # spec.yaml:3:18",
        'store: "s3://there/pets"  # environment prod, spec.yaml:24:17',
        "    key: id  # datasets.canonical, spec.yaml:10:58",
        "      min_samples: 100  # golden.defaults, default",
        "      must_pass: true  # default",
    ):
        assert line in lines, out
    assert "environments" not in out
    assert "store: store  # spec.yaml:4:8" in shown(capsys, "spec.yaml")[1].splitlines()


def test_every_origin_leads_to_the_text_that_says_the_value(tmp_path):
    path = known.written(tmp_path / "spec", "full", known.document("full"))
    found = api.config(str(path), "prod", DAY)
    document, _ = load(path.read_text(), str(path))
    lines = path.read_text().split("\n")
    seen = set()
    for at, origin in found.origins.items():
        value = found.value
        for step in at:
            value = value[step]
        kind = "default" if origin.span is None else origin.environment or "spec"
        seen.add(kind)
        if origin.span is not None and isinstance(value, str):
            line = lines[origin.span.line - 1][origin.span.column - 1 : origin.span.end_column - 1]
            assert json.loads(line) == value
    assert seen == {"default", "prod", "spec"}
    assert document is not None


def test_json_has_the_values_and_their_origins(capsys):
    value = spec(**LOOP, environments={"prod": {"sources": {"fleet": {"uri": "s3://fleet/*.parquet"}}}})
    code, out = shown(capsys, place(value), "--env", "prod", "--format", "json")
    told = json.loads(out)
    assert (code, told["environment"]) == (0, "prod")
    assert told["spec"]["sources"]["fleet"]["uri"] == "s3://fleet/*.parquet"
    assert told["origins"]["sources.fleet.uri"]["from"] == "environment"
    assert told["origins"]["golden.scenarios.dogs.must_pass"] == {"from": "default", "over": None}
    assert told["origins"]["metadata.name"]["from"] == "spec"


def test_a_spec_with_errors_is_not_shown_and_one_without_a_lock_is(capsys):
    assert shown(capsys, place(spec()))[0] == 0
    assert commands.run(["config", place(spec(golden__dataset="gold"))]) == 2
    told = capsys.readouterr()
    assert (told.out, "CLS301" in told.err) == ("", True)
    assert commands.run(["config", place(spec()), "--env", "prod"]) == 2
    assert "there is no environment `prod`" in capsys.readouterr().err


def test_free_notes_stay_as_they_are(capsys):
    notes = {"a": None, "b": [1, None, {"c": [None]}], "d": {}}
    out = shown(capsys, place(spec(meta=notes)))[1]
    assert load(out, "x")[0].value["meta"] == notes


plain = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
odd = st.sampled_from(
    ["no", "0755", "12:30", "1e3", "~", "", "a: b", "a #b", "- a", "\u2028", "\x85", "é", "'", '"', "null"]
)


@given(st.lists(plain | odd | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)))
def test_whatever_a_value_is_it_is_read_as_itself(values):
    document, problems = load(f"a: {_flow(values)}\n", "x")
    assert problems == ()
    assert document.value == {"a": values}
    assert [type(one) for one in document.value["a"]] == [type(one) for one in values]


# -- an environment hides nothing from a review ------------------------------------------------------------------------


def changes(old, new):
    """The rows of what differs, by environment."""
    sides = [differ.read(place(value, name)) for value, name in ((old, "old"), (new, "new"))]
    found = {}
    for one in differ.compare(*sides):
        found.setdefault(one.environment, set()).add(one.row)
    return found


@pytest.mark.parametrize("path", OVERRIDES)
def test_moving_text_into_or_out_of_an_environment_hides_no_change(path):
    here = {path.replace(".", "__"): OVERRIDES[path]}
    prod = override(path, OVERRIDES[path])
    plain, moved = spec(**LOOP, environments={"prod": {}}), spec(**{**LOOP, **here}, environments={"prod": {}})
    rows = changes(plain, moved)[""]
    assert rows
    # Only in the environment: told for it. There and here: told for here, where it was not before.
    assert changes(plain, spec(**LOOP, environments={"prod": prod})) == {"prod": rows}
    assert changes(spec(**LOOP, environments={"prod": prod}), spec(**{**LOOP, **here}, environments={"prod": {}})) == {
        "": rows
    }
    # Out of the spec and into the environment, where nothing changes: told for all other places.
    assert changes(moved, spec(**LOOP, environments={"prod": prod}))[""]
    # Into an environment that was not there: it is compared with the spec as it was.
    assert changes(spec(**LOOP), spec(**LOOP, environments={"new": prod})) == {"": {"environment-added"}, "new": rows}
