"""What the language knows and this version does not carry out yet is refused, never ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec import catalog
from clspec.check.groups import groups
from clspec.codes import problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.check.facts import Facts
    from clspec.diagnostic import Diagnostic, Pointer

_SECTIONS = ("feedback", "promotion", "waivers", "environments", "notify")
_GOLDEN = ("reuse", "baseline", "slices")
_SCENARIO = ("slices", "for_each")
_CHECK = {
    "margin": "`margin`",
    "max_gap": "`max_gap`",
    "higher_is_better": "`higher_is_better` (for metrics of your own)",
    "range": "`range` (for metrics of your own)",
}
_WORKING = tuple(name for name, metric in catalog.METRICS.items() if metric.proportion)
_WORKING_METRICS = "working now: " + ", ".join(f"`{name}`" for name in _WORKING)
_WORKING_SOURCES = "working now: `parquet`, `csv`, `jsonl`, `python`"
_REMOVE = "remove it for now"


def sections(facts: Facts) -> Iterator[Diagnostic]:
    """Whole sections, even if something in them is wrong besides."""
    for name in _SECTIONS:
        if name in facts.written.value:
            message = f"section `{name}` is not supported yet"
            span = facts.written.key_span((name,))
            yield problem("CLS801", message, path=facts.written.path, span=span, hint=_REMOVE, where=name)


def keys(facts: Facts) -> Iterator[Diagnostic]:
    """Single keys of sections that work otherwise."""
    value = facts.document.value
    for section in ("sources", "datasets"):
        for name, item in value.get(section, {}).items():
            for key in ("freshness", "expect"):
                if key in item:
                    yield _refused(facts, (section, name, key), f"`{key}`")
    for name, source in value.get("sources", {}).items():
        if source["type"] == "postgres":
            message = "sources of type `postgres` are not supported yet"
            yield facts.problem("CLS801", ("sources", name, "type"), message, _WORKING_SOURCES)
    kind = value.get("task", {}).get("type", "classification")
    if kind != "classification":
        message = f"tasks of type `{kind}` are not supported yet"
        yield facts.problem("CLS801", ("task", "type"), message, "working now: `classification`")
    for section in ("training", "inference"):
        if value.get(section, {}).get("resources", {}).get("nodes", 1) > 1:
            yield _refused(facts, (section, "resources", "nodes"), "`nodes` over 1")


def golden(facts: Facts) -> Iterator[Diagnostic]:
    """Keys of the golden section and its scenarios."""
    section = facts.document.value.get("golden", {})
    for key in _GOLDEN:
        if key in section:
            yield _refused(facts, ("golden", key), f"`{key}`")
    for index, scenario in enumerate(section.get("scenarios", [])):
        for key in _SCENARIO:
            if key in scenario:
                yield _refused(facts, ("golden", "scenarios", index, key), f"`{key}`")


def checks(facts: Facts) -> Iterator[Diagnostic]:
    """Keys of checks, and metrics that are not plain proportions."""
    for group in groups(facts):
        for check, at in group.places():
            for key, what in _CHECK.items():
                if getattr(check, key) is not None:
                    yield _refused(facts, (*at, key), what)
            if check.metric.startswith("python:") or (check.metric in catalog.METRICS and check.metric not in _WORKING):
                message = f"metric `{check.metric}` is not supported yet"
                yield facts.problem("CLS801", (*at, "metric"), message, _WORKING_METRICS)


def triggers(facts: Facts) -> Iterator[Diagnostic]:
    """Triggers of the pipeline that is not built yet."""
    for index, trigger in enumerate(facts.spec.triggers):
        if trigger.run == "improvement":
            message = "the `improvement` pipeline is not supported yet"
            yield facts.problem("CLS801", ("triggers", index, "run"), message, "write `run: regression`, or remove it")


def _refused(facts: Facts, at: Pointer, what: str) -> Diagnostic:
    return facts.key_problem("CLS801", at, f"{what} is not supported yet", _REMOVE)


RULES = (sections, keys, golden, checks, triggers)
