"""A spec becomes a target's files: what they hold, byte for byte, and what is left behind when it does not."""

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from syrupy.extensions.single_file import SingleFileSnapshotExtension

from clspec import api, backend
from clspec.compile import options_of
from clspec.diagnostic import UsageError
from clspec.lock import path_for
from clspec.project import root_of

ROOT = Path(__file__).resolve().parents[2]
GOLDENS = ROOT / "tests" / "goldens"
TINY = ROOT / "tests" / "data" / "tiny"
CLSPEC = str(Path(sys.executable).with_name("clspec"))
TARGETS = ("argo", "kfp", "local")
STORE = {"store": "s3://bucket/prefix"}
CASES = {
    (spec.stem, folder): (spec, target, settings)
    for spec in (*sorted(ROOT.glob("specs/*.yaml")), ROOT / "tests" / "data" / "pair" / "pair.yaml")
    for folder, target, settings in (*((t, t, {}) for t in TARGETS), ("argo-with-store", "argo", STORE))
}


class BundleFile(SingleFileSnapshotExtension):
    """One file of a bundle: the name that a test gives it is its path under tests/goldens/."""

    file_extension = ""

    @classmethod
    def dirname(cls, **_):
        return str(GOLDENS)

    @classmethod
    def get_snapshot_name(cls, *, index, **_):
        return str(index)

    @classmethod
    def write_snapshot(cls, *, snapshot_location, snapshots, **_):
        Path(snapshot_location).parent.mkdir(parents=True, exist_ok=True)
        ((data, *_),) = snapshots
        Path(snapshot_location).write_bytes(data)

    def discover_snapshots(self, **_):
        return type(super().discover_snapshots(**_))()  # files that no bundle has are found by the test itself


