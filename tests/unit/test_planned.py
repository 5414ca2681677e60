"""A plan as a file: it comes back as it was, and what is none is refused with its place."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from clspec import graph, planned
from clspec.diagnostic import UsageError
from clspec.plan import Kind, Pipeline, Plan, Step, canonical
from clspec.testing import plans


@pytest.mark.parametrize("name", ["single_step", "chain", "diamond"])
def test_a_plan_comes_back(name, tmp_path):
    """But for the place of its spec, which is another one wherever the file comes to lie."""
    made = replace(getattr(plans, name)(), spec="contract.yaml")
    path = tmp_path / "plan.json"
    path.write_text(planned.as_json(made))
    assert planned.read(path) == made
    assert planned.as_json(planned.read(path)) == path.read_text()


def changed(change):
    content = json.loads(planned.as_json(plans.chain()))
    change(content)
    return json.dumps(content)


def first(content):
    return content["plan"]["pipelines"][0]["steps"][0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no plan"),
        ("[]", "is no plan"),
        ("[" * 100_000, "is no plan"),
        (changed(lambda c: c.update(kind="Deployment")), "'Deployment'"),
        (changed(lambda c: first(c).update(kind="guess")), "pipelines[0].steps[0].kind"),
        (changed(lambda c: first(c).update(more=1)), "`$.plan.pipelines[0].steps[0].more`"),
        (changed(lambda c: first(c).update(id="../../x")), "no plain name"),
        (changed(lambda c: first(c)["outputs"][0].update(name="a/b")), "no plain name"),
        (changed(lambda c: first(c).update(config="[]")), "no JSON object"),
        (changed(lambda c: c["plan"]["pipelines"].append(c["plan"]["pipelines"][0])), "two pipelines"),
    ],
)
def test_what_is_no_plan_is_refused(text, words, tmp_path):
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(UsageError) as refused:
        planned.read(path)
    assert words in str(refused.value)


def test_a_circle_is_refused(tmp_path):
    path = tmp_path / "plan.json"
    path.write_text(changed(lambda c: first(c).update(needs=["train"])))
    with pytest.raises(graph.GraphError):
        planned.read(path)


def told(name, *needs, count=0):
    config = canonical({"spec": "bench", "pipeline": "regression", "notify": [], "count": count})
    return Step(id=name, kind=Kind.NOTIFY, config=config, needs=needs)


def write(path, *steps):
    pipeline = Pipeline(name="regression", steps=steps)
    path.write_text(planned.as_json(Plan(name="by-hand", spec="x", store="store", workdir="/", pipelines=(pipeline,))))


def run(folder, *words):
    command = [sys.executable, "-m", "clspec", "run", "--local", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_a_plan_runs_without_a_spec(tmp_path):
    write(tmp_path / "plan.json", told("one"), told("two", "one", count=1))
    first_time, again = run(tmp_path, "plan.json"), run(tmp_path, "plan.json")
    assert (first_time.returncode, again.returncode) == (0, 0), first_time.stderr
    assert first_time.stderr.count(" done ") == 2
    assert again.stderr.count(" up to date") == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["none.json"], "none.json cannot be read"),
        (["plan.json", "--env", "prod"], "--env is for specs"),
        (["plan.json", "--pipeline", "improvement"], "there is no pipeline `improvement` in plan.json"),
        (["plan.json", "--code", "nowhere"], "nowhere is no folder"),
        (["spec.yaml", "--code", "."], "is for `clspec run --local PLAN.json`"),
        (["code.json"], "add --code DIR"),
    ],
)
def test_mistakes_have_one_line_and_a_way_out(words, said, tmp_path):
    write(tmp_path / "plan.json", told("one"))
    call = {"entrypoint": "work:train", "command": None, "code": "sha256:x"}
    write(tmp_path / "code.json", replace(told("one"), config=canonical({"call": call})))
    found = run(tmp_path, *words)
    assert (found.returncode, found.stderr.count("\n")) == (2, 1), found.stderr
    assert said in found.stderr
