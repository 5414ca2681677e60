"""What is said of models and data in the store: promotion, rollback, lineage, history, erasure, collection."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clspec.cli import specs
from clspec.cli.words import EXIT_CODES, positive
from clspec.report.diagnostics import visible

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable

    from clspec.check import Facts
    from clspec.data.promotion import Said
    from clspec.registry.history import Told

_LISTED = 20
_SHOWN = 5
_WIDE = 158
_DIGEST = 19
"""`sha256:` and twelve digits: enough to name a model or a version."""


def add_arguments(verbs: Any, data_verbs: Any) -> None:
    """What may be said of models, and of datasets besides `add`."""
    promote = verbs.add_parser("promote", help="take a registered model up the stages", epilog=EXIT_CODES)
    promote.add_argument("model", metavar="MODEL", help="its digest, or the first digits of it")
    promote.add_argument("--stage", metavar="ALIAS", help="up to this stage; default: as far as the approvals reach")
    promote.add_argument("--approved-by", metavar="NAME", help="who approves, where the stage asks for that")
    promote.add_argument("--why", default="", metavar="TEXT")
    rollback = verbs.add_parser("rollback", help="give a stage back to the model before", epilog=EXIT_CODES)
    rollback.add_argument("--stage", default="champion", metavar="ALIAS")
    rollback.add_argument("--by", required=True, metavar="NAME", help="who decides this")
    rollback.add_argument("--why", required=True, metavar="TEXT")
    ratchet = verbs.add_parser(
        "promote-scenario", help="propose a golden scenario of mistakes that the champion has fixed", epilog=EXIT_CODES
    )
    ratchet.add_argument("id", metavar="ID", help="the scenario's name")
    ratchet.add_argument("--rule", metavar="RULE", help="only what this feedback rule found")
    ratchet.add_argument("--label", metavar="CLASS", help="only what was labelled so")
    ratchet.add_argument("--limit", type=positive, metavar="N", help="the rows of so many groups at most")
    models = verbs.add_parser("models", help="list the registered models", epilog=EXIT_CODES)
    lineage = verbs.add_parser("lineage", help="say where a model came from", epilog=EXIT_CODES)
    lineage.add_argument("model", metavar="MODEL", help="its digest, or the first digits of it")
    lineage.add_argument("--rows", action="store_true", help="name every production event that it learned from")
    for verb in (promote, rollback, ratchet, models, lineage, *_data_arguments(data_verbs)):
        verb.add_argument("--spec", metavar="SPEC")
        specs.add_options(verb)
    for verb in (models, lineage):
        verb.add_argument("--format", choices=["text", "json"], default="text")


def _data_arguments(data_verbs: Any) -> Iterable[Any]:
    log = data_verbs.add_parser("log", help="list a dataset's versions", epilog=EXIT_CODES)
    show = data_verbs.add_parser("show", help="show a version: its labels and first rows", epilog=EXIT_CODES)
    diff = data_verbs.add_parser("diff", help="what came and went between two versions", epilog=EXIT_CODES)
    for verb in (log, show, diff):
        verb.add_argument("dataset", metavar="DATASET")
    show.add_argument("at", nargs="?", metavar="VERSION", help="a number or a digest; default: the newest")
    diff.add_argument("before", metavar="BEFORE", help="a number or a digest")
    diff.add_argument("after", nargs="?", metavar="AFTER", help="default: the newest")
    erase = data_verbs.add_parser("erase", help="take rows out for good, everywhere", epilog=EXIT_CODES)
    erase.add_argument("--dataset", required=True, metavar="NAME")
    erase.add_argument("--key", required=True, action="extend", nargs="+", metavar="K")
    erase.add_argument("--why", default="", metavar="TEXT")
    gc = data_verbs.add_parser("gc", help="remove what nothing in the store needs any more", epilog=EXIT_CODES)
    gc.add_argument("--dry-run", action="store_true", help="say what would go, and remove nothing")
    return log, show, diff, erase, gc


def _said(by: str | None, why: str) -> Said:
    from clspec.data.promotion import Said

    return Said(by=by or _user(), why=why, at=datetime.now(tz=UTC).isoformat(timespec="seconds"))


def _user() -> str:
    """Who sits here, as far as the machine knows."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return f"user {os.getuid()}"