def clspec(*arguments, cwd, **options):
    return subprocess.run(
        [CLSPEC, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False, **options
    )


@pytest.fixture
def tiny(tmp_path):
    return Path(shutil.copytree(TINY, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__"))) / "tiny.yaml"


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def tree(folder):
    """Everything below a folder, hidden files too, with the bytes of the files."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


# -- what is emitted ---------------------------------------------------------------------------------------------------


def test_there_are_examples():
    assert ("robotaxi", "kfp") in CASES
    assert set(TARGETS) <= set(backend.offers())


@pytest.mark.parametrize(("spec", "folder"), CASES)
def test_examples_compile_to_these_bytes(spec, folder, snapshot):
    path, target, settings = CASES[spec, folder]
    bundle = api.compile(str(path), target, settings).bundle
    golden = snapshot.use_extension(BundleFile)
    for name, text in bundle.items():
        assert text.encode() == golden(name=f"{spec}/{folder}/{name}")


def test_no_golden_file_is_left_from_what_is_emitted_no_more(request):
    if request.config.getoption("--snapshot-update"):
        pytest.skip("the goldens are being written")
    wanted = {
        f"{spec}/{folder}/{name}"
        for (spec, folder), (path, target, settings) in CASES.items()
        for name in api.compile(str(path), target, settings).bundle
    }
    kept = (p for spec, _ in CASES for p in (GOLDENS / spec).rglob("*") if p.is_file())
    assert {p.relative_to(GOLDENS).as_posix() for p in kept} == wanted


@pytest.mark.parametrize("target", TARGETS)
def test_the_command_writes_what_the_api_returns(tiny, target):
    ended = clspec("compile", tiny, "--target", target, cwd=tiny.parent)
    assert ended.returncode == 0, ended.stderr
    bundle = api.compile(str(tiny), target).bundle
    folder = tiny.parent / "build" / "tiny" / target
    assert {name: text for name, text in tree(folder).items() if text is not None} == {
        name: text.encode() for name, text in bundle.items()
    }
    assert ended.stdout.splitlines() == [f"build/tiny/{target}/{name}" for name in bundle]


def test_the_output_folder_can_be_chosen_and_written_again(tiny):
    out = tiny.parent / "some" / "where"
    for _ in range(2):
        assert clspec("compile", tiny, "-t", "local", "-o", out, cwd=tiny.parent).returncode == 0
        assert list(tree(out)) == ["plan.json", "regression.py"]
    assert not (tiny.parent / "build").exists()


def test_other_files_in_the_output_folder_stay(tiny):
    out = tiny.parent / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    (out / "regression.py").write_text("old")
    assert clspec("compile", tiny, "-t", "local", "-o", out, cwd=tiny.parent).returncode == 0
    assert (out / "notes.txt").read_text() == "mine"
    assert (out / "regression.py").read_text().startswith('"""tiny: pipeline regression')


@pytest.mark.parametrize("target", TARGETS)
def test_neither_the_place_nor_the_way_it_is_named_enters_the_bytes(tiny, target, monkeypatch):
    absolute = api.compile(str(tiny), target).bundle
    monkeypatch.chdir(tiny.parent)
    assert api.compile("tiny.yaml", target).bundle == absolute
    moved = shutil.copytree(tiny.parent, tiny.parent.parent / "ünder way" / "deep")
    assert api.compile(str(moved / "tiny.yaml"), target).bundle == absolute
    assert str(tiny.parent) not in "".join(absolute.values())


def test_a_changed_line_of_code_changes_what_is_emitted(tiny):
    before = api.compile(str(tiny), "local").bundle
    with (tiny.parent / "tiny" / "model.py").open("a") as stream:
        stream.write("# more\n")
    assert api.compile(str(tiny), "local").bundle != before


def test_an_option_reaches_the_target(tiny):
    given = clspec("compile", tiny, "-t", "argo", "--set", "store=s3://bucket/prefix", cwd=tiny.parent)
    assert given.returncode == 0, given.stderr
    texts = [t.decode() for t in tree(tiny.parent / "build").values() if t is not None]
    assert any("s3://bucket/prefix" in text for text in texts)
    assert "CLS505" not in given.stderr


# -- what is refused ---------------------------------------------------------------------------------------------------


def refused(tiny, *arguments, target="local"):
    """The complaint of a compile that must be refused and must leave the project as it was."""
    before = tree(tiny.parent)
    ended = clspec("compile", tiny, "--target", target, *arguments, cwd=tiny.parent)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    assert tree(tiny.parent) == before
    return ended.stderr


def test_a_spec_with_errors_writes_nothing(tiny):
    edit(tiny, "class: brake, min", "class: halt, min")
    assert "CLS303" in refused(tiny)


def test_what_the_target_cannot_express_writes_nothing(tiny):
    edit(tiny, "  workdir: /app/tiny\n", "")
    assert "CLS501" in refused(tiny, target="argo")
    assert "CLS501" in refused(tiny, target="kfp")
    assert api.compile(str(tiny), "local").bundle


@pytest.mark.parametrize("target", ["kfp", "argo"])
def test_a_floating_image_is_refused_until_the_lock_knows_it(tiny, target):
    digest = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    edit(tiny, f"tiny@{digest}", "tiny:1.4")
    complaint = refused(tiny, target=target)
    assert "CLS502" in complaint
    assert "clspec lock" in complaint
    assert "--update NAME:TAG" in complaint
    lock = tiny.with_suffix(".lock")
    edit(lock, "scenarios:", f"images:\n  registry.example.com/tiny:1.4: {digest}\nscenarios:")
    text = "".join(api.compile(str(tiny), target).bundle.values())
    assert digest in text
    assert "tiny:1.4\n" not in text


@pytest.mark.parametrize("target", TARGETS)
def test_a_spec_without_its_lock_is_refused_with_the_mending_command(tiny, target):
    tiny.with_suffix(".lock").unlink()
    complaint = refused(tiny, target=target)
    assert "CLS601" in complaint
    assert f"clspec lock {tiny}" in complaint


STALE = {
    "another group": ("group: ride,", "", "CLS602", "clspec lock"),
    "another column": ("gap: integer", "gap: double", "CLS602", "clspec lock"),
    "another selection": ("gap >= 0", "gap >= 1", "CLS602", "clspec lock"),
    "other clusters": ("  cluster_by: ride\n", "", "CLS602", "clspec lock"),
    "a new scenario": ("id: any-light", "id: every-light", "CLS602", "clspec lock"),
    "a new source": ("  more_drives:", "  other_drives:", "CLS602", "clspec lock"),
    "a new dataset": ("  golden: {like", "  spare: {like: drives, from: drives}\n  golden: {like", "CLS601", "lock"),
}


@pytest.mark.parametrize("what", STALE)
def test_a_stale_lock_is_refused_with_the_mending_command(tiny, what):
    old, new, code, command = STALE[what]
    edit(tiny, old, new)
    complaint = refused(tiny)
    assert f"error[{code}]" in complaint
    assert command in complaint


def test_a_broken_lock_is_refused(tiny):
    tiny.with_suffix(".lock").write_text("version: [\n")
    assert "CLS603" in refused(tiny)


def test_an_unknown_target_is_refused_with_a_proposal(tiny):
    assert "did you mean `kfp`" in refused(tiny, target="kpf")


@pytest.mark.parametrize(
    ("target", "setting", "words"),
    [
        ("argo", "stoer=s3://bucket/prefix", "did you mean `store`"),
        ("local", "store=s3://bucket/prefix", "it has none"),
        ("argo", "store", "KEY=VALUE"),
        ("argo", "=x", "no option ``"),
        ("argo", "parallelism=many", "is a int"),
        ("argo", "parallelism=-1", "the least is 0"),
    ],
)
def test_a_wrong_option_is_refused(tiny, target, setting, words):
    assert words in refused(tiny, "--set", setting, target=target)


def test_options_are_read_as_their_types():
    argo = backend.load("argo")
    assert options_of(argo, {"parallelism": "7", "store": "s3://a=b/c"}) == argo.options(
        parallelism=7, store="s3://a=b/c"
    )
    with pytest.raises(UsageError, match="has no option"):
        options_of(argo, {"Parallelism": "7"})


# -- where it cannot be written ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("below", ["", "deeper/still"])
def test_a_file_where_the_folder_should_be(tiny, below):
    (tiny.parent / "taken").write_text("mine")
    assert "cannot write to" in refused(tiny, "-o", Path("taken", below))


def test_a_folder_where_a_file_should_be(tiny):
    (tiny.parent / "out" / "regression.py" / "mine").mkdir(parents=True)
    assert "regression.py is a folder there" in refused(tiny, "-o", "out")


def test_one_file_that_cannot_be_put_in_its_place_stops_all(tmp_path):
    folder = tmp_path / "out"
    (folder / "b" / "taken").mkdir(parents=True)
    (folder / "a").write_text("old")
    before = tree(folder)
    with pytest.raises(UsageError, match="b is a folder there"):
        api.write({"a": "new", "b": "new", "c/d": "new"}, folder)
    assert tree(folder).items() >= before.items()
    assert (folder / "a").read_text() == "old"


def test_folders_below_the_output_are_made(tmp_path):
    api.write({"a": "1", "b/c/d": "2\r\n"}, tmp_path / "x" / "y")
    assert tree(tmp_path / "x" / "y") == {"a": b"1", "b": None, "b/c": None, "b/c/d": b"2\r\n"}


def mounted(folder, mount, command):
    """Run a command where a folder is another file system; tell its exit code, its complaint and what it left."""
    script = f'mount {mount} "$1" || exit 99; shift; "$@"; echo "code $?"; ls -A "{folder}"'
    ended = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", str(folder), *command],
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode == 99 or ended.stderr.startswith("unshare:"):
        pytest.skip(f"this machine lets nobody mount a file system: {ended.stderr.strip()}")
    _, _, after = ended.stdout.rpartition("code ")
    code, *left = after.splitlines()
    return int(code), ended.stderr, left


@pytest.mark.parametrize(
    ("mount", "words"),
    [("-t tmpfs -o size=4k none", "No space left on device"), ("-t tmpfs -o ro none", "Read-only file system")],
)
def test_a_full_or_read_only_folder_is_left_as_it_was(tiny, mount, words):
    if shutil.which("unshare") is None:
        pytest.skip("`unshare` is not there to mount a small file system with")
    folder = tiny.parent / "out"
    folder.mkdir()
    for out in (folder, folder / "below"):
        command = [CLSPEC, "compile", str(tiny), "-t", "argo", "-o", str(out)]
        code, complaint, left = mounted(folder, mount, command)
        assert code == 2
        assert f"cannot write to {out}: {words}" in complaint
        assert "Traceback" not in complaint
        assert left == []


def test_a_mount_with_room_takes_the_files(tiny):
    if shutil.which("unshare") is None:
        pytest.skip("`unshare` is not there to mount a small file system with")
    folder = tiny.parent / "out"
    folder.mkdir()
    command = [CLSPEC, "compile", str(tiny), "-t", "argo", "-o", str(folder)]
    code, complaint, left = mounted(folder, "-t tmpfs -o size=1m none", command)
    assert code == 0, complaint
    assert "regression.workflowtemplate.yaml" in left


# -- targets of other people -------------------------------------------------------------------------------------------


@pytest.fixture
def plugin(tmp_path):
    """A distribution with one backend in a folder of its own; the body is what its `emit` does."""

    def made(body, *, name="mine", head="", attributes="", after=""):
        folder = tmp_path / "installed"
        info = folder / f"{name}_target-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-target\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[clspec.backends]\n{name} = {name}_target:backend\n")
        (folder / f"{name}_target.py").write_text(
            textwrap.dedent(f"""\
            {head}
            import dataclasses
            from clspec.backend import Capabilities
            @dataclasses.dataclass(frozen=True)
            class Options:
                fast: bool = False
                factor: float = 1.0
            class Mine:
                name, api_version, options = "{name}", 1, Options
                capabilities = Capabilities(can=("say little",), cannot=("say much",))
                {attributes}
                def check(self, plan, options):
                    return ()
                def emit(self, plan, options):
                    {body}
            {after}
            backend = Mine()
            """)
        )
        paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {"PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}

    return made


def test_anybodys_backend_is_a_target(tiny, plugin):
    environment = plugin('return {"sub/plan.txt": f"{plan.name} {options}"}')
    arguments = ["compile", tiny, "-t", "mine", "--set", "fast=true", "--set", "factor=2.5"]
    ended = clspec(*arguments, cwd=tiny.parent, env=environment)
    assert ended.returncode == 0, ended.stderr
    written = (tiny.parent / "build/tiny/mine/sub/plan.txt").read_text()
    assert written == "tiny Options(fast=True, factor=2.5)"
    listed = clspec("targets", cwd=tiny.parent, env=environment)
    assert "mine  (from mine-target 1.0)" in listed.stdout
    assert listed.returncode == 0
    wrong = clspec("compile", tiny, "-t", "mine", "--set", "fast=yes", cwd=tiny.parent, env=environment)
    assert (wrong.returncode, "is a bool, not `yes`" in wrong.stderr) == (2, True)


@pytest.mark.parametrize(
    "path", ["../out.txt", "/tmp/out.txt", "a/../../out", "a//b", "", ".", "a\\\\b", "a\\nb", "C:x"]
)
def test_a_backend_cannot_write_outside_of_its_folder(tiny, plugin, path):
    environment = plugin(f'return {{"good.txt": "", "{path}": "bad"}}')
    before = tree(tiny.parent.parent)
    ended = clspec("compile", tiny, "-t", "mine", cwd=tiny.parent, env=environment)
    assert ended.returncode == 2
    assert "no plain relative path" in ended.stderr
    assert tree(tiny.parent.parent) == before


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"head": "raise RuntimeError('half installed')"}, ["mine-target 1.0", "half installed"]),
        ({"head": "import no_such_library"}, ["mine-target 1.0", "no_such_library"]),
        ({"attributes": "api_version = 2"}, ["mine-target 1.0", "protocol 2, this clspec speaks 1"]),
        ({"after": "del Mine.emit"}, ["mine-target 1.0", "lacks `emit`"]),
    ],
)
def test_a_backend_that_cannot_be_used_is_named_with_its_distribution(tiny, plugin, made, words):
    environment = plugin("return {}", **made)
    ended = clspec("compile", tiny, "-t", "mine", cwd=tiny.parent, env=environment)
    assert ended.returncode == 2
    assert all(word in ended.stderr for word in words), ended.stderr
    assert "Traceback" not in ended.stderr
    listed = clspec("targets", cwd=tiny.parent, env=environment)
    assert listed.returncode == 2
    assert "unusable" in listed.stdout
    assert "argo  (from clspec" in listed.stdout


