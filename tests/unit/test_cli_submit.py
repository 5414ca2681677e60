"""`clspec run --target`: what is said where a run cannot be begun; that one can is tested at each target."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TINY = Path(__file__).resolve().parents[1] / "data" / "tiny"
NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def spec(tmp_path):
    folder = Path(shutil.copytree(TINY, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__")))
    path = folder / "tiny.yaml"
    path.write_text(path.read_text().replace("store: .clspec/store", "store: s3://bucket/tiny"))
    return path


def run(spec, *words):
    command = [sys.executable, "-m", "clspec", "run", str(spec), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("target", ["kfp", "argo"])
def test_a_cluster_that_does_not_answer_is_named(spec, target):
    pytest.importorskip({"kfp": "kfp", "argo": "argo_workflows"}[target])
    code, said = run(spec, "--target", target, "--host", NOBODY)
    assert code in {2, 3}
    assert NOBODY in said


def test_a_run_needs_a_place(spec):
    said = "clspec: a run on `kfp` is begun through its API: add --host URL (argo: or --host kubectl)\n"
    assert run(spec, "--target", "kfp") == (2, said)
    assert "begins no runs on a cluster" in run(spec, "--target", "local", "--host", NOBODY)[1]
    assert run(spec)[0] == 2
    assert run(spec, "--local", "--target", "kfp")[0] == 2


def test_a_pipeline_that_is_not_there_is_not_begun(spec):
    code, said = run(spec, "--target", "kfp", "--host", NOBODY, "--pipeline", "improvement")
    assert (code, "there is no pipeline `improvement`" in said) == (2, True)