def _promote(given: argparse.Namespace, facts: Facts) -> int:
    from clspec.registry import going_up

    said = _said(given.approved_by, given.why)
    found = going_up.promote(facts, given.model, stage=given.stage, approved_by=given.approved_by, said=said)
    print(f"model {found.model}")
    for alias in found.reached.reached:
        print(f"  has `{alias}`")
    if waits := found.reached.awaiting:
        print(f"  awaits approval by {waits.approval} for `{waits.alias}`: --stage {waits.alias} --approved-by NAME")
    return 0


def _rollback(given: argparse.Namespace, facts: Facts) -> int:
    from clspec.registry import going_up

    found = going_up.rollback(facts, given.stage, _said(given.by, given.why))
    print(f"`{found.alias}` is {found.now.model} again, and no longer {found.before.model}")
    return 0


def _ratchet(given: argparse.Namespace, facts: Facts) -> int:
    from clspec import api
    from clspec.registry.ratchet import Wanted, propose

    wanted = Wanted(rule=given.rule, label=given.label, limit=given.limit)
    found = propose(facts, given.id, wanted, datetime.now(tz=UTC))
    path = Path(facts.document.path)
    api.write({path.name: found.text}, path.parent)
    golden, training = facts.spec.golden.dataset, facts.spec.training.dataset
    made = api.lock(str(path), (golden, training), environment=given.env, day=given.as_of)
    print(f"{path}: scenario `{given.id}` is proposed: {found.rows} rows of {found.groups} groups that production had")
    print(f"  wrong and model {found.model[:_DIGEST]} has right; review it like any other change")
    print(f"  `{golden}` version {found.golden.number}: {found.golden.rows} rows")
    print(f"  `{training}` version {found.training.number}: {found.training.rows} rows, {found.excluded} excluded")
    for line in made.changes:
        print(f"  {line}")
    return 0


def _models(given: argparse.Namespace, facts: Facts) -> int:
    from clspec.registry import going_up

    found = going_up.models(facts)
    if given.format == "json":
        _print_json([_plain(model) for model in found])
        return 0
    if not found:
        print("no model is registered: a run registers one when it passes")
    widest = max((len(", ".join(model.stages)) for model in found), default=0)
    for model in found:
        holds = (", ".join(model.stages) or "-").ljust(widest)
        data = ", ".join(f"{name} {digest[:_DIGEST]}" for name, digest in model.datasets.items())
        print(f"{model.digest[:_DIGEST]}  {model.registered:%Y-%m-%d %H:%M}  {model.pipeline:<11}  {holds}  {data}")
    return 0


def _lineage(given: argparse.Namespace, facts: Facts) -> int:
    from clspec.registry.lineage import lineage

    found = lineage(facts, given.model)
    if given.format == "json":
        _print_json(_plain(found))
        return 0
    print(f"model {found.model}")
    for alias, number, change in found.stages:
        role = f" for {change.approval}" if change.approval else ""
        why = f": {visible(change.why)}" if change.why else ""
        print(f"  {change.action} to `{alias}` (number {number}) by {visible(change.by)}{role} at {change.at}{why}")
    for judged in found.judged:
        made = judged.record.made_by
        print(f"  judged in the {made['pipeline']} pipeline, against {judged.record.champion or 'no champion'}")
        print(f"    code {made['code']}, image {visible(made['image']) or '-'}, params {json.dumps(made['params'])}")
        golden, digest = judged.record.dataset("golden")
        print(f"    golden: `{golden}` {digest}")
        taught = judged.taught
        print(f"    learned from: `{taught.dataset}` {taught.digest}, {taught.rows} rows")
        if taught.note:
            print(f"      {taught.note}")
        for number, rows, origin in taught.versions:
            print(f"      version {number}: {rows} rows, from {visible(origin)}")
        print(f"      by rule: {_counts(taught.by_rule)}; by origin: {_counts(taught.by_origin)}")
        for row in taught.origins if given.rows else ():
            parts = (row.key, row.event or "-", row.rules or "-", row.origin or "-", row.by or "-")
            print("      " + "  ".join(visible(part) for part in parts))
    return 0


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{visible(word)} {count}" for word, count in counts.items()) or "nothing is known"


