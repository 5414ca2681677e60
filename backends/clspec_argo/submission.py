"""What is put into a cluster so that a pipeline runs there, whichever way it is put."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clspec.diagnostic import ClspecError, UsageError
from clspec_argo.emit import documents, store
from clspec_argo.text import escaped
from clspec_argo.validate import EmitError, findings

if TYPE_CHECKING:
    from clspec.backend import Occasion
    from clspec.plan import Plan
    from clspec_argo.options import Options

OVER = ("Succeeded", "Failed", "Error")
"""The phases in which a run is over."""


class Unreachable(ClspecError):
    """The cluster did not answer, or said no."""


def templates(plan: Plan, pipeline: str, options: Options) -> list[dict[str, Any]]:
    """The objects that a run is made from, the pipeline's own first.

    Raises:
        UsageError: nothing says which store a run on a cluster has.
        EmitError: they would not run.
    """
    if not store(plan, options):
        message = f"the store `{plan.store}` is a path of this machine: add --set store=s3://BUCKET/PREFIX"
        raise UsageError(message)
    made = dict(documents(plan, options))
    if found := findings(made, options.longest_list):
        raise EmitError(found)
    whole = (document for document in made.values() if document["kind"] == "WorkflowTemplate")
    return [document for document in whole if document["metadata"]["labels"].get("clspec.dev/pipeline") == pipeline]


def arguments(occasion: Occasion | None) -> list[str]:
    """What is true of one run alone, as `NAME=VALUE`."""
    if occasion is None or occasion.allow_both is None:
        return []
    given = {"by": occasion.allow_both.by, "why": occasion.allow_both.why}
    return [f"allow-both={escaped(json.dumps(given, sort_keys=True, separators=(',', ':')))}"]
