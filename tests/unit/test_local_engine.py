"""The local engine: plans made by hand, whose steps are real runs of the step program on user code that misbehaves."""

import contextlib
import dataclasses
import hashlib
import json
import os
import pickle
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from clspec import api, code
from clspec.backend import Workplace
from clspec.plan import (
    Artifact,
    ArtifactType,
    Condition,
    Gpu,
    Input,
    Isolation,
    Kind,
    Pipeline,
    Resources,
    Retry,
    Secret,
)
from clspec_local import artifacts

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the engine runs on Linux")

SPEC = """\
apiVersion: clspec.dev/v1alpha1
kind: ContinuousLearning
metadata: {name: engine}
store: store
code: {root: code}
task: {type: classification, label: label, classes: [a, b], prediction: said}
sources:
  drives: {type: python, entrypoint: "work:drives", columns: &columns {id: string, label: string}}
  golden_drives: {type: python, entrypoint: "work:golden_drives", columns: *columns}
datasets:
  drives: {columns: *columns, key: id, from: drives}
  golden: {like: drives, from: golden_drives, pinned: true}
training: {entrypoint: "work:train", dataset: drives, params: {act: learn, note: ""}}
inference: {entrypoint: "work:predict"}
golden:
  dataset: golden
  scenarios: [{id: any, select: "id is not null", checks: [{metric: accuracy, min: 0.5}]}]
"""

WORK = '''\
import faulthandler, gc, json, os, signal, subprocess, sys, threading, time
from pathlib import Path

SAY = "fresh"


def drives():
    return ({"id": f"drive-{n}", "label": "ab"[n % 2]} for n in range(4))


def golden_drives():
    return ({"id": f"golden-{n}", "label": "ab"[n % 2]} for n in range(120))


def predict(data, model_dir):
    return iter(())


def train(data, validation, model_dir, seed, act="learn", note=""):
    if note:
        with open(note, "a") as stream:
            stream.write(f"{seed}\\n")
    Path(model_dir, "model.txt").write_text(f"{SAY} {seed} {act}")
    globals()[act](Path(model_dir), note)
    return {"loss": 0.5}


def learn(model, note):
    pass


def learn_slowly(model, note):
    time.sleep(0.2)


def take_a_second(model, note):
    time.sleep(1.1)


def learn_briefly(model, note):
    """With a child in a session of its own, as a loader of data may have."""
    subprocess.Popen(["sleep", "600"], start_new_session=True)
    time.sleep(0.1)


def say_gpus(model, note):
    with open(note, "a") as stream:
        stream.write(f"sees {os.environ.get('CUDA_VISIBLE_DEVICES')}\\n")
    time.sleep(0.3)


def say_canary(model, note):
    adjustment = Path("/proc/self/oom_score_adj").read_text().strip()
    with open(note, "a") as stream:
        stream.write(f"{os.getppid()} {os.environ.get('CANARY')} {adjustment}\\n")


def sum_up(model, note):
    """What many threads may come to, which differs with their number."""
    import numpy

    model.joinpath("sum.txt").write_text(str(numpy.random.default_rng(1).normal(size=(700, 700)) @ numpy.ones(700)))


def draw_at_random(model, note):
    import numpy

    with open(note, "a") as stream:
        stream.write(f"{numpy.random.rand()}\\n")


def fail(model, note):
    deeper()


def deeper():
    raise ValueError("no such road")


def sys_exit(model, note):
    sys.exit(0)


def exit_0(model, note):
    os._exit(0)


def exit_75(model, note):
    os._exit(75)


def sigkill(model, note):
    os.kill(os.getpid(), signal.SIGKILL)


def sigsegv(model, note):
    faulthandler._sigsegv()


def sigkill_once(model, note):
    if len(Path(note).read_text().split()) == 1:
        sigkill(model, note)


def family(model, note):
    """A child, a child in a session of its own, and a daemon whose parent has ended."""
    sleep = ["sleep", "600"]
    pids = [os.getpid(), subprocess.Popen(sleep).pid, subprocess.Popen(sleep, start_new_session=True).pid]
    shell = subprocess.run(["setsid", "sh", "-c", "sleep 600 >&- 2>&- & echo $!"], stdout=subprocess.PIPE)
    pids.append(int(shell.stdout))
    Path(note + ".part").write_text(json.dumps({"pids": pids, "scratch": os.environ["TMPDIR"]}))
    os.rename(note + ".part", note + ".family")


def family_at_work(model, note):
    family(model, note)
    time.sleep(600)


def load_data(model, note):
    """With torch's own loader and two workers, which are at work when this one is killed."""
    from torch.utils.data import DataLoader

    loader = DataLoader(list(range(100_000)), num_workers=2, batch_size=1)
    rows = iter(loader)
    pids = [os.getpid(), *(worker.pid for worker in rows._workers)]
    Path(note + ".part").write_text(json.dumps({"pids": pids}))
    os.rename(note + ".part", note + ".family")
    for _ in rows:
        time.sleep(0.001)


def stubborn_family(model, note):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    family_at_work(model, note)


def polite(model, note):
    def leave(number, frame):
        Path(note).write_text("asked")
        sys.exit(1)

    signal.signal(signal.SIGTERM, leave)
    Path(note + ".family").write_text("{}")
    time.sleep(600)


def fill(model, note):
    (model / "more.bin").write_bytes(bytes(2**24))


def eat(model, note):
    food = bytearray(300 * 2**20)
    food[::4096] = b"x" * len(food[::4096])
    time.sleep(600)


def alone(model, note):
    os.mkdir(note + ".alone")
    time.sleep(0.5)
    os.rmdir(note + ".alone")


def meet(model, note):
    deadline = time.monotonic() + 60
    while len(set(Path(note).read_text().split())) < 2:
        if time.monotonic() > deadline:
            raise TimeoutError("nobody else came")
        time.sleep(0.02)


def fail_in_turn(model, note):
    """The first one to come fails, and gives others time to see that it is at work."""
    if len(Path(note).read_text().split()) == 1:
        time.sleep(1.0)
        raise ValueError("no such road")


def pretend(model, note):
    print('{"progress": 3}', '{"progress": {"done": "x"}}', '{"progress"', '{"progress": [[', sep="\\n", flush=True)
    time.sleep(0.6)


def look(model, note):
    sys.__stdout__.flush()
    seen = {
        "cores": os.environ["OMP_NUM_THREADS"],
        "variables": sorted(os.environ),
        "stdin": os.readlink("/proc/self/fd/0"),
        "threads": threading.active_count(),
        "forked": "clspec_local.warm" in sys.modules or hasattr(sys.modules["__main__"], "_serve"),
        "leader": os.getpgid(0) == os.getpid(),
        "signals": [signal.getsignal(n) in {signal.SIG_DFL, signal.default_int_handler} for n in (2, 15, 1, 17)],
        "mask": len(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "path": sys.path,
    }
    Path(note).write_text(json.dumps(seen))


def collect(model, note):
    gc.collect()
'''

