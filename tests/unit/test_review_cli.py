"""`clspec diff` and `clspec review` in real git repositories, and what the workflow and the hook run."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import mutations as known
import pytest
import yaml

from clspec.cli import review
from clspec.cli.arguments import _Command
from clspec.diagnostic import ClspecError

MIN = ("golden", "scenarios", "dog-crossing", "checks", 0, "min")
IDENTITY = {f"GIT_{who}_{what}": "x@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def git(*words):
    done = subprocess.run(["git", *words], check=True, capture_output=True, text=True, env={**os.environ, **IDENTITY})
    return done.stdout


def clspec(*words):
    """The exit code of the command line, or of its error."""
    parser = _Command()
    parser.add_argument("--color", default="never")
    review.add_arguments(parser.add_subparsers(dest="verb", parser_class=_Command))
    given = parser.parse_args(words)
    try:
        return review.VERBS[given.verb](given)
    except ClspecError as error:
        sys.stderr.write(str(error))
        return error.exit_code


def commit(message="x"):
    git("add", "-A")
    git("commit", "-qm", message)


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A repository whose main has the robotaxi spec with its lock and code; a branch is checked out."""
    monkeypatch.chdir(tmp_path)
    git("init", "-q", "-b", "main")
    known.written(tmp_path / "specs", "robotaxi", known.document("robotaxi"))
    commit()
    git("checkout", "-qb", "topic")
    return tmp_path


def change(path=MIN, new=0.5):
    place = Path("specs/robotaxi.yaml")
    place.write_text(json.dumps(known.changed(json.loads(place.read_text()), path, new), indent=1))


def test_no_change_is_fine(capsys):
    assert clspec("diff", "specs/robotaxi.yaml") == 0
    assert "no changes" in capsys.readouterr().out
    assert clspec("review", "--against", "main") == 0
    assert capsys.readouterr().out == "no spec is changed\n"


def test_a_weaker_threshold_blocks_committed_or_not(capsys):
    change()
    assert clspec("diff", "specs/robotaxi.yaml") == 1
    shown = capsys.readouterr().out
    assert "block" in shown
    assert "threshold-weaker" in shown
    assert "HEAD:specs/robotaxi.yaml" in shown
    commit()
    assert clspec("diff", "specs/robotaxi.yaml") == 0
    assert clspec("diff", "specs/robotaxi.yaml", "--against", "main") == 1
    assert clspec("review", "--against", "main") == 1


def test_a_harmless_change_does_not_block_and_costs_are_shown(capsys):
    change(("training", "timeout"), "30m")
    assert clspec("review", "--against", "main", "--format", "json") == 0
    (spec,) = json.loads(capsys.readouterr().out)["specs"]
    assert {one["level"] for one in spec["changes"]} == {"info"}
    before, after = (spec["cost"][when]["regression"]["gpu_hours"] for when in ("before", "after"))
    assert after == before * 2 > 0
    assert "classDef changed" in spec["charts"]["regression"]


def test_a_branch_is_judged_from_where_it_began():
    git("checkout", "-q", "main")
    change(MIN, 0.99)
    commit("stricter since")
    git("checkout", "-q", "topic")
    change(("metadata", "owners"), [])
    assert clspec("review", "--against", "main") == 0
    assert clspec("diff", "specs/robotaxi.yaml", "--against", "main") == 1


def test_code_and_lock_count_as_part_of_a_spec(capsys):
    Path("specs/robotaxi/train.py").write_text("raise SystemExit('user code ran')\n")
    clspec("review", "--against", "main", "--format", "json")
    (spec,) = json.loads(capsys.readouterr().out)["specs"]
    assert [one["change"] for one in spec["changes"]] == ["code-changed"]
    place = Path("specs/robotaxi.lock")
    place.write_text(re.sub(r"sha256:[0-9a-f]{64}", f"sha256:{7:064x}", place.read_text(), count=1))
    assert clspec("review", "--against", "main", "--format", "json") == 1
    assert "both-moved" in capsys.readouterr().out


