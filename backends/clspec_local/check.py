"""What one machine does not do with a plan: a warning where the meaning survives, else an error."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from clspec.codes import problem
from clspec.diagnostic import in_order
from clspec.plan import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.diagnostic import Diagnostic
    from clspec.plan import Plan, Step

_HALF = re.compile("[\ud800-\udfff]")


def check(plan: Plan) -> tuple[Diagnostic, ...]:
    """A problem for each hint and each trigger that has no effect here."""
    return in_order(_found(plan))


def _found(plan: Plan) -> Iterator[Diagnostic]:
    if (odd := _odd(msgspec.to_builtins(plan))) is not None:
        message = f"no file can hold the text {odd!a:.80}: it has half a character"
        yield problem("CLS508", message, path=plan.spec, hint="leave it out")
    for pipeline in plan.pipelines:
        for step in pipeline.steps:
            for hint in _unused_hints(step):
                yield problem(
                    "CLS504",
                    f"target `local` does not keep `{hint}`",
                    path=plan.spec,
                    span=step.origin,
                    hint="the step runs on this machine as it is",
                    where=step.where,
                )
            if step.resources.nodes > 1:
                yield _machines(plan, step)
        for trigger in pipeline.triggers:
            yield problem(
                "CLS503",
                f"target `local` starts nothing on `{trigger.event.value}`",
                path=plan.spec,
                span=trigger.origin,
                hint="start `clspec run` from your CI or a timer",
                where=trigger.where,
            )


def _odd(value: Any) -> str | None:
    """A text in the plan that is no Unicode, if there is one."""
    if isinstance(value, str):
        return None if value.isascii() or not _HALF.search(value) else value
    below = (*value, *value.values()) if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return next((odd for item in below if (odd := _odd(item)) is not None), None)


def _machines(plan: Plan, step: Step) -> Diagnostic:
    """A training on several machines is one of as many processes here; anything else cannot be spread."""
    if step.kind is Kind.TRAIN:
        many = step.resources.nodes * step.resources.processes
        message = f"target `local` runs the training's {step.resources.nodes} machines as {many} processes on this one"
        hint = "they share its cores, memory and GPUs; `environments` can ask for fewer"
        return problem("CLS504", message, path=plan.spec, span=step.origin, hint=hint, where=step.where)
    message = f"`nodes: {step.resources.nodes}`: only training runs on several machines at once"
    return problem("CLS508", message, path=plan.spec, span=step.origin, hint="use `nodes: 1`", where=step.where)


def _unused_hints(step: Step) -> Iterator[str]:
    resources = step.resources
    for name in ("model", "memory"):
        if resources.gpu and getattr(resources.gpu, name):
            yield f"resources.gpu.{name}"
    for name in ("shared_memory", "ephemeral_storage", "node_selector", "tolerations"):
        if getattr(resources, name):
            yield f"resources.{name}"
