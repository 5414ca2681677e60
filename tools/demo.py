"""The demonstration: a model that misses dogs is refused, learns from its own mistakes, is accepted and promoted.

It works on a copy of the robotaxi example in build/demo, with the same commands that a person would type, and ends with
an error if a verdict is not the expected one, or if a golden frame slips through. The fleet, its swerves and the people
who label are simulated (specs/robotaxi/fleet.py and people.py); the training, the mining and the judgement are real.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "build" / "demo"
CODE = PLACE / "specs" / "robotaxi"
DATA = PLACE / "specs" / "data" / "robotaxi"
PLANTED = 9


def main() -> int:
    """Run the demonstration and return an exit code."""
    begun = time.monotonic()
    prepare()
    say("The spec is read and judged; no user code runs for that.")
    clspec("check")
    say("Fail: 2,984 scenes, 3 dogs. A model is trained for each of three seeds, then judged.")
    told = clspec("run", "--local", ended=1)
    expect("fail")
    model = find(r"^model: (.+)$", told)
    say(f"Drive: the refused model rides along in a simulated fleet. {PLANTED} golden frames are smuggled in.")
    python("fleet.py", "--model", model, "--out", DATA, "--plant-golden", PLANTED)
    say("Mine: its mistakes are found without the answers; what is golden is dropped; the rest waits for people.")
    clspec("run", "--local", "--pipeline", "improvement")
    expect_guarded()
    say("Label: two simulated people answer, a third decides where they disagree.")
    label()
    say("Append, retrain, judge: the labels are taken in, and the next model passes.")
    told = clspec("run", "--local", "--pipeline", "improvement")
    report = expect("pass")
    candidate = find(r"clspec promote ([0-9a-f]+)", told)
    say("Promote: the safety board approves; from here on every model is compared with this one.")
    clspec("promote", candidate, "--stage", "champion", "--approved-by", "safety-board", "--why", "it sees dogs")
    clspec("lineage", candidate)
    clspec("lock", "--from-champion")
    say(f"Refused, taught, accepted, promoted, in {time.monotonic() - begun:.0f} s.")
    print(f"The report of the last run: {report}")
    return 0


def prepare() -> None:
    """A fresh copy of the example that is a project of its own."""
    shutil.rmtree(PLACE, ignore_errors=True)
    shutil.copytree(ROOT / "specs" / "robotaxi", CODE, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("robotaxi.yaml", "robotaxi.lock"):
        shutil.copy(ROOT / "specs" / name, PLACE / "specs" / name)
    (PLACE / "pyproject.toml").write_text('[tool.clspec]\nspec = "specs/robotaxi.yaml"\n', encoding="utf-8")


def label() -> None:
    """Let two simulated people answer what waits, and a third decide what they disagree about."""
    tasks, answers = PLACE / "build" / "tasks.jsonl", PLACE / "build" / "answers.jsonl"
    tasks.parent.mkdir(exist_ok=True)
    clspec("label", "export", tasks)
    python("people.py", "--truth", DATA / "truth", "--tasks", tasks, "--answers", answers, "--names", "ada,ben")
    clspec("label", "import", answers)
    disputed = re.findall(r"^([0-9a-f]{64})\t", clspec("label", "review"), re.MULTILINE)
    if disputed:
        tasks.write_text("".join(json.dumps({"key": key}) + "\n" for key in disputed), encoding="utf-8")
        asked = ("--tasks", tasks, "--answers", answers, "--names", "carla", "--slips", "0")
        python("people.py", "--truth", DATA / "truth", *asked)
    for line in answers.read_text(encoding="utf-8").splitlines() if disputed else ():
        said = json.loads(line)
        clspec("label", "review", said["key"], "--label", said["label"], "--by", "carla")


def say(text: str) -> None:
    """A line for the person who watches."""
    print(f"\n== {text}", flush=True)


def clspec(*words: object, ended: int = 0) -> str:
    """Run clspec in the copy and give what it said; end the demonstration if it does not end as expected."""
    return command("clspec", [sys.executable, "-m", "clspec"], words, PLACE, ended)


def python(*words: object) -> str:
    """Run a program of the example in its folder."""
    return command("python", [sys.executable], words, CODE, 0)


def command(name: str, start: list[str], words: tuple[object, ...], folder: Path, ended: int) -> str:
    """Run a command, show what it says as it says it, and give it back."""
    texts = [str(word) for word in words]
    print(f"$ {name} {' '.join(shown(text) for text in texts)}", flush=True)
    process = subprocess.Popen([*start, *texts], cwd=folder, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None  # it was asked for
    told = []
    for line in process.stdout:
        print(line, end="", flush=True)
        told.append(line)
    if process.wait() != ended:
        sys.exit(f"demo: `{name} {' '.join(texts)}` ended with {process.returncode}, not {ended}")
    return "".join(told)


def shown(text: str) -> str:
    """A word of a command as a person would type it in the copy."""
    path = text.removeprefix(f"{PLACE}/")
    return f"'{path}'" if " " in path else path


def find(pattern: str, told: str) -> str:
    """The one thing that a command must have said."""
    found = re.search(pattern, told, re.MULTILINE)
    if found is None:
        sys.exit(f"demo: nothing like {pattern} was said")
    return found[1]


def newest() -> Path:
    """The newest run's report."""
    reports = sorted((PLACE / ".clspec" / "runs").glob("*/report/report.json"), key=lambda path: path.stat().st_mtime)
    if not reports:
        sys.exit("demo: the run left no report")
    return reports[-1]


def expect(verdict: str) -> Path:
    """The newest run's page, if its verdict is the expected one, for the expected reason."""
    found = json.loads(newest().read_text(encoding="utf-8"))
    scenarios = [scenario for seed in found["seeds"] for scenario in seed["scenarios"] if scenario["must_pass"]]
    failed = sorted({s["id"] for s in scenarios if s["verdict"] not in {"pass", "not_compared"}})
    if found["verdict"] != verdict or failed != (["dog-crossing"] if verdict == "fail" else []):
        sys.exit(f"demo: the verdict is {found['verdict']} (not passed: {failed}), expected {verdict}")
    return newest().with_name("report.html")


def expect_guarded() -> None:
    """Every golden frame that was smuggled in was dropped, by key, by group and by its looks."""
    dropped = json.loads(newest().read_text(encoding="utf-8"))["loop"]["dropped-mined"]["dropped"]
    if set(dropped) != {"group", "key", "near"} or sum(dropped.values()) < PLANTED:
        sys.exit(f"demo: of {PLANTED} golden frames in the fleet's data the guard dropped {dropped}")


if __name__ == "__main__":
    sys.exit(main())
