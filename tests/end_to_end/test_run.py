"""`clspec run --local` as a person meets it: the tiny spec, its code edited as people edit code."""

import contextlib
import fcntl
import hashlib
import json
import os
import pty
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import termios
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from clspec import api
from clspec.diagnostic import UsageError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the engine runs on Linux")

TINY = Path(__file__).parents[1] / "data" / "tiny"
CLSPEC = [sys.executable, "-m", "clspec"]
IMPURE = {"pin", "gate", "register", "conclude"}
LINE = re.compile(r"^  [+=!x-] (\S+) +(done|up to date|skipped|said no|failed)\b", re.MULTILINE)


class Ended:
    """How a command ended, and which step became what."""

    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr
        self.states = dict(LINE.findall(self.err))
        assert "Traceback" not in self.err or self.code == 3, self.err
        assert "fault of clspec" not in self.err

    def became(self, state):
        return {step for step, found in self.states.items() if found == state}


class Project:
    """A copy of the tiny spec."""

    def __init__(self, root):
        self.root = root
        self.state = root / ".clspec"

    def command(self, *words):
        return [*CLSPEC, "run", "--local", *words]

    def run(self, *words, **given):
        done = subprocess.run(
            self.command(*words), cwd=self.root, capture_output=True, text=True, timeout=300, check=False, **given
        )
        return Ended(done)

    def edit(self, name, before, after):
        path = self.root / name
        text = path.read_text()
        assert text.count(before) == 1, f"{before} stands {text.count(before)} times in {name}"
        path.write_text(text.replace(before, after))

    def ask(self, query):
        with contextlib.closing(sqlite3.connect(self.state / "history.sqlite")) as connection:
            return connection.execute(query).fetchall()

    def kept(self, step):
        """The outputs of a step by name, as the newest run that has it found or made them."""
        query = f"SELECT digests FROM result JOIN step USING (key) WHERE id = '{step}' ORDER BY step.run DESC LIMIT 1"
        digests = json.loads(self.ask(query)[0][0])
        names = {name: digest.removeprefix("sha256:") for name, digest in digests.items()}
        return {name: self.state / "artifacts" / digest[:2] / digest for name, digest in names.items()}

    def models(self):
        return list((self.state / "store").glob("tiny/models/*/records/*.json"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A project whose first run has passed, and what that run said."""
    root = tmp_path_factory.mktemp("finished") / "tiny"
    shutil.copytree(TINY, root, ignore=shutil.ignore_patterns(".clspec", "__pycache__"))
    (root / "pyproject.toml").write_text('[tool.clspec]\nspec = "tiny.yaml"\n')
    project = Project(root)
    return project, project.run()


@pytest.fixture
def project(finished, tmp_path):
    """A copy of it after that run."""
    shutil.copytree(finished[0].root, tmp_path / "tiny")
    return Project(tmp_path / "tiny")


@pytest.fixture
def fresh(finished, tmp_path):
    """A copy of it before any run."""
    shutil.copytree(finished[0].root, tmp_path / "tiny", ignore=shutil.ignore_patterns(".clspec"))
    return Project(tmp_path / "tiny")


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# -- what is done, and what is not done again --------------------------------------------------------------------------


def test_a_first_run_does_everything_and_shows_it(finished):
    project, first = finished
    assert first.code == 0, first.err
    assert set(first.states.values()) == {"done"}
    assert "> train-seed-2 started" in first.err
    assert "\033" not in first.err  # nobody looks at a terminal
    assert "verdict: pass" in first.out
    (record,) = project.models()
    digest = json.loads(record.read_text())["model"].removeprefix("sha256:")[:12]
    assert f"registered: {digest}; up the stages with: clspec promote {digest}" in first.out
    report = re.search(r"^report: (.+)$", first.out, re.MULTILINE)[1]
    assert json.loads(Path(report).with_name("report.json").read_text())["verdict"] == "pass"
    assert not list(project.state.glob("runs/*/work"))
    assert project.ask("SELECT exit_code FROM run") == [(0,)]


def test_a_second_run_does_the_impure_steps_only(project):
    second = project.run()
    assert (second.code, second.became("done")) == (0, IMPURE)
    assert second.became("up to date") == set(second.states) - IMPURE
    assert "verdict: pass" in second.out


def test_a_threshold_moves_the_gate_and_what_comes_after(project):
    project.edit("tiny.yaml", "min: 0.95", "min: 0.94")
    again = project.run()
    assert (again.code, again.became("done")) == (0, IMPURE | {"gate", "report"})


def test_a_parameter_moves_the_training_and_what_comes_after(project):
    project.edit("tiny.yaml", "metres: 10", "metres: 5")
    again = project.run()
    assert {"train-seed-1", "train-seed-2", "predict-seed-1", "predict-seed-2", "report"} <= again.became("done")
    assert {"snapshot-golden", "snapshot-training"} <= again.became("up to date")


def test_code_moves_what_calls_it_and_nothing_that_comes_out_the_same(project):
    project.edit("tiny/model.py", "import json\n", "import json  # the same code\n")
    again = project.run()
    called = {"train-seed-1", "train-seed-2", "predict-seed-1", "predict-seed-2"}
    assert (again.code, again.became("done")) == (0, IMPURE | called | {"report"})


def test_a_missing_intermediate_is_made_again_though_the_end_is_there(project):
    shutil.rmtree(project.kept("train-seed-1")["model"])
    again = project.run()
    assert (again.code, again.became("done")) == (0, IMPURE | {"train-seed-1"})


def test_every_seed_and_shard_is_a_step_and_shards_hold_every_row_once(project):
    project.edit("tiny.yaml", "seeds: [1, 2]", "seeds: [1, 2, 3]")
    project.edit("tiny.yaml", '"model:predict", timeout: 2m', '"model:predict", timeout: 2m, shards: 3')
    again = project.run()
    assert again.code == 0, again.err
    names = {f"predict-seed-{seed}-shard-{shard}" for seed in (1, 2, 3) for shard in (1, 2, 3)}
    assert {name for name in again.states if name.startswith("predict")} == names
    assert {name for name in again.states if name.startswith("train")} == {f"train-seed-{n}" for n in (1, 2, 3)}
    golden = pq.read_table(project.kept("snapshot-golden")["data"]).column("id").to_pylist()
    for seed in (1, 2, 3):
        parts = [project.kept(f"predict-seed-{seed}-shard-{shard}")["predictions"] for shard in (1, 2, 3)]
        answered = [row for part in parts for row in pq.read_table(part).column("id").to_pylist()]
        assert sorted(answered) == sorted(golden)


# -- verdicts and failures ---------------------------------------------------------------------------------------------


def say_go(project):
    project.edit("tiny/model.py", '"said": answer or "brake"', '"said": "go"')


def test_a_gate_that_says_no_ends_with_1_and_registers_nothing(fresh):
    say_go(fresh)
    ended = fresh.run()
    assert (ended.code, ended.states["register"], ended.states["conclude"]) == (1, "skipped", "said no")
    assert (ended.states["gate"], ended.states["report"]) == ("done", "done")
    assert "verdict: fail" in ended.out
    report = Path(re.search(r"^report: (.+)$", ended.out, re.MULTILINE)[1])
    assert json.loads(report.with_name("report.json").read_text())["verdict"] == "fail"
    assert fresh.models() == []
    assert fresh.ask("SELECT exit_code FROM run") == [(1,)]
    assert fresh.run().code == 1  # what is up to date is as red as it was


def test_the_exit_code_survives_that_nobody_reads(project):
    say_go(project)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(project.command(), cwd=project.root, stdout=writer, stderr=writer, timeout=300, check=False)
    os.close(writer)
    assert done.returncode == 1


def test_failing_user_code_is_shown_and_the_next_run_begins_there(project):
    project.edit(
        "tiny/model.py", "    rows = pq.read_table(validation)", "    rows = seen.road\n    pq.read_table(validation)"
    )
    ended = project.run()
    assert ended.code == 3
    line = (project.root / "tiny/model.py").read_text().splitlines().index("    rows = seen.road") + 1
    assert f'File "{project.root}/tiny/model.py", line {line}, in train' in ended.err
    assert "AttributeError: 'collections.defaultdict' object has no attribute 'road'" in ended.err
    log = Path(re.search(r"its log (\S+) ends with", ended.err)[1])
    assert "AttributeError" in log.read_text()
    assert "clspec/step" not in ended.err
    ((key,), *_) = project.ask("SELECT key FROM step WHERE id LIKE 'train%' AND state = 'failed'")
    assert key not in {kept for (kept,) in project.ask("SELECT key FROM result")}
    project.edit("tiny/model.py", "    rows = seen.road\n    pq.read_table", "    rows = pq.read_table")
    again = project.run()
    assert (again.code, again.became("done")) == (0, IMPURE)


@pytest.mark.parametrize("leave", ["__import__('sys').exit(0)", "__import__('os')._exit(0)"])
def test_user_code_that_leaves_with_0_has_failed(project, leave):
    project.edit(
        "tiny/model.py", "    rows = pq.read_table(validation)", f"    {leave}\n    rows = pq.read_table(validation)"
    )
    for _ in range(2):
        ended = project.run()
        assert ended.code == 3
        assert "failed" in {ended.states["train-seed-1"], ended.states.get("train-seed-2")}
        assert "gate" not in ended.states


# -- wrong use ---------------------------------------------------------------------------------------------------------


def test_an_unknown_pipeline_is_named_with_those_there_are(project):
    ended = project.run("--pipeline", "improvement")
    assert ended.code == 2
    assert "improvement" in ended.err
    assert "regression" in ended.err


@pytest.mark.parametrize("jobs", ["0", "-1", "x"])
def test_jobs_are_a_number_of_at_least_one(project, jobs):
    ended = project.run(f"--jobs={jobs}")
    assert ended.code == 2
    assert "--jobs" in ended.err
    assert ended.states == {}


@pytest.mark.parametrize("jobs", [0, -1])
def test_jobs_are_at_least_one_from_python_too(project, jobs):
    with pytest.raises(UsageError, match=str(jobs)):
        api.run(str(project.root / "tiny.yaml"), jobs=jobs)


def test_a_missing_secret_is_named_before_anything_runs(fresh):
    fresh.edit("tiny.yaml", "seeds: [1, 2]\n", "seeds: [1, 2]\n  secrets: [{env: NOT_SET_HERE}]\n")
    ended = fresh.run()
    assert ended.code == 2
    assert "NOT_SET_HERE" in ended.err
    assert [path.name for path in fresh.state.iterdir()] == ["use.lock"]


def test_secrets_appear_nowhere(project):
    project.edit("tiny.yaml", "seeds: [1, 2]\n", "seeds: [1, 2]\n  secrets: [{env: CANARY_TOKEN}]\n")
    project.edit(
        "tiny/model.py",
        "    rows = pq.read",
        '    assert "CANARY_TOKEN" in __import__("os").environ\n    rows = pq.read',
    )
    ended = project.run(env={**os.environ, "CANARY_TOKEN": "canary-7f1d0a"})
    assert ended.code == 0, ended.err
    found = [path for path in project.root.rglob("*") if path.is_file() and b"canary-7f1d0a" in path.read_bytes()]
    assert found == []
    assert "canary-7f1d0a" not in ended.out + ended.err


def test_a_history_that_is_none_is_named_with_the_way_out(project):
    path = project.state / "history.sqlite"
    path.write_bytes(b"no history")
    ended = project.run()
    assert ended.code == 0
    assert "history.sqlite.damaged-" in ended.err
    assert [found.read_bytes() for found in path.parent.glob("history.sqlite.damaged-*")] == [b"no history"]


def assert_clean(store):
    """It holds whole parts, and manifests of parts that are there; nothing else."""
    parts = {path.name: path.read_bytes() for path in store.rglob("*.parquet")}
    manifests = [json.loads(path.read_bytes()) for path in store.glob("tiny/datasets/*/versions/*.json")]
    assert len([path for path in store.rglob("*") if path.is_file()]) == len(parts) + len(manifests)
    assert all(hashlib.sha256(content).hexdigest() + ".parquet" == name for name, content in parts.items())
    assert all(part in parts for manifest in manifests for part in manifest["parts"])


@pytest.mark.parametrize("size", ["4k", "8k"])
def test_a_full_store_is_named_and_stays_clean(fresh, size):
    store = fresh.state / "store"
    store.mkdir(parents=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(store)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"mounting is not permitted here: {done.stderr.strip()}")
    try:
        ended = fresh.run()
        assert (ended.code, ended.states) == (3, {"pin": "failed"})
        assert "No space left on device" in ended.err
        assert str(store) in ended.err
        assert_clean(store)
        subprocess.run(["mount", "-o", "remount,size=16m", str(store)], check=True)
        assert fresh.run().code == 0
    finally:
        subprocess.run(["umount", "-l", str(store)], check=True)


# -- in a terminal -----------------------------------------------------------------------------------------------------


class Terminal:
    """A command at work in a terminal of its own."""

    def __init__(self, command, folder):
        self.master, slave = pty.openpty()
        surroundings = {name: value for name, value in os.environ.items() if name not in {"CI", "NO_COLOR"}}
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env={**surroundings, "TERM": "xterm"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509  # one call to the system
        )
        os.close(slave)
        self.shown = b""

    def type(self, content):
        os.write(self.master, content)

    def until(self, words):
        while words not in self.shown:
            self.shown += os.read(self.master, 4096)

    def end(self):
        with contextlib.suppress(OSError):  # the terminal is gone when its last process is
            while content := os.read(self.master, 4096):
                self.shown += content
        os.close(self.master)
        return self.process.wait(timeout=120)


def test_a_terminal_shows_who_is_at_work(project):
    terminal = Terminal(project.command(), project.root)
    assert terminal.end() == 0
    text = terminal.shown.decode()
    assert "started" not in text
    assert re.search(r"\x1b\[2K", text), "nothing was drawn and taken away"
    assert {step for step, _ in re.findall(r"  [+=] (\S+) +(done|up to date)", text)} >= IMPURE | {"gate"}


def test_ctrl_c_in_a_terminal_ends_everything_and_the_next_run_goes_on(project):
    note = project.root / "pids"
    sleeping = (
        "    import os, subprocess, time\n"
        '    pids = [os.getpid(), subprocess.Popen(["setsid", "sleep", "600"]).pid]\n'
        f'    Path("{note}.part").write_text(" ".join(map(str, pids)))\n'
        f'    os.rename("{note}.part", "{note}")\n'
        "    time.sleep(600)\n"
    )
    project.edit(
        "tiny/model.py", "    rows = pq.read_table(validation)", sleeping + "    rows = pq.read_table(validation)"
    )
    terminal = Terminal(project.command("--jobs", "1"), project.root)
    wait_until(note.exists)
    terminal.type(b"\x03")
    terminal.until(b"Ctrl-C again stops now")
    assert all(alive(int(pid)) for pid in note.read_text().split()), "what is at work is to be finished"
    terminal.type(b"\x03")
    assert terminal.end() == 130
    pids = [int(pid) for pid in note.read_text().split()]
    wait_until(lambda: not any(map(alive, pids)))
    assert b"the next run goes on" in terminal.shown
    assert b"Traceback" not in terminal.shown
    assert project.ask("SELECT exit_code FROM run ORDER BY id DESC LIMIT 1") == [(130,)]
    project.edit("tiny/model.py", sleeping, "")
    assert project.run().became("done") == IMPURE


def test_an_engine_that_is_killed_needs_no_unlocking(fresh):
    process = subprocess.Popen(fresh.command(), cwd=fresh.root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while b"train-seed-1 started" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate()
    again = fresh.run()
    assert again.code == 0
    assert {"snapshot-golden", "snapshot-training"} <= again.became("up to date")
