"""The page of a run: one HTML file that needs no other."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from clspec.report.scenarios import rows

if TYPE_CHECKING:
    from collections.abc import Mapping


def page(content: Mapping[str, Any]) -> str:
    """The page for a report's content. Everything from a spec or from data is text there, never markup or template."""
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415  # 0.1 s that only a report needs

    source = files("clspec.report").joinpath("page.html.jinja").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    selections = {scenario["id"]: scenario for scenario in content["made_by"]["scenarios"]}
    return environment.from_string(source).render(content=content, rows=list(rows(content)), selections=selections)
