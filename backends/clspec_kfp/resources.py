"""A pipeline as custom resources, for clusters whose pipelines are kept in version control and applied from there."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from clspec_kfp.document import name
from clspec_kfp.written import dump

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clspec.plan import Pipeline, Plan
    from clspec_kfp.options import Options

API = "pipelines.kubeflow.org/v2beta1"
_LONGEST = 127 - 13
"""What of a pipeline's name fits into that of a version, before a hyphen and twelve digits."""


def resources(
    plan: Plan, pipeline: Pipeline, documents: Sequence[Mapping[str, Any]], options: Options
) -> dict[str, str]:
    """A file with a `Pipeline` and its `PipelineVersion`, if the options ask for one.

    A version is called by what it holds: the same pipeline is the same version, and another never replaces it.
    """
    if not options.resources:
        return {}
    spec, *platform = documents
    called = name(plan, pipeline)
    digest = hashlib.sha256(json.dumps(list(documents), sort_keys=True).encode()).hexdigest()
    version = f"{called[:_LONGEST].rstrip('-')}-{digest[:12]}"
    held = {"pipelineName": called, "displayName": version, "pipelineSpec": spec}
    if platform:
        held["platformSpec"] = platform[0]
    made = [_resource("Pipeline", called, {"displayName": called}, options)]
    made.append(_resource("PipelineVersion", version, held, options))
    return {f"{pipeline.name}.resources.yaml": dump(made)}


def _resource(kind: str, called: str, spec: dict[str, Any], options: Options) -> dict[str, Any]:
    metadata = {"name": called} | ({"namespace": options.namespace} if options.namespace else {})
    return {"apiVersion": API, "kind": kind, "metadata": metadata, "spec": spec}
