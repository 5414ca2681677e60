"""Checking and compiling see the spec, its lock and its code, and nothing else of the world."""

import itertools
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPECS = ROOT / "specs"
TINY = ROOT / "tests" / "data" / "tiny"
TARGETS = ("kfp", "argo", "local")

WATCHED = """
import json, os, sys
allowed_to_read, allowed_to_write, commands = json.loads(sys.argv[1])
FORBIDDEN = {
    "subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system",
    "os.startfile", "pty.spawn", "urllib.Request", "http.client.connect", "ctypes.dlopen", "os.putenv",
}
COUNT = {"opened": 0}
def within(path, places):
    path = os.path.realpath(os.fsdecode(path))
    return any(path == place or path.startswith(place + os.sep) for place in places)
def watch(event, arguments):
    if event in FORBIDDEN or event.startswith(("socket.", "ftplib.", "smtplib.")):
        raise RuntimeError(f"forbidden: {event} {arguments!r}")
    if event == "open" and not isinstance(arguments[0], int):
        path, mode, flags = arguments
        COUNT["opened"] += 1
        writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) if flags else bool(set(mode or "") & set("wax+"))
        if not within(path, allowed_to_write if writes else allowed_to_read + allowed_to_write):
            raise RuntimeError(f"forbidden: open {path!r} {mode!r}")
sys.addaudithook(watch)
from clspec.cli.commands import run
codes = [run(command) for command in commands]
print("\\n" + json.dumps({"codes": codes, "opened": COUNT["opened"]}))
"""


def places(project):
    """What may be read: the spec, its lock and its code; what Python and the installed packages consist of."""
    installed = {sys.prefix, sys.base_prefix, *(p for p in sys.path if p.endswith("-packages"))}
    own = [ROOT / "clspec", ROOT / "backends", ROOT / "schema"]
    spec = [project / "robotaxi.yaml", project / "robotaxi.lock", project / "robotaxi"]
    return [os.path.realpath(place) for place in (*installed, *own, *spec)]


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    shutil.copytree(SPECS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "pyproject.toml").write_text("[tool.clspec]\nspec = 'robotaxi.yaml'\n")
    return folder


def watched(project, commands, script=WATCHED, prefix=()):
    out = str(project / "out")
    given = json.dumps([places(project), [os.path.realpath(out)], commands])
    return subprocess.run(
        [*prefix, sys.executable, "-c", script, given],
        cwd=project,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def commands(project):
    spec = str(project / "robotaxi.yaml")
    compiles = [["compile", spec, "--target", t, "-o", str(project / "out" / t)] for t in TARGETS]
    graphs = [["graph", spec, "--format", form] for form in ("mermaid", "dot", "json")]
    return [["check", spec], *compiles, *graphs, ["check", "robotaxi.yaml"]]


def network_of_nobody():
    """The words that start a command where there is no network, not even an address of its own."""
    for words in (["unshare", "--net"], ["unshare", "--user", "--map-root-user", "--net"]):
        if (
            shutil.which("unshare")
            and subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0
        ):
            return words
    return None


def test_check_compile_and_graph_touch_nothing_but_spec_lock_and_code(project):
    asked = commands(project)
    ended = watched(project, asked)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout.splitlines()[-1])
    assert told["codes"] == [0] * len(asked)
    assert told["opened"] > 50
    assert sorted(p.name for p in (project / "out").iterdir()) == sorted(TARGETS)


def test_they_do_the_same_without_a_network(project):
    words = network_of_nobody()
    if words is None:
        pytest.skip("this machine lets nobody make an empty network namespace")
    devices = subprocess.run([*words, "cat", "/proc/net/dev"], capture_output=True, text=True, check=True)
    assert [line.split(":")[0].strip() for line in devices.stdout.splitlines()[2:]] == ["lo"]
    ended = watched(project, commands(project), prefix=words)
    assert ended.returncode == 0, ended.stderr
    alone = {p.relative_to(project): p.read_bytes() for p in (project / "out").rglob("*") if p.is_file()}
    shutil.rmtree(project / "out")
    assert watched(project, commands(project)).returncode == 0
    assert {p.relative_to(project): p.read_bytes() for p in (project / "out").rglob("*") if p.is_file()} == alone


