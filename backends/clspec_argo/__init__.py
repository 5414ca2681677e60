"""The Argo Workflows target: a plan becomes WorkflowTemplates and CronWorkflows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clspec.backend import API_VERSION, Capabilities
from clspec.plan import straight
from clspec_argo.check import problems
from clspec_argo.emit import documents
from clspec_argo.options import Options
from clspec_argo.text import dump, load
from clspec_argo.validate import EmitError, findings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clspec.backend import Bundle
    from clspec.diagnostic import Diagnostic
    from clspec.plan import Plan

__all__ = ["ArgoBackend", "EmitError", "Options", "backend"]

_HEADER = "# Made by clspec from a reviewed spec: change the spec, not this file.\n"


class ArgoBackend:
    """Argo Workflows 4.1, as far as it goes also 3.7."""

    name = "argo"
    api_version = API_VERSION
    options: type[Any] = Options
    capabilities = Capabilities(
        can=(
            "a WorkflowTemplate for each pipeline, a CronWorkflow for each time zone of its schedules",
            "conditions, retries of infrastructure failures, time limits",
            "CPU, memory, GPUs by count and model label, shared memory, scratch space, node selectors, tolerations",
            "secrets by reference",
            "artifacts under one key each in any repository that Argo is set up with",
        ),
        cannot=(
            "pipelines that branch (`improvement`) and steps that always run (`notify`)",
            "start runs on code, data or labels (no Argo Events): start them with `argo submit --from`",
            "choose a GPU by its memory",
            "spread one step over several machines",
            "reuse the results of earlier runs",
            "more than 199 steps in one pipeline",
        ),
    )

    def check(self, plan: Plan, options: Options) -> Sequence[Diagnostic]:
        """What Argo cannot express, at the user's line."""
        return problems(plan, options)

    def emit(self, plan: Plan, options: Options) -> Bundle:
        """The objects as YAML files.

        Raises:
            EmitError: they would not run, which is a bug here.
        """
        made = documents(plan, options)
        bundle = {file: _HEADER + dump(document) for file, document in made.items()}
        unread = (f"{file}: is not read as it was written" for file, text in bundle.items() if load(text) != made[file])
        if found := (*unread,):
            raise EmitError(found)
        return bundle


backend = ArgoBackend()