def test_a_new_spec_is_looked_at_and_one_that_is_gone_blocks(capsys):
    Path("specs/robotaxi.yaml").rename("specs/other.yaml")
    Path("specs/robotaxi.lock").rename("specs/other.lock")
    assert clspec("review", "--against", "main") == 1
    shown = capsys.readouterr().out
    assert "spec-added" in shown
    assert "spec-removed" in shown
    assert clspec("diff", "specs/robotaxi.yaml") == 2


def test_what_stops_being_a_spec_is_gone():
    place = Path("specs/robotaxi.yaml")
    place.write_text(place.read_text().replace("clspec.dev/", "elsewhere.dev/"))
    assert clspec("review", "--against", "main") == 2


@pytest.mark.parametrize("text", ["", "a: [", '{"apiVersion": "clspec.dev/v9"}'], ids=["empty", "broken", "newer"])
def test_what_cannot_be_read_is_never_without_changes(capsys, text):
    good = Path("specs/robotaxi.yaml").read_text()
    Path("specs/robotaxi.yaml").write_text(text)
    for words in (("diff", "specs/robotaxi.yaml"), ("review", "--against", "main")):
        for form in review.FORMATS:
            assert clspec(*words, "--format", form) == 2
            assert "no changes" not in capsys.readouterr().out
    commit()
    Path("specs/robotaxi.yaml").write_text(good)
    assert clspec("diff", "specs/robotaxi.yaml") == 2
    assert "no changes" not in capsys.readouterr().out


def test_a_spec_with_errors_does_not_pass(capsys):
    change(("golden", "scenarios", "dog-crossing", "select"), "label = 3")
    assert clspec("diff", "specs/robotaxi.yaml") == 1
    shown = capsys.readouterr().out
    assert "error[CLS321]" in shown
    assert "cost: not known" in shown


@pytest.mark.parametrize("word", ["gone", "--output=/tmp/x", "HEAD~99", ":/x"])
def test_a_revision_that_is_none_is_said(word, capsys):
    assert clspec("diff", "specs/robotaxi.yaml", f"--against={word}") == 2
    assert "git" in capsys.readouterr().err


def test_a_file_can_be_compared_with():
    shutil.copytree("specs", "old")
    change()
    assert clspec("diff", "specs/robotaxi.yaml", "--against", "old/robotaxi.yaml") == 1
    assert clspec("diff", "specs/robotaxi.yaml", "--against", "old/gone.yaml") == 2


def test_a_link_is_not_followed(capsys):
    place = Path("specs/robotaxi.yaml")
    place.rename("real.txt")
    place.symlink_to("../real.txt")
    assert clspec("diff", "specs/robotaxi.yaml") == 2
    assert "is a link" in capsys.readouterr().out


def test_neither_attributes_nor_hooks_have_a_say():
    Path(".gitattributes").write_text("* export-ignore filter=evil\n")
    Path(".git/hooks/post-checkout").write_text("#!/bin/sh\ntouch ../ran\n")
    Path(".git/hooks/post-checkout").chmod(0o755)
    change()
    assert clspec("review", "--against", "main") == 1
    assert not Path("../ran").exists()


# -- what others read -------------------------------------------------------------------------------------------------


def hostile():
    change(("meta",), {"said": "::error::x %0A <!-- --> [a](http://b) @all |"})
    change(("golden", "scenarios", "dog-crossing", "id"), "dog-crossing-2")
    place = Path("specs/robotaxi.yaml")
    value = json.loads(place.read_text())
    value["metadata"]["owners"] = ["::set-output name=x::y%0A::error::z"]
    value["golden"]["scenarios"][0]["select"] = "label = '\u202e\u001b[31m' or label = 'a\nb'"
    place.write_text(json.dumps(value))


def test_no_output_carries_commands_or_hidden_characters(capsys):
    hostile()
    for form in review.FORMATS:
        clspec("diff", "specs/robotaxi.yaml", "--format", form)
        shown = capsys.readouterr().out
        assert "owners" in shown
        assert not set(shown) & {"\u001b", "\u202e", "\r", "\u2028"}
        if form == "github":
            assert all(re.match(r"::(error|warning|notice) file=[^:,]+,", line) for line in shown.splitlines())
            assert "%250A" in shown
        if form == "markdown":
            assert "](http" not in shown
            assert shown.startswith("<!-- clspec-review -->\n")
            assert shown.count("<!--") == 1


