"""What an editor tells of the word under the cursor: what it means, what it comes to, and which steps it makes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clspec.catalog import METRICS, rows_needed
from clspec.lsp import functions, language, naming
from clspec.lsp.cursor import here, value_at
from clspec.quantity import seconds, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.diagnostic import Pointer, Span
    from clspec.load import Document
    from clspec.lsp.cursor import Here
    from clspec.lsp.spec import OpenSpec

_DURATION = re.compile(r"[0-9]{1,9}[smhd]")
_MEMORY = re.compile(r"[0-9]{1,9}(Ki|Mi|Gi|Ti)")
_SHOWN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is told, as Markdown, of a stretch of the text."""

    span: Span
    text: str


def hover(spec: OpenSpec, line: int, column: int) -> Told | None:
    """What there is to say of the word at a position (1-based, in code points)."""
    document = spec.own
    found = here(document, line, column) if document is not None else None
    if document is None or found is None:
        return None
    paragraphs = [text for text in _paragraphs(spec, document, found) if text]
    return Told(span=found.span, text="\n\n".join(paragraphs)) if paragraphs else None


def _paragraphs(spec: OpenSpec, document: Document, found: Here) -> Iterator[str]:
    value = value_at(document, found.pointer)
    if not found.is_key:
        yield _named(spec, document, found.pointer, value)
    part = language.part_at(found.pointer, document.value)
    if part is not None:
        yield language.words(part)
    yield _comes_to(value)
    yield from _elsewhere(spec, document, found.pointer)
    yield from _counted(spec, document, found.pointer)
    yield _needs(document, found.pointer)
    yield _steps(spec, document, found.pointer)


def _named(spec: OpenSpec, document: Document, pointer: Pointer, value: Any) -> str:
    """What a name refers to."""
    if not isinstance(value, str):
        return ""
    if naming.is_entrypoint(pointer) and spec.root is not None and ":" in value:
        found = functions.located(spec.root, value.removeprefix("python:"))
        return f"```python\n{found.signature}\n```\n\n{found.about}" if found else ""
    for name in naming.names_at(pointer, document.value):
        if name.text == value:
            metric = METRICS.get(value) if pointer[-1] == "metric" else None
            source = f"\n\nSource: {metric.source}" if metric else ""
            return f"`{name.text}`: {name.about}{source}"
    return ""


def _comes_to(value: Any) -> str:
    """What a quantity is in plain units."""
    if not isinstance(value, str):
        return ""
    if _DURATION.fullmatch(value):
        return f"{seconds(value):,} seconds"
    if _MEMORY.fullmatch(value):
        return f"{size(value):,} bytes"
    return ""


def _elsewhere(spec: OpenSpec, document: Document, pointer: Pointer) -> Iterator[str]:
    """What an environment has here instead."""
    if pointer[:1] == ("environments",):
        return
    for name, shaped in spec.found.elsewhere.items():
        try:
            there = value_at(shaped.facts.written, pointer)
        except (KeyError, IndexError, TypeError):  # it has nothing of the kind
            continue
        if there != value_at(document, pointer) and not isinstance(there, dict | list):
            yield f"In environment `{name}`: `{there}`"


def _counted(spec: OpenSpec, document: Document, pointer: Pointer) -> Iterator[str]:
    """How many rows of the pinned golden set a scenario selects."""
    facts = spec.checked.facts
    if facts is None or facts.lock is None or pointer[:2] != ("golden", "scenarios") or len(pointer) < 3:  # noqa: PLR2004
        return
    if pointer[3:] not in {(), ("id",), ("select",)}:
        return
    name = value_at(document, pointer[:3]).get("id")
    pin = facts.lock.scenarios.get(name) if isinstance(name, str) else None
    if pin is not None:
        clusters = f" in {pin.scenario.clusters} clusters" if pin.scenario.clusters is not None else ""
        stale = "" if pin.scenario.select == value_at(document, pointer[:3]).get("select") else " (the lock is stale)"
        yield f"The pinned golden set holds {pin.scenario.rows} rows{clusters} of it{stale}"


def _needs(document: Document, pointer: Pointer) -> str:
    """How many faultless rows let a threshold be met at all."""
    if not pointer or pointer[-1] not in {"min", "max", "margin"}:
        return ""
    check = value_at(document, pointer[:-1])
    metric = METRICS.get(str(check.get("metric"))) if isinstance(check, dict) else None
    threshold = value_at(document, pointer)
    if metric is None or isinstance(threshold, bool) or not isinstance(threshold, int | float):
        return ""
    defaults = document.value.get("golden", {}).get("defaults", {})
    scenario = value_at(document, pointer[:3])
    confidence = scenario.get("confidence", defaults.get("confidence", 0.95) if isinstance(defaults, dict) else 0.95)
    try:
        rows = rows_needed(metric, str(pointer[-1]), float(threshold), confidence)  # type: ignore[arg-type]
    except (TypeError, ValueError, ArithmeticError):  # said by the diagnostics
        return ""
    if rows is None:
        return f"At {confidence:.0%} confidence no number of rows can meet it"
    return f"At {confidence:.0%} confidence it needs at least {rows} rows without a fault"


def _steps(spec: OpenSpec, document: Document, pointer: Pointer) -> str:
    """The steps that a part of the spec makes."""
    if spec.plan is None:
        return ""
    where = document.where(pointer)
    lines = []
    for pipeline in spec.plan.pipelines:
        named = [step.id for step in pipeline.steps if _within(step.where, where)]
        if named:
            more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
            lines.append(f"- {pipeline.name}: " + ", ".join(f"`{name}`" for name in named[:_SHOWN]) + more)
    return "Steps:\n" + "\n".join(lines) if lines else ""


def _within(step: str, where: str) -> bool:
    """Whether a step comes of a part of the spec, or of what the part is in."""
    return f"{step}.".startswith(f"{where}.") or f"{where}.".startswith(f"{step}.")
