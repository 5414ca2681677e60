"""A spec and its lock as a plan: which steps must happen, on what, in what order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec import plan
from clspec.lower.parts import source_config
from clspec.lower.regression import Regression

if TYPE_CHECKING:
    from clspec.check import Facts

__all__ = ["lower", "source_config"]


def lower(facts: Facts, code_digest: str) -> plan.Plan:
    """The plan of a spec without errors; `facts.lock` pins all of its data."""
    return plan.Plan(
        name=facts.spec.metadata.name,
        spec=facts.document.path,
        store=facts.spec.store,
        workdir=facts.spec.code.workdir,
        pipelines=(Regression(facts, code_digest).pipeline(),),
        code_origin=facts.document.key_span(("code",)),
        store_origin=facts.document.span(("store",)),
    )
