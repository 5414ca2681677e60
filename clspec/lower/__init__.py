"""A spec and its lock as a plan: which steps must happen, on what, in what order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec import plan
from clspec.lower import improvement, regression
from clspec.lower.making import Maker
from clspec.lower.parts import source_config

if TYPE_CHECKING:
    from clspec.check import Facts

__all__ = ["lower", "source_config"]


def lower(facts: Facts, code_digest: str) -> plan.Plan:
    """The plan of a spec without errors; `facts.lock` pins all of its data."""
    maker = Maker(facts, code_digest)
    feedback = facts.spec.feedback
    return plan.Plan(
        name=facts.spec.metadata.name,
        spec=facts.document.path,
        store=facts.spec.store,
        workdir=facts.spec.code.workdir,
        pipelines=(
            regression.pipeline(maker),
            *((improvement.pipeline(maker, feedback),) if feedback else ()),
        ),
        code_origin=facts.document.key_span(("code",)),
        store_origin=facts.document.span(("store",)),
    )