def test_two_backends_of_one_name_are_a_conflict(tiny, plugin):
    environment = plugin("return {}", name="argo")
    ended = clspec("compile", tiny, "-t", "argo", cwd=tiny.parent, env=environment)
    assert ended.returncode == 2
    assert "argo-target 1.0" in ended.stderr
    assert "clspec 0" in ended.stderr


def test_a_backend_that_fails_is_no_silent_success(tiny, plugin):
    environment = plugin('raise RuntimeError("not foreseen")')
    ended = clspec("compile", tiny, "-t", "mine", cwd=tiny.parent, env=environment)
    assert ended.returncode == 2
    assert "RuntimeError: not foreseen" in ended.stderr
    assert not (tiny.parent / "build").exists()


# -- the program that the local target emits ---------------------------------------------------------------------------


def emitted(tiny):
    assert clspec("compile", tiny, "-t", "local", cwd=tiny.parent).returncode == 0
    return tiny.parent / "build" / "tiny" / "local" / "regression.py"


def ran(tiny, program, *arguments):
    places = ["--code", "tiny", "--folder", "."]
    return subprocess.run(
        [sys.executable, str(program), *places, *arguments],
        cwd=tiny.parent,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_emitted_program_runs_to_its_verdict(tiny):
    assert root_of(tiny.parent) == tiny.parent
    ended = ran(tiny, emitted(tiny))
    assert ended.returncode == 0, ended.stderr
    work = tiny.parent / "build" / "work"
    assert '"verdict":"pass"' in (work / "gate" / "verdict").read_text()
    assert (work / "gate" / "outcome").read_text() == "pass"
    assert (work / "report" / "report" / "report.html").is_file()
    assert [line.partition(":")[0] for line in ended.stdout.splitlines() if line.endswith(": runs")] == [
        *("pin", "snapshot-golden", "snapshot-training", "train-seed-1", "predict-seed-1", "evaluate-seed-1"),
        *("train-seed-2", "predict-seed-2", "evaluate-seed-2", "gate", "register", "report", "conclude"),
    ]
    models = [p for p in (tiny.parent / ".clspec" / "store").rglob("model.json") if p.is_file()]
    assert len(models) == 1, "the candidate was registered"


def test_the_emitted_program_says_no_where_the_model_is_bad(tiny):
    edit(tiny.parent / "tiny" / "model.py", 'answer or "brake"', '"go"')
    ended = ran(tiny, emitted(tiny), "--store", "elsewhere", "--work", "results")
    assert ended.returncode == 1, ended.stderr
    assert "register: skipped, outcome of gate is not pass" in ended.stdout
    assert '"verdict":"fail"' in (tiny.parent / "results" / "gate" / "verdict").read_text()
    assert (tiny.parent / "results" / "report" / "report" / "report.html").is_file()
    assert (tiny.parent / "elsewhere").is_dir()
    assert not (tiny.parent / ".clspec").exists()
    assert not list((tiny.parent / "elsewhere").rglob("model.json"))


def test_the_emitted_program_ends_with_the_code_of_the_step_that_failed(tiny):
    edit(tiny.parent / "tiny" / "model.py", "    seen: ", "    raise ValueError('no luck')\n    seen: ")
    ended = ran(tiny, emitted(tiny))
    assert ended.returncode == 3
    assert "ValueError: no luck" in ended.stderr
    assert "gate: runs" not in ended.stdout


def test_the_emitted_program_refuses_other_code(tiny):
    program = emitted(tiny)
    with (tiny.parent / "tiny" / "model.py").open("a") as stream:
        stream.write("# more\n")
    ended = ran(tiny, program)
    assert ended.returncode == 1
    assert "the plan was made for sha256:" in ended.stderr


def test_the_lock_lies_beside_its_spec():
    assert path_for("specs/robotaxi.yaml") == "specs/robotaxi.lock"
    assert path_for("/a.b/c.yml") == "/a.b/c.lock"