DRIVER = """\
import atexit, gc, json, os, pickle, sys, tempfile, threading, time, warnings
from clspec.backend import Occasion
from clspec.diagnostic import ClspecError
from clspec.selection import Selection
from clspec_local.target import backend

plan, place, jobs, before, force = pickle.loads(sys.stdin.buffer.read())
sys.stdout.write("buffered before the run\\n")
atexit.register(lambda: open(f"{place.folder}/exit-{os.getpid()}", "w").close())
if before == "thread":
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
if before == "import":
    sys.path.insert(0, str(place.code))
    import work
    work.SAY = "stale"
if before == "garbage":
    gc.disable()
    warnings.simplefilter("ignore")
    made = tempfile.TemporaryDirectory(dir=place.folder, prefix="garbage-")
    made.itself = made
    del made


def tell(*words):
    print(json.dumps(words))


try:
    occasion = Occasion(as_of="2026-05-01T00:00:00+00:00", selection=Selection(force=force))
    watch = lambda h: tell(h.step, h.state.name, h.note)
    strict = before == "strict"
    outcome = backend.run(
        plan, "regression", place, jobs=jobs, occasion=occasion, watch=watch, strict_resources=strict
    )
except KeyboardInterrupt:
    sys.exit(130)
except ClspecError as error:
    tell("error", type(error).__name__, str(error))
    sys.exit(error.exit_code)
tell("garbage", any(name.startswith("garbage-") for name in os.listdir(place.folder)), "")
tell("outcome", outcome.failed, str(outcome.log))
sys.exit(outcome.exit_code)
"""


class Ended:
    """What a run has said, and how it ended."""

    def __init__(self, code, out, err):
        assert out.count("buffered before the run") == 1, "a fork has flushed what the engine had buffered"
        self.code, self.err = code, err
        self.told = [json.loads(line) for line in out.splitlines() if line.startswith("[")]
        self.states = {step: state for step, state, _ in self.told if state not in {"STARTED", "PROGRESS", "RETRIED"}}
        self.notes = {step: note for step, state, note in self.told if state not in {"PROGRESS", "RETRIED"}}

    def log(self):
        return Path(next(note for step, _, note in self.told if step == "outcome")).read_text()


