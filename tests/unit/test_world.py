"""Processes that make one model together: what each is told, and how all end when one does."""

import json
import os
import time
from datetime import UTC, datetime

import pytest

from clspec import code
from clspec.data.usercode import UserCodeFailed
from clspec.diagnostic import SurroundingsFailed, UsageError
from clspec.step import machine, world
from clspec.step.job import Job, Paths

CODE = """
import json, os, pathlib, signal, sys, time

NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "MASTER_ADDR", "MASTER_PORT")

def train(data, validation, model_dir, seed, how, notes):
    rank = int(os.environ["RANK"])
    pathlib.Path(notes, f"{rank}.json").write_text(json.dumps({name: os.environ[name] for name in NAMES}))
    if rank == 1 and how == "raises":
        raise ValueError("no such layer")
    if rank == 1 and how == "writes":
        pathlib.Path(model_dir, "half.bin").write_bytes(b"half")
    if rank == 1 and how == "is killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if rank == 1 and how == "exits":
        os._exit(5)
    if rank == 1 and how == "exits well":
        os._exit(0)
    if rank == 0 and how == "leaves":
        os._exit(0)
    if rank == 0 and how == "follows":
        time.sleep(0.3)
        raise RuntimeError("connection closed by peer")
    if rank == 1 and how == "follows":
        raise ValueError("the first to fail")
    if rank == 0 and how in ("raises", "is killed", "exits"):
        time.sleep(600)
    if rank == 0:
        pathlib.Path(model_dir, "model.json").write_text("{}")
    return {"rank": rank}
"""
COMMAND = "import os, sys; open(os.path.join(sys.argv[1], 'of-' + os.environ['RANK']), 'w')"
FOUR = {"machines": 2, "processes": 2}


@pytest.fixture
def trained(tmp_path):
    """Runs a training of four processes here: what it returns, and the notes of each."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "model.py").write_text(CODE)
    (tmp_path / "notes").mkdir()
    (tmp_path / "model").mkdir()
    for name in ("data", "validation"):
        (tmp_path / name).write_bytes(b"rows")

    def run(how="well", wanted=FOUR, command=None):
        entrypoint = None if command else "model:train"
        call = {"entrypoint": entrypoint, "command": command, "code": code.digest(tmp_path / "code")}
        params = {"how": how, "notes": str(tmp_path / "notes")}
        job = Job(
            config={"call": call, "params": params, "seed": 1},
            inputs=Paths("--in", {name: tmp_path / name for name in ("data", "validation")}),
            outputs={},
            store=str(tmp_path / "store"),
            code=tmp_path / "code",
            folder=None,
            as_of=datetime.now(tz=UTC),
        )
        return world.trained(job, tmp_path / "model", world.here(wanted))

    return run


def test_each_process_is_told_its_place_as_torchrun_tells_it(trained, tmp_path):
    assert trained() == {"rank": 0.0}
    told = [json.loads((tmp_path / "notes" / f"{rank}.json").read_text()) for rank in range(4)]
    ports = {notes.pop("MASTER_PORT") for notes in told}
    assert len(ports) == 1
    shared = {"WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    places = [(0, 0, 0), (1, 1, 0), (2, 0, 1), (3, 1, 1)]
    keys = ("RANK", "LOCAL_RANK", "GROUP_RANK")
    assert told == [shared | dict(zip(keys, map(str, place), strict=True)) for place in places]
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["model.json"]


@pytest.mark.parametrize(
    ("how", "kind", "said"),
    [
        ("raises", UserCodeFailed, r"rank 1: `model:train` raised ValueError(.|\n)*no such layer"),
        ("follows", UserCodeFailed, "rank 1: .*(.|\n)*the first to fail"),
        ("is killed", SurroundingsFailed, "rank 1 was ended by signal SIGKILL"),
        ("exits", UserCodeFailed, "rank 1 ended the process with 5"),
        ("writes", UserCodeFailed, "rank 1: it wrote half.bin into `model_dir`: only rank 0 writes"),
        ("leaves", UserCodeFailed, "rank 0 ended the process before the training returned"),
    ],
)
def test_the_first_that_fails_is_told_of_and_ends_all(trained, how, kind, said):
    begun = time.monotonic()
    with pytest.raises(kind, match=said):
        trained(how, {"machines": 2, "processes": 1})
    assert time.monotonic() - begun < 60  # rank 0 would sleep for ten minutes


def test_another_rank_that_leaves_early_left_its_share_undone(trained):
    with pytest.raises(UserCodeFailed, match="rank 1 ended the process before"):
        trained("exits well", {"machines": 2, "processes": 1})


def test_a_command_is_run_by_every_process(trained, tmp_path):
    assert trained(command=["python", "-c", COMMAND, "{params.notes}", "{data}", "{model_dir}", "{seed}"]) == {}
    assert sorted(path.name for path in (tmp_path / "notes").iterdir()) == ["of-0", "of-1", "of-2", "of-3"]


PET = {
    "PET_NNODES": "3",
    "PET_NPROC_PER_NODE": "8",
    "PET_NODE_RANK": "2",
    "PET_MASTER_ADDR": "train-node-0-0.train",
    "PET_MASTER_PORT": "29400",
}


def test_a_runtime_tells_a_machine_of_its_world():
    found = world.told(PET)
    assert (found.size, found.first, found.here) == (24, 16, 8)
    assert found.variables(23) == {
        "RANK": "23",
        "WORLD_SIZE": "24",
        "LOCAL_RANK": "7",
        "LOCAL_WORLD_SIZE": "8",
        "GROUP_RANK": "2",
        "MASTER_ADDR": "train-node-0-0.train",
        "MASTER_PORT": "29400",
    }


@pytest.mark.parametrize("change", [{"PET_NNODES": ""}, {"PET_NPROC_PER_NODE": "auto"}, {"PET_MASTER_ADDR": None}])
def test_a_runtime_that_is_none_for_torch_is_told_of(change):
    given = {name: value for name, value in (PET | change).items() if value is not None}
    with pytest.raises(UsageError, match="is it one for torch"):
        world.told(given)


def test_a_machine_without_a_task_says_so_where_the_launcher_looks(tmp_path, monkeypatch, capsys):
    for name, value in PET.items():
        monkeypatch.setenv(name, value)
    words = ["--store", str(tmp_path / "store"), "--task", "pets/handover/r/s/0", "--code", str(tmp_path)]
    assert machine.main(words) == 2
    assert "there is nothing to do" in capsys.readouterr().err
    (report,) = (tmp_path / "store/pets/handover/r/s/0/failed").iterdir()
    assert report.name == "2.json"
    assert json.loads(report.read_text())["exit_code"] == 2
    assert os.environ["PET_NODE_RANK"] == "2"
