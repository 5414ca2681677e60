"""The page of a run: one HTML file that needs no other, no network and no script.

Whatever a spec, data or a step said is text there. The page's own style and script are named by their digests, so that
a browser runs and applies nothing else (Content Security Policy, level 3).
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files as resources
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from clspec.report import changes, curves, dag, judged, origin
from clspec.report.answer import alarms, answer, stands
from clspec.report.diagnostics import visible
from clspec.report.judged import WORDS
from clspec.report.loop import tables
from clspec.report.markup import Drawn, element, plainly
from clspec.report.scenarios import rows
from clspec.report.story import story
from clspec.report.svg import drawing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clspec.report.changes import Change
    from clspec.report.ran import Ran, Stepped

_BAR = 160
_OPTIONS: dict[str, Any] = {"trim_blocks": True, "lstrip_blocks": True}
"""How the template is compiled, but for what is always so: that all text is escaped."""
_NO_FILES: Mapping[str, tuple[str | None, str | None]] = MappingProxyType({})


def page(
    content: Mapping[str, Any],
    ran: Ran | None = None,
    before: Mapping[str, Any] | None = None,
    files: Mapping[str, tuple[str | None, str | None]] = _NO_FILES,
) -> str:
    """The page for a report's content, for the run that made it, and what the run before that reported.

    `files` are those of code that steps of both runs read and that differ, with their digests then and now.

    Raises:
        LookupError, TypeError, AttributeError, ValueError: the content has not the form that `report` gives it.
    """
    scenarios = tuple(judged.scenarios(content))
    shown = list(rows(content))
    told = content.get("loop", {})
    against = tuple(s for s in scenarios if s.must_pass and not stands(s, content["verdict"]))
    standing = content.get("standing") or {}
    champion = standing.get("champion")
    return str(
        _template().render(
            content=content,
            made_by=content["made_by"],
            answer=answer(content, ran, scenarios),
            ran=ran,
            failure=_failure(ran) if ran and ran.log and not (ran.failed == "conclude" and shown) else "",
            warnings=content.get("warnings", []),
            champion=content.get("champion"),
            story=story(told),
            loop_tables=tables(told),
            alarms=alarms(content),
            seeds=[seed["seed"] for seed in content["seeds"]],
            rows=shown,
            compared=any(row.champion != "-" for row in shown),
            scenarios=scenarios,
            against=against,
            rest=[s for s in scenarios if s not in against],
            pictures=content.get("pictures") or {"column": None, "images": {}, "unshown": {}},
            curves=curves.curves(content["training"]),
            returned=[(seed, _returned(metrics)) for seed, metrics in content["training"].items()],
            chain=origin.chain(content),
            since_champion=changes.made(champion, changes.record(content)) if champion else None,
            waivers=content["made_by"].get("waivers", []),
            allowed=standing.get("allow_both"),
            changed=None if before is None else _changed(before, content, files),
            results=changes.results(before, content) if before and before["seeds"] and content["seeds"] else None,
            timeline=tuple(_timeline(ran)) if ran else (),
            graph=_graph(content, ran),
            states=dag.counted([step.state for step in ran.steps]) if ran else "",
            took=dag.duration(ran.seconds) if ran else "",
            signs={**{word: sign for word, (_, sign) in WORDS.items()}},
            words={word: text for word, (text, _) in WORDS.items()},
        )
    )


def _changed(
    before: Mapping[str, Any], content: Mapping[str, Any], files: Mapping[str, tuple[str | None, str | None]]
) -> tuple[Change, ...]:
    """What the run was made from, before and now; below the code's digest the files of it that are known to differ."""
    found = changes.made(changes.record(before), changes.record(content))
    return tuple(each for one in found for each in (one, *(changes.files(files) if one.what == "code" else ())))


def _graph(content: Mapping[str, Any], ran: Ran | None) -> Drawn | None:
    """The steps with what became of them; where only the machine that ran them knows that, as the plan has them."""
    if ran is not None:
        return dag.drawn(ran.pipeline, ran.steps) if ran.steps else None
    steps = dag.read(content.get("steps", []))
    return dag.drawn(content["made_by"]["pipeline"], steps) if steps else None


def _failure(ran: Ran) -> str:
    """The head above the end of the log of what ended the run, or was at work when that came."""
    return f"How step {ran.failed} ended" if ran.failed else f"The last lines of {', '.join(ran.at_work)}"


@cache
def _template() -> Any:
    """The page's template with its style and script, and what a browser is told to trust."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined  # noqa: PLC0415  # 25 ms that only a report needs

    from clspec.report.compiled import Compiled  # noqa: PLC0415  # the same

    environment = Environment(
        autoescape=True,
        **_OPTIONS,
        undefined=StrictUndefined,
        loader=FunctionLoader(_source),
        bytecode_cache=Compiled(Path(__file__).parent / "page", _OPTIONS),
    )
    style, script = _source("page.css"), _source("page.js")
    environment.globals |= {
        "style": Drawn(style),
        "script": Drawn(script),
        "policy": f"default-src 'none'; img-src data:; style-src {_digest(style)}; script-src {_digest(script)}; "
        "base-uri 'none'; form-action 'none'",
    }
    environment.filters["visible"] = lambda value: visible(str(value))
    environment.finalize = _shown
    return environment.get_template("page.html.jinja")


def _shown(value: Any) -> Any:
    """What is put into the page: words plainly, whatever is markup already as it is."""
    return plainly(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _source(name: str) -> str:
    return resources("clspec.report").joinpath("page", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"


def _returned(metrics: Mapping[str, Any]) -> str:
    """The numbers that a training returned, in one line."""
    numbers = ", ".join(f"{name} = {value:.6g}" for name, value in metrics.items() if name != "history")
    return numbers or "nothing"


def _timeline(ran: Ran) -> Iterator[tuple[Stepped, str, str, Drawn | None]]:
    """Each step with its sign, how long it took, and a bar for when that was."""
    whole = max(ran.seconds, 0.001)
    for step in sorted(ran.steps, key=lambda step: (step.began is None, step.began or 0.0)):
        bar = None
        if step.began is not None and step.seconds:
            x, width = _BAR * step.began / whole, max(_BAR * step.seconds / whole, 1.5)
            label = f"from {step.began:.1f} s to {step.began + step.seconds:.1f} s"
            bar = drawing(
                _BAR, 12, label, [element("rect", x=min(x, _BAR - width), y=2, width=width, height=8, rx=1)], "bar"
            )
        yield step, dag.SIGNS.get(step.state, "?"), dag.duration(step.seconds) if step.seconds else "", bar
