"""Where a run's models come from: the models, the data they learned from, and the production events behind that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMED = 8


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One link of the chain from a model back to production: what it is, its name, and what is known of it."""

    what: str
    name: str
    told: tuple[str, ...]


def chain(content: Mapping[str, Any]) -> tuple[Link, ...]:
    """The links, the models first; empty where no model was judged."""
    models = [seed.get("model") for seed in content["seeds"]]
    if not any(models):
        return ()
    return (_models(content), _data(content, "training"), _production(content), _data(content, "golden"))


def _models(content: Mapping[str, Any]) -> Link:
    told = tuple(f"seed {s['seed']}: {s.get('model') or 'none'}" for s in content["seeds"])
    promoted = content.get("loop", {}).get("promoted")
    reached = (f"the first is now {', '.join(promoted['reached'])}",) if promoted and promoted["reached"] else ()
    return Link(what="models", name=f"{len(told)} models" if len(told) > 1 else "1 model", told=(*told, *reached))


_ROLES = {"training": "learned from", "golden": "judged on"}


def _data(content: Mapping[str, Any], role: str) -> Link:
    """The version of the data in a role."""
    name = content["made_by"]["roles"][role]
    digest = content["made_by"]["datasets"].get(name)
    known = ((content.get("standing") or {}).get("data") or {}).get(name)
    appended = content.get("loop", {}).get("appended")
    if role == "training" and appended and appended["dataset"] == name:
        rows = f"{appended['rows']} rows, {appended['new']} of them new in this run"
        before = () if known is None else (f"on top of version {known['number']}, {known['rows']} rows",)
        told = (rows, str(appended["digest"]), *before)
        return Link(what=_ROLES[role], name=f"{name} version {appended['version']}", told=told)
    if known is None:
        return Link(what=_ROLES[role], name=name, told=(digest or "the version that this run made or found",))
    return Link(what=_ROLES[role], name=f"{name} version {known['number']}", told=_version(known))


def _version(known: Mapping[str, Any]) -> tuple[str, ...]:
    made = [f"version {v['number']}: {v['rows']} rows, the newest from {v['origin']}" for v in known["versions"]]
    left = [f"and {len(made) - _NAMED} versions before"] if len(made) > _NAMED else []
    note = [known["note"]] if known["note"] else []
    return (f"{known['rows']} rows", known["digest"], *made[-_NAMED:], *left, *note)


def _production(content: Mapping[str, Any]) -> Link:
    """The production events that the training data has learned from, by rule and by who labelled them."""
    known = ((content.get("standing") or {}).get("data") or {}).get(content["made_by"]["roles"]["training"])
    labels = content.get("loop", {}).get("labels")
    told = []
    if known and known["by_rule"]:
        told.append(f"mined before, by rule: {_counts(known['by_rule'])}")
        told.append(f"labelled by {_counts(known['by_origin'])}")
    if labels and labels["new"]:
        told.append(f"taken in by this run: {labels['new']} ({_counts(labels['by_class'])})")
        told.append(f"of these labelled by {_counts(labels['by_origin'])}")
    told.append("each row: clspec lineage MODEL --rows" if told else "none: no row was mined from production")
    return Link(what="that came from", name="production events", told=tuple(told))


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{word} {count}" for word, count in counts.items())
