"""What is asked of runs: `why`, `runs`, `show`, `logs`, `compare`, `status`. Nothing runs, nothing is written."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

from clspec.cli import specs
from clspec.cli.words import EXIT_CODES, positive

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator

    from clspec.runs import Log

_LISTED = 20
_LOOK_EVERY = 0.2
"""Seconds between two looks at a log that grows."""
_PROGRESS = b'{"progress"'
_STATUS_CODES = "exit codes: 0 green, 1 red, 2 it cannot be told: no repository, commit or spec of that name"


def add_arguments(verbs: Any) -> None:
    """What may be asked."""
    why = verbs.add_parser("why", help="say why a step ran in a run, or did not", epilog=EXIT_CODES)
    why.add_argument("step", metavar="STEP")
    why.add_argument("--run", metavar="RUN", help="default: the newest in which the step's turn had come")
    runs = verbs.add_parser("runs", help="list the runs on this machine", epilog=EXIT_CODES)
    runs.add_argument("--limit", type=positive, metavar="N", help=f"so many at most; default: {_LISTED}, in JSON all")
    show = verbs.add_parser("show", help="show a run: its steps, why they ran, scenarios, outputs", epilog=EXIT_CODES)
    show.add_argument("run", nargs="?", default="latest", metavar="RUN", help="its id, its first letters, or latest")
    logs = verbs.add_parser("logs", help="show what a step has printed", epilog=EXIT_CODES)
    logs.add_argument("run", metavar="RUN", help="its id, its first letters, or latest")
    logs.add_argument("step", metavar="STEP")
    logs.add_argument("--follow", "-f", action="store_true", help="as long as the step is at work")
    compare = verbs.add_parser("compare", help="lay two runs side by side", epilog=EXIT_CODES)
    compare.add_argument("one", metavar="RUN")
    compare.add_argument("other", metavar="RUN")
    status = verbs.add_parser("status", help="say whether a commit has passed", epilog=_STATUS_CODES)
    status.add_argument("spec", nargs="?", metavar="SPEC")
    status.add_argument("--commit", default="HEAD", metavar="SHA", help="default: the one that is checked out")
    specs.add_environment(status)
    for verb in (why, runs, show, logs, compare):
        verb.add_argument("--spec", metavar="SPEC", help="only its runs; default: all of the project's")
    for verb in (why, runs, show, compare, status):
        verb.add_argument("--format", choices=["text", "json"], default="text")
        verb.add_argument("--json", dest="format", action="store_const", const="json", help="the same as --format json")


def _shown(given: argparse.Namespace, lines: Callable[[], Iterable[str]], plain: Callable[[], Any]) -> None:
    if given.format == "json":
        print(json.dumps(plain(), indent=2))
        return
    for line in lines():
        print(line)


def _why(given: argparse.Namespace) -> int:
    from clspec import api
    from clspec.cli import telling

    found = api.why(given.step, given.run, given.spec)
    _shown(given, lambda: telling.why(found), lambda: telling.plain_why(found))
    return 0


def _runs(given: argparse.Namespace) -> int:
    from clspec import api
    from clspec.cli import telling

    every = api.runs(given.spec)
    found = every[: given.limit or (None if given.format == "json" else _LISTED)]
    if not every and given.format == "text":
        print("there was no run yet: begin one with `clspec run --local`")
        return 0
    _shown(given, lambda: telling.runs(found), lambda: [telling.plain_run(run) for run in found])
    if len(found) < len(every) and given.format == "text":
        print(f"and {len(every) - len(found)} older ones: --limit N shows more")
    return 0


def _show(given: argparse.Namespace) -> int:
    from clspec import api
    from clspec.cli import telling

    told = api.show(given.run, given.spec)
    _shown(given, lambda: telling.run(told), lambda: telling.plain_told(told))
    if given.format == "text":
        for line in _judged(told.verdict, told.run.verdict):
            print(line)
    return 0


def _judged(verdict: Any, word: str) -> Iterator[str]:
    """The scenarios' table, or why there is none."""
    from clspec.report.diagnostics import visible
    from clspec.report.scenarios import as_text

    yield ""
    if verdict is not None:
        yield as_text(verdict)
        yield f"verdict: {verdict['verdict']}"
        yield from (f"  {visible(reason)}" for reason in verdict["reasons"])
    elif word == "skipped":
        yield "there was nothing to judge"
    else:
        yield f"verdict: {word}, whose table is no longer kept" if word else "it has no verdict"


def _compare(given: argparse.Namespace) -> int:
    from clspec import api
    from clspec.cli import telling

    found = api.compare(given.one, given.other, given.spec)
    _shown(given, lambda: telling.compared(found), lambda: telling.plain_compared(found))
    return 0


def _status(given: argparse.Namespace) -> int:
    from clspec import api
    from clspec.cli import telling

    found = api.status(specs.path(given), given.commit, given.env)
    _shown(given, lambda: telling.status(found), lambda: telling.plain_status(found))
    return 0 if found.is_green else 1


def _logs(given: argparse.Namespace) -> int:
    from clspec import api

    run = api.show(given.run, given.spec).run
    log = api.logs(run.id, given.step, given.spec)
    if log.run != run.id:
        print(f"`{given.step}` was up to date in run {run.id}; this is its log of run {log.run}", file=sys.stderr)

    def now() -> Log:
        return api.logs(run.id, given.step, given.spec)

    _copy(log, now if given.follow else None)
    return 0


def _copy(log: Log, ask: Callable[[], Log] | None) -> None:
    """Show a log without the lines that tell progress; as long as it grows, if one can ask whether it does."""
    from clspec.report.diagnostics import visible

    rest = b""
    with log.path.open("rb") as stream:
        while True:
            grows = ask is not None and ask().is_open  # before it is read: what came before the end is not missed
            *lines, rest = (rest + stream.read()).split(b"\n")
            if rest and not grows:
                lines.append(rest)
            for line in lines:
                if not line.startswith(_PROGRESS):
                    print(visible(line.decode("utf-8", "replace").removesuffix("\r")), flush=True)
            if not grows:
                return
            time.sleep(_LOOK_EVERY)


VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "why": _why,
    "runs": _runs,
    "show": _show,
    "logs": _logs,
    "compare": _compare,
    "status": _status,
}
