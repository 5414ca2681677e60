"""Who may import whom, and what the first answers of the command line do without."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPEC = "specs/robotaxi.yaml"
HEAVY = {
    *("torch", "kfp", "networkx", "jinja2", "pyarrow", "duckdb", "numpy", "scipy", "google", "kubernetes"),
    *("argo_workflows", "hera", "rich", "obstore", "safetensors"),
}
PROBE = """
import json, sys
from pathlib import Path
sys.argv[:] = ["clspec", *sys.argv[2:]]
seen = Path(PROBE_OUT)
from clspec.cli.start import main
code = 0
try:
    main()
except SystemExit as ended:
    code = ended.code
seen.write_text(json.dumps({"code": code, "modules": sorted(sys.modules)}))
"""


def loaded(tmp_path, *arguments, cwd=ROOT):
    """The top-level names of what a command line has imported when it ends."""
    seen = tmp_path / "seen.json"
    script = PROBE.replace("PROBE_OUT", repr(str(seen)))
    ended = subprocess.run(
        [sys.executable, "-c", script, "-", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert seen.exists(), ended.stderr
    told = json.loads(seen.read_text())
    assert (told["code"] or 0) == 0, ended.stderr
    return {name.partition(".")[0] for name in told["modules"]}, set(told["modules"])


def test_the_import_rules_hold():
    if importlib.util.find_spec("importlinter") is None:
        pytest.skip("import-linter is not installed; it is part of the extra `dev`")
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert " 0 broken" in ended.stdout


@pytest.mark.parametrize("arguments", [["--version"], ["-V"]])
def test_the_version_is_told_without_the_compiler(tmp_path, arguments):
    tops, modules = loaded(tmp_path, *arguments)
    assert tops.isdisjoint({*HEAVY, "yaml", "msgspec", "jsonschema_rs", "argparse"})
    assert "clspec.compile" not in modules


@pytest.mark.parametrize("arguments", [["--help"], ["check", "--help"], ["explain", "CLS101"]])
def test_help_is_told_without_what_runs_need(tmp_path, arguments):
    assert loaded(tmp_path, *arguments)[0].isdisjoint(HEAVY)


def test_help_is_told_without_the_compiler(tmp_path):
    assert loaded(tmp_path, "--help")[0].isdisjoint({"yaml", "msgspec", "jsonschema_rs"})


@pytest.mark.parametrize("arguments", [["check", SPEC], ["check", SPEC, "--format", "json"], ["graph", SPEC]])
def test_a_check_loads_nothing_heavy_and_no_backend(tmp_path, arguments):
    tops, modules = loaded(tmp_path, *arguments)
    assert tops.isdisjoint({*HEAVY, "clspec_local", "clspec_kfp", "clspec_argo"})
    assert "importlib.metadata" not in modules


@pytest.mark.parametrize("target", ["kfp", "argo", "local"])
def test_a_compile_loads_nothing_heavy_and_one_backend(tmp_path, target):
    tops, modules = loaded(tmp_path, "compile", SPEC, "--target", target, "-o", str(tmp_path / "out"))
    assert tops.isdisjoint(HEAVY)
    assert {name for name in tops if name in {"clspec_local", "clspec_kfp", "clspec_argo"}} == {f"clspec_{target}"}
    for half in ("step", "data", "stats"):
        assert f"clspec.{half}" not in modules
    assert not {"clspec_local.engine", "sqlite3"} & modules


def test_the_targets_are_listed_without_their_libraries(tmp_path):
    assert loaded(tmp_path, "targets")[0].isdisjoint(HEAVY)


def test_the_probe_sees_what_is_loaded(tmp_path):
    script = "import pyarrow, networkx"
    seen = tmp_path / "seen.json"
    probe = PROBE.replace("PROBE_OUT", repr(str(seen)))
    subprocess.run([sys.executable, "-c", script + probe, "-", "--version"], check=True, capture_output=True)
    assert {"pyarrow", "networkx"} <= set(json.loads(seen.read_text())["modules"])