class Site:
    """A project with a store, and a state folder that already holds the snapshots."""

    def __init__(self, root, plan):
        self.root = root
        self.plan = plan
        self.state = root / ".clspec"
        self.note = str(root / "note")

    def named(self, name):
        return next(step for step in self.plan.pipelines[0].steps if step.id == name)

    def snapshots(self):
        return [
            dataclasses.replace(self.named(n), inputs=(), needs=()) for n in ("snapshot-golden", "snapshot-training")
        ]

    def train(self, act="learn", seed=1, note="", **changes):
        step = self.named("train-seed-1")
        config = {**json.loads(step.config), "seed": seed, "params": {"act": act, "note": note}}
        return dataclasses.replace(step, id=f"train-{seed}", config=json.dumps(config, sort_keys=True), **changes)

    def start(self, *steps, jobs=2, before="", env=None, wrapper=(), force=(), **given):
        pipeline = Pipeline(name="regression", steps=(*self.snapshots(), *steps))
        plan = dataclasses.replace(self.plan, pipelines=(pipeline,))
        place = Workplace(code=self.root / "code", folder=self.root, store=str(self.root / "store"), state=self.state)
        process = subprocess.Popen(
            [*wrapper, sys.executable, "-c", DRIVER, str(self.root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "", **(env or {})},
            start_new_session=True,
            **given,
        )
        process.stdin.write(pickle.dumps((plan, place, jobs, before, force)))
        process.stdin.close()
        process.stdin = None
        return process

    def run(self, *steps, **given):
        return self.end(self.start(*steps, **given))

    def end(self, process):
        out, err = process.communicate(timeout=120)
        return Ended(process.returncode, out.decode(), err.decode())

    def ask(self, query):
        connection = sqlite3.connect(self.state / "history.sqlite")
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    def tries(self):
        return len(Path(self.note).read_text().split())

    def family(self):
        """The processes that user code has begun, once it has."""
        path = Path(self.note + ".family")
        return json.loads(path.read_text()) if path.exists() else None

    def place(self, digest):
        name = digest.removeprefix("sha256:")
        return self.state / "artifacts" / name[:2] / name

    def kept(self, kind="train"):
        """The places of what is recorded as made by a kind of step, by name; the newest record only."""
        (row,) = self.ask(f"SELECT digests FROM result WHERE kind = '{kind}'")
        return {name: self.place(digest) for name, digest in json.loads(row[0]).items()}

    def torn(self):
        """What is recorded as done and is not there as it was recorded."""
        found = [json.loads(row[0]) for row in self.ask("SELECT digests FROM result")]
        digests = [digest for made in found for digest in made.values()]
        return [d for d in digests if not self.place(d).exists() or artifacts.digest(self.place(d)) != d]

    def processes(self):
        """Of all processes, those that belong to this site."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    words, state = (entry / "cmdline").read_bytes(), (entry / "stat").read_text().rpartition(")")[2]
                except OSError:
                    continue
                if str(self.root).encode() in words and state.split()[0] != "Z":
                    found.append(int(entry.name))
        return found


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


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    root = tmp_path_factory.mktemp("base")
    (root / "code").mkdir()
    (root / "code" / "work.py").write_text(WORK)
    (root / "spec.yaml").write_text(SPEC)
    lock = [sys.executable, "-m", "clspec", "lock", str(root / "spec.yaml")]  # not here: it would import `work`
    subprocess.run(lock, check=True, capture_output=True)
    site = Site(root, api.plan(str(root / "spec.yaml")))
    assert site.run().code == 0
    return site


@pytest.fixture
def site(base, tmp_path):
    shutil.copytree(base.root, tmp_path / "site")
    return Site(tmp_path / "site", base.plan)


# -- what is used again ------------------------------------------------------------------------------------------------


def test_what_is_up_to_date_is_not_done_again(site):
    first = site.run(site.train(note=site.note))
    assert first.code == 0, first.told
    assert first.states["train-1"] == "DONE"
    second = site.run(site.train(note=site.note))
    assert second.code == 0
    assert [second.states[name] for name in ("snapshot-golden", "snapshot-training", "train-1")] == ["REUSED"] * 3
    assert site.tries() == 1


def test_another_parameter_is_another_result(site):
    site.run(site.train())
    assert site.run(site.train(act="learn_slowly")).states["train-1"] == "DONE"
    assert site.run(site.train()).states["train-1"] == "REUSED"


@pytest.mark.parametrize("isolation", Isolation)
def test_a_configuration_may_be_longer_than_an_argument(site, isolation):
    step = site.train(isolation=isolation)
    config = json.dumps({**json.loads(step.config), "aside": "x" * 200_000}, sort_keys=True)
    ended = site.run(dataclasses.replace(step, config=config))
    assert ended.states["train-1"] == "DONE", ended.told


def test_an_impure_step_is_done_every_time(site):
    for _ in range(2):
        assert site.run(site.train(pure=False, note=site.note)).states["train-1"] == "DONE"
    assert site.tries() == 2
    assert site.ask("SELECT count(*) FROM result WHERE kind = 'train'") == [(0,)]


def remove(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def edit(path):
    file = path / "model.txt" if path.is_dir() else path
    file.write_text(file.read_text() + "x")


def truncate(path):
    file = path / "model.txt" if path.is_dir() else path
    file.write_bytes(file.read_bytes()[:-1])


def add(path):
    path.joinpath("more.txt").write_text("more") if path.is_dir() else edit(path)


def swap(path):
    remove(path)
    path.mkdir() if path.suffix else path.write_text("")


@pytest.mark.parametrize("damage", [remove, edit, truncate, add, swap])
@pytest.mark.parametrize("output", ["model", "metrics"])
def test_a_damaged_output_is_noticed_and_made_again(site, damage, output):
    site.run(site.train())
    damage(site.kept()[output])
    again = site.run(site.train())
    assert (again.code, again.states["train-1"]) == (0, "DONE")
    assert site.torn() == []
    assert site.run(site.train()).states["train-1"] == "REUSED"


def test_a_missing_intermediate_is_made_again_and_what_follows_stays(site):
    site.run(site.train())
    query = "SELECT digests FROM result WHERE kind = 'snapshot' AND digests LIKE '%validation%'"
    remove(site.place(json.loads(site.ask(query)[0][0])["data"]))
    again = site.run(site.train())
    assert again.states["snapshot-training"] == "DONE"
    assert (again.states["snapshot-golden"], again.states["train-1"]) == ("REUSED", "REUSED")


# -- failures ----------------------------------------------------------------------------------------------------------


def test_a_failure_shows_the_users_frames_and_the_next_run_begins_there(site):
    failed = site.run(site.train("fail"), site.train(seed=2))
    assert failed.code == 3
    assert (failed.states["train-1"], failed.states["snapshot-golden"]) == ("FAILED", "REUSED")
    log = failed.log()
    for number, line in enumerate(WORK.splitlines(), 1):
        if line in {"    deeper()", '    raise ValueError("no such road")'}:
            assert f'File "{site.root}/code/work.py", line {number}' in log
    assert "ValueError: no such road" in log
    assert "clspec/" not in log.replace(str(site.root), "")
    ((state, key),) = site.ask("SELECT state, key FROM step WHERE id = 'train-1'")
    assert (state, site.ask(f"SELECT * FROM result WHERE key = '{key}'")) == ("failed", [])
    again = site.run(site.train("fail"), site.train(seed=2))
    assert (again.code, again.states["train-1"]) == (3, "FAILED")


def test_after_a_failure_nothing_is_begun_and_what_is_at_work_may_finish(site):
    later = dataclasses.replace(site.train(seed=3), needs=("train-1",))
    ended = site.run(site.train("fail"), site.train("learn_slowly", seed=2), later)
    assert ended.states["train-3"] == "NOT_RUN"
    assert site.ask("SELECT exit_code FROM run ORDER BY started DESC LIMIT 1") == [(3,)]


@pytest.mark.parametrize("isolation", Isolation)
@pytest.mark.parametrize("act", ["sys_exit", "exit_0"])
def test_leaving_with_0_in_user_code_is_a_failure(site, act, isolation):
    ended = site.run(site.train(act, isolation=isolation))
    assert (ended.code, ended.states["train-1"]) == (3, "FAILED")
    if act == "exit_0":
        assert ended.notes["train-1"] == "it ended with exit code 0, but made no `model`, `metrics`"
    assert site.ask("SELECT count(*) FROM result WHERE kind = 'train'") == [(0,)]


@pytest.mark.parametrize(
    ("act", "times", "tries", "code"),
    [
        ("sigkill", 0, 1, 3),
        ("sigkill", 1, 2, 3),
        ("sigsegv", 1, 2, 3),
        ("exit_75", 1, 2, 3),
        ("sigkill_once", 1, 2, 0),
        ("fail", 2, 1, 3),
        ("sys_exit", 2, 1, 3),
        ("exit_0", 2, 1, 3),
    ],
)
def test_only_what_infrastructure_did_is_tried_again_and_only_so_often(site, act, times, tries, code):
    ended = site.run(site.train(act, note=site.note, retry=Retry(times=times)))
    assert (ended.code, site.tries()) == (code, tries)
    assert sum(state == "RETRIED" for _, state, _ in ended.told) == tries - 1
    if act == "sigkill":
        assert "SIGKILL" in ended.notes["train-1"]


@pytest.mark.parametrize("isolation", Isolation)
def test_a_fatal_signal_leaves_the_line_where_it_struck(site, isolation):
    ended = site.run(site.train("sigsegv", isolation=isolation))
    assert "SIGSEGV" in ended.notes["train-1"]
    assert f'"{site.root}/code/work.py", line' in ended.log()


def test_others_go_on_while_a_step_waits_to_be_tried_again(site):
    ended = site.run(site.train("sigkill_once", note=site.note, retry=Retry(times=1)), site.train(seed=2), jobs=1)
    assert ended.code == 0
    order = [(step, state) for step, state, _ in ended.told if state in {"RETRIED", "DONE"}]
    assert order == [("train-1", "RETRIED"), ("train-2", "DONE"), ("train-1", "DONE")]


@pytest.mark.parametrize("act", ["family_at_work", "stubborn_family"])
def test_a_timeout_ends_the_whole_family_and_is_not_tried_again(site, act):
    ended = site.run(site.train(act, note=site.note, timeout=3, retry=Retry(times=2)))
    assert (ended.code, ended.states["train-1"]) == (3, "FAILED")
    assert ended.notes["train-1"] == "it ran longer than its timeout of 3 s"
    assert_all_gone(site)


def test_too_much_memory_is_named_and_not_tried_again(site):
    resources = Resources(memory=200 * 2**20)
    ended = site.run(site.train("eat", note=site.note, resources=resources, retry=Retry(times=2)))
    assert (ended.code, site.tries()) == (3, 1)
    assert ended.notes["train-1"] == "it used more than its memory of 200 MiB"


def test_memory_within_the_limit_is_not_held_against_a_step(site):
    assert site.run(site.train("learn_slowly", resources=Resources(memory=400 * 2**20))).code == 0


def assert_all_gone(site):
    family = site.family()
    assert len(family["pids"]) == 4
    wait_until(lambda: not any(map(alive, family["pids"])))
    wait_until(lambda: not Path(family["scratch"]).exists())


# -- a run that is ended -----------------------------------------------------------------------------------------------


def test_what_a_step_leaves_behind_ends_with_it(site):
    assert site.run(site.train("family", note=site.note)).code == 0
    assert_all_gone(site)


@pytest.mark.parametrize("isolation", Isolation)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_leaves_nothing_behind_and_can_be_gone_on_with(site, number, isolation):
    process = site.start(site.train("family_at_work", note=site.note, isolation=isolation), site.train(seed=2))
    wait_until(site.family)
    process.send_signal(number)
    if number == signal.SIGINT:
        time.sleep(0.3)
        assert all(map(alive, site.family()["pids"]))  # once is no more than: begin nothing new
        process.send_signal(number)
    ended = site.end(process)
    assert (ended.code, ended.err) == (130, "")
    assert_all_gone(site)
    assert not list(site.state.glob("runs/*/work"))
    assert site.ask("SELECT exit_code FROM run ORDER BY started DESC LIMIT 1") == [(130,)]
    assert site.ask("SELECT state, note FROM step WHERE id = 'train-1'") == [("failed", "interrupted")]
    assert site.run(site.train(seed=2)).code == 0


def test_asked_once_the_steps_at_work_finish_and_nothing_new_begins(site):
    later = dataclasses.replace(site.train(seed=3), needs=("train-1",))
    process = site.start(site.train("meet", note=site.note), later)
    wait_until(Path(site.note).exists)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    with Path(site.note).open("a") as stream:
        stream.write("somebody\n")
    ended = site.end(process)
    assert (ended.code, ended.err) == (130, "")
    assert ended.notes[""] == "finishing train-1; Ctrl-C again stops now"
    assert (ended.states["train-1"], ended.states["train-3"]) == ("DONE", "NOT_RUN")
    assert site.run(site.train("meet", note=site.note), later).states["train-1"] == "REUSED"


def test_a_step_is_asked_to_end_before_it_is_made_to(site):
    process = site.start(site.train("polite", note=site.note))
    wait_until(lambda: site.family() is not None)
    process.send_signal(signal.SIGTERM)
    assert site.end(process).code == 130
    assert Path(site.note).read_text() == "asked"


def test_signals_that_are_ignored_stay_ignored(site):
    process = site.start(
        site.train("meet", seed=2, note=site.note), preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    )
    wait_until(Path(site.note).exists)
    process.send_signal(signal.SIGHUP)
    with Path(site.note).open("a") as stream:
        stream.write("somebody\n")
    assert site.end(process).code == 0


def test_an_engine_that_is_killed_takes_the_whole_family_along(site):
    process = site.start(site.train("stubborn_family", note=site.note))
    wait_until(site.family)
    process.kill()
    process.communicate()
    assert_all_gone(site)
    wait_until(lambda: not site.processes())
    assert list(site.state.glob("runs/*/work"))
    assert site.run(site.train(seed=2)).code == 0
    assert not list(site.state.glob("runs/*/work"))
    assert (137,) in site.ask("SELECT exit_code FROM run")


def test_a_killed_supervisor_is_a_killed_step(site):
    process = site.start(site.train("family_at_work", note=site.note))
    wait_until(site.family)
    worker = site.family()["pids"][0]
    supervisor = int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(supervisor, signal.SIGKILL)
    ended = site.end(process)
    assert (ended.code, ended.states["train-1"]) == (3, "FAILED")
    wait_until(lambda: not any(map(alive, site.family()["pids"])))  # the one above it has ended the rest
    shutil.rmtree(site.family()["scratch"])


def test_killed_together_with_all_that_watches_it_the_next_run_ends_what_is_left(site):
    process = site.start(site.train("family_at_work", note=site.note))
    wait_until(site.family)
    family = site.family()["pids"]
    below = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    watching = [each for each in below if each.pid not in family]
    for each in watching:
        each.suspend()  # so that none of them sees another one's end
    for each in watching:
        each.kill()
    process.communicate()
    assert any(map(alive, family[1:]))  # nobody is left who could have ended them
    assert site.run(site.train(seed=2)).code == 0
    wait_until(lambda: not any(map(alive, family)))


def victims(process, draw):
    """What a kill hits: the engine, a warm process or a step, or all of them."""
    below = psutil.Process(process.pid).children(recursive=True)
    kind = draw.choice(["engine", "engine", "one", "all"])
    if kind == "engine" or not below:
        return [process.pid]
    return [draw.choice(below).pid] if kind == "one" else [process.pid, *(each.pid for each in below)]


def test_killed_at_any_moment_nothing_is_torn_nothing_lost_nothing_left(site):
    """Twenty-five kills; moments and victims are drawn once, so that every run of this test draws the same."""
    draw = random.Random(15)
    remove(site.state / "artifacts")
    steps = [
        site.train("learn_briefly", seed=seed, note=site.note, isolation=i, pure=True)
        for seed, i in zip(range(1, 9), [*Isolation] * 4, strict=True)
    ]
    kept = set()
    for _ in range(25):
        process = site.start(*steps)
        time.sleep(draw.uniform(0.2, 2.2))
        for pid in victims(process, draw):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.communicate()
        wait_until(lambda: not site.processes())
        assert [d for d in site.torn() if d not in gone_from_the_beginning(site)] == []
        now = {key for (key,) in site.ask("SELECT key FROM result WHERE kind = 'train'")}
        assert kept <= now
        kept = now
    before = site.tries()
    last = site.run(*steps)
    assert last.code == 0
    assert site.tries() - before == len(steps) - len(kept)  # what is recorded is not done again
    assert sum(last.states[step.id] == "REUSED" for step in steps) == len(kept)
    assert site.torn() == []
    assert not list(site.state.glob("runs/*/work"))
    assert site.ask("SELECT count(*) FROM run WHERE ended IS NULL") == [(0,)]


def gone_from_the_beginning(site):
    """The snapshots that the test itself has removed, until they are made again."""
    rows = site.ask("SELECT digests FROM result WHERE kind = 'snapshot'")
    digests = [digest for row in rows for digest in json.loads(row[0]).values()]
    return {digest for digest in digests if not site.place(digest).exists()}


# -- power -------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("strace") is None, reason="the system calls are watched with strace")
def test_content_is_on_the_disk_before_its_name_and_its_name_before_the_record(site, tmp_path):
    """A loss of power keeps what was synced, in any order; so the order of the syncs is what counts."""
    remove(site.state)
    trace = tmp_path / "trace"
    watched = "trace=fsync,fdatasync,rename,renameat,renameat2,pwrite64"
    wrapper = ["strace", "-f", "-yy", "-qq", "-s", "0", "-o", str(trace), "-e", watched]
    ended = site.run(site.train("take_a_second"), wrapper=wrapper)
    assert ended.code == 0, ended.err
    lines = trace.read_text().splitlines()
    places = [str(place) for place in site.kept().values()]
    for place in places:
        moved = next(n for n, line in enumerate(lines) if f'"{place}"' in line and "rename" in line)
        source = re.search(r'"([^"]*)"', lines[moved]).group(1)
        synced = [n for n, line in enumerate(lines) if "fsync" in line and source in line]
        folder = [n for n, line in enumerate(lines) if "fsync" in line and f"<{Path(place).parent}>" in line]
        files = sum(path.is_file() for path in Path(place).rglob("*")) if Path(place).is_dir() else 1
        assert sum(n < moved for n in synced) >= files
        assert any(n > moved for n in folder)
        named = next(n for n in folder if n > moved)
        record = [n for n, line in enumerate(lines) if "history.sqlite-wal" in line and n > named]
        written = [n for n in record if "pwrite64" in lines[n]]
        assert written
        assert any("sync" in lines[n] and n > written[0] for n in record)
    first_record = next(n for n, line in enumerate(lines) if "history.sqlite-wal" in line and "pwrite64" in line)
    assert first_record < len(lines)


@pytest.fixture
def small_memory():
    """A command that begins another one in a control group with 256 MiB of memory, of which swap is no part."""
    made = None
    for root, limits in (("/sys/fs/cgroup/memory", ["memory.limit_in_bytes"]), ("/sys/fs/cgroup", ["memory.max"])):
        group = Path(root, f"clspec-test-{os.getpid()}")
        try:
            group.mkdir()
            made = group
            for name in limits:
                (group / name).write_text(str(2**28))
        except OSError:
            continue
        yield ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$0" "$@"']
        break
    else:
        pytest.skip("no control group can be made here")
    wait_until(lambda: not (made / "cgroup.procs").read_text())
    made.rmdir()


def test_a_step_that_the_kernel_kills_for_lack_of_memory_is_named_as_such(site, small_memory):
    ended = site.run(site.train("eat"), wrapper=small_memory)
    assert (ended.code, ended.err) == (3, "")  # the engine was not what the kernel took
    assert ended.notes["train-1"] == "the kernel killed it: this machine, or its control group, ran out of memory"


def test_what_loads_data_for_torch_ends_with_an_engine_that_is_killed(site):
    pytest.importorskip("torch")
    process = site.start(site.train("load_data", note=site.note))
    wait_until(site.family)
    family = site.family()["pids"]
    assert len(family) == 3
    assert all(alive(pid) for pid in family)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    wait_until(lambda: not any(alive(pid) for pid in family))
    assert not site.processes()


# -- two at once -------------------------------------------------------------------------------------------------------


def test_two_runs_share_a_state_folder_and_do_each_step_once(site):
    shutil.rmtree(site.state)
    steps = [site.train("learn_slowly", seed=seed, note=site.note) for seed in (1, 2, 3, 4)]
    runs = [site.start(*steps) for _ in range(2)]
    ended = [site.end(process) for process in runs]
    assert [e.code for e in ended] == [0, 0], [e.told for e in ended]
    assert site.torn() == []
    assert site.ask("SELECT count(*) FROM run WHERE exit_code = 0") == [(2,)]
    assert sorted(Path(site.note).read_text().split()) == ["1", "2", "3", "4"]
    done = site.ask("SELECT id FROM step WHERE state = 'done'")
    assert len(done) == len(set(done)) == 6


def test_a_run_goes_on_with_other_steps_while_another_one_does_what_it_needs_too(site):
    shared = site.train("meet", note=site.note)
    first = site.start(shared)
    wait_until(Path(site.note).exists)
    second = site.start(shared, site.train(seed=2))
    wait_until(lambda: site.ask("SELECT 1 FROM step WHERE id = 'train-2' AND state = 'done'"))
    assert site.tries() == 1
    with Path(site.note).open("a") as stream:
        stream.write("somebody\n")
    ended = [site.end(process) for process in (first, second)]
    assert [(e.code, e.states["train-1"]) for e in ended] == [(0, "DONE"), (0, "REUSED")]
    (run,) = {path.parent.name for path in site.state.glob("runs/*/train-1.log")}
    assert [note for step, state, note in ended[1].told if state == "WARNED"] == [
        f"is at work in run {run}: this run waits for it, and uses what it makes"
    ]
    assert Path(site.note).read_text().split() == ["1", "somebody"]
    (reasons,) = site.ask("SELECT reasons FROM step WHERE id = 'train-1' AND state = 'up to date'")
    assert reasons == ("[]",)


def test_whoever_waits_for_a_run_that_is_killed_does_the_step(site):
    shared = site.train("meet", note=site.note)
    first = site.start(shared)
    wait_until(Path(site.note).exists)
    second = site.start(shared)
    wait_until(lambda: (site.state / "runs").exists() and len(list(site.state.glob("runs/*/claim"))) == 3)
    time.sleep(0.3)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    wait_until(lambda: site.tries() == 2)
    with Path(site.note).open("a") as stream:
        stream.write("somebody\n")
    assert site.end(second).states["train-1"] == "DONE"


def test_whoever_waits_for_a_step_that_fails_tries_it_itself(site):
    shared = site.train("fail_in_turn", note=site.note)
    runs = [site.start(shared) for _ in range(2)]
    ended = sorted((site.end(process).code for process in runs), reverse=True)
    assert (ended, site.tries()) == ([3, 0], 2)


def test_two_runs_that_each_need_what_the_other_does_both_end(site):
    """Each begins with the step that the other one begins last: there is nothing that they could wait for in a ring."""
    one, two = (site.train("learn_slowly", seed=seed, note=site.note) for seed in (1, 2))
    orders = [(one, two), (two, one)]
    chains = [(a, dataclasses.replace(b, needs=(*b.needs, a.id))) for a, b in orders]
    ended = [site.end(process) for process in [site.start(*chain) for chain in chains]]
    assert [e.code for e in ended] == [0, 0]
    assert site.tries() == 2


def test_a_run_that_waits_for_another_one_can_be_interrupted(site):
    shared = site.train("meet", note=site.note)
    first = site.start(shared)
    wait_until(Path(site.note).exists)
    second = site.start(shared)
    wait_until(lambda: len(list(site.state.glob("runs/*/claim"))) == 3)
    time.sleep(0.3)
    os.killpg(second.pid, signal.SIGINT)
    assert site.end(second).code == 130
    with Path(site.note).open("a") as stream:
        stream.write("somebody\n")
    assert site.end(first).code == 0
    assert site.tries() == 2


def test_two_steps_of_one_run_that_are_made_from_the_same_are_done_once(site):
    twins = [dataclasses.replace(site.train("learn_slowly", note=site.note), id=f"train-{n}") for n in (1, 2)]
    ended = site.run(*twins)
    assert (ended.code, site.tries()) == (0, 1)
    assert sorted(ended.states[step.id] for step in twins) == ["DONE", "REUSED"]


def test_a_forced_step_waits_for_nobody(site):
    shared = site.train("meet", note=site.note)
    first = site.start(shared)
    wait_until(Path(site.note).exists)
    second = site.start(shared, force=("train-1",))
    wait_until(lambda: site.tries() == 2)
    with Path(site.note).open("a") as stream:
        stream.write("somebody\n")
    assert [site.end(process).states["train-1"] for process in (first, second)] == ["DONE", "DONE"]


def test_a_run_at_work_is_not_taken_for_a_killed_one(site):
    process = site.start(site.train("meet", note=site.note))
    wait_until(Path(site.note).exists)
    assert site.run(site.train(seed=2)).code == 0
    assert len(list(site.state.glob("runs/*/work"))) == 1
    with Path(site.note).open("a") as stream:
        stream.write("somebody\n")
    assert site.end(process).code == 0


def test_steps_overlap_when_there_are_jobs_and_cores_for_them(site):
    half = Resources(cpu=len(os.sched_getaffinity(0)) / 2)
    assert site.run(*(site.train("meet", seed=s, note=site.note, resources=half) for s in (1, 2)), jobs=2).code == 0


@pytest.mark.parametrize(("jobs", "cpu"), [(1, 0.1), (2, float(len(os.sched_getaffinity(0)))), (2, 4096.0)])
def test_steps_do_not_overlap_beyond_jobs_and_cores(site, jobs, cpu):
    """Each fails if another is at work; a hint larger than the machine runs alone."""
    steps = [site.train("alone", seed=s, note=site.note, resources=Resources(cpu=cpu)) for s in (1, 2)]
    assert site.run(*steps, jobs=jobs).code == 0


# -- conditions --------------------------------------------------------------------------------------------------------


def test_what_depends_on_a_skipped_step_is_skipped(site):
    """A gate without seeds says no."""
    nothing = {"seeds": [], "scenarios": [], "baseline": None, "reuse": None, "golden": "sha256:g"}
    config = json.dumps({"spec": "engine", **nothing})
    verdict = Artifact(name="verdict", type=ArtifactType.VERDICT)
    gate = dataclasses.replace(
        site.named("gate"), config=config, inputs=(), needs=(), outputs=(verdict,), parameters=("outcome",)
    )
    passed = Condition(step="gate", parameter="outcome", equals="pass")
    train = site.train(note=site.note, when=passed, needs=("gate", "snapshot-golden", "snapshot-training"))
    model = Input(name="model", step="train-1", output="model")
    predict = dataclasses.replace(site.named("predict-seed-1"), inputs=(model,), needs=("train-1",))
    conclude = dataclasses.replace(site.named("conclude"), needs=("gate", "predict-seed-1"))
    assert (gate.kind, conclude.kind) == (Kind.GATE, Kind.CONCLUDE)
    ended = site.run(gate, train, predict, conclude)
    assert ended.code == 1
    assert ended.states["train-1"] == ended.states["predict-seed-1"] == "SKIPPED"
    assert (ended.states["conclude"], ended.notes["predict-seed-1"]) == ("REFUSED", "train-1 was skipped")
    assert not Path(site.note).exists()


# -- the process of a step ---------------------------------------------------------------------------------------------


def seen(site, isolation=Isolation.FORK, **given):
    env = given.pop("env", {})
    ended = site.run(
        site.train("look", note=site.note, isolation=isolation, pure=False, **given.pop("step", {})), env=env, **given
    )
    assert ended.code == 0, ended.told
    return json.loads(Path(site.note).read_text())


@pytest.mark.parametrize("isolation", Isolation)
def test_a_step_has_a_clean_process_of_its_own(site, isolation):
    found = seen(site, isolation, env={"CANARY": "x", "AWS_SECRET_ACCESS_KEY": "x", "LC_CANARY": "x"})
    assert found["forked"] is (isolation is Isolation.FORK)
    assert found["leader"]
    assert (found["stdin"], found["threads"], found["mask"]) == ("/dev/null", 1, 0)
    assert all(found["signals"])
    assert "" not in found["path"] or isolation is Isolation.FORK  # there it is the engine's own
    (log,) = site.state.glob("runs/*/train-1.log")
    assert "buffered before the run" not in log.read_text()
    assert "CANARY" not in found["variables"]
    assert "AWS_SECRET_ACCESS_KEY" not in found["variables"]
    assert {"PATH", "LC_CANARY", "OMP_NUM_THREADS", "TMPDIR"} <= set(found["variables"])


def test_a_step_is_told_of_no_more_cores_than_there_are(site):
    assert int(seen(site, step={"resources": Resources(cpu=4096.0)})["cores"]) == len(os.sched_getaffinity(0))


def test_the_engines_exit_functions_run_in_the_engine_alone(site):
    before = {*site.root.glob("exit-*")}
    process = site.start(site.train())
    assert site.end(process).code == 0
    assert {*site.root.glob("exit-*")} - before == {site.root / f"exit-{process.pid}"}


def test_threads_of_the_engines_process_are_no_matter(site):
    """Steps are forked from a process that has none, not from this one."""
    found = seen(site, before="thread")
    assert (found["forked"], found["threads"]) == (True, 1)


def test_modules_that_the_engine_has_imported_are_read_anew(site):
    assert site.run(site.train(), before="import").code == 0
    assert (site.kept()["model"] / "model.txt").read_text().startswith("fresh")


def test_the_engines_garbage_is_left_to_the_engine(site):
    ended = site.run(site.train("collect"), before="garbage")
    assert (ended.code, ended.states["garbage"]) == (0, True)


def test_children_that_nobody_waits_for_are_waited_for_here(site):
    ended = site.run(site.train(), preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    assert (ended.code, ended.err) == (0, "")


def test_both_isolations_make_the_same(site, base, tmp_path):
    shutil.copytree(base.root, tmp_path / "other")
    other = Site(tmp_path / "other", base.plan)
    assert site.run(site.train(isolation=Isolation.FORK)).code == 0
    assert other.run(other.train(isolation=Isolation.SPAWN)).code == 0
    query = "SELECT key, digests, parameters FROM result ORDER BY key"
    assert site.ask(query) == other.ask(query)


def test_lines_that_only_look_like_progress_do_no_harm(site):
    assert site.run(site.train("pretend")).code == 0


def test_what_is_drawn_at_random_differs_from_step_to_step(site):
    assert site.run(*(site.train("draw_at_random", seed=s, note=site.note) for s in (1, 2, 3))).code == 0
    assert len({number for number in Path(site.note).read_text().split() if "." in number}) == 3


def test_gpus_are_handed_out_and_nobody_else_sees_them(site):
    gpu = Resources(gpu=Gpu(count=1), cpu=0.5)
    steps = [site.train("say_gpus", seed=s, note=site.note, resources=gpu) for s in (1, 2)]
    none = site.train("say_gpus", seed=3, note=site.note)
    ended = site.run(*steps, none, jobs=2, env={"CUDA_VISIBLE_DEVICES": "4,7"})
    said = sorted(line for line in Path(site.note).read_text().splitlines() if line.startswith("sees"))
    assert (ended.code, said) == (0, ["sees ", "sees 4", "sees 7"])


def test_a_gpu_that_is_not_there_is_a_warning_or_a_refusal(site):
    wants = site.train("say_gpus", note=site.note, resources=Resources(gpu=Gpu(count=1)))
    strict = site.run(wants, env={"CUDA_VISIBLE_DEVICES": ""}, before="strict")
    assert (strict.code, Path(site.note).exists()) == (2, False)
    assert "asks for 1 GPU, and this machine has no GPU" in strict.notes["error"]
    loose = site.run(wants, env={"CUDA_VISIBLE_DEVICES": ""})
    assert loose.code == 0
    assert [
        "train-1",
        "WARNED",
        "asks for 1 GPU, and this machine has no GPU: it runs with what is there",
    ] in loose.told


def test_both_isolations_compute_the_same_with_the_same_threads(site, base, tmp_path):
    shutil.copytree(base.root, tmp_path / "other")
    other = Site(tmp_path / "other", base.plan)
    two = Resources(cpu=2.0)
    assert site.run(site.train("sum_up", resources=two, isolation=Isolation.FORK)).code == 0
    assert other.run(other.train("sum_up", resources=two, isolation=Isolation.SPAWN)).code == 0
    assert site.ask("SELECT digests FROM result ORDER BY key") == other.ask("SELECT digests FROM result ORDER BY key")


def test_touching_a_module_that_nothing_imports_trains_nothing_again(site):
    root = site.root / "code"
    (root / "quiet.py").write_text("""
from pathlib import Path

import helper


def train(data, validation, model_dir, seed, **params):
    Path(model_dir, "model.txt").write_text(helper.SAY)
""")

    def trained(**texts):
        for name, text in texts.items():
            (root / f"{name}.py").write_text(text)
        step = site.train()
        call = {"entrypoint": "quiet:train", "command": None, "code": code.digest(root)}
        config = json.dumps({**json.loads(step.config), "call": call}, sort_keys=True)
        return site.run(dataclasses.replace(step, config=config)).states["train-1"]

    assert trained(helper="SAY = 'one'", aside="") == "DONE"
    assert trained(aside="x = 1") == "REUSED"
    assert trained(work="x = 1") == "REUSED"
    assert trained(helper="SAY = 'two'") == "DONE"
    assert trained(helper="SAY = 'one'") == "REUSED"


# -- secrets -----------------------------------------------------------------------------------------------------------


def test_secrets_reach_the_steps_that_list_them_and_nothing_else(site):
    values = {f"CANARY_{n:02}": hashlib.sha256(f"canary {n}".encode()).hexdigest() for n in range(20)}
    listed = {"secrets": tuple(Secret(env=name) for name in values)}
    assert not set(values) & set(seen(site, env=values)["variables"])
    assert set(values) <= set(seen(site, env=values, step=listed)["variables"])
    everything = {path: path.read_bytes() for path in site.root.rglob("*") if path.is_file()}
    assert any(b"CANARY_00" in content for content in everything.values())  # the search can find: the name is there
    leaked = [path for path, content in everything.items() for value in values.values() if value.encode() in content]
    assert leaked == []


def test_a_secret_does_not_stay_in_the_warm_process_for_the_next_step(site):
    first = site.train("say_canary", seed=1, note=site.note, secrets=(Secret(env="CANARY"),))
    then = site.train("say_canary", seed=2, note=site.note, needs=(*first.needs, first.id))
    assert site.run(first, then, jobs=1, env={"CANARY": "sings"}).code == 0
    said = [line.split() for line in Path(site.note).read_text().splitlines() if len(line.split()) == 3]
    assert [words[1:] for words in said] == [["sings", "500"], ["None", "500"]]
    assert said[0][0] == said[1][0]  # else there was nothing to stay in


def test_a_missing_secret_is_named_before_anything_runs(site):
    ended = site.run(site.train(note=site.note, secrets=(Secret(env="NOT_SET_HERE"),)))
    assert (ended.code, ended.states) == (2, {"error": "UsageError"})
    assert "NOT_SET_HERE" in ended.notes["error"]
    assert not Path(site.note).exists()


# -- surroundings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["garbage", "page", "end", "record"])
def test_a_damaged_history_is_set_aside_and_its_results_are_found_again(site, damage):
    assert site.run(site.train(note=site.note)).code == 0
    path = site.state / "history.sqlite"
    content = path.read_bytes()
    if damage == "garbage":
        path.write_bytes(b"no history" * 1000)
    elif damage == "page":
        path.write_bytes(content[:100] + bytes(len(content) - 100))
    elif damage == "end":
        path.write_bytes(content[: len(content) // 2])
    else:
        connection = sqlite3.connect(path)
        connection.execute("UPDATE result SET digests = '{'")
        connection.commit()
        connection.close()
    damaged = path.read_bytes()
    ended = site.run(site.train(note=site.note))
    assert (ended.code, ended.err) == (0, "")
    (aside,) = site.state.glob("history.sqlite.damaged-*[0-9]")
    assert damage == "record" or aside.read_bytes() == damaged  # what can be read is found out in the middle
    assert aside.name in ended.notes[""]
    assert {ended.states[name] for name in ("snapshot-golden", "snapshot-training", "train-1")} == {"REUSED"}
    assert site.tries() == 1


def test_a_result_whose_note_is_torn_is_made_again_after_the_history_was_lost(site):
    assert site.run(site.train(note=site.note)).code == 0
    (note,) = [path for path in (site.state / "results").glob("*/*.json") if b'"kind":"train"' in path.read_bytes()]
    note.write_bytes(note.read_bytes().replace(b'"parameters":{}', b'"parameters":{"x":"y"}'))
    (site.state / "history.sqlite").write_bytes(b"no history" * 1000)
    ended = site.run(site.train(note=site.note))
    assert [ended.states[name] for name in ("snapshot-golden", "train-1")] == ["REUSED", "DONE"]
    assert site.tries() == 2


def test_two_runs_at_once_that_come_upon_a_damaged_history_mend_it_once(site):
    assert site.run(site.train(note=site.note)).code == 0
    (site.state / "history.sqlite").write_bytes(b"no history" * 1000)
    runs = [site.start(site.train(note=site.note)) for _ in range(2)]
    assert [site.end(process).code for process in runs] == [0, 0]
    assert len(list(site.state.glob("history.sqlite.damaged-*[0-9]"))) == 1
    assert site.tries() == 1


def test_a_history_of_a_newer_clspec_is_left_alone_and_named_with_the_way_out(site):
    path = site.state / "history.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    ended = site.run(site.train())
    assert (ended.code, ended.err) == (2, "")
    assert str(path) in ended.notes["error"]
    assert "move it away" in ended.notes["error"]
    path.unlink()
    assert site.run(site.train()).code == 0


@pytest.fixture
def mounted():
    """A way to put a small file system under a folder."""
    places = []

    def mount(place, options):
        place.mkdir(exist_ok=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True, check=False
        )
        if done.returncode:
            pytest.skip(f"mounting is not permitted here: {done.stderr.decode().strip()}")
        places.append(place)

    yield mount
    for place in places:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_state_folder_that_cannot_be_written_is_named(site, mounted):
    site.state = site.root / "elsewhere"
    mounted(site.state, "ro")
    ended = site.run(site.train())
    assert (ended.code, ended.err) == (2, "")
    assert str(site.state) in ended.notes["error"]


def test_a_state_folder_below_a_file_is_named(site):
    site.state = site.root / "spec.yaml" / "state"
    ended = site.run(site.train())
    assert (ended.code, ended.err) == (2, "")
    assert str(site.state) in ended.notes["error"]


@pytest.mark.parametrize(("size", "code"), [("16k", 2), ("64k", 2), ("4m", 3)])
def test_a_full_disk_is_named_and_leaves_no_process(site, mounted, size, code):
    """Full before the history is there, while it is written, and under a step's output."""
    site.state = site.root / "elsewhere"
    mounted(site.state, f"size={size}")
    ended = site.run(site.train("fill"))
    assert (ended.code, ended.err) == (code, ""), ended.told
    said = ended.log() if code == 3 else ended.notes["error"]
    assert any(words in said for words in ("No space left on device", "disk is full", "disk I/O error")), said
    assert str(site.state) in said or "work.py" in said
    wait_until(lambda: not site.processes())
    assert not list(site.state.glob("runs/*/work"))


# -- steps that run however the others end -----------------------------------------------------------------------------


def afterwards(site, *needs):
    """A step that always runs: another training, once those that it names are over."""
    step = site.train(seed=9, always=True)
    return dataclasses.replace(step, needs=tuple(sorted({*step.needs, *needs})))


@pytest.mark.parametrize(("act", "code"), [("learn", 0), ("fail", 3), ("sigkill", 3)])
def test_a_step_that_always_runs_does_so_last_however_the_others_end(site, act, code):
    ended = site.run(site.train(act), afterwards(site, "train-1"))
    assert (ended.code, ended.states["train-9"]) == (code, "DONE")
    order = [step for step, state, _ in ended.told if state in {"DONE", "FAILED"}]
    assert order.index("train-1") < order.index("train-9")


def test_a_step_that_always_runs_changes_nothing_by_its_own_end(site):
    ended = site.run(site.train(), site.train("fail", seed=9, always=True))
    assert (ended.code, ended.states["train-9"]) == (0, "FAILED")


def test_a_step_that_always_runs_does_not_where_the_run_was_interrupted(site):
    process = site.start(site.train("family", note=site.note), afterwards(site, "train-1"))
    wait_until(lambda: Path(site.note).exists())
    os.killpg(process.pid, signal.SIGINT)
    ended = site.end(process)
    assert ended.code == 130
    assert ended.states.get("train-9") in {None, "NOT_RUN"}