def test_sarif_has_a_rule_and_a_place_for_every_result(capsys):
    change()
    clspec("diff", "specs/robotaxi.yaml", "--format", "sarif")
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert run["invocations"][0]["executionSuccessful"]
    (result,) = run["results"]
    assert (result["ruleId"] in rules, result["level"]) == (True, "error")
    (location,) = result["locations"]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "specs/robotaxi.yaml"
    assert location["physicalLocation"]["region"]["startLine"] > 1


def test_a_comment_stays_below_what_a_forge_takes_and_says_so():
    scenarios = [
        {"id": f"s-{n}", "select": "label = 'dog'", "checks": [{"metric": "accuracy", "min": 0.5}]} for n in range(900)
    ]
    change(("golden", "scenarios"), scenarios)
    assert clspec("diff", "specs/robotaxi.yaml", "--format", "markdown", "-o", "out.md") == 1
    shown = Path("out.md").read_text()
    assert len(shown.encode()) < 65_536
    assert "scenario is gone" in shown
    assert "The rest is cut" in shown
    assert shown.count("<details>") == shown.count("</details>")


# -- the hook and the workflow ----------------------------------------------------------------------------------------


def test_the_hook_calls_what_there_is():
    (hook,) = (
        one for one in yaml.safe_load((known.ROOT / ".pre-commit-hooks.yaml").read_text()) if "review" in one["id"]
    )
    program, *words = hook["entry"].split()
    assert program == "clspec"
    assert hook["pass_filenames"] is False
    assert clspec(*words) == 0
    change()
    git("add", "-A")
    assert clspec(*words) == 1


def test_the_action_writes_its_reports_and_passes_on_the_verdict(tmp_path):
    action = yaml.safe_load((known.ROOT / "action.yml").read_text())
    (step,) = (one for one in action["runs"]["steps"] if one.get("id") == "review")
    assert "${{" not in step["run"]  # what a workflow knows comes in by variables, never as words of a script
    program = tmp_path.parent / "bin"
    program.mkdir()
    shim = program / "clspec"
    paths = [str(Path(__file__).parent), str(known.ROOT)]
    body = f"sys.path[:0] = {paths}\nimport test_review_cli\nsys.exit(test_review_cli.clspec(*sys.argv[1:]))\n"
    shim.write_text(f"#!{sys.executable}\nimport sys\n{body}")
    shim.chmod(0o755)
    output = tmp_path.parent / "output"

    def acted(against="main"):
        output.write_text("")
        named = {"AGAINST": against, "REPORTS": str(tmp_path.parent / "reports"), "GITHUB_OUTPUT": str(output)}
        path = f"{program}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, **named, "PATH": path, "GITHUB_STEP_SUMMARY": str(tmp_path.parent / "summary")}
        done = subprocess.run(["bash", "-c", step["run"]], env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    assert acted()[0] == 0
    change()
    code, shown = acted()
    assert code == 1
    assert "::error file=specs/robotaxi.yaml" in shown
    reports = tmp_path.parent / "reports"
    assert (reports / "review.md").read_text().startswith("<!-- clspec-review -->")
    assert json.loads((reports / "review.sarif").read_text())["version"] == "2.1.0"
    assert acted("nowhere")[0] == 2
    assert "could not be compared" in (reports / "review.md").read_text()


def test_the_workflows_of_the_docs_are_safe_on_forks():
    blocks = re.findall(r"```yaml\n(.*?)```", (known.ROOT / "docs" / "review.md").read_text(), re.DOTALL)
    flows = [flow for flow in map(yaml.safe_load, blocks) if isinstance(flow, dict) and "jobs" in flow]
    looked, told = flows
    assert set(looked[True]) == {"pull_request"}  # YAML 1.1 reads the key `on` as true
    assert looked["permissions"] == {"contents": "read"}
    assert set(told[True]) == {"workflow_run"}
    steps = [step for job in told["jobs"].values() for step in job["steps"]]
    assert not any("checkout" in step.get("uses", "") for step in steps)
    assert all("${{" not in step.get("run", "") for step in steps)
