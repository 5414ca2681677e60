"""`clspec image`: what enters an image and what never does, what is said and what is locked."""

import itertools
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from clspec import code
from clspec.cli.commands import run
from clspec.code import CodeError
from clspec.diagnostic import StepFailed, UsageError
from clspec.image import base, build, contents, engine, proof, wheel, wheels

TINY = Path(__file__).resolve().parents[1] / "data" / "tiny"
NAME = "registry.example.com/team/tiny:1"
ID, DIGEST = "sha256:" + "1d" * 32, "sha256:" + "d1" * 32
DEBIAN = base.Base(
    name="python:3.11-slim",
    python=(3, 11),
    version="3.11.2",
    machine="x86_64",
    libc="glibc",
    libc_version=(2, 36),
    compilers=(),
)
STAND_IN = """#!{python}
import json, os, pathlib, sys
words = sys.argv[1:]
with open({record!r}, "a") as log:
    log.write(json.dumps(words) + "\\n")
if words[0] in {fails!r}:
    sys.exit("the daemon is on holiday")
if words[0] == "run" or words[:1] == ["from"]:
    print(json.dumps({answer!r}))
if words[0] in ("build", "bud"):
    pathlib.Path(words[words.index("--iidfile") + 1]).write_text({id!r})
    context = pathlib.Path(words[-1])
    found = sorted(str(p.relative_to(context)) for p in context.rglob("*") if p.is_file())
    pathlib.Path({record!r} + ".context").write_text(json.dumps(found))
if words[0] == "push":
    print("1: digest: {digest} size: 1157")
    if "--digestfile" in words:
        pathlib.Path(words[words.index("--digestfile") + 1]).write_text({digest!r})
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Engines that only write down what they are asked; a function that installs one and gives a reader of it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def install(name, fails=(), **answer):
        record = tmp_path / f"{name}.log"
        told = {"python": [3, 11], "version": "3.11.2", "machine": "x86_64", "libc": ["glibc", "2.36"], "compilers": []}
        made = STAND_IN.format(
            python=sys.executable,
            record=str(record),
            fails=list(fails),
            answer=told | answer,
            id=ID,
            digest=DIGEST,
        )
        (folder / name).write_text(made)
        (folder / name).chmod(0o755)
        return lambda: [json.loads(line) for line in record.read_text().splitlines()]

    return install


# -- what is inside ----------------------------------------------------------------------------------------------------


def test_the_wheel_is_the_clspec_that_runs_here(tmp_path):
    (tmp_path / "again").mkdir()
    made = wheel.write(tmp_path)
    assert made.read_bytes() == wheel.write(tmp_path / "again").read_bytes()
    with zipfile.ZipFile(made) as archive:
        names = archive.namelist()
        assert (
            archive.read("clspec/step/program.py")
            == Path(code.__file__).with_name("step").joinpath("program.py").read_bytes()
        )
        about = f"clspec-{wheel.version()}.dist-info"
        record = archive.read(f"{about}/RECORD").decode().splitlines()
        assert b"Provides-Extra: run" in archive.read(f"{about}/METADATA")
        assert b"[clspec.backends]" in archive.read(f"{about}/entry_points.txt")
    assert [line.split(",")[0] for line in record] == names
    assert {"clspec/image/Dockerfile", "clspec_kfp/__init__.py", "clspec_schema/v1alpha1.schema.json"} <= set(names)
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests")]


def test_pip_takes_the_wheel(tmp_path):
    made = wheel.write(tmp_path)
    words = [
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
        "--no-compile",
        "--target",
        str(tmp_path / "here"),
        str(made),
    ]
    subprocess.run([sys.executable, "-m", "pip", *words], check=True, capture_output=True)
    program = "import sys; sys.path.insert(0, sys.argv[1]); import clspec.code as found; print(found.__file__)"
    place = {**os.environ, "PYTHONPATH": ""}
    told = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "here")], check=True, capture_output=True, text=True, env=place
    ).stdout
    assert told.startswith(str(tmp_path / "here"))


@pytest.fixture
def root(tmp_path):
    shutil.copytree(TINY / "tiny", tmp_path / "root", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "root"


def test_the_code_and_nothing_else_enters(root, tmp_path):
    (root / "start.sh").write_text("#!/bin/sh\n")
    (root / "start.sh").chmod(0o700)
    (root / "model.py").chmod(0o600)
    (root / ".env.example").write_text("TOKEN=\n")
    (root / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    (root / "also.py").symlink_to("rows.py")
    for ignored in (".git/config", "__pycache__/model.cpython-311.pyc"):
        (root / ignored).parent.mkdir()
        (root / ignored).write_text("x")
    contents.lay_out(root, tmp_path / "context" / "code")
    contents.settle(tmp_path / "context")
    made = tmp_path / "context" / "code"
    assert code.digest(made) == code.digest(root)
    names = {".env.example", "also.py", "ca.pem", "model.py", "rows.py", "start.sh"}
    assert {path.name for path in made.iterdir()} == names
    assert not (made / "also.py").is_symlink()
    modes = {path.name: path.stat().st_mode & 0o777 for path in (made, made / "start.sh", made / "model.py")}
    assert modes == {"code": 0o755, "start.sh": 0o755, "model.py": 0o644}
    assert {path.stat().st_mtime for path in (made, *made.iterdir())} == {contents.LONG_AGO}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(
            (name, "x")
            for name in (".env", ".env.local", "prod.env", "conf/.netrc", ".pypirc", "id_rsa", "tls/server.key")
        ),
        *(
            (name, "x")
            for name in (".aws/credentials", ".ssh/config", "Secrets.yaml", "store.p12", "client.pem", "ID_RSA")
        ),
        ("notes.txt", "see\n-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n"),
        ("key.py", "KEY = '''-----BEGIN PRIVATE KEY-----\nMIIE\n'''"),
    ],
)
def test_what_looks_like_a_secret_ends_the_build(root, tmp_path, name, content):
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text(content)
    with pytest.raises(UsageError, match="would lie in the image") as refused:
        contents.lay_out(root, tmp_path / "made")
    assert str(root / name) in str(refused.value)
    assert not (tmp_path / "made").exists()


def test_links_that_lead_out_are_refused(root, tmp_path):
    (root / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(CodeError, match="leads out of the code root"):
        contents.lay_out(root, tmp_path / "made")


def test_a_root_without_code_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no code"):
        contents.lay_out(tmp_path / "empty", tmp_path / "made")


def test_the_proof_knows_the_code(root, capsys):
    digest = code.digest(root)
    assert proof.main(str(root), digest) == 0
    (root / "more.py").write_text("")
    assert proof.main(str(root), digest) == 1
    assert f"is not the code ({digest})" in capsys.readouterr().err
    assert proof.main(str(root / "nowhere"), digest) == 1


# -- the base and its wheels -------------------------------------------------------------------------------------------


def test_which_wheels_fit():
    from dataclasses import replace

    found = list(DEBIAN.platforms())
    assert found[0] == "manylinux_2_36_x86_64"
    assert found[-2:] == ["manylinux1_x86_64", "linux_x86_64"]
    assert {"manylinux_2_28_x86_64", "manylinux2014_x86_64"} <= set(found)
    arm = list(replace(DEBIAN, machine="aarch64").platforms())
    assert (arm[0], arm[-2]) == ("manylinux_2_36_aarch64", "manylinux2014_aarch64")
    musl = list(replace(DEBIAN, libc="musl", libc_version=(1, 2)).platforms())
    assert musl == ["musllinux_1_2_x86_64", "musllinux_1_1_x86_64", "musllinux_1_0_x86_64", "linux_x86_64"]


def test_what_packaging_says_fits_a_machine_like_this_one():
    tags = pytest.importorskip("packaging.tags")
    import platform
    from dataclasses import replace

    libc, version = platform.libc_ver()
    if libc != "glibc":
        pytest.skip("this machine has another libc")
    major, minor = map(int, version.split(".")[:2])
    mine = replace(DEBIAN, machine=platform.machine(), libc_version=(major, minor))
    assert set(tags.platform_tags()) <= set(mine.platforms())


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"python": [3, 9], "version": "3.9.2"}, "has Python 3.9.2, and clspec needs 3.11"),
        ({"libc": ["", ""]}, "does not say what it is"),
        ({"libc": None}, "does not say what it is"),
    ],
)
def test_a_base_that_will_not_do(stand_in, answer, why):
    stand_in("docker", **answer)
    with pytest.raises(UsageError, match=why):
        base.ask(engine.Docker(), "debian:11")


def a_wheel(folder, name, needs=()):
    about = f"{name}-1.dist-info"
    lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: 1", "Provides-Extra: run", *needs]
    with zipfile.ZipFile(folder / f"{name}-1-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{about}/METADATA", "\n".join(lines) + "\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return folder / f"{name}-1-py3-none-any.whl"


def test_wheels_are_fetched_for_the_base_and_pip_lies_apart(tmp_path):
    found = tmp_path / "found"
    found.mkdir()
    for name in ("pip", "needed", "asked"):
        a_wheel(found, name)
    ours = a_wheel(tmp_path, "clspec", ['Requires-Dist: needed; extra == "run"'])
    (tmp_path / "requirements.txt").write_text("asked\n")
    (tmp_path / "context").mkdir()
    libraries = wheels.Libraries(
        requirements=(str(tmp_path / "requirements.txt"),), index=("--no-index", "--find-links", str(found))
    )
    made = wheels.fetch(DEBIAN, ours, libraries, tmp_path / "context")
    assert [path.name.split("-")[0] for path in made] == ["asked", "clspec", "needed"]
    assert [path.name for path in (tmp_path / "context" / "installer").iterdir()] == ["pip-1-py3-none-any.whl"]


def test_what_has_no_wheel_is_named(tmp_path):
    a_wheel(tmp_path, "pip")
    (tmp_path / "context").mkdir()
    ours = a_wheel(tmp_path, "clspec", ['Requires-Dist: nowhere; extra == "run"'])
    libraries = wheels.Libraries(index=("--no-index", "--find-links", str(tmp_path)))
    with pytest.raises(
        StepFailed, match=r"(?s)python:3.11-slim.*No matching distribution found for nowhere.*--find-links"
    ):
        wheels.fetch(DEBIAN, ours, libraries, tmp_path / "context")


def test_a_file_of_requirements_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match=r"no file nowhere\.txt"):
        wheels.fetch(DEBIAN, tmp_path, wheels.Libraries(constraints=("nowhere.txt",)), tmp_path)


# -- engines -----------------------------------------------------------------------------------------------------------


def test_no_engine(stand_in):
    del stand_in
    with pytest.raises(UsageError, match="docker is not installed; buildah is not installed"):
        engine.found(None)


def test_a_daemon_that_does_not_answer(stand_in):
    stand_in("docker", fails=["version"])
    with pytest.raises(UsageError, match="docker's daemon does not answer: the daemon is on holiday"):
        engine.found("docker")
    stand_in("buildah")
    assert engine.found(None).name == "buildah"


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.fixture
def spec(tmp_path, monkeypatch):
    """A locked spec with a tag, whose wheels need no fetching."""
    folder = tmp_path / "project"
    shutil.copytree(TINY, folder, ignore=shutil.ignore_patterns("__pycache__"))
    text = (folder / "tiny.yaml").read_text()
    image = next(line for line in text.splitlines() if line.strip().startswith("image:"))
    (folder / "tiny.yaml").write_text(text.replace(image, f"  image: {NAME}"))
    (folder / "tiny.lock").unlink()
    (folder / ".env").write_text("TOKEN=canary\n")
    monkeypatch.chdir(folder)

    def fetch(base, clspec, libraries, context):
        del base
        for place in ("wheels", "installer"):
            (context / place).mkdir()
        shutil.copy(clspec, context / "wheels")
        (context / "wheels" / "libraries.txt").write_text(repr(libraries))
        return [context / "wheels" / clspec.name]

    monkeypatch.setattr(wheels, "fetch", fetch)
    return folder / "tiny.yaml"


def test_an_image_that_no_registry_has_leaves_the_lock_alone(spec, stand_in, tmp_path, capsys):
    asked = stand_in("docker")
    assert run(["image", "tiny.yaml"]) == 0
    told = capsys.readouterr().out
    assert f"{NAME}: {ID} on this machine, built by docker" in told
    assert "clspec lock tiny.yaml --image sha256:..." in told
    assert not spec.with_suffix(".lock").exists()
    _, probed, built = asked()
    assert probed[:4] == ["run", "--rm", "--network", "none"]
    assert f"python:{sys.version_info[0]}.{sys.version_info[1]}-slim" in probed
    assert built[:3] == ["build", "--network", "none"]
    assert built[built.index("--tag") + 1] == NAME
    said = dict(word.split("=", 1) for flag, word in itertools.pairwise(built) if flag == "--build-arg")
    assert (said["WORKDIR"], said["CODE"]) == ("/app/tiny", code.digest(spec.parent / "tiny"))
    entered = json.loads((tmp_path / "docker.log.context").read_text())
    ours = f"wheels/clspec-{wheel.version()}-py3-none-any.whl"
    assert entered == ["Dockerfile", "code/model.py", "code/rows.py", ours, "wheels/libraries.txt"]


@pytest.mark.parametrize("name", ["docker", "buildah"])
def test_the_lock_records_what_the_registry_says(spec, stand_in, capsys, name):
    asked = stand_in(name)
    assert run(["image", "tiny.yaml", "--push"]) == 0
    told = capsys.readouterr().out
    assert f"its registry has it under {DIGEST}" in told
    assert yaml.safe_load(spec.with_suffix(".lock").read_text())["images"] == {NAME: DIGEST}
    assert f"image: {NAME}" in spec.read_text(), "the tag stays what it is"
    assert asked()[-1][0] == "push"
    assert run(["image", "tiny.yaml", "--push"]) == 0
    assert "the digest was there already" in capsys.readouterr().out


def test_a_push_that_fails_leaves_the_lock_alone(spec, stand_in, capsys):
    stand_in("docker", fails=["push"])
    assert run(["image", "tiny.yaml", "--push"]) == 3
    assert "was built, and cannot be pushed:\n  the daemon is on holiday" in capsys.readouterr().err
    assert not spec.with_suffix(".lock").exists()


def test_a_build_that_fails(spec, stand_in, capsys):
    del spec
    stand_in("docker", fails=["build"])
    assert run(["image", "tiny.yaml"]) == 3
    assert f"{NAME} cannot be built:\n  the daemon is on holiday" in capsys.readouterr().err


def test_a_compiler_in_the_base_is_told(spec, stand_in, capsys):
    del spec
    stand_in("docker", compilers=["gcc"])
    assert run(["image", "tiny.yaml", "--base", "python:3.11"]) == 0
    assert "the base has a compiler, `gcc`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        ((f"  image: {NAME}\n", ""), "says no `code.image`"),
        ((NAME, f"registry.example.com/tiny@{DIGEST}"), "is a digest, which belongs to an image that exists"),
        ((NAME, "--all-tags"), "is no name of an image"),
        (("  workdir: /app/tiny\n", ""), "says no `code.workdir`"),
        *(
            (("/app/tiny", place), "cannot lie at")
            for place in ("/", "/tmp/x", "/usr", "/app/../etc", "/opt/clspec/lib", "/root/code")
        ),
    ],
)
def test_a_spec_that_names_no_image(spec, stand_in, capsys, edit, why):
    asked = stand_in("docker")
    text = spec.read_text()
    assert edit[0] in text
    spec.write_text(text.replace(*edit))
    assert run(["image", "tiny.yaml"]) == 2
    assert why in capsys.readouterr().err
    with pytest.raises(FileNotFoundError):
        asked()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--extra", "toch"], "did you mean `torch`?"),
        (["--base=-v"], "`-v` is no name of an image"),
        (["--engine", "buildah"], "buildah is not installed"),
    ],
)
def test_wrong_use(spec, stand_in, capsys, words, why):
    del spec
    stand_in("docker")
    assert run(["image", "tiny.yaml", *words]) == 2
    assert why in capsys.readouterr().err


def test_what_pip_is_told(spec, stand_in, monkeypatch):
    del spec
    stand_in("docker")
    given = []
    kept = wheels.fetch
    monkeypatch.setattr(wheels, "fetch", lambda *all_: (given.append(all_[2]), kept(*all_))[1])
    words = ["--extra", "torch", "-r", "a.txt", "-c", "b.txt", "--index-url", "https://i", "--no-index"]
    assert run(["image", "tiny.yaml", *words, "--find-links", "w", "--extra-index-url", "https://e"]) == 0
    index = ("--no-index", "--index-url", "https://i", "--extra-index-url", "https://e", "--find-links", "w")
    assert given == [wheels.Libraries(extras=("torch",), requirements=("a.txt",), constraints=("b.txt",), index=index)]


def test_the_dockerfile_is_told_all_that_it_asks_for():
    text = Path(build.__file__).with_name("Dockerfile").read_text()
    asked = {line.split()[1] for line in text.splitlines() if line.startswith("ARG ")}
    assert asked == {"BASE", "WORKDIR", "CODE", "VERSION"}
    assert "USER 8737:8737" in text
