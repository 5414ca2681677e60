"""What differs between two runs, or between a run and what made the champion: spec, code, data, params, results."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from clspec.report.scenarios import worst

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SIGNS = {"min": ">= {:g}", "max": "<= {:g}", "margin": "> -{:g}", "max_gap": "gap <= {:g}"}
_UNREAD = "not there, or not read"
_SMALLEST = 0.00005
"""What differs by less is shown as the same number."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not what it was: `code`, `params.lr`, `scenario dog-crossing`."""

    what: str
    before: str
    now: str
    better: str = ""
    """`better` or `worse` for a result whose verdict moved; empty where that is not for a page to say."""


def record(content: Mapping[str, Any]) -> dict[str, Any]:
    """What a report says of what made its models, with the versions of data that the run itself made or found."""
    made_by = content["made_by"]
    found = {name: told["digest"] for name, told in ((content.get("standing") or {}).get("data") or {}).items()}
    appended = content.get("loop", {}).get("appended")
    if appended:
        found[appended["dataset"]] = appended["digest"]
    return {**made_by, "datasets": {name: d or found.get(name) for name, d in made_by["datasets"].items()}}


def made(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[Change, ...]:
    """What made the models, before and now: of two records, whatever both of them say."""
    named = [name for name in ("code", "image", "seeds") if name in before and name in now]
    found = [
        *_values("", {name: before[name] for name in named}, {name: now[name] for name in named}),
        *_values("params.", before.get("params") or {}, now.get("params") or {}),
        *_values("dataset ", _known(before), _known(now)),
    ]
    if "scenarios" in before and "scenarios" in now:
        found += _scenarios(before["scenarios"], now["scenarios"])
    return tuple(found)


def files(found: Mapping[str, tuple[str | None, str | None]]) -> Iterator[Change]:
    """The files of code that steps read, before and now."""
    for name, (before, now) in found.items():
        yield Change(what=f"code, {name}", before=before or _UNREAD, now=now or _UNREAD)
    if not found:
        yield Change(what="code, by file", before="", now="no file that a step which is over has read")


def _known(made_by: Mapping[str, Any]) -> dict[str, Any]:
    """The datasets; one that the run moves has no digest yet."""
    return {name: digest for name, digest in (made_by.get("datasets") or {}).items() if digest}


def _values(prefix: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    for name in dict.fromkeys((*before, *now)):
        if prefix == "dataset " and (name not in before or name not in now):
            continue  # the other run did not say which version it was
        if before.get(name) != now.get(name):
            yield Change(what=f"{prefix}{name}", before=_text(before, name), now=_text(now, name))


def _text(values: Mapping[str, Any], name: str) -> str:
    if name not in values:
        return "not there"
    value = values[name]
    return (value or "none") if isinstance(value, str) else json.dumps(value)


def _scenarios(before: list[Mapping[str, Any]], now: list[Mapping[str, Any]]) -> Iterator[Change]:
    was, are = ({s["id"]: s for s in found} for found in (before, now))
    for name in dict.fromkeys((*was, *are)):
        if name not in are:
            yield Change(what=f"scenario {name}", before=was[name]["select"], now="taken out")
        elif name not in was:
            yield Change(what=f"scenario {name}", before="not there", now=are[name]["select"])
        else:
            for word in ("select", "guard"):
                if was[name][word] != are[name][word]:
                    what = f"scenario {name}, {word}"
                    yield Change(what=what, before=_text(was[name], word), now=_text(are[name], word))


def results(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[Change, ...]:
    """What was demanded and how it came out, check by check, where either differs; of seeds the worst."""
    was, are = _checks(before), _checks(now)
    found = []
    for name in dict.fromkeys((*was, *are)):
        then, current = was.get(name), are.get(name)
        if then is None or current is None:
            gone = "not judged"
            found.append(Change(what=name, before=then.text if then else gone, now=current.text if current else gone))
        elif then.differs(current):
            moved = "" if then.rank == current.rank else "better" if current.rank > then.rank else "worse"
            found.append(Change(what=name, before=then.text, now=current.text, better=moved))
    return tuple(found)


class _Check(msgspec.Struct, frozen=True, kw_only=True):
    """A check over all seeds: the worst value, the demand and the worst verdict."""

    value: float | None
    demand: str
    verdict: str

    @property
    def rank(self) -> int:
        """How good the verdict is."""
        return {"pass": 3, "not_compared": 2, "inconclusive": 1}.get(self.verdict, 0)

    @property
    def text(self) -> str:
        """In one line."""
        shown = "no result" if self.value is None else f"{self.value:.4f}"
        return f"{shown} ({self.demand}), {self.verdict}"

    def differs(self, other: _Check) -> bool:
        """Whether a reader would see another line."""
        if (self.demand, self.verdict) != (other.demand, other.verdict):
            return True
        if self.value is None or other.value is None:
            return self.value is not other.value
        return abs(self.value - other.value) >= _SMALLEST


def _checks(content: Mapping[str, Any]) -> dict[str, _Check]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for seed in content["seeds"]:
        for scenario in seed["scenarios"]:
            for check in scenario["checks"]:
                about = f" {check['class']}" if check["class"] else ""
                part = " (guard)" if check["part"] == "guard" else ""
                kind = " against the champion" if check["kind"] == "margin" else ""
                found.setdefault(f"{check['title']}{part}: {check['metric']}{about}{kind}", []).append(check)
    return {name: _check(of) for name, of in found.items()}


def _check(of: list[Mapping[str, Any]]) -> _Check:
    kind = of[0]["kind"]
    values = [check["estimate"] for check in of]
    pick = max if kind in {"max", "max_gap"} else min
    value = None if any(v is None for v in values) else pick(values)
    return _Check(value=value, demand=_SIGNS[kind].format(of[0]["threshold"]), verdict=worst(c["verdict"] for c in of))
