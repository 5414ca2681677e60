"""The Argo Workflows target: a plan becomes WorkflowTemplates and CronWorkflows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clspec.backend import API_VERSION, Capabilities
from clspec_argo.check import problems
from clspec_argo.emit import documents
from clspec_argo.lint import lint
from clspec_argo.options import Options
from clspec_argo.validate import EmitError, Review
from clspec_argo.yaml_text import dump

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clspec.backend import Bundle, Cluster, Follow, Occasion
    from clspec.diagnostic import Diagnostic
    from clspec.plan import Plan

__all__ = ["ArgoBackend", "EmitError", "Options", "backend", "lint"]

_HEADER = "# Made by clspec from a reviewed spec: change the spec, not this file.\n"


class ArgoBackend:
    """Argo Workflows 4.1, as far as it goes also 3.7."""

    name = "argo"
    api_version = API_VERSION
    options: type[Any] = Options
    capabilities = Capabilities(
        can=(
            "a WorkflowTemplate for each pipeline, in parts where it is long; a CronWorkflow for each time zone",
            "pipelines that branch, steps that run however the others end",
            "starts on pushed code, changed data and new labels, with Argo Events",
            "conditions, retries of infrastructure failures, time limits, one append at a time",
            "CPU, memory, GPUs by count and model label, shared memory, scratch space, node selectors, tolerations",
            "training on several machines, as a TrainJob that a launcher makes and awaits (Kubeflow Trainer 2)",
            "secrets by reference, service accounts with no more rights than needed",
            "results of earlier runs, found by what they were made from, where they are asked for",
            "artifacts under one key each in any repository that Argo is set up with",
        ),
        cannot=("choose a GPU by its memory",),
    )

    def check(self, plan: Plan, options: Options) -> Sequence[Diagnostic]:
        """What Argo cannot express, at the user's line."""
        return problems(plan, options)

    def emit(self, plan: Plan, options: Options) -> Bundle:
        """The objects as YAML files.

        Raises:
            EmitError: they would not run, which is a bug here.
        """
        review, bundle = Review(options.longest_list), {}
        for file, document in documents(plan, options):
            review.look(file, document)
            bundle[file] = _HEADER + dump(document)
        if found := review.findings():
            raise EmitError(found)
        return bundle

    def lint(self, text: str, path: str, schemas: Sequence[str] = ()) -> Sequence[Diagnostic]:
        """What is wrong with manifests from anywhere: what Argo refuses is an error, what we would not do a warning."""
        return lint(text, path, schemas)

    def submit(  # noqa: PLR0913, PLR0917  # the protocol's own
        self, plan: Plan, pipeline: str, options: Options, cluster: Cluster, occasion: Occasion, follow: Follow | None
    ) -> str:
        """Begin a run through Argo's API; see `clspec.backend.Submitter`."""
        from clspec_argo import kubectl  # noqa: PLC0415  # what a compile does without
        from clspec_argo.submit import submit  # noqa: PLC0415

        def look(state: str) -> None:
            assert follow is not None  # else nobody looks
            follow.tell(state)
            follow.pause()

        wait = look if follow else None
        if kubectl.meant(cluster.host):
            return kubectl.submit(plan, pipeline, options, cluster, occasion, wait)
        namespace = cluster.namespace or "argo"
        return submit(plan, pipeline, options, cluster.host, occasion, wait, namespace=namespace, token=cluster.token)


backend = ArgoBackend()
