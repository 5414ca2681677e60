"""What a user may set for this target: `--set pipeline_root=s3://bucket/prefix`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the cluster wants beyond the spec."""

    pipeline_root: str = ""
    """Where Kubeflow keeps the artifacts of a run; empty: as the installation says."""
    gpu_model_label: str = "nvidia.com/gpu.product"
    """The node label that names a GPU's model; empty: models select no node."""
    gpu_memory_label: str = "nvidia.com/gpu.memory"
    """The node label that says a GPU's memory in MiB; empty: memory selects no node."""
    secret: str = ""
    """The Kubernetes Secret, keyed by variable, with the secrets for which the spec names no place."""
    resources: bool = False
    """Whether to write each pipeline also as the custom resources `Pipeline` and `PipelineVersion`."""
    namespace: str = ""
    """The namespace of those resources; empty: whichever they are applied to."""
