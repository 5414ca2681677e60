"""The command line: what each command says, and the exit code that a script can rely on."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clspec import __version__
from clspec.cli.commands import run
from clspec.codes import CODES
from clspec.diagnostic import UsageError
from clspec.project import default_spec, root_of, state_of, store_of

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "data" / "tiny"
CLSPEC = str(Path(sys.executable).with_name("clspec"))
BUFFERED = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """The tiny project in a folder of its own, which is where commands run."""
    folder = shutil.copytree(TINY, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(folder)
    return Path(folder) / "tiny.yaml"


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def clspec(*arguments, **options):
    given = {"capture_output": True, "text": True, **options}
    return subprocess.run([CLSPEC, *map(str, arguments)], check=False, **given)


def commanded(*arguments):
    """The same as `answered`, in a process of its own, as commands that run user code have it."""
    ended = clspec(*arguments)
    return ended.returncode, ended.stdout, ended.stderr


def answered(capsys, *arguments):
    """The exit code of a command and what it wrote to its two streams."""
    capsys.readouterr()
    try:
        code = run([str(argument) for argument in arguments])
    except SystemExit as ended:
        code = ended.code
    told = capsys.readouterr()
    return code, told.out, told.err


# -- version, help, wrong use ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["--version"], ["-V"]])
def test_version(arguments):
    ended = clspec(*arguments)
    assert (ended.returncode, ended.stdout) == (0, f"clspec {__version__}\n")
    module = subprocess.run([sys.executable, "-m", "clspec", *arguments], capture_output=True, text=True, check=False)
    assert (module.returncode, module.stdout) == (0, ended.stdout)


@pytest.mark.parametrize(
    "verb",
    [[], ["check"], ["compile"], ["run"], ["lock"], ["data"], ["data", "add"], ["graph"], ["targets"], ["explain"]],
)
def test_every_command_has_help(capsys, verb):
    code, out, _ = answered(capsys, *verb, "--help")
    assert code == 0
    assert out.startswith("usage: clspec")


@pytest.mark.parametrize(
    "arguments",
    [
        ["bogus"],
        ["check", "--bogus"],
        ["check", "--format", "xml"],
        ["compile", "tiny.yaml"],
        ["run", "tiny.yaml"],
        ["run", "--local", "--jobs", "0", "tiny.yaml"],
        ["run", "--local", "--jobs", "x", "tiny.yaml"],
        ["lock", "--image", "latest", "tiny.yaml"],
        ["lock", "--image", "sha256:ABC", "tiny.yaml"],
        ["data"],
        ["data", "add", "drives"],
        ["graph", "--format", "png", "tiny.yaml"],
        ["--color", "pink", "check"],
        ["comp", "tiny.yaml", "--target", "local"],
        ["compile", "tiny.yaml", "--targ", "local"],
    ],
)
@pytest.mark.usefixtures("tiny")
def test_wrong_use_is_2_and_says_how_it_goes(capsys, arguments):
    code, out, err = answered(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("usage: clspec")


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        (["chekc"], "there is no `chekc`: did you mean `check`?"),
        (["label", "lst"], "there is no `lst`: did you mean `list`?"),
        (["models", "--format", "jsno"], "there is no `jsno`: did you mean `json`?"),
        (["xyz"], "there is no `xyz`: known: `init`, `check`, `config`, `compile`, "),
    ],
)
def test_a_slip_in_a_command_is_told_what_was_meant(capsys, said, hint):
    code, _, err = answered(capsys, *said)
    assert code == 2
    assert hint in err


def test_no_command_is_wrong_use_too(capsys):
    code, out, _ = answered(capsys)
    assert code == 2
    assert "check" in out


# -- check -------------------------------------------------------------------------------------------------------------


def test_check_of_a_good_spec(tiny, capsys):
    assert answered(capsys, "check", tiny) == (0, f"{tiny}: no problems\n", "")


def test_check_finds_all_errors_in_the_order_of_the_lines(tiny, capsys):
    edit(tiny, "label: label", "label: lable")
    edit(tiny, "class: brake, max", "class: brale, max")
    code, out, err = answered(capsys, "check", tiny)
    assert (code, err) == (1, "")
    assert "tiny.yaml:14:" in out
    assert "did you mean `brake`?" in out
    assert 0 < out.index("CLS302") < out.index("CLS303")


def test_warnings_alone_are_no_failure(tiny, capsys):
    text = tiny.read_text()
    start = text.index("      guard:\n")
    tiny.write_text(text[:start] + text[text.index("    - id: any-light") :])
    code, out, _ = answered(capsys, "check", tiny)
    assert "warning[CLS412]" in out
    assert code == 0


def test_check_as_json(tiny, capsys):
    code, out, _ = answered(capsys, "check", tiny, "--format", "json")
    assert code == 0
    assert "CLS" not in json.dumps(json.loads(out))
    edit(tiny, "class: brake, max", "class: brale, max")
    code, out, _ = answered(capsys, "check", tiny, "--format", "json")
    assert code == 1
    assert "CLS303" in json.dumps(json.loads(out))


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02\xff", b"a: [", b"- a list", b"just words", b"{}", b"\xff\xfe"])
def test_a_file_that_is_no_spec_is_an_error_of_check_and_wrong_use_elsewhere(tiny, capsys, content):
    tiny.write_bytes(content)
    code, out, _ = answered(capsys, "check", tiny)
    assert code == 1
    assert "error[CLS" in out
    for verb in (["compile", "-t", "local"], ["run", "--local"], ["lock"], ["graph"]):
        code, out, err = answered(capsys, *verb, tiny)
        assert (code, out) == (2, ""), verb
        assert "error[CLS" in err


@pytest.mark.parametrize(
    "verb",
    [
        ["check"],
        ["compile", "-t", "local"],
        ["run", "--local"],
        ["lock"],
        ["graph"],
        ["data", "add", "drives", "x", "--spec"],
    ],
)
@pytest.mark.parametrize("name", ["gone.yaml", "tiny", "gone/tiny.yaml", "tiny.yaml/x", "fifo"])
@pytest.mark.usefixtures("tiny")
def test_a_path_that_cannot_be_read_is_wrong_use_in_every_command(capsys, verb, name):
    os.mkfifo("fifo")
    code, out, err = answered(capsys, *verb, name)
    assert (code, out) == (2, "")
    assert err.startswith(f"clspec: cannot read {name}: ")
    assert len(err.splitlines()) == 1


def test_several_specs_are_checked_at_once(tiny, capsys):
    broken = tiny.with_name("broken.yaml")
    broken.write_text("{}\n")
    code, out, _ = answered(capsys, "check", tiny, broken)
    assert code == 1
    assert "broken.yaml" in out
    assert answered(capsys, "check", tiny, tiny)[0] == 0


def test_colours_only_where_they_are_asked_for(tiny, capsys, monkeypatch):
    edit(tiny, "class: brake, max", "class: brale, max")
    assert "\x1b[" not in answered(capsys, "check", tiny)[1]
    assert "\x1b[" in answered(capsys, "--color", "always", "check", tiny)[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in answered(capsys, "--color", "never", "check", tiny)[1]


def test_characters_that_the_terminal_does_not_know_are_no_fault(tiny):
    edit(tiny, "classes: [go, brake]", "classes: [go, brake, überholen]")
    edit(tiny, "class: brake, max", "class: überhohlen, max")
    ended = clspec("check", tiny, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert ended.returncode == 1
    assert "CLS303" in ended.stdout
    assert "Traceback" not in ended.stderr


# -- the other commands that run nothing -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "start"), [("mermaid", "flowchart TD\n"), ("dot", "digraph clspec {\n"), ("json", "{\n")]
)
def test_graph(tiny, capsys, form, start):
    code, out, err = answered(capsys, "graph", tiny, "--format", form)
    assert (code, err) == (0, "")
    assert out.startswith(start)
    assert "train-seed-2" in out
    if form == "json":
        assert json.loads(out)["pipelines"][0]["steps"][0]["id"] == "pin"
    if form == "mermaid":
        assert answered(capsys, "graph", tiny)[1] == out


def test_targets(capsys):
    code, out, _ = answered(capsys, "targets")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines() if "(from clspec " in line] == ["argo", "kfp", "local"]
    assert "option --set store=str" in out
    for word in ("  can    ", "  cannot "):
        assert out.count(word) >= 3


def test_explain_lists_every_code_and_knows_each(capsys):
    code, out, _ = answered(capsys, "explain")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == list(CODES)
    for name, known in CODES.items():
        code, out, _ = answered(capsys, "explain", name.lower())
        assert code == 0
        assert out.startswith(f"{name} ({known.severity.value}): {known.title}\n")


def test_explain_of_an_unknown_code(capsys):
    code, out, err = answered(capsys, "explain", "CLS999")
    assert (code, out) == (2, "")
    assert "there is no code `CLS999`" in err


# -- lock and data add -------------------------------------------------------------------------------------------------


def test_lock_pins_what_has_no_pin_and_then_changes_nothing(tiny):
    lock = tiny.with_suffix(".lock")
    committed = lock.read_bytes()
    lock.unlink()
    code, out, _ = commanded("lock", tiny)
    assert code == 0
    assert "drives: pinned to version 1, 600 rows, sha256:" in out
    assert lock.read_bytes() == committed, "the committed lock is what the code makes"
    code, out, _ = commanded("lock", tiny)
    assert (code, out) == (0, f"{lock}: nothing changed; sources are read again only by `clspec data add`\n")
    assert lock.read_bytes() == committed


def test_data_add_makes_a_version_and_lock_update_moves_one_pin(tiny):
    lock = tiny.with_suffix(".lock")
    before = lock.read_text()
    code, out, _ = commanded("data", "add", "drives", "more_drives", "--spec", tiny)
    assert code == 0
    assert "drives version 2: 720 rows, 120 new" in out
    assert f"clspec lock {tiny} --update drives" in out
    assert lock.read_text() == before
    assert commanded("lock", tiny)[0] == 0
    assert lock.read_text() == before
    code, out, _ = commanded("lock", tiny, "--update", "drives")
    assert code == 0
    assert "drives: moved from sha256:" in out
    changed = [line for line in lock.read_text().splitlines() if line not in before.splitlines()]
    assert len(changed) == 2, "a digest and a number of rows"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lock", "tiny.yaml", "--update", "drivs"], "did you mean `drives`?"),
        (["lock", "tiny.yaml", "--image", "sha256:" + "0" * 64], "is no tag"),
        (["data", "add", "drivs", "more_drives", "--spec", "tiny.yaml"], "did you mean `drives`?"),
        (["data", "add", "drives", "mor_drives", "--spec", "tiny.yaml"], "did you mean `more_drives`?"),
        (["data", "add", "drives", "tiny.yaml", "--spec", "tiny.yaml"], "has none of the endings"),
        (["run", "--local", "tiny.yaml", "--pipeline", "improvement"], "there is no pipeline `improvement`"),
    ],
)
def test_what_cannot_be_done_as_asked_is_2_and_changes_nothing(tiny, arguments, words):
    before = tiny.with_suffix(".lock").read_bytes()
    code, out, err = commanded(*arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert tiny.with_suffix(".lock").read_bytes() == before


def test_lock_refuses_a_spec_that_no_lock_can_mend(tiny):
    edit(tiny, "class: brake, max", "class: brale, max")
    tiny.with_suffix(".lock").unlink()
    code, _, err = commanded("lock", tiny)
    assert code == 2
    assert "CLS303" in err
    assert "CLS601" not in err, "what `lock` is about to mend is no complaint"
    assert not tiny.with_suffix(".lock").exists()


def test_a_source_that_raises_is_3_with_its_traceback(tiny):
    edit(tiny.parent / "tiny" / "rows.py", "    for ride", "    raise RuntimeError('no camera')\n    for ride")
    tiny.with_suffix(".lock").unlink()
    ended = clspec("lock", tiny)
    assert ended.returncode == 3
    assert "RuntimeError: no camera" in ended.stderr
    assert "rows.py" in ended.stderr
    assert not tiny.with_suffix(".lock").exists()


# -- run ---------------------------------------------------------------------------------------------------------------


def test_a_run_that_passes_is_0(tiny):
    ended = clspec("run", "--local", tiny)
    assert ended.returncode == 0, ended.stderr
    assert "verdict: pass" in ended.stdout
    assert "brake-at-red" in ended.stdout
    assert "report.html" in ended.stdout


def test_a_verdict_that_says_no_is_1(tiny):
    edit(tiny.parent / "tiny" / "model.py", 'answer or "brake"', '"go"')
    ended = clspec("run", "--local", tiny)
    assert ended.returncode == 1
    assert "verdict: fail" in ended.stdout
    assert "brake-at-red (seed 1)" in ended.stdout
    assert "Traceback" not in ended.stderr


def test_a_step_that_fails_is_3_with_its_traceback_and_its_log(tiny):
    edit(tiny.parent / "tiny" / "model.py", "    seen: ", "    raise ValueError('no luck')\n    seen: ")
    ended = clspec("run", "--local", tiny)
    assert ended.returncode == 3
    assert "ValueError: no luck" in ended.stderr
    log = next(word for word in ended.stderr.split() if word.endswith(".log"))
    assert "no luck" in Path(log).read_text()


def test_a_run_of_an_invalid_spec_is_2(tiny, capsys):
    edit(tiny, "gap >= 0", "gap >= 1")
    code, out, err = answered(capsys, "run", "--local", tiny)
    assert (code, out) == (2, "")
    assert "CLS602" in err
    assert "clspec lock" in err


def wait_for(path):
    """Wait until user code has left a file that says it is at work."""
    end = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} was never made"
        time.sleep(0.02)
    return path.read_text()


@pytest.mark.parametrize("verb", [["run", "--local"], ["lock"]])
def test_ctrl_c_is_130_and_leaves_no_process(tiny, verb):
    module, before = ("model.py", "    seen: ") if verb[0] == "run" else ("rows.py", "    for ride")
    at_work = tiny.parent.parent / "at-work"
    edit(
        tiny.parent / "tiny" / module,
        before,
        "    import os, time\n"
        f"    new = {str(at_work)!r} + str(os.getpid())\n"
        "    open(new, 'w').write(str(os.getpid()))\n"
        f"    os.replace(new, {str(at_work)!r})\n"
        f"    time.sleep(300)\n{before}",
    )
    if verb[0] == "lock":
        tiny.with_suffix(".lock").unlink()
    started = subprocess.Popen(
        [CLSPEC, *verb, str(tiny)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    with started:
        worker = int(wait_for(at_work))
        started.send_signal(signal.SIGINT)
        if verb[0] == "run":  # what runs may finish, unless one asks once more
            time.sleep(1)
            started.send_signal(signal.SIGINT)
        out, err = started.communicate(timeout=60)
    assert started.returncode == 130
    assert "Traceback" not in err
    assert "verdict" not in out
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)
    assert not (verb[0] == "lock" and tiny.with_suffix(".lock").exists())


# -- faults of the surroundings ----------------------------------------------------------------------------------------


def gone():
    """A pipe whose reader has left."""
    read, write = os.pipe()
    os.close(read)
    return write


@pytest.mark.parametrize(("content", "code"), [(None, 0), ("{}\n", 1)])
def test_a_reader_that_leaves_early_does_not_change_the_answer(tiny, content, code):
    if content:
        tiny.write_text(content)
    ended = clspec("check", tiny, stdout=gone(), stderr=subprocess.PIPE, capture_output=False, env=BUFFERED)
    assert (ended.returncode, ended.stderr) == (code, "")


def test_a_command_that_its_reader_stops_is_no_success(tiny):
    tiny.write_text("{}\n")
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    ended = clspec("check", tiny, stdout=gone(), stderr=subprocess.PIPE, capture_output=False, env=environment)
    assert (ended.returncode, ended.stderr) == (141, "")


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["explain"], ["check", "tiny.yaml"]])
@pytest.mark.usefixtures("tiny")
def test_output_on_a_full_disk_is_2(arguments):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("w") as full:
        ended = clspec(*arguments, stdout=full, stderr=subprocess.PIPE, capture_output=False, env=BUFFERED)
    assert ended.returncode == 2
    assert ended.stderr == "clspec: [Errno 28] No space left on device\n"


def installed(folder, module, text):
    """An environment in which a module is another one."""
    folder.mkdir()
    (folder / f"{module}.py").write_text(text)
    return {**os.environ, "PYTHONPATH": str(folder)}


@pytest.mark.parametrize("module", ["pyarrow", "duckdb"])
def test_a_library_that_is_not_installed_is_named_with_the_way_to_install_it(tiny, tmp_path, module):
    text = f"raise ModuleNotFoundError(\"No module named '{module}'\", name='{module}')\n"
    tiny.with_suffix(".lock").unlink()
    ended = clspec("lock", tiny, env=installed(tmp_path / "site", module, text))
    assert ended.returncode == 2
    assert f"No module named '{module}'" in ended.stderr
    assert "pip install 'clspec[run]'" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert clspec("check", tiny, env={**os.environ, "PYTHONPATH": str(tmp_path / "site")}).returncode == 1


def test_a_fault_of_clspec_is_2_with_a_traceback(tiny, tmp_path):
    ended = clspec("check", tiny, env=installed(tmp_path / "site", "jsonschema_rs", "Draft202012Validator = None\n"))
    assert ended.returncode == 2
    assert "Traceback" in ended.stderr
    assert "this is a fault of clspec itself" in ended.stderr
    assert "no problems" not in ended.stdout


# -- which spec is meant -----------------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path):
    """A project with two specs in specs/ and no other word on which is meant."""
    folder = tmp_path / "project"
    (folder / "specs").mkdir(parents=True)
    (folder / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    for name in ("b.yaml", "a.yml", "notes.txt", "a.lock"):
        (folder / "specs" / name).write_text("{}\n")
    return folder


def test_the_default_spec_is_the_one_that_pyproject_names(project):
    (project / "clspec.yaml").write_text("{}\n")
    (project / "pyproject.toml").write_text("[tool.clspec]\nspec = 'specs/b.yaml'\n")
    assert default_spec(project) == "specs/b.yaml"
    assert default_spec(project / "specs") == "b.yaml"


def test_this_repository_names_robotaxi():
    assert default_spec(ROOT) == "specs/robotaxi.yaml"


def test_else_clspec_yaml(project):
    (project / "clspec.yaml").write_text("{}\n")
    assert default_spec(project) == "clspec.yaml"
    assert default_spec(project / "specs") == str(project / "clspec.yaml")


def test_else_the_one_spec_in_specs(project):
    (project / "specs" / "b.yaml").unlink()
    assert default_spec(project) == "specs/a.yml"


def test_several_are_listed(project):
    with pytest.raises(UsageError, match="several") as error:
        default_spec(project)
    assert str(error.value).splitlines()[1:3] == ["  specs/a.yml", "  specs/b.yaml"]


def test_none_is_an_error_that_names_the_places(project):
    shutil.rmtree(project / "specs")
    with pytest.raises(UsageError, match=r"no \[tool.clspec\] spec, no clspec.yaml, nothing in specs/"):
        default_spec(project)


@pytest.mark.parametrize(
    "text", ["[tool.clspec]\nspec = 3\n", "[tool.clspec\n", "tool = 1\n", "[tool]\nclspec = 'x'\n"]
)
def test_a_pyproject_that_cannot_be_used_is_named(project, text):
    (project / "pyproject.toml").write_text(text)
    with pytest.raises(UsageError, match=r"pyproject\.toml"):
        default_spec(project)


@pytest.mark.parametrize("verb", [["check"], ["compile", "-t", "local"], ["graph"], ["run", "--local"], ["lock"]])
def test_commands_take_the_default_spec_or_say_why_not(project, capsys, monkeypatch, verb):
    monkeypatch.chdir(project)
    code, out, err = answered(capsys, *verb)
    assert (code, out) == (2, "")
    assert "specs/a.yml" in err
    (project / "pyproject.toml").write_text("[tool.clspec]\nspec = 'specs/b.yaml'\n")
    code, out, err = answered(capsys, *verb)
    assert code == (1 if verb == ["check"] else 2)
    assert "specs/b.yaml:1:1: error[CLS" in out + err


def test_the_default_spec_is_what_is_run(tiny, capsys):
    tiny.with_name("pyproject.toml").write_text("[tool.clspec]\nspec = 'tiny.yaml'\n")
    assert answered(capsys, "check")[:2] == (0, "tiny.yaml: no problems\n")
    assert commanded("data", "add", "drives", "more_drives")[0] == 0


def test_the_root_of_a_project_is_the_nearest_pyproject_else_git_else_the_folder(tmp_path):
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    assert root_of(deep) == deep
    (tmp_path / "a" / "b" / ".git").mkdir()
    assert root_of(deep) == tmp_path / "a" / "b"
    (tmp_path / "a" / "pyproject.toml").touch()
    assert root_of(deep) == tmp_path / "a"
    (deep / "pyproject.toml").touch()
    assert root_of(deep) == deep
    assert state_of(str(deep / "x.yaml")) == deep / ".clspec"


@pytest.mark.parametrize(
    ("store", "found"),
    [("s3://bucket/prefix", "s3://bucket/prefix"), ("../kept", "/project/kept"), ("/else/where", "/else/where")],
)
def test_a_store_is_a_uri_or_a_path_from_the_spec(store, found):
    assert store_of("/project/specs/x.yaml", store) == found


def test_a_path_that_cannot_be_read_hides_no_problem_of_the_others(tmp_path):
    (tmp_path / "broken.yaml").write_text("apiVersion: clspec.dev/v1alpha1\nkindd: x\n")
    done = clspec("check", "nowhere.yaml", "broken.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "unknown key `kindd`" in done.stdout
    assert "nowhere.yaml" in done.stderr
