"""The program that the local target emits keeps what a step asks for; a stand-in does what the step program is told."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from clspec.plan import ArtifactType, Kind, Resources, Retry, Secret, canonical
from clspec.testing.plans import plan_of, step
from clspec_local import target

STAND_IN = """
import json, os, pathlib, sys, time
config = json.loads(pathlib.Path(sys.argv[sys.argv.index("--config") + 1][1:]).read_text())
tries = pathlib.Path("tries")
with tries.open("a") as stream:
    print(os.getpid(), os.environ["OMP_NUM_THREADS"], file=stream)
taken = b"x" * config.get("take", 0)
time.sleep(config.get("sleep", 0))
code = config.get("codes", [0])[len(tries.read_text().splitlines()) - 1]
if code < 0:
    os.kill(os.getpid(), -code)
sys.exit(code)
"""
LONG = 600


@pytest.fixture
def program(tmp_path):
    """The arguments that run the program of a plan whose one step is of these parts."""
    package = tmp_path / "path" / "clspec"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "step.py").write_text(STAND_IN)

    def made(config, **parts):
        plan = plan_of(replace(step("train", Kind.TRAIN, **parts), config=canonical(config)))
        bundle = target.backend.emit(plan, target.Options())
        (tmp_path / "regression.py").write_text(bundle["regression.py"])
        return {
            "args": [sys.executable, "regression.py", "--code", ".", "--folder", ".", "--work", "work"],
            "cwd": tmp_path,
            "env": os.environ | {"PYTHONPATH": str(package.parent)},
            "text": True,
        }

    return made


def ran(arguments):
    ended = subprocess.run(**arguments, capture_output=True, check=False)
    tries = arguments["cwd"] / "tries"
    return ended, tries.read_text().splitlines() if tries.exists() else []


@pytest.mark.parametrize(
    ("codes", "times", "tries", "code"),
    [
        ([0], 2, 1, 0),
        ([137, 75, 0], 2, 3, 0),
        ([-9, 0], 1, 2, 0),
        ([143, 143], 1, 2, 143),
        ([-15], 0, 1, 143),
        ([1, 0], 2, 1, 1),
        ([3, 0], 2, 1, 3),
    ],
)
def test_only_what_died_of_its_surroundings_is_tried_again(program, codes, times, tries, code):
    ended, tried = ran(program({"codes": codes}, retry=Retry(times=times)))
    assert (len(tried), ended.returncode) == (tries, code), ended.stderr


def test_a_step_ends_at_its_timeout_and_is_not_tried_again(program):
    ended, tried = ran(program({"sleep": LONG}, timeout=1, retry=Retry(times=2)))
    assert (len(tried), ended.returncode) == (1, 3)
    assert ended.stderr == "train: it ran longer than its timeout of 1 s\n"


def test_a_step_ends_at_its_memory(program):
    ended, tried = ran(program({"take": 2**28, "sleep": LONG}, resources=Resources(memory=2**27)))
    assert (len(tried), ended.returncode) == (1, 3)
    assert ended.stderr == "train: it used more than its memory of 134217728 bytes\n"


@pytest.mark.parametrize(("cpu", "threads"), [(0.0, "1"), (0.5, "1"), (1.0, "1"), (10_000.0, str(os.cpu_count()))])
def test_cores_are_threads(program, cpu, threads):
    ended, (tried,) = ran(program({}, resources=Resources(cpu=cpu)))
    assert (ended.returncode, tried.split()[1]) == (0, threads)


def test_without_its_secrets_nothing_runs(program):
    arguments = program({}, secrets=(Secret(env="NOWHERE_SET"), Secret(env="NEITHER_THIS")))
    ended, tried = ran(arguments)
    assert (ended.returncode, tried) == (2, [])
    assert "variables that are not set: NEITHER_THIS, NOWHERE_SET" in ended.stderr
    ended, tried = ran(arguments | {"env": arguments["env"] | {"NOWHERE_SET": "a", "NEITHER_THIS": ""}})
    assert (ended.returncode, len(tried)) == (0, 1)


def test_a_configuration_may_be_longer_than_an_argument(program):
    ended, _ = ran(program({"text": "x" * 2**18}, writes=()))
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_its_step_ends_with_it(program, number):
    arguments = program({"sleep": LONG}, writes=[("model", ArtifactType.MODEL)])
    tries = arguments["cwd"] / "tries"
    with subprocess.Popen(**arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        while not (tries.exists() and tries.read_text().endswith("\n")):
            assert running.poll() is None
            time.sleep(0.02)
        running.send_signal(number)
        assert running.wait() != 0
    pid = int(tries.read_text().split()[0])
    with suppress(ProcessLookupError, FileNotFoundError):  # it is gone, or dead and not yet collected
        os.kill(pid, 0)
        assert Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
