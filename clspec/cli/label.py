"""The verb `label`: what waits for people, out to them and in again, and who decides where they disagree."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clspec.cli import specs
from clspec.cli.words import positive
from clspec.report.diagnostics import visible

if TYPE_CHECKING:
    import argparse

    from clspec.data.queue_state import Contents, Item

_STATES = ("open", "labelled", "appended", "rejected", "erased")
_FORMATS = ("jsonl", "csv", "label-studio")


def add_arguments(verbs: Any) -> None:
    """Say what may be said of `label`; `verbs` is what argparse's `add_subparsers` gave."""
    label = verbs.add_parser("label", help="questions for people, and their answers")
    sub = label.add_subparsers(dest="label_verb", metavar="COMMAND", required=True, parser_class=type(label))

    listed = sub.add_parser("list", help="count what is in the queue, and list what is in one state")
    listed.add_argument("--state", choices=_STATES)

    export = sub.add_parser("export", help="write the questions that wait into a new file")
    export.add_argument("file", metavar="FILE", type=Path)
    export.add_argument("--format", choices=_FORMATS, help="default: by the file's ending")
    export.add_argument("--media", metavar="DIR", type=Path, help="binary columns as files there, not in the file")
    export.add_argument("--limit", metavar="N", type=positive, help="no more questions than that")
    export.add_argument("--by", metavar="NAME", help="those that this person has not answered yet")

    import_ = sub.add_parser("import", help="take in the answers of a file; it may come again")
    import_.add_argument("file", metavar="FILE", type=Path)
    import_.add_argument("--format", choices=_FORMATS, help="default: by the file's ending")
    import_.add_argument("--by", metavar="NAME", help="whose the answers are that do not say so")

    review = sub.add_parser("review", help="list what people disagree about, or decide it")
    review.add_argument("key", nargs="?", metavar="KEY", help="the row to decide")
    review.add_argument("--label", metavar="CLASS", help="what it is, or `unusable`")
    review.add_argument("--by", metavar="NAME", help="who decides")
    review.add_argument("--note", metavar="TEXT")
    for parser in (listed, export, import_, review):
        parser.add_argument("--spec", metavar="SPEC")
        specs.add_options(parser)


def run(given: argparse.Namespace) -> int:
    """Carry out what was said, and return the exit code.

    Raises:
        InvalidSpec: the spec has errors.
    """
    return {"list": _list, "export": _export, "import": _import, "review": _review}[given.label_verb](given)


def _list(given: argparse.Namespace) -> int:
    from clspec import labels

    held = labels.contents(specs.facts(given))
    if given.state is None:
        _show_counts(held)
        return 0
    for item in held.items.values():
        if item.state.value == given.state:
            print(_line(item))
    return 0


def _show_counts(held: Contents) -> None:
    counts = Counter(item.state.value for item in held.items.values())
    counts["erased"] = len(held.erased)
    for state in _STATES:
        print(f"{state:<9} {counts[state]:>7}")
    if disputed := sum(item.waits for item in held.items.values()):
        print(f"people disagree about {disputed}: see `clspec label review`")


def _line(item: Item) -> str:
    """An item without what a labeller must not know."""
    parts = [item.key, item.rule or "-", item.verdict[1] or "-", f"{len(item.standing)} of {item.needed} votes"]
    return visible("\t".join(parts))


def _export(given: argparse.Namespace) -> int:
    from clspec import labels

    made = labels.export(
        specs.facts(given), given.file, form=given.format, media=given.media, limit=given.limit, by=given.by
    )
    print(
        f"{given.file}: {made.questions} questions" + (f", {made.media} files in {given.media}" if given.media else "")
    )
    print(f"  answer in `label` (with `unusable`, or a `note` alone, for what nobody can tell), then: {_again(given)}")
    return 0


def _again(given: argparse.Namespace) -> str:
    spec = f" --spec {given.spec}" if given.spec else ""
    return f"clspec label import {given.file}{spec}"


def _import(given: argparse.Namespace) -> int:
    from clspec import labels
    from clspec.data.queue_votes import Fate

    made = labels.take_in(specs.facts(given), given.file, form=given.format, by=given.by, now=datetime.now(UTC))
    counts = Counter(outcome.fate for outcome in made.outcomes)
    for fate, count in sorted(counts.items(), key=lambda pair: (pair[0].refused, pair[0].value)):
        print(f"{count:>7} {'refused: ' if fate.refused else ''}{fate.value}")
    for outcome in [outcome for outcome in made.outcomes if outcome.fate.refused][:10]:
        print(f"  {outcome.place}: {visible(outcome.reason)}")
    if made.refused is not None:
        print(f"the refused ones are in {made.refused}; the others are stored")
        return 1
    if set(counts) == {Fate.UNANSWERED}:
        print(f"no question in {given.file} is answered")
        return 1
    return 0


def _review(given: argparse.Namespace) -> int:
    from clspec import labels
    from clspec.diagnostic import UsageError

    if given.key is None:
        if given.label or given.by or given.note:
            message = "say which row is decided: clspec label review KEY --label CLASS --by NAME"
            raise UsageError(message)
        _show_disputed(labels.disputed(specs.facts(given)))
        return 0
    if not given.label or not given.by:
        message = "a decision has a label and a name: clspec label review KEY --label CLASS --by NAME"
        raise UsageError(message)
    news = labels.adjudicate(
        specs.facts(given), given.key, label=given.label, by=given.by, note=given.note, now=datetime.now(UTC)
    )
    print(visible(f"{given.key}: {given.label}, decided by {given.by}" + ("" if news else " before")))
    return 0


def _show_disputed(items: tuple[Item, ...]) -> None:
    for item in items:
        said = ", ".join(f"{vote.by}: {vote.label or 'unusable'}" for vote in item.standing.values())
        print(visible(f"{item.key}\t{said}"))
    if not items:
        print("people disagree about nothing")
