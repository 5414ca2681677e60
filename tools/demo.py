"""The demonstration: a model that misses dogs is refused, learns from more of them, and is accepted.

It works on a copy of the robotaxi example in build/demo, with the same commands that a person would type, and ends with
an error if either verdict is not the expected one.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "build" / "demo"


def main() -> int:
    """Run the demonstration and return an exit code."""
    begun = time.monotonic()
    prepare()
    say("The spec is read and judged; no user code runs for that.")
    command("check")
    say("The same spec as a Kubeflow pipeline and as an Argo workflow template.")
    command("compile", "--target", "kfp")
    command("compile", "--target", "argo")
    say("First version of the data: 2,984 scenes, 3 dogs. A model is trained for each of three seeds, then judged.")
    command("run", "--local", expected=1)
    expect("fail")
    say("The gate caught it: the model does not see dogs. The fleet was sent to a dog park; its scenes are appended.")
    command("data", "add", "canonical", "dog_park_drives")
    command("lock", "--update", "canonical")
    say("Second version of the data. Only what depends on it is made again.")
    command("run", "--local")
    report = expect("pass")
    say(f"Refused, taught, accepted, in {time.monotonic() - begun:.0f} s.")
    print(f"The report of the second run: {report}")
    return 0


def prepare() -> None:
    """A fresh copy of the example that is a project of its own."""
    shutil.rmtree(PLACE, ignore_errors=True)
    shutil.copytree(
        ROOT / "specs" / "robotaxi", PLACE / "specs" / "robotaxi", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("robotaxi.yaml", "robotaxi.lock"):
        shutil.copy(ROOT / "specs" / name, PLACE / "specs" / name)
    (PLACE / "pyproject.toml").write_text('[tool.clspec]\nspec = "specs/robotaxi.yaml"\n', encoding="utf-8")


def say(text: str) -> None:
    """A line for the person who watches."""
    print(f"\n== {text}", flush=True)


def command(*words: str, expected: int = 0) -> None:
    """Run clspec in the copy; end the demonstration if it does not end as expected."""
    print(f"$ clspec {' '.join(words)}", flush=True)
    done = subprocess.run([sys.executable, "-m", "clspec", *words], cwd=PLACE, check=False)
    if done.returncode != expected:
        sys.exit(f"demo: `clspec {' '.join(words)}` ended with {done.returncode}, not {expected}")


def expect(verdict: str) -> Path:
    """The newest run's report, if its verdict is the expected one, for the expected reason."""
    reports = sorted((PLACE / ".clspec" / "runs").glob("*/report/report.json"), key=lambda path: path.stat().st_mtime)
    if not reports:
        sys.exit("demo: the run left no report")
    found = json.loads(reports[-1].read_text(encoding="utf-8"))
    failed = sorted({s["id"] for seed in found["seeds"] for s in seed["scenarios"] if s["verdict"] != "pass"})
    if found["verdict"] != verdict or failed != (["dog-crossing"] if verdict == "fail" else []):
        sys.exit(f"demo: the verdict is {found['verdict']} (not passed: {failed}), expected {verdict}")
    return reports[-1].with_name("report.html")


if __name__ == "__main__":
    sys.exit(main())
