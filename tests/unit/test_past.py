"""What runs tell: why steps run, parts of a pipeline, the past, and whether a commit has passed; by real runs."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from clspec import api, backend
from clspec.backend import State
from clspec.cli import commands
from clspec.diagnostic import ClspecError, UsageError
from clspec.past import comparing
from clspec.plan import Kind, Pipeline, Step
from clspec.selection import Selection, chosen
from clspec_local.history import History

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the engine runs on Linux")

ROOT = Path(__file__).parents[2]
HELLO = ROOT / "tests/data/hello"
TRIGGER = '\ntriggers:\n  - {event: code_change, paths: ["code/**"], run: regression}\n'
DATA = Selection(until=("snapshot-training",))
"""A part of the pipeline that is over soon."""


class Site:
    """A project in a git repository, and what is asked of it."""

    def __init__(self, root):
        self.root = root
        self.spec = str(root / "hello.yaml")
        self.state = root / ".clspec"

    def git(self, *words):
        done = subprocess.run(["git", *words], cwd=self.root, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, words="more"):
        self.git("add", "-A")
        self.git("commit", "-qm", words)
        return self.git("rev-parse", "HEAD")

    def edit(self, name, old, new):
        path = self.root / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def run(self, **given):
        self.told = []
        return api.run(self.spec, watch=self.told.append, **given)

    def foreseen(self, **given):
        return {one.step: one for one in api.foresee(self.spec, **given)}

    def states(self):
        quiet = {State.STARTED, State.PROGRESS, State.WARNED}
        return {h.step: h.state for h in self.told if h.state not in quiet}

    def status(self, commit="HEAD", **given):
        return api.status(self.spec, commit, **given)

    def clspec(self, *words):
        """A command in a process of its own."""
        command = [sys.executable, "-m", "clspec", *words]
        return subprocess.Popen(command, cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def lock(self):
        """In a process of its own: it imports the user's code."""
        process = self.clspec("lock", self.spec)
        process.communicate()
        assert process.returncode == 0

    def here(self, at):
        """The same in another place, with all that was kept; what was made lies where it lay."""
        shutil.copytree(self.root, at, symlinks=True)
        return Site(at)


