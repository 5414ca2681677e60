"""Kubeflow Pipelines as a target: a plan becomes what `kfp` would have compiled, without `kfp`."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from clspec.backend import API_VERSION, Backend, Bundle, Capabilities
from clspec.graph import GraphError
from clspec_kfp import document
from clspec_kfp.access import access
from clspec_kfp.check import problems
from clspec_kfp.options import Options
from clspec_kfp.resources import resources
from clspec_kfp.schedule import recurring_runs
from clspec_kfp.validate import SelfCheckError, faults
from clspec_kfp.written import dump

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clspec.backend import Cluster, Follow, Occasion
    from clspec.diagnostic import Diagnostic
    from clspec.plan import Pipeline, Plan

__all__ = ["Options", "SelfCheckError", "backend"]


class KfpBackend:
    """Writes `<pipeline>.yaml` for each pipeline, and `<pipeline>.recurring-run.json` where it has a schedule.

    Where steps need rights that no installation gives them, `access.yaml` has these.
    """

    name = "kfp"
    api_version = API_VERSION
    options: type[Any] = Options
    capabilities = Capabilities(
        can=(
            "one container per step, by image digest; images need a user that is not root",
            "conditions within conditions, steps that run however the others end",
            "caching of pure steps by image, arguments and input artifacts",
            "cpu, memory, GPUs by count, resource, model and memory; shared memory, node selectors, tolerations",
            "timeouts, and retries on any failure",
            "training on several machines, as a TrainJob that a launcher makes and awaits (Kubeflow Trainer 2)",
            "Kubernetes secrets as environment variables",
            "schedules in UTC, as recurring runs; pipelines as custom resources (`--set resources=true`)",
        ),
        cannot=(
            "start a run on changed code, changed data or new labels",
            "retry on failures of the infrastructure alone: it retries on any",
            "reserve ephemeral storage: it only limits temporary files",
            "give `isolation` a meaning: each step is a pod of its own anyway",
        ),
    )

    def check(self, plan: Plan, options: Options) -> Sequence[Diagnostic]:
        """What Kubeflow cannot express, in order."""
        return problems(document.placed(plan, options), options)

    def emit(self, plan: Plan, options: Options) -> Bundle:
        """The files of every pipeline.

        Raises:
            SelfCheckError: clspec made something that does not hold together.
        """
        bundle: Bundle = {}
        with _no_collection():
            plan = document.placed(plan, options)
            for pipeline in plan.pipelines:
                bundle |= _files(plan, pipeline, options)
        return bundle | access(plan, options)

    def lint(self, text: str, path: str = "pipeline.yaml") -> Sequence[Diagnostic]:
        """What is wrong with a pipeline from anywhere; see `clspec_kfp.lint`."""
        from clspec_kfp.lint import lint  # noqa: PLC0415  # a compile needs none of it

        return lint(text, path)

    def submit(  # noqa: PLR0913, PLR0917  # the protocol's own
        self, plan: Plan, pipeline: str, options: Options, cluster: Cluster, occasion: Occasion, follow: Follow | None
    ) -> str:
        """Begin a run through Kubeflow's own client; see `clspec.backend.Submitter`."""
        from clspec_kfp.submit import submit  # noqa: PLC0415  # what a compile does without

        wait, watch = (follow.pause, follow.tell) if follow else (None, _unheard)
        return submit(plan, plan.pipeline(pipeline), options, cluster.host, occasion, wait, watch)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Nothing here makes a circle of references, for which the collector would walk large documents many times."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _unheard(state: str) -> None:
    """Nobody follows the run."""


def _files(plan: Plan, pipeline: Pipeline, options: Options) -> Bundle:
    try:
        documents = document.documents(plan, pipeline, options)
    except GraphError as error:
        raise SelfCheckError(pipeline.name, (str(error),)) from error
    if found := faults(documents):
        raise SelfCheckError(pipeline.name, found)
    return (
        {f"{pipeline.name}.yaml": dump(documents)}
        | recurring_runs(plan, pipeline, documents, options)
        | resources(plan, pipeline, documents, options)
    )


backend: Backend = KfpBackend()
