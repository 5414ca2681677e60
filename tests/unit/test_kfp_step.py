"""A step as Kubeflow's launcher starts it: what it is told in JSON, and what steps hand to each other in the store."""

import json
import subprocess
import sys

import pytest

from clspec.diagnostic import StepFailed, UsageError
from clspec.step import kubeflow

CONCLUDE = json.dumps({"spec": "tiny", "pipeline": "regression"})
RUN = {"store": "", "run": "6f9f-run", "began": "2026-05-02T00:00:00Z", "as-of": "", "allow-both": ""}


def artifact(path):
    return {"artifacts": [{"name": "n", "uri": str(path), "metadata": {}, "type": {"schemaTitle": "system.Artifact"}}]}


@pytest.fixture
def told(tmp_path):
    """Makes an executor input, its store in the test's folder."""

    def make(inputs=(), outputs=(), parameters=(), **given):
        return json.dumps(
            {
                "inputs": {
                    "artifacts": {name: artifact(tmp_path / name) for name in inputs},
                    "parameterValues": RUN | {"store": str(tmp_path / "store")} | given,
                },
                "outputs": {
                    "artifacts": {name: artifact(tmp_path / "out" / name) for name in outputs},
                    "parameters": {name: {"outputFile": str(tmp_path / "out" / f"{name}.txt")} for name in parameters},
                    "outputFile": str(tmp_path / "out" / "executor_output.json"),
                },
            }
        )

    return make


def run(*words, expected):
    done = subprocess.run(
        [sys.executable, "-m", "clspec.step.kubeflow", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == expected, done.stdout + done.stderr
    return done.stdout + done.stderr


def verdict(place, word):
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps({"verdict": word, "reasons": ["too many misses"]}))


def test_a_step_runs_on_what_the_launcher_says(tmp_path, told):
    verdict(tmp_path / "verdict", "pass")
    run("conclude", "--config", CONCLUDE, "--executor-input", told(["verdict"]), expected=0)
    assert json.loads((tmp_path / "out" / "executor_output.json").read_text()) == {
        "artifacts": {},
        "parameterValues": {},
    }


def test_a_step_that_says_no_tells_the_launcher_nothing(tmp_path, told):
    verdict(tmp_path / "verdict", "fail")
    said = run("conclude", "--config", CONCLUDE, "--executor-input", told(["verdict"]), expected=1)
    assert "too many misses" in said
    assert not (tmp_path / "out" / "executor_output.json").exists()


def test_what_is_taken_is_an_input_and_what_nobody_gave_is_none(tmp_path, told):
    verdict(tmp_path / "store" / "tiny" / "handover" / "6f9f-run" / "gate" / "verdict", "pass")
    words = ["conclude", "--config", CONCLUDE, "--executor-input", told()]
    run(*words, "--take", "verdict=gate/verdict", "--take", "loop-promoted=promote/promoted", expected=0)


def test_another_run_gave_nothing(tmp_path, told):
    verdict(tmp_path / "store" / "tiny" / "handover" / "another" / "gate" / "verdict", "pass")
    words = ["conclude", "--config", CONCLUDE, "--executor-input", told(), "--take", "verdict=gate/verdict"]
    assert "--in verdict=PATH" in run(*words, expected=2)


def test_what_is_given_is_what_is_taken(tmp_path):
    verdict(tmp_path / "out" / "made", "pass")
    over = kubeflow.HandOver(store=str(tmp_path / "store"), folder="tiny/handover/r")
    over.give(tmp_path / "out" / "made", "gate/verdict")
    over.give(tmp_path / "out" / "made", "gate/verdict")
    assert over.take("gate/verdict", tmp_path / "taken" / "verdict")
    assert (tmp_path / "taken" / "verdict").read_bytes() == (tmp_path / "out" / "made").read_bytes()
    assert not over.take("gate/other", tmp_path / "taken" / "other")
    with pytest.raises(StepFailed, match="cannot be handed over"):
        over.give(tmp_path, "gate/folder")


def test_a_step_whose_end_changes_nothing_ends_well(told):
    words = ["conclude", "--config", CONCLUDE, "--executor-input", told(), "--always"]
    said = run(*words, expected=0)
    assert "changes nothing about the run" in said
    assert "--in verdict=PATH" in said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"store": ""}, "did not say the parameter `store`"),
        ({"began": "{{$.pipeline_job_create_time_utc}}"}, "`began`, but `{{$.pipeline_job_create_time_utc}}`"),
        ({"run": "{{$.pipeline_job_uuid}}"}, "`run`, but"),
        ({"run": "../elsewhere"}, "no name of a run"),
        ({"began": "yesterday"}, "ISO 8601"),
        ({"allow-both": "{}"}, "`by` and `why`"),
    ],
)
def test_what_the_cluster_did_not_say_is_never_guessed(told, given, said):
    words = ["conclude", "--config", CONCLUDE, "--executor-input", told(**given), "--take", "verdict=gate/verdict"]
    assert said in run(*words, expected=2)


def test_when_the_run_began_can_be_said():
    outputs = {"outputFile": "/o"}
    both = json.dumps({"inputs": {"parameterValues": RUN | {"store": "s", "as-of": "2026-01-01"}}, "outputs": outputs})
    words = kubeflow.read(both).arguments()
    assert words[words.index("--as-of") + 1] == "2026-01-01"
    pure = json.dumps({"inputs": {"parameterValues": {"store": "s"}}, "outputs": outputs})
    assert kubeflow.read(pure).arguments() == ["--store", "s"]


def test_what_is_no_executor_input_is_refused():
    with pytest.raises(UsageError, match="not Kubeflow's executor input"):
        kubeflow.read("[]")
