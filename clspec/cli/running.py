"""`clspec run`: one run from its first step to its tables."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from clspec.cli import specs, written
from clspec.cli.words import EXIT_CODES, positive, settings
from clspec.diagnostic import UsageError
from clspec.report import diagnostics as shown

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from clspec.backend import Outcome, Permission
    from clspec.cli.progress import Progress
    from clspec.selection import Selection

_LOOK_EVERY = 5
"""Seconds between two looks at a run on a cluster."""
_TAIL = 64 * 1024
"""So many bytes of a log's end are looked at."""

_PARTS = {
    "from": "only this step and what comes after it; several times: any of them",
    "until": "only this step and what comes before it",
    "only": "only this step; several times: only these",
    "force": "run this step even if it is up to date",
}
_OF_A_PLAN = {
    "code": ("DIR", "of a plan: the folder with the user's code"),
    "folder": ("DIR", "of a plan: where paths count from, and where .clspec/ lies; default: the plan's own folder"),
    "store": ("URI", "of a plan: its store; default: the one that it names"),
}
_HOW = "live in a terminal, else plain lines; json: every event is a JSON line on standard output"


def add_arguments(verbs: Any) -> None:
    """What may be said of a run."""
    run = verbs.add_parser("run", help="run a pipeline, here or on a cluster", epilog=EXIT_CODES)
    run.add_argument("spec", nargs="?", metavar="SPEC|PLAN.json", help="a spec, or with --local a compiled plan")
    where = run.add_mutually_exclusive_group(required=True)
    where.add_argument("--local", action="store_true", help="on this machine")
    where.add_argument("--target", "-t", metavar="NAME", help="on a cluster: kfp or argo, with --host")
    run.add_argument("--host", metavar="URL", help="the cluster's API; argo: or kubectl[:CONTEXT]")
    run.add_argument("--namespace", default="", metavar="NAME", help="the cluster's, where it has some (argo)")
    run.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="an option of the target")
    run.add_argument("--wait", action="store_true", help="follow the run on the cluster to its end")
    run.add_argument("--pipeline", default="regression", metavar="NAME", help="regression or improvement")
    for flag, words in _PARTS.items():
        run.add_argument(f"--{flag}", action="append", default=[], metavar="STEP", help=words, dest=f"part_{flag}")
    run.add_argument("--plan", action="store_true", help="say what would run and why; run nothing")
    run.add_argument("--format", choices=["text", "json"], default="text", help="of --plan")
    run.add_argument("--progress", choices=["auto", "live", "plain", "json"], default="auto", help=_HOW)
    run.add_argument("--jobs", "-j", type=positive, metavar="N", help="steps at a time; default: the number of cores")
    run.add_argument("--strict-resources", action="store_true", help="refuse what asks for more than this machine has")
    for flag, (metavar, words) in _OF_A_PLAN.items():
        run.add_argument(f"--{flag}", metavar=metavar, help=words)
    run.add_argument("--as-of", type=specs.moment, metavar="TIME", help="when the run begins, ISO 8601; default: now")
    specs.add_environment(run)
    run.add_argument("--allow-both", action="store_true", help="let code and data move at once: say who and why")
    run.add_argument("--by", metavar="NAME", help="who lets them")
    run.add_argument("--junit", metavar="FILE", help="write the verdict as JUnit XML, each check a test case")
    run.add_argument("--json", metavar="FILE", help="write the verdict as JSON")
    run.add_argument("--why", metavar="TEXT", help="and why")


def run(given: argparse.Namespace) -> int:
    """Run a pipeline, show what happens and what came of it, and return the exit code."""
    from clspec.cli.progress import chosen

    permission = _permission(given)
    selection = _selection(given)
    _refuse_mixed(given)
    written.refuse_unusable(given)
    if given.target:
        return _submit(given, permission)
    if given.plan:
        return _plan(given, selection)
    if given.format != "text":
        message = "--format is of --plan; for a run there is --progress json"
        raise UsageError(message)
    progress = chosen(given.progress, sys.stdout, sys.stderr, colours=given.color)
    try:
        outcome = _run(given, permission, selection, progress)
    except KeyboardInterrupt as stopped:
        from clspec.backend import Interrupted

        progress.close()
        print("no step runs any more; the next run goes on from what is done", file=sys.stderr)
        if isinstance(stopped, Interrupted):
            _show_interrupted(given, stopped.outcome)
        raise
    finally:
        progress.close()
    written.write(given, outcome)
    try:
        if not progress.ended(outcome):
            _show(outcome, f" --spec {given.spec}" if given.spec else "")
    except BrokenPipeError:  # nobody reads on; the answer is the same
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return outcome.exit_code


