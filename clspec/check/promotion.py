"""What leads to a champion, and what starts the way there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec.spec import DataChange, Labels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.check.facts import Facts
    from clspec.diagnostic import Diagnostic

CHAMPION = "champion"


def champion_is_last(facts: Facts) -> Iterator[Diagnostic]:
    """Promotion leads to the champion, with which the next model is compared."""
    promotion = facts.spec.promotion
    at = ("promotion", "stages")
    if promotion is None or not facts.intact(*at) or promotion.stages[-1].alias == CHAMPION:
        return
    aliases = [stage.alias for stage in promotion.stages]
    if CHAMPION in aliases:
        place = (*at, aliases.index(CHAMPION), "alias")
        yield facts.problem("CLS431", place, "stages come after `champion`", "move it to the end of `stages`")
    else:
        message = "no stage is the `champion`, with which the next model is compared"
        yield facts.key_problem("CLS431", at, message, "add `{alias: champion}` at the end")


def triggers_start_what_they_change(facts: Facts) -> Iterator[Diagnostic]:
    """New data and labels start the pipeline that reads them, and there is one."""
    for index, trigger in enumerate(facts.spec.triggers):
        at = ("triggers", index, "run")
        if trigger.run == "improvement":
            if facts.spec.feedback is None and facts.intact("feedback"):
                message = "there is no pipeline `improvement` without a section `feedback`"
                yield facts.problem("CLS319", at, message, "write `run: regression`, or say how mistakes come back")
        elif isinstance(trigger, DataChange | Labels):
            event = type(trigger).__struct_config__.tag
            message = f"`{event}` changes nothing that `regression` reads: its data is pinned"
            yield facts.problem("CLS319", at, message, "write `run: improvement`")


RULES = (champion_is_last, triggers_start_what_they_change)
