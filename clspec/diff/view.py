"""A spec as it is compared: defaults written out, lists with ids as mappings, and where each thing stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from clspec.check import environments
from clspec.spec import resolved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from clspec.check import Facts
    from clspec.diagnostic import Pointer, Span
    from clspec.spec import Spec

Path = tuple[str, ...]
"""Where something stands in a view: keys and ids."""

KINDS = ("min", "max", "margin")
VALUE = "value"
"""What a check's threshold is called in a view, whichever kind it is of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One spec, as it is without an environment or in one."""

    facts: Facts
    value: dict[str, Any]
    places: dict[Path, Pointer]
    """For what stands in a list of the document, where."""

    @property
    def spec(self) -> Spec:
        """The typed spec."""
        return self.facts.spec

    def span(self, path: Path) -> Span:
        """Where this stands in the text, or the nearest thing around it that does."""
        pointer = self._pointer(path)
        while True:
            try:
                return self.facts.document.span(pointer)
            except KeyError:
                pointer = pointer[:-1]

    def _pointer(self, path: Path) -> Pointer:
        for length in range(len(path), 0, -1):
            if path[:length] in self.places:
                rest = path[length:]
                kind = path[length - 1].rpartition(" ")[2].partition("#")[0]
                return (*self.places[path[:length]], *(kind if key == VALUE else key for key in rest))
        return path


def view(facts: Facts) -> View:
    """What a spec says, all defaults included."""
    value = _bare(msgspec.to_builtins(facts.spec))
    value.pop("environments")
    places: dict[Path, Pointer] = {}
    value["datasets"] = {name: _dataset(facts.spec, name) for name in facts.spec.datasets}
    _scenarios(value["golden"], places)
    for section, keyed in (("triggers", _trigger), ("notify", _notice), ("waivers", _waiver)):
        value[section] = _by(value[section], keyed, (section,), (section,), places)
    if "feedback" in value:
        at = ("feedback", "rules")
        value["feedback"]["order"] = [rule["id"] for rule in value["feedback"]["rules"]]
        value["feedback"]["rules"] = _by(value["feedback"]["rules"], _id, at, at, places)
    if "promotion" in value:
        at = ("promotion", "stages")
        value["promotion"]["order"] = [stage["alias"] for stage in value["promotion"]["stages"]]
        value["promotion"]["stages"] = _by(value["promotion"]["stages"], lambda one: one["alias"], at, at, places)
    return View(facts=facts, value=value, places=places)


def view_elsewhere(plain: View, facts: Facts) -> View:
    """The same of a spec as it is in an environment: all that none can change is as it is without one."""
    changed = {section: _bare(msgspec.to_builtins(getattr(facts.spec, section))) for section in environments.SECTIONS}
    return View(facts=facts, value={**plain.value, **changed}, places=plain.places)


def _bare(value: Any) -> Any:
    """The same without what is None, which is as good as not there."""
    if isinstance(value, dict):
        return {key: _bare(one) for key, one in value.items() if one is not None}
    return [_bare(one) for one in value] if isinstance(value, list | tuple) else value


def _dataset(spec: Spec, name: str) -> dict[str, Any]:
    """A dataset with what it takes over; one whose `like` leads nowhere as it is written."""
    found: dict[str, Any] = _bare(msgspec.to_builtins(resolved(spec, name) or spec.datasets[name]))
    return found


def _by(
    items: Iterable[dict[str, Any]],
    keyed: Callable[[dict[str, Any]], str],
    path: Path,
    pointer: Pointer,
    places: dict[Path, Pointer],
) -> dict[str, Any]:
    """A list as a mapping; of several with one key the later ones are numbered."""
    found: dict[str, Any] = {}
    for index, item in enumerate(items):
        key, times = keyed(item), 1
        while (name := key if times == 1 else f"{key}#{times}") in found:
            times += 1
        found[name] = item
        places[*path, name] = (*pointer, index)
    return found


def _id(item: dict[str, Any]) -> str:
    return str(item["id"])


def _trigger(item: dict[str, Any]) -> str:
    return " ".join((item["event"], item["run"], *([item["source"]] if "source" in item else [])))


def _notice(item: dict[str, Any]) -> str:
    return str(item["webhook_env"])


def _waiver(item: dict[str, Any]) -> str:
    return f"{item['code']} {item['path']}"


def _scenarios(golden: dict[str, Any], places: dict[Path, Pointer]) -> None:
    """Scenarios by id and checks by what they ask of which metric; what a scenario leaves open is the default."""
    at = ("golden", "scenarios")
    golden["scenarios"] = _by(golden["scenarios"], _id, at, at, places)
    for name, scenario in golden["scenarios"].items():
        for key, default in golden["defaults"].items():
            scenario.setdefault(key, default)
        path, pointer = (*at, name), places[*at, name]
        scenario["checks"] = _checks(scenario["checks"], path, pointer, places)
        if "guard" in scenario:
            guard = scenario["guard"]
            guard["checks"] = _checks(guard["checks"], (*path, "guard"), (*pointer, "guard"), places)


def _checks(
    checks: list[dict[str, Any]], path: Path, pointer: Pointer, places: dict[Path, Pointer]
) -> dict[str, dict[str, Any]]:
    found = _by(checks, _question, (*path, "checks"), (*pointer, "checks"), places)
    return {name: {(VALUE if key in KINDS else key): one for key, one in item.items()} for name, item in found.items()}


def _question(check: dict[str, Any]) -> str:
    """What a check asks: `recall[dog] min`."""
    kind = next((kind for kind in KINDS if kind in check), "")
    label = f"[{check['class']}]" if "class" in check else ""
    return f"{check['metric']}{label} {kind}"