def _show_interrupted(given: argparse.Namespace, outcome: Outcome) -> None:
    """Say where the page of an interrupted run lies, and write what was asked for."""
    if outcome.report is not None:
        print(f"report: {outcome.report / 'report.html'}", file=sys.stderr)
        written.write(given, outcome)


def _run(given: argparse.Namespace, permission: Permission | None, selection: Selection, progress: Progress) -> Outcome:
    """Run the spec or the plan."""
    if _is_plan(given):
        from clspec import outset

        return outset.run_plan(
            given.spec,
            given.pipeline,
            _of_a_plan(given),
            jobs=given.jobs,
            as_of=given.as_of,
            allow_both=permission,
            selection=selection,
            strict_resources=given.strict_resources,
            watch=progress.tell,
        )
    from clspec import api

    return api.run(
        specs.path(given),
        given.pipeline,
        environment=given.env,
        jobs=given.jobs,
        as_of=given.as_of,
        allow_both=permission,
        selection=selection,
        strict_resources=given.strict_resources,
        watch=progress.tell,
        warn=progress.warn,
    )


def _of_a_plan(given: argparse.Namespace) -> dict[str, str]:
    """What was said of what a plan leaves open."""
    return {name: getattr(given, name) for name in _OF_A_PLAN if getattr(given, name)}


def _is_plan(given: argparse.Namespace) -> bool:
    return bool(given.spec) and given.spec.endswith(".json")


def _refuse_mixed(given: argparse.Namespace) -> None:
    """What is said of a plan means nothing of a spec, and the reverse.

    Raises:
        UsageError: it is said all the same.
    """
    named = [f"--{name}" for name in _OF_A_PLAN if getattr(given, name)]
    if named and not _is_plan(given):
        message = f"a spec says where its code and its store are: {named[0]} is for `clspec run --local PLAN.json`"
        raise UsageError(message)
    if _is_plan(given) and (given.target or given.env):
        word = "--target" if given.target else "--env"
        message = f"{given.spec} is a compiled plan, which runs with --local as it is: {word} is for specs"
        raise UsageError(message)
    if given.target and given.strict_resources:
        message = "--strict-resources is about this machine: say --local"
        raise UsageError(message)


def _selection(given: argparse.Namespace) -> Selection:
    from clspec.selection import Selection

    found = {flag: tuple(dict.fromkeys(getattr(given, f"part_{flag}"))) for flag in _PARTS}
    made = Selection(since=found["from"], until=found["until"], only=found["only"], force=found["force"])
    if given.target and (str(made) or given.plan):
        message = "--plan, --from, --until, --only and --force are for runs on this machine: say --local"
        raise UsageError(message)
    return made


def _plan(given: argparse.Namespace, selection: Selection) -> int:
    """Show what would run, and why."""
    from dataclasses import asdict

    from clspec.cli import telling

    if given.progress != "auto":
        message = "--plan runs nothing, so that there is no --progress; for JSON there is --format json"
        raise UsageError(message)
    if _is_plan(given):
        from clspec import outset

        found = outset.foresee_plan(given.spec, given.pipeline, _of_a_plan(given), selection)
    else:
        from clspec import api

        found = api.foresee(
            specs.path(given), given.pipeline, environment=given.env, as_of=given.as_of, selection=selection
        )
    if given.format == "json":
        print(json.dumps([asdict(one) for one in found], indent=2))
        return 0
    for line in telling.plan(found):
        print(line)
    return 0


def _submit(given: argparse.Namespace, permission: Permission | None) -> int:
    """Begin a run on a cluster, say where it can be seen, and follow it if that is asked."""
    from clspec import api
    from clspec.backend import Cluster, Follow

    if not given.host:
        message = f"a run on `{given.target}` is begun through its API: add --host URL (argo: or --host kubectl)"
        raise UsageError(message)
    told: list[str] = []

    def tell(state: str) -> None:
        if told[-1:] != [state]:
            told.append(state)
            print(f"  {shown.visible(state)}", file=sys.stderr)

    url = api.submit(
        specs.path(given),
        given.target,
        Cluster(
            host=given.host,
            namespace=given.namespace,
            token=os.environ.get("CLSPEC_CLUSTER_TOKEN", ""),
            call=_call,
        ),
        given.pipeline,
        settings=settings(given.set),
        environment=given.env,
        as_of=given.as_of,
        allow_both=permission,
        follow=Follow(pause=lambda: time.sleep(_LOOK_EVERY), tell=tell) if given.wait else None,
        warn=lambda found: print(shown.as_lines(found), end="", file=sys.stderr),
    )
    print(f"run: {url}")
    return 0