def _log(given: argparse.Namespace, facts: Facts) -> int:
    from clspec.registry import history

    for told in history.log(facts, given.dataset):
        print(_line(told))
    return 0


def _line(told: Told) -> str:
    version = told.version
    marks = [
        *(["pinned"] if told.pinned else []),
        *([f"{version.erased} rows taken out"] if version.erased else []),
        *(["holds rows that were erased: cannot be read"] if told.erased else []),
    ]
    return "  ".join((f"{version.number:>4}  {version.digest}  {version.rows} rows", visible(version.origin), *marks))


def _show(given: argparse.Namespace, facts: Facts) -> int:
    from clspec.registry import history

    found = history.show(facts, given.dataset, given.at)
    print(_line(found.told))
    for label, count in found.labels.items():
        print(f"  {visible(label)}: {count}")
    for row in found.rows.slice(0, _SHOWN).to_pylist():
        print("  " + _clipped("  ".join(f"{name}={visible(f'{value!r:.40}')}" for name, value in row.items())))
    return 0


def _clipped(text: str) -> str:
    """A row of many columns as far as a line goes."""
    return text if len(text) <= _WIDE else text[: _WIDE - 1] + "…"


def _diff(given: argparse.Namespace, facts: Facts) -> int:
    from clspec.registry import history

    found = history.diff(facts, given.dataset, given.before, given.after)
    print(
        f"version {found.before.number} to version {found.after.number}: {found.before.rows} to {found.after.rows} rows"
    )
    for sign, keys in (("+", found.added), ("-", found.removed)):
        for key in keys[:_LISTED]:
            print(f"  {sign} {visible(key)}")
        if len(keys) > _LISTED:
            print(f"  {sign} and {len(keys) - _LISTED} more")
    for label, (then, now) in found.labels.items():
        if then != now:
            print(f"  {visible(label)}: {then} to {now}")
    return 0


def _erase(given: argparse.Namespace, facts: Facts) -> int:
    from clspec.registry import history

    found = history.erase(facts, given.dataset, given.key, given.why)
    version = found.version
    print(
        f"{given.dataset} version {version.number}: {found.removed} rows erased, {version.rows} left, {version.digest}"
    )
    if not found.removed and not found.queued:
        print("  no row has any of these keys now: they were erased or taken out before, or are misspelt")
    print(f"  the label queue held {found.queued} of them; {len(set(given.key))} keys are barred from coming back")
    for model in found.models:
        print(f"  model {model} learned from them" + (", and was champion" if model in found.champions else ""))
    for name in found.elsewhere:
        print(f"  dataset `{name}` holds rows under these keys too: erase them there as well")
    if found.is_pinned:
        print(f"  the lock pins a version that held them: clspec lock SPEC --update {given.dataset}")
    print("  `clspec data gc` removes them from the store; kept results of local runs go with .clspec/")
    return 0


def _gc(given: argparse.Namespace, facts: Facts) -> int:
    from clspec.registry import history

    now = datetime.now(tz=UTC)
    found = history.waste(facts, now) if given.dry_run else history.collect(facts, now)
    for waste in found:
        print(f"{waste.why:<10}  {waste.found.size:>12}  {visible(waste.found.key)}")
    verb = "would go" if given.dry_run else "removed"
    print(f"{len(found)} objects, {sum(waste.found.size for waste in found)} bytes {verb}")
    return 0


def _plain(value: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(value)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, sort_keys=True))


VERBS: dict[str, Callable[[argparse.Namespace, Facts], int]] = {
    "promote": _promote,
    "rollback": _rollback,
    "promote-scenario": _ratchet,
    "models": _models,
    "lineage": _lineage,
}
DATA_VERBS: dict[str, Callable[[argparse.Namespace, Facts], int]] = {
    "log": _log,
    "show": _show,
    "diff": _diff,
    "erase": _erase,
    "gc": _gc,
}