def made(at):
    """The example in a repository, with one seed and a trigger, and pinned."""
    shutil.copytree(HELLO, at, ignore=shutil.ignore_patterns("__pycache__"))
    site = Site(at)
    (at / "pyproject.toml").write_text("")
    (at / ".gitignore").write_text(".clspec/\nstore/\n__pycache__/\n")
    site.edit("hello.yaml", "seeds: [1, 2]", "seeds: [1]")
    Path(site.spec).write_text(Path(site.spec).read_text() + TRIGGER)
    site.lock()
    site.git("init", "-q", "-b", "main")
    site.git("config", "user.email", "you@example.com")
    site.git("config", "user.name", "You")
    return site


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A project with two runs on two commits; the second has another parameter."""
    site = made(tmp_path_factory.mktemp("past") / "project")
    site.first = site.commit("one")
    assert site.run().exit_code == 0
    site.edit("hello.yaml", "trim: 0.05", "trim: 0.2")
    site.edit("code/fruit.py", "def train", "TASTE = 1\n\n\ndef train")
    site.second = site.commit("two")
    site.expected = site.foreseen()
    site.files_before = files(site.root)
    api.foresee(site.spec)
    site.files_after = files(site.root)
    assert site.run().exit_code == 0
    return site


@pytest.fixture
def site(told, tmp_path):
    copied = told.here(tmp_path / "project")
    copied.first, copied.second = told.first, told.second
    return copied


def files(root):
    return {str(p): (p.stat().st_mtime_ns, p.stat().st_size) for p in (root / ".clspec").rglob("*")}


def shown(capsys, *arguments):
    code = commands.run([str(word) for word in arguments])
    return code, capsys.readouterr().out


# -- what would run, and why it ran ------------------------------------------------------------------------------------


def test_the_page_of_a_run_names_the_files_that_changed(told):
    text = (api.runs(told.spec)[0].folder / "report" / "report.html").read_text()
    assert '<th scope="row">code, fruit.py</th><td>sha256:' in text


def test_a_plan_says_of_each_step_what_would_become_of_it_and_why(told):
    found = {name: (one.will, one.reasons) for name, one in told.expected.items()}
    assert found["pin"][0] == "run"
    assert found["pin"][1][0] == "always looks at the store"
    assert found["train-seed-1"][0] == "run"
    assert found["train-seed-1"][1][:2] == ("params.trim 0.05 -> 0.2", "code: fruit.py changed")
    assert found["predict-seed-1"][0] == "run"  # its code has changed, too
    assert found["predict-seed-1"][1] == ("code: fruit.py changed", "inputs model, data may change")
    assert found["evaluate-seed-1"] == ("may run", ("inputs data, predictions-1 may change",))
    assert found["register"] == ("may be skipped", ("only if outcome of gate is pass",))


def test_a_plan_writes_nothing_and_runs_nothing(told):
    assert told.files_before == told.files_after
    assert len(told.files_before) > 20


def test_what_a_plan_foresaw_is_what_happened(told):
    happened = told.states()
    for name, one in told.expected.items():
        if one.will == "run":
            assert happened[name] is State.DONE, name
        if one.will == "up to date":
            assert happened[name] is State.REUSED, name


def test_what_is_up_to_date_is_foreseen_so_on_the_ground_of_what_the_store_had(told):
    found = told.foreseen()
    assert {name for name, one in found.items() if one.will == "run"} == {"pin", "gate", "register", "conclude"}
    assert {one.will for one in found.values()} == {"run", "up to date"}
    assert found["train-seed-1"].assumed == ("pin",)


@pytest.mark.parametrize(
    ("harm", "word"), [(lambda p: p.unlink(), "deleted"), (lambda p: p.write_bytes(b"x"), "edited")]
)
def test_an_output_that_is_gone_or_edited_is_a_reason(site, harm, word):
    (step,) = [step for step in api.show(path=site.spec).steps if step.id == "snapshot-training"]
    harm(step.outputs["data"].place)
    assert site.foreseen()["snapshot-training"].reasons == (f"its output data was {word}",)
    site.run(selection=DATA)
    (step,) = [step for step in api.show(path=site.spec).steps if step.id == "snapshot-training"]
    assert (step.state, step.reasons) == ("done", (f"its output data was {word}",))
    assert site.foreseen()["snapshot-training"].will == "up to date"


def test_without_any_run_every_step_never_ran(tmp_path):
    new = made(tmp_path / "project")
    assert {one.reasons[0] for one in new.foreseen().values() if one.will == "run"} == {"never ran"}
    assert not new.state.exists()


def test_the_text_of_a_plan_and_its_json_say_the_same(told, capsys):
    code, text = shown(capsys, "run", "--local", told.spec, "--plan")
    assert code == 0
    assert "up to date" in text
    code, found = shown(capsys, "run", "--local", told.spec, "--plan", "--format", "json")
    steps = json.loads(found)
    assert [one["step"] for one in steps] == [line.split()[0] for line in text.splitlines()[1 : len(steps) + 1]]
    assert {one["will"] for one in steps} == {"run", "up to date"}


def test_a_compiled_plan_is_foreseen_like_its_spec(told, tmp_path, capsys):
    api.write(api.compile(told.spec, "local").bundle, tmp_path)
    places = ["--code", told.root / "code", "--folder", told.root]
    code, text = shown(capsys, "run", "--local", tmp_path / "plan.json", "--plan", "--format", "json", *places)
    assert code == 0
    assert {one["step"]: one["will"] for one in json.loads(text)} == {n: one.will for n, one in told.foreseen().items()}


def test_why_names_differences_by_their_path(told, capsys):
    why = api.why("train-seed-1", path=told.spec)
    assert why.step.reasons == ("params.trim 0.05 -> 0.2", "code: fruit.py changed")
    assert why.differences[0].as_plain() == {
        "part": "config",
        "path": "params.trim",
        "before": 0.05,
        "after": 0.2,
    }
    assert why.before.id == api.runs(told.spec)[1].id
    code, text = shown(capsys, "why", "train-seed-1", "--spec", told.spec)
    assert code == 0
    assert "params.trim: 0.05 -> 0.2" in text
    code, found = shown(capsys, "why", "train-seed-1", "--spec", told.spec, "--json")
    assert json.loads(found)["differences"][1]["path"] == "fruit.py"


def test_why_tells_of_the_first_run_and_of_what_was_not_made_again(told):
    first = api.runs(told.spec)[1].id
    why = api.why("train-seed-1", first, told.spec)
    assert (why.before, why.step.reasons) == (None, ("never ran",))
    why = api.why("snapshot-golden", path=told.spec)
    assert (why.step.state, why.step.made_in, why.differences) == ("up to date", first, ())


def test_a_step_that_failed_runs_for_that_reason(site):
    site.edit("code/fruit.py", "TASTE = 1", "TASTE = 1 / 0")
    assert site.run(selection=Selection(until=("train-seed-1",))).exit_code == 3
    failed = api.runs(site.spec)[0].id
    assert site.foreseen(selection=Selection(until=("train-seed-1",)))["train-seed-1"].reasons == (
        f"it failed in run {failed}",
    )


# -- parts of a pipeline -----------------------------------------------------------------------------------------------


def line(*steps):
    """A pipeline of steps, each after the one before."""
    made_ = []
    for name, kind in steps:
        made_.append(Step(id=name, kind=kind, config="{}", needs=(made_[-1].id,) if made_ else ()))
    return Pipeline(name="regression", steps=tuple(made_))


LINE = line(
    ("pin", Kind.PIN),
    ("train", Kind.TRAIN),
    ("gate", Kind.GATE),
    ("register", Kind.REGISTER),
    ("conclude", Kind.CONCLUDE),
    ("notify", Kind.NOTIFY),
)


@pytest.mark.parametrize(
    ("given", "steps"),
    [
        ({"since": ("train",)}, {"train", "gate", "conclude"}),
        ({"until": ("gate",)}, {"pin", "train", "gate"}),
        ({"since": ("train",), "until": ("gate",)}, {"train", "gate"}),
        ({"only": ("gate",)}, {"gate"}),
        ({"only": ("gate", "pin")}, {"gate", "pin"}),
        ({"only": ("gate",), "force": ("gate",)}, {"gate"}),
    ],
)
def test_a_part_is_partial_and_never_registers_promotes_or_notifies(given, steps):
    found = chosen(LINE, Selection(**given))
    assert (found.steps, found.is_whole) == (steps, False)


@pytest.mark.parametrize("given", [{}, {"since": ("pin",)}, {"until": ("notify",)}, {"force": ("train",)}])
def test_what_leaves_nothing_out_is_whole(given):
    found = chosen(LINE, Selection(**given))
    assert (len(found.steps), found.is_whole) == (6, True)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"only": ("trian",)}, "did you mean `train`?"),
        ({"force": ("trian",)}, "did you mean `train`?"),
        ({"only": ("gate",), "since": ("pin",)}, "leave one of them out"),
        ({"since": ("gate",), "until": ("pin",)}, "nothing is left to run"),
        ({"force": ("gate",), "until": ("train",)}, "--force gate"),
        ({"only": ("register",)}, "registers no model"),
        ({"since": ("register",)}, "registers no model"),
        ({"only": ("notify",)}, "tells nobody"),
        ({"only": ("gate",), "force": ("register",)}, "registers no model"),
    ],
)
def test_words_that_make_no_sense_are_refused(given, words):
    with pytest.raises(UsageError, match=words.replace("?", r"\?")):
        chosen(LINE, Selection(**given))


def test_a_part_takes_what_it_reads_from_earlier_runs_and_says_where_it_would_run_again(site):
    models = list(site.root.glob("store/hello/models/*/records/*"))
    latest = api.runs(site.spec)[0].id
    site.edit("code/fruit.py", "TASTE = 1", "TASTE = 2")
    ended = site.run(selection=Selection(only=("predict-seed-1",)))
    assert (ended.exit_code, ended.is_whole) == (0, False)
    states = site.states()
    assert states["train-seed-1"] is State.TAKEN
    assert states["predict-seed-1"] is State.DONE
    assert {states[name] for name in ("pin", "gate", "register", "conclude")} == {State.LEFT_OUT}
    warned = [h.note for h in site.told if h.state is State.WARNED and h.step == "train-seed-1"]
    assert warned == [f"is taken as run {latest} left it, and would run again: code: fruit.py changed"]
    run = api.runs(site.spec)[0]
    assert (run.is_whole, str(run.selection), run.verdict) == (False, "--only predict-seed-1", "")
    assert list(site.root.glob("store/hello/models/*/records/*")) == models


def test_a_part_whose_verdict_is_no_ends_with_1_and_registers_nothing(site):
    models = list(site.root.glob("store/hello/models/*/records/*"))
    site.edit("code/fruit.py", 'said = "melon" if', 'said = "melon" if False and')
    part = Selection(since=("predict-seed-1",), until=("gate",))
    assert site.run(selection=part).exit_code == 1
    assert api.runs(site.spec)[0].verdict == "fail"
    assert list(site.root.glob("store/hello/models/*/records/*")) == models


def test_a_part_that_needs_what_nobody_has_made_is_refused_before_anything_runs(tmp_path):
    new = made(tmp_path / "project")
    with pytest.raises(UsageError, match="needs what `snapshot-training` makes, and no run has made it"):
        new.run(selection=Selection(only=("train-seed-1",)))
    assert api.runs(new.spec) == ()


def test_a_part_does_not_take_what_was_edited(site):
    (step,) = [step for step in api.show(path=site.spec).steps if step.id == "snapshot-golden"]
    step.outputs["data"].place.write_bytes(b"x")
    with pytest.raises(UsageError, match="was deleted or edited"):
        site.run(selection=Selection(only=("predict-seed-1",)))


def test_a_forced_step_runs_and_what_reads_it_does_not_where_it_made_the_same(site):
    selection = Selection(until=("predict-seed-1",), force=("snapshot-golden",))
    assert site.foreseen(selection=selection)["snapshot-golden"].reasons == ("forced",)
    site.run(selection=selection)
    states = site.states()
    assert (states["snapshot-golden"], states["train-seed-1"]) == (State.DONE, State.REUSED)
    (step,) = [step for step in api.show(path=site.spec).steps if step.id == "snapshot-golden"]
    assert step.reasons == ("forced",)


# -- the past ----------------------------------------------------------------------------------------------------------


def test_runs_are_listed_newest_first_with_what_they_were_a_run_of(told, capsys):
    newest, oldest = api.runs(told.spec)
    assert (newest.commit, oldest.commit) == (told.second, told.first)
    assert (newest.is_clean, newest.is_whole, newest.verdict, newest.how) == (True, True, "pass", "done")
    assert newest.tree.path == "hello.yaml"
    assert newest.tree.code != oldest.tree.code
    _, text = shown(capsys, "runs", "--spec", told.spec)
    assert [line.split()[0] for line in text.splitlines()[1:]] == [newest.id, oldest.id]
    _, text = shown(capsys, "runs", "--spec", told.spec, "--limit", 1)
    assert "and 1 older ones" in text
    _, found = shown(capsys, "runs", "--spec", told.spec, "--format", "json")
    assert [run["commit"] for run in json.loads(found)] == [told.second, told.first]


def test_runs_of_the_project_are_found_from_any_of_its_folders(told, monkeypatch):
    monkeypatch.chdir(told.root / "code")
    assert api.runs() == api.runs(told.spec)


def test_a_run_is_shown_with_its_steps_reasons_scenarios_and_outputs(told, capsys):
    code, text = shown(capsys, "show", "latest", "--spec", told.spec)
    assert code == 0
    for words in ("params.trim 0.05 -> 0.2", "melons", "recall melon", "verdict: pass", "artifacts/", told.second):
        assert words in text
    code, found = shown(capsys, "show", "--spec", told.spec, "--json")
    content = json.loads(found)
    assert content["run"]["id"] == api.runs(told.spec)[0].id
    assert content["verdict"]["verdict"] == "pass"
    model = next(step for step in content["steps"] if step["kind"] == "train")["outputs"]["model"]
    assert model["there"]
    assert Path(model["place"]).exists()


def test_a_run_is_found_by_the_first_letters_of_its_name(told):
    newest, oldest = api.runs(told.spec)
    shared = newest.id[
        : next(n for n, (one, other) in enumerate(zip(newest.id, oldest.id, strict=True)) if one != other)
    ]
    assert api.show(newest.id[: len(shared) + 1], told.spec).run == newest
    with pytest.raises(UsageError, match="begins the names of 2 runs"):
        api.show(shared, told.spec)
    with pytest.raises(UsageError, match=f"did you mean `{oldest.id}`"):
        api.show(oldest.id[:-1] + "~", told.spec)
    with pytest.raises(UsageError, match="there is no run"):
        api.show("", told.spec)


def test_an_unknown_step_is_answered_with_the_one_that_was_meant(told):
    for ask in (lambda: api.why("trian-seed-1", path=told.spec), lambda: api.logs("latest", "trian-seed-1", told.spec)):
        with pytest.raises(UsageError, match="did you mean `train-seed-1`"):
            ask()


def test_the_log_of_what_was_up_to_date_is_that_of_the_run_that_made_it(told, capsys):
    oldest = api.runs(told.spec)[1]
    log = api.logs("latest", "snapshot-golden", told.spec)
    assert (log.run, log.is_open) == (oldest.id, False)
    assert commands.run(["logs", "latest", "snapshot-golden", "--spec", told.spec]) == 0
    assert oldest.id in capsys.readouterr().err


def test_a_log_is_followed_while_its_step_is_at_work(site):
    go = site.root / "go"
    slow = f"""
    import time
    print('{{"progress": {{"done": 1, "of": 2, "what": "rows"}}}}', "one", sep="\\n", flush=True)
    while not Path({str(go)!r}).exists():
        time.sleep(0.02)
    print("two\\x1b[2J", flush=True)
    random.seed(seed)"""
    site.edit("code/fruit.py", "\n    random.seed(seed)", slow)
    run = site.clspec("run", "--local", site.spec, "--until", "train-seed-1")
    wait_until(lambda: api.runs(site.spec)[0].is_running and one_line(site))
    running = api.runs(site.spec)[0]
    assert (running.how, running.exit_code) == ("running", None)
    with pytest.raises(UsageError, match="is still at work"):
        api.why("train-seed-1", running.id, site.spec)
    assert api.logs("latest", "train-seed-1", site.spec).is_open
    logs = site.clspec("logs", "latest", "train-seed-1", "-f", "--spec", site.spec)
    first = logs.stdout.readline()
    assert logs.poll() is None
    go.touch()
    rest, _ = logs.communicate(timeout=60)
    assert (first, rest, logs.returncode) == ("one\n", "two\\x1b[2J\n", 0)
    run.communicate(timeout=60)
    assert run.returncode == 0


def one_line(site):
    logs = list(api.runs(site.spec)[0].folder.glob("train-seed-1.log"))
    return bool(logs) and "one" in logs[0].read_text()


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


def test_two_runs_are_laid_side_by_side(told, capsys):
    newest, oldest = api.runs(told.spec)
    found = api.compare(oldest.id, newest.id, told.spec)
    assert {pair.name: pair.differs for pair in found.files} == {
        "commit": True,
        "spec": True,
        "lock": False,
        "code": True,
    }
    assert not any(pair.differs for pair in found.data)
    assert {pair.name: pair.differs for pair in found.metrics}["train-seed-1 border"]
    assert [(s.scenario, s.differs) for s in found.scenarios] == [("melons", False), ("melons (guard)", False)]
    sentences = {each.sentence: steps for each, steps in found.made_from}
    assert "train-seed-1" in sentences["params.trim 0.05 -> 0.2"]
    assert {"train-seed-1", "predict-seed-1"} <= set(sentences["code: fruit.py changed"])
    _, text = shown(capsys, "compare", oldest.id, newest.id, "--spec", told.spec)
    marked = [line for line in text.splitlines() if line.startswith("*")]
    assert any("train-seed-1 border" in line for line in marked)
    assert not any("melons" in line for line in marked)
    _, content = shown(capsys, "compare", oldest.id, newest.id, "--spec", told.spec, "--json")
    assert {pair["name"] for pair in json.loads(content)["files"] if pair["differs"]} == {"commit", "spec", "code"}


def test_a_run_compared_with_itself_differs_in_nothing(told):
    found = api.compare("latest", "latest", told.spec)
    pairs = (*found.files, *found.data, *found.metrics, *found.scenarios)
    assert pairs
    assert not any(pair.differs for pair in pairs)
    assert (found.made_from, found.unknown) == ((), ())


def test_a_scenario_that_only_one_of_two_runs_judged_is_shown_with_a_gap(told):
    one = api.show("latest", told.spec).verdict
    text = json.dumps(one).replace('"melons"', '"watermelons"').replace('"title": "melons', '"title": "watermelons')
    found = list(comparing.scenarios(one, json.loads(text)))
    assert {(s.scenario.split()[0], s.one is None, s.other is None, s.differs) for s in found} == {
        ("melons", False, True, True),
        ("watermelons", True, False, True),
    }


# -- the history -------------------------------------------------------------------------------------------------------


def test_a_history_of_an_older_clspec_is_read_as_it_is_and_brought_up_to_date_by_a_run(told, tmp_path):
    site = told.here(tmp_path / "project")
    path = site.state / "history.sqlite"
    for old in site.state.glob("history.sqlite*"):
        old.unlink()
    connection = sqlite3.connect(path)
    connection.executescript((ROOT / "tests/data/history-1.sql").read_text())
    connection.close()
    before = path.read_bytes()
    local = backend.load("local")
    runs = local.history(site.state)
    assert [(run.exit_code, run.is_whole, run.tree) for run in runs] == [(0, True, None)] * 2
    steps = {step.id: step for step in local.steps(site.state, runs[0].id)}
    assert (steps["train-seed-1"].state, steps["train-seed-1"].made_in) == ("up to date", runs[1].id)
    assert steps["train-seed-1"].outputs["model"].digest.startswith("sha256:d6c02e93088c")
    assert path.read_bytes() == before
    site.run(selection=DATA)
    assert [run.is_whole for run in local.history(site.state)] == [False, True, True]
    assert local.steps(site.state, runs[0].id) == tuple(steps.values())
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_tables_that_a_new_history_has_are_those_that_an_old_one_gets(tmp_path):
    new, old = tmp_path / "new.sqlite", tmp_path / "old.sqlite"
    with closing(sqlite3.connect(old)) as connection:
        connection.executescript((ROOT / "tests/data/history-1.sql").read_text())
    tables = []
    for path in (new, old):
        History(path).close()
        with closing(sqlite3.connect(path)) as connection:
            every = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
            tables.append([(name, " ".join((sql or "").replace('"', "").split())) for name, sql in every])
    assert tables[0] == tables[1]


def test_a_damaged_history_is_named_by_what_only_reads_and_left_as_it_is(site):
    (site.state / "history.sqlite").write_bytes(b"no history" * 1000)
    for ask in (lambda: api.runs(site.spec), lambda: api.foresee(site.spec)):
        with pytest.raises(ClspecError, match=r"is damaged .*: the next run sets it aside"):
            ask()
    assert [path.name for path in site.state.glob("history*")] == ["history.sqlite"]


def test_a_state_folder_that_cannot_be_written_is_read(told, tmp_path):
    site = told.here(tmp_path / "project")
    options = ["mount", "--bind", "-o", "ro", str(site.state), str(site.state)]
    done = subprocess.run(options, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting is not permitted here: {done.stderr.decode().strip()}")
    try:
        with pytest.raises(OSError, match="Read-only"):
            (site.state / "probe").touch()
        assert [run.id for run in api.runs(site.spec)] == [run.id for run in api.runs(told.spec)]
        assert api.why("train-seed-1", path=site.spec).differences
        assert {one.will for one in api.foresee(site.spec)} == {"run", "up to date"}
        assert site.status().is_green
    finally:
        subprocess.run(["umount", "-l", str(site.state)], check=True)


# -- what a run leaves that did not end by itself, and what is left when the history is gone ---------------------------


def slow(site):
    """The same project with a training that says that it is at work, and does not end."""
    site.edit("code/fruit.py", "def train(", "def train(*given, **named):\n    import time\n\n    "
              "print('epoch 3 of 900', flush=True)\n    time.sleep(600)\n\n\ndef once(")  # fmt: skip
    return site


def stopped(site, number, *words):
    """A run that gets a signal while its training is at work; its exit code and its folder."""
    before = set(site.state.glob("runs/*"))
    process = site.clspec("run", "--local", site.spec, *words)
    deadline = time.monotonic() + 60
    while not any("epoch 3" in log.read_text() for log in site.state.glob("runs/*/train-seed-1.log")
                  if log.parent not in before):  # fmt: skip
        assert time.monotonic() < deadline, "it never began to train"
        time.sleep(0.05)
    process.send_signal(number)
    process.communicate()
    (folder,) = set(site.state.glob("runs/*")) - before
    return process.returncode, folder


def test_a_run_that_was_interrupted_or_killed_has_a_page_that_says_what_was_at_work(site, capsys):
    slow(site)
    code, folder = stopped(site, signal.SIGTERM, "--json", str(site.root / "out.json"))
    text = (folder / "report" / "report.html").read_text()
    assert (code, "The run was interrupted; at work: train-seed-1." in text) == (130, True)
    assert "epoch 3 of 900" in text
    told = json.loads((site.root / "out.json").read_text())
    assert (told["passed"], told["run"]["exit_code"], told["run"]["failed_step"]) == (False, 130, None)
    _, folder = stopped(site, signal.SIGKILL)
    assert not (folder / "report").exists()
    assert "report: the next run on this machine makes it" in shown(capsys, "show", folder.name, "--spec", site.spec)[1]
    site.run(selection=DATA)
    text = (folder / "report" / "report.html").read_text()
    assert "The run was killed; at work: train-seed-1." in text
    assert "epoch 3 of 900" in text
    assert 'class="answer fail"' in text
    assert f"{folder.name}/report/report.html" in shown(capsys, "show", folder.name, "--spec", site.spec)[1]


def test_a_run_that_cannot_go_on_has_a_page_that_says_why(site):
    shutil.rmtree(site.state / "artifacts")
    (site.state / "artifacts").write_text("")
    with pytest.raises(ClspecError, match="the run cannot go on: Not a directory"):
        site.run()
    run = api.runs(site.spec)[0]
    assert run.exit_code == 2
    assert "The run ended with exit code 2: the run cannot go on: Not a directory" in run.report.read_text()


def test_a_history_that_is_gone_is_found_again_with_its_runs(site):
    before = api.runs(site.spec)
    steps = [api.show(run.id, site.spec).steps for run in before]
    for path in site.state.glob("history.sqlite*"):
        path.unlink()
    site.run(selection=DATA)
    assert "the run history was gone" in next(h.note for h in site.told if h.state is State.WARNED)
    _, *after = api.runs(site.spec)
    assert tuple(after) == before
    assert [api.show(run.id, site.spec).steps for run in after] == steps
    assert site.status(site.second).is_green


@pytest.mark.parametrize("harm", ["torn", "lying", "of another", "gone"])
def test_a_run_whose_own_account_is_no_account_is_no_pass(site, harm):
    newest = api.runs(site.spec)[0].folder / "ended.json"
    content = newest.read_text()
    if harm == "gone":
        newest.unlink()
    else:
        wrong = {"torn": content[:-9], "lying": content.replace('"whole":1', '"whole":"yes"'),
                 "of another": content.replace(newest.parent.name, "20200101-000000-0000")}  # fmt: skip
        newest.write_text(wrong[harm])
    for path in site.state.glob("history.sqlite*"):
        path.unlink()
    site.run(selection=DATA)
    assert not site.status(site.second).is_green


def test_a_store_that_cannot_be_written_is_named_in_a_line(site):
    site.edit("hello.yaml", "trim: 0.2", "trim: 0.3")
    store = site.root / "store"
    done = subprocess.run(["mount", "--bind", str(store), str(store)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting is not permitted here: {done.stderr.decode().strip()}")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(store)], check=True)
        outcome = site.run()
    finally:
        subprocess.run(["umount", "-l", str(store)], check=True)
    assert (outcome.exit_code, outcome.failed) == (3, "gate")
    (line,) = [line for line in outcome.log.read_text().splitlines() if not line.startswith("{")]
    assert line.startswith(f"clspec: cannot write {store}/")
    assert line.endswith("Read-only file system")


# -- the check for a commit --------------------------------------------------------------------------------------------


def red(site, commit="HEAD", **given):
    """Why a commit is red, which it is."""
    found = site.status(commit, **given)
    assert not found.is_green
    (missing,) = found.missing
    return missing


def test_a_commit_is_green_if_its_pipelines_passed_on_it(told, capsys):
    for commit, run in zip((told.second, told.first), api.runs(told.spec), strict=True):
        found = told.status(commit[:9])
        assert (found.is_green, [one.id for one in found.passed]) == (True, [run.id])
    assert shown(capsys, "status", told.spec, "--commit", told.first)[0] == 0
    code, text = shown(capsys, "status", told.spec, "--json")
    assert (code, json.loads(text)["green"], json.loads(text)["commit"]) == (0, True, told.second)


def test_nothing_run_is_red_so_is_a_dirty_tree_and_the_command_that_is_told_makes_it_green(site, capsys):
    (site.root / "notes.txt").write_text("more")
    commit = site.commit()
    code, text = shown(capsys, "status", site.spec)
    assert (code, "it did not run on" in text) == (1, True)
    untracked(site)
    assert site.run().exit_code == 0
    assert "was not of the commit alone: not in the repository: code/more.py" in red(site).what
    told_, command = red(site).mend.split(", then: ")
    assert told_ == "commit or remove that"
    (site.root / "code" / "more.py").unlink()
    words = command.split()
    assert words == ["clspec", "run", "--local", site.spec, "--pipeline", "regression"]
    assert commands.run(words[1:]) == 0
    assert site.status(commit).is_green


def test_a_commit_that_is_not_checked_out_is_mended_there(site):
    (site.root / "notes.txt").write_text("more")
    third = site.commit()
    site.git("switch", "-q", "--detach", site.second)
    assert red(site, third).mend.startswith(f"git switch --detach {third[:12]} && clspec run")


def untracked(site):
    (site.root / "code" / "more.py").write_text("")


def ignored(site):
    (site.root / ".git" / "info" / "exclude").write_text("more.py\n")
    untracked(site)


def edited(site):
    site.edit("code/fruit.py", "TASTE = 1", "TASTE = 1  # sweet")


def hidden(site):
    site.git("update-index", "--assume-unchanged", "code/fruit.py")
    edited(site)


def staged(site):
    edited(site)
    site.git("add", "-A")


def elsewhere(site):
    site.edit(".gitignore", "store/", "store")


def unknown_lock(site):
    site.git("rm", "-q", "--cached", "hello.lock")
    site.git("commit", "-qm", "no lock")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (untracked, "not in the repository: code/more.py"),
        (ignored, "not in the repository: code/more.py"),
        (edited, "changed code/fruit.py"),
        (staged, "changed code/fruit.py"),
        (hidden, "hidden from git by assume-unchanged or skip-worktree: code/fruit.py"),
        (elsewhere, "changed .gitignore"),
        (unknown_lock, "not in the repository: hello.lock"),
    ],
)
def test_what_a_commit_does_not_say_makes_its_tree_dirty(site, harm, words):
    harm(site)
    tree = look(site)
    assert (tree.is_clean, tree.dirty) == (False, (words,))


def test_files_that_are_no_code_and_git_does_not_know_make_no_tree_dirty(site):
    (site.root / "notes.txt").write_text("mine")
    (site.root / "code" / "__pycache__").mkdir(exist_ok=True)
    (site.root / "code" / "__pycache__" / "fruit.cpython-311.pyc").write_bytes(b"")
    os.utime(site.spec)
    assert look(site).is_clean


def look(site):
    compiled = api.compile(site.spec, "local")
    return api.watched(compiled).look()


def test_a_submodule_that_is_not_as_the_commit_has_it_makes_the_tree_dirty(site, tmp_path):
    other = tmp_path / "library"
    (other / "code").mkdir(parents=True)
    for words in (["init", "-q"], ["config", "user.email", "a@b"], ["config", "user.name", "x"]):
        subprocess.run(["git", *words], cwd=other, check=True)
    shutil.copy(site.root / "code" / "fruit.py", other / "fruit.py")
    subprocess.run("git add -A && git commit -qm one", shell=True, cwd=other, check=True)
    site.git("rm", "-rq", "code")
    shutil.rmtree(site.root / "code", ignore_errors=True)
    site.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other), "code")
    site.commit("a submodule")
    assert look(site).dirty == ()
    (site.root / "code" / "more.py").write_text("")
    assert look(site).dirty == ("changed code", "not in the repository: code/more.py")
    (site.root / "code" / "more.py").unlink()
    edited(site)
    assert look(site).dirty == ("changed code",)


def test_a_tree_that_becomes_dirty_while_a_run_is_at_work_is_noticed(site):
    site.edit("hello.yaml", "trim: 0.2", "trim: 0.25")
    site.commit()

    def watch(happening):
        if (happening.step, happening.state) == ("gate", State.STARTED):
            elsewhere(site)

    assert api.run(site.spec, watch=watch).exit_code == 0
    assert "while it ran: changed .gitignore" in red(site).what
    site.git("checkout", "-q", ".gitignore")
    assert "while it ran" in red(site).what


def test_a_partial_run_makes_no_commit_green(site):
    site.edit("hello.yaml", "trim: 0.2", "trim: 0.25")
    site.commit()
    assert site.run(selection=DATA).exit_code == 0
    assert "was of a part of it (--until snapshot-training)" in red(site).what


def test_a_refusal_makes_a_commit_red_also_after_it_was_green(site):
    assert site.status().is_green
    with closing(sqlite3.connect(site.state / "history.sqlite")) as connection:
        connection.execute("UPDATE run SET exit_code = 1, verdict = 'fail' WHERE id = (SELECT max(id) FROM run)")
        connection.execute(
            "INSERT INTO run SELECT id || '-0', spec, pipeline, started - 100, ended, 0, file, environment, "
            "selection, whole, 'pass', tree, tree_at_end FROM run WHERE id = (SELECT max(id) FROM run)"
        )
        connection.commit()
    missing = red(site)
    assert "ended with: said no; its verdict is fail" in missing.what
    assert missing.mend.startswith("clspec show ")


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("exit_code", 130, "was interrupted"),
        ("exit_code", 137, "was killed"),
        ("exit_code", 3, "a step failed"),
        ("verdict", "''", "ended with: done"),
        ("verdict", "'inconclusive'", "its verdict is inconclusive"),
        ("ended = NULL, exit_code", "NULL", "was killed"),
        ("tree_at_end", "NULL", "nobody looked at the files when it ended"),
        ("tree", "NULL", "it did not run on"),
        ("environment", "'staging'", "it did not run on"),
        ("pipeline", "'improvement'", "it did not run on"),
        ("whole", 0, "was of a part of it"),
        ("tree_at_end", 'replace(tree_at_end, \'"commit": "\', \'"commit": "0\')', "another commit was checked out"),
        ("tree_at_end", 'replace(tree_at_end, \'"code": "\', \'"code": "0\')', "while it ran"),
        ("tree", "replace(tree, 'hello.yaml', 'other.yaml')", "it did not run on"),
    ],
)
def test_whatever_is_missing_of_a_pass_is_red(site, column, value, words):
    assert site.status().is_green
    with closing(sqlite3.connect(site.state / "history.sqlite")) as connection:
        connection.execute(f"UPDATE run SET {column} = {value} WHERE id = (SELECT max(id) FROM run)")
        connection.commit()
    assert words in red(site).what


def ran(site, pipeline, commit, exit_code=0, verdict="pass"):
    """Record a run of a pipeline on a commit, as the newest run was one."""
    with closing(sqlite3.connect(site.state / "history.sqlite")) as connection:
        connection.execute(
            "INSERT INTO run SELECT ?, spec, ?, (SELECT max(started) + 1 FROM run), ended, ?, file, environment, "
            "selection, whole, ?, replace(tree, ?, ?), replace(tree_at_end, ?, ?) FROM run WHERE tree LIKE ?",
            (f"{pipeline}-{time.monotonic_ns()}", pipeline, exit_code, verdict, *(site.second, commit) * 2,
             f"%{site.second}%"),
        )  # fmt: skip
        connection.commit()


def with_two_triggers(site):
    """A commit on which both of two pipelines passed, each started by files of its own."""
    mining = '  - {event: code_change, paths: ["mining/**", "code/*.sql"], run: improvement}\n'
    with Path(site.spec).open("a") as stream:
        stream.write(mining)
    (site.root / "mining").mkdir()
    (site.root / "mining" / "rules.txt").write_text("one")
    commit = site.commit("both")
    ran(site, "regression", commit)
    ran(site, "improvement", commit)
    assert site.status().is_green


def changed(site, name):
    path = site.root / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(path.read_text() + "\n" if path.exists() else "new")
    return site.commit(name)


def test_a_pipeline_that_a_commit_does_not_start_need_not_run_on_it(site, capsys):
    with_two_triggers(site)
    both = site.git("rev-parse", "HEAD")
    changed(site, "code/more.py")
    commit = changed(site, "code/deep/more.sql")
    assert {missing.pipeline for missing in site.status().missing} == {"regression"}
    ran(site, "regression", commit)
    found = site.status()
    assert (found.is_green, [run.pipeline for run in found.not_started]) == (True, ["improvement"])
    code, text = shown(capsys, "status", site.spec)
    assert (code, f"improvement: not started by this commit; passed on {both[:12]}" in text) == (0, True)


@pytest.mark.parametrize("name", ["mining/rules.txt", "mining/deep/er.txt", "code/new.sql", "hello.lock", "hello.yaml"])
def test_what_a_trigger_names_and_what_says_what_passing_means_starts_it(site, name):
    with_two_triggers(site)
    changed(site, name)
    commit = changed(site, "notes.txt")
    ran(site, "regression", commit)
    assert (red(site).pipeline, "it did not run on" in red(site).what) == ("improvement", True)


def test_a_commit_that_starts_nothing_and_on_which_nothing_ran_is_red(site):
    with_two_triggers(site)
    changed(site, "notes.txt")
    found = site.status()
    assert (found.is_green, found.not_started) == (False, ())
    assert [m.pipeline for m in found.missing] == ["regression", "improvement"]
    assert "nor did anything else" in found.missing[0].what


def test_a_later_refusal_of_the_same_is_no_pass_and_a_pass_elsewhere_is_none(site):
    with_two_triggers(site)
    before = site.git("rev-parse", "HEAD")
    between = changed(site, "notes.txt")
    ran(site, "improvement", between, 1, "fail")
    commit = changed(site, "more.txt")
    ran(site, "regression", commit)
    assert "since when no path of it changed, ended with: said no" in red(site).what
    site.git("checkout", "-q", "-b", "aside", before)
    aside = changed(site, "aside.txt")
    ran(site, "improvement", aside)
    site.git("checkout", "-q", "main")
    assert "ended with: said no" in red(site).what  # what passed is no part of this commit's past


@pytest.mark.parametrize("paths", ["[ab]/**", "../**", "{a,b}.py", "/etc/**"])
def test_paths_that_do_not_say_what_they_name_are_always_changed(site, paths):
    from clspec.past.touched import Since

    since = Since(site.root, site.git("rev-parse", "HEAD"), "hello.yaml")
    assert since.is_same(site.second, ["mining/**"])
    assert not since.is_same(site.second, ["mining/**", paths])
    assert not since.is_same("0" * 40, ["mining/**"])
    assert not since.is_same(site.second, []), "of nothing that is named, nothing is known"


def test_a_spec_that_no_change_of_code_triggers_is_red_and_says_so(site):
    site.edit("hello.yaml", TRIGGER, "")
    site.commit()
    assert "has no `code_change` trigger" in red(site).what


def test_the_triggers_are_those_that_the_commit_has(site):
    site.edit("hello.yaml", TRIGGER, "")
    assert site.status().is_green  # the commit has them, whatever the working tree says


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda site: site.status("abcdef1"), "git knows no commit `abcdef1`"),
        (lambda site: site.status("--help"), "git knows no commit `--help`"),
        (lambda site: api.status(str(site.root / "other.yaml")), "there is no other.yaml at HEAD"),
        (lambda site: site.status(environment="prod"), "has no environment `prod`"),
        (lambda site: api.status(str(site.root.parent / "hello.yaml")), "is in no git repository"),
    ],
)
def test_what_cannot_be_told_is_no_red_but_wrong_use(site, ask, words):
    with pytest.raises(UsageError, match=words):
        ask(site)


def test_without_git_a_run_is_a_run_of_no_commit(site):
    shutil.rmtree(site.root / ".git")
    site.run(selection=DATA)
    tree = api.runs(site.spec)[0].tree
    assert (tree.commit, tree.dirty) == ("", (f"{site.root} is in no git repository",))
    assert commands.run(["status", site.spec]) == 2


# -- how a run is shown while it is at work ----------------------------------------------------------------------------


def test_events_are_json_lines_the_last_of_which_tells_the_end(site, capfd):
    code = commands.run(["run", "--local", site.spec, "--progress", "json", "--until", "snapshot-training"])
    events = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert code == 0
    last = {name: events[-1][name] for name in ("event", "verdict", "exit_code", "whole", "failed")}
    assert last == {"event": "ended", "verdict": None, "exit_code": 0, "whole": False, "failed": ""}
    assert events[-1]["run"] == api.runs(site.spec)[0].id
    ends = {event["step"]: event["state"] for event in events[:-1]}
    assert (ends["pin"], ends["snapshot-training"], ends["register"]) == ("done", "up to date", "left out")
    started = [event for event in events if event["event"] == "step" and event["state"] == "started"]
    assert [(event["step"], event["note"]) for event in started] == [("pin", "always looks at the store")]


def test_a_run_warns_of_no_trigger_and_a_compile_does(told):
    assert {found.code for found in api.compile(told.spec, "local").diagnostics} == {"CLS503"}
    warned = []
    api.run(told.spec, selection=Selection(only=("snapshot-golden",)), warn=warned.append)
    assert warned == [()]


# -- the page ----------------------------------------------------------------------------------------------------------


def test_the_workflow_of_the_page_makes_a_fresh_clone_green(told, tmp_path):
    text = (ROOT / "docs/runs.md").read_text(encoding="utf-8")
    workflow = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    steps = workflow["jobs"]["passes"]["steps"]
    commands_ = {step["name"]: step["run"] for step in steps if "run" in step}
    assert list(commands_) == ["Install", "What would run, and why", "Run", "The commit has passed"]
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(told.root), str(clone)], check=True)
    for ending in ("yaml", "lock"):
        (clone / f"hello.{ending}").rename(clone / f"clspec.{ending}")
    subprocess.run(
        "git add -A && git -c user.name=x -c user.email=a@b commit -qm ci", shell=True, cwd=clone, check=True
    )
    sha = subprocess.run(["git", "rev-parse", "HEAD"], cwd=clone, check=True, capture_output=True, text=True).stdout
    shutil.copytree(told.state, clone / ".clspec")  # what the workflow's cache brings
    environment = {**os.environ, "CI": "true", "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    codes = []
    for name in ("The commit has passed", "What would run, and why", "Run", "The commit has passed"):
        command = commands_[name].replace("${{ github.sha }}", sha.strip())
        assert "${{" not in command
        done = subprocess.run(
            ["bash", "-e", "-c", command], cwd=clone, env=environment, check=False, capture_output=True
        )
        codes.append(done.returncode)
    assert codes == [1, 0, 0, 0], done.stdout + done.stderr
