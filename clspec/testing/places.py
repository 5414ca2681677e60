"""A hostile text in each of the places where a plan can hold one that a user chose freely."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec.plan import Event, Plan, Resources, Trigger, canonical
from clspec.testing import plans

if TYPE_CHECKING:
    from collections.abc import Callable

PLACES = ("config", "config key", "condition", "node selector", "trigger paths", "trigger source")


def plan_with(place: str, text: str) -> Plan:
    """A plan with the text in that place.

    Raises:
        KeyError: there is no such place.
    """
    made: dict[str, Callable[[], Plan]] = {
        "config": lambda: plans.with_step(plans.chain(), "train", config=canonical({"texts": [text, {"in": text}]})),
        "config key": lambda: plans.with_step(plans.chain(), "train", config=canonical({"keys": {text: {text: 1}}})),
        "condition": lambda: plans.condition(equals=text),
        "node selector": lambda: plans.chain(resources=Resources(node_selector=(("pool", text),))),
        "trigger paths": lambda: _started(Trigger(event=Event.CODE_CHANGE, paths=("src/**", text))),
        "trigger source": lambda: _started(Trigger(event=Event.DATA_CHANGE, source=text)),
    }
    return made[place]()


def _started(trigger: Trigger) -> Plan:
    return plans.plan_of(*plans.chain().pipelines[0].steps, triggers=(trigger,))