def _call(command: tuple[str, ...], text: str) -> tuple[int, str, str]:
    """Run a program of the user's, as a target asks it."""
    import subprocess

    ran = subprocess.run(command, input=text, capture_output=True, text=True, check=False)  # noqa: S603  # by its name
    return ran.returncode, ran.stdout, ran.stderr


def _permission(given: argparse.Namespace) -> Permission | None:
    from clspec.backend import Permission

    if not given.allow_both:
        if given.by or given.why:
            message = "--by and --why say who allows what, and nothing is allowed: add --allow-both"
            raise UsageError(message)
        return None
    if not (given.by or "").strip() or not (given.why or "").strip():
        message = "--allow-both is recorded with who and why: add --by NAME and --why TEXT"
        raise UsageError(message)
    return Permission(by=given.by, why=given.why)


def _show(outcome: Outcome, spec: str) -> None:
    """The loop's story and the scenarios' table, where the report lies, and what ended the run if something did.

    `spec` is how a command that follows names the spec, with a space before it; empty where it need not.
    """
    from clspec.report import loop
    from clspec.report.scenarios import as_text

    width = max(os.get_terminal_size().columns if sys.stdout.isatty() else 160, 100)
    if told := _told(outcome):
        print("\n" + loop.as_text(told, width))
    if outcome.verdict is not None:
        verdict = json.loads(outcome.verdict.read_bytes())
        print("\n" + as_text(verdict))
        print(f"verdict: {verdict['verdict']}")
        for reason in verdict["reasons"]:
            print(f"  {shown.visible(reason)}")
    if note := _behind(outcome, spec.removeprefix(" --spec")):
        print(note)
    if outcome.report is not None:
        print(f"report: {outcome.report / 'report.html'}")
    if model := _candidate(outcome):
        print(f"model: {model}")
    if digest := _registered(outcome):
        print(f"registered: {digest}; up the stages with: clspec promote {digest}{spec}")
    if not outcome.is_whole:
        print("a run of a part: it registers and promotes no model, and counts for no commit")
    print(f"run: {outcome.run}, logs in {outcome.folder}")
    if outcome.log is not None and (outcome.failed != "conclude" or outcome.verdict is None):
        lines = [line for line in _end_of(outcome.log) if not line.startswith('{"progress"')]
        print(f"\nstep {outcome.failed} ended the run; its log {outcome.log} ends with:", file=sys.stderr)
        print("\n".join("  " + shown.visible(line) for line in lines[-40:]), file=sys.stderr)


def _candidate(outcome: Outcome) -> Path | None:
    """The folder of the first seed's model, passed or not, if one was made."""
    made = (found["model"] for step, found in outcome.outputs.items() if step.startswith("train-") and "model" in found)
    return next(made, None)


def _registered(outcome: Outcome) -> str:
    """The first digits of the digest of the model that was registered; empty where none was, or it went up itself."""
    found = outcome.outputs.get("register", {}).get("registered")
    if found is None or outcome.outputs.get("promote"):
        return ""
    return str(json.loads(found.read_bytes())["model"]).removeprefix("sha256:")[:12]


def _behind(outcome: Outcome, spec: str) -> str:
    """That a regression is pinned to other data than the champion's, and how to follow it; empty where it is not."""
    path = outcome.outputs.get("pin", {}).get("standing")
    standing = json.loads(path.read_bytes()) if path is not None else {"pipeline": "", "moved": []}
    moved = [word for word in standing["moved"] if word in {"training", "golden"}]
    if standing["pipeline"] != "regression" or not moved:
        return ""
    what = " and ".join(moved)
    return f"note: the {what} data is not the champion's; `clspec lock{spec} --from-champion` moves the pins to it"


_TOLD = {
    "expectations": ("expect", "expectations"),
    "labels": ("ingest", "labels"),
    "dropped-labels": ("guard-labels", "counts"),
    "appended": ("append", "appended"),
    "decision": ("decide", "decision"),
    "mined": ("mine", "mined"),
    "dropped-mined": ("guard-mined", "counts"),
    "sampled": ("sample", "sampled"),
    "teacher": ("auto-label", "teacher"),
    "queued": ("enqueue", "queued"),
    "promoted": ("promote", "promoted"),
}


def _told(outcome: Outcome) -> dict[str, dict[str, Any]]:
    """What the loop's steps told, by the words that a report reads it under."""
    there = {word: outcome.outputs.get(step, {}).get(output) for word, (step, output) in _TOLD.items()}
    return {word: json.loads(path.read_bytes()) for word, path in there.items() if path is not None}


def _end_of(log: Path) -> list[str]:
    """The last lines of a log, however long it is."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - _TAIL))
            return stream.read().decode("utf-8", "replace").splitlines()
    except OSError as error:
        return [f"(it cannot be read: {error.strerror})"]