@pytest.mark.parametrize(
    "deed",
    [
        "import socket; socket.socket()",
        "import socket; socket.getaddrinfo('localhost', 1)",
        "import subprocess; subprocess.run(['true'])",
        "os.system('true')",
        "os.fork()",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "os.execv('/bin/true', ['true'])",
        "open('/etc/hostname')",
        "open('pyproject.toml')",
        "open('robotaxi.yaml', 'a')",
        "os.open('robotaxi/new.py', os.O_CREAT | os.O_WRONLY)",
        "os.environ['NEW'] = '1'",
    ],
)
def test_the_watch_sees(project, deed):
    script = WATCHED.replace("from clspec.cli.commands import run", deed)
    ended = watched(project, [], script)
    assert "RuntimeError: forbidden" in ended.stderr, ended.stderr


# -- the same bytes everywhere ---------------------------------------------------------------------------------------

COMPILE = """
import hashlib, json, sys
from clspec import api
spec = sys.argv[1]
found = {}
for target in ("kfp", "argo", "local"):
    for name, text in api.compile(spec, target).bundle.items():
        found[f"{target}/{name}"] = hashlib.sha256(text.encode()).hexdigest()
stored = api.compile(spec, "argo", {"store": "s3://bucket/prefix"}).bundle
found["stored"] = hashlib.sha256(json.dumps(stored).encode()).hexdigest()
print(json.dumps(found))
"""
HASH_SEEDS = ("0", "4242")
ZONES = ("UTC", "Pacific/Kiritimati")
LOCALES = ("C.UTF-8", "C")
"""In the second one Python is told to take no other encoding than ASCII."""
PLACES = ("beside the spec", "elsewhere")
HOMES = ("one", "two")


def compiled(project, tmp_path, surroundings):
    seed, zone, locale, place, home = surroundings
    folder = tmp_path / home
    folder.mkdir(exist_ok=True)
    environment = {
        **{name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
        "PYTHONHASHSEED": seed,
        "TZ": zone,
        "LANG": locale,
        "LC_ALL": locale,
        "HOME": str(folder),
        **({"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"} if locale == "C" else {}),
    }
    beside = place == "beside the spec"
    spec = "robotaxi.yaml" if beside else str(project / "robotaxi.yaml")
    ended = subprocess.run(
        [sys.executable, "-c", COMPILE, spec],
        cwd=project if beside else folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_bytes_are_the_same_over_seeds_zones_locales_folders_and_homes(project, tmp_path):
    spec = project / "robotaxi.yaml"
    text = spec.read_text(encoding="utf-8")
    assert "params: {epochs" in text
    spec.write_text(text.replace("params: {epochs", "# Fahrräder\n  params: {epochs"), encoding="utf-8")
    (project / "robotaxi" / "größe.txt").write_text("größer", encoding="utf-8")
    combinations = list(itertools.product(HASH_SEEDS, ZONES, LOCALES, PLACES, HOMES))
    assert len(combinations) == 32
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda chosen: compiled(project, tmp_path, chosen), combinations))
    assert len(json.loads(found[0])) == 12
    assert set(found) == {found[0]}


# -- user code is read, never run ------------------------------------------------------------------------------------


@pytest.fixture
def trapped(tmp_path):
    """The tiny project, with code that leaves a file when it is imported; and that file."""
    folder = Path(shutil.copytree(TINY, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__")))
    sprung = tmp_path / "sprung"
    trap = f"\n\nopen({str(sprung)!r}, 'w').close()\n"
    for module in (folder / "tiny" / "model.py", folder / "tiny" / "rows.py"):
        module.write_text(module.read_text() + trap)
    (folder / "tiny" / "sitecustomize.py").write_text(trap)
    (folder / "tiny" / "conftest.py").write_text(trap)
    return folder, sprung


@pytest.mark.parametrize("inside", ["", "tiny"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["check"],
        ["check", "--format", "json"],
        *(["compile", "-o", "../out", "-t", t] for t in TARGETS),
        ["graph"],
        ["graph", "--format", "json"],
    ],
)
def test_modules_of_the_user_are_not_imported(trapped, arguments, inside):
    folder, sprung = trapped
    verb, *rest = arguments
    command = [str(Path(sys.executable).with_name("clspec")), verb, str(folder / "tiny.yaml"), *rest]
    ended = subprocess.run(command, cwd=folder / inside, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert not sprung.exists()
    assert not list(folder.rglob("__pycache__"))


@pytest.mark.parametrize("module", ["model", "rows"])
def test_the_trap_works(trapped, module):
    folder, sprung = trapped
    subprocess.run([sys.executable, "-c", f"import {module}"], cwd=folder / "tiny", check=True)
    assert sprung.exists()
