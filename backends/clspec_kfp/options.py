"""What a user may set for this target: `--set pipeline_root=s3://bucket/prefix`."""

from __future__ import annotations

from dataclasses import dataclass

from clspec.trainjob import RUNTIME


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the cluster wants beyond the spec."""

    pipeline_root: str = ""
    """Where Kubeflow keeps the artifacts of a run; empty: as the installation says."""
    store: str = ""
    """The store's URI for runs that are given no other; empty: the spec's, if a cluster can reach that."""
    gpu_model_label: str = "nvidia.com/gpu.product"
    """The node label that names a GPU's model; empty: models select no node."""
    gpu_memory_label: str = "nvidia.com/gpu.memory"
    """The node label that says a GPU's memory in MiB; empty: memory selects no node."""
    secret: str = ""
    """The Kubernetes Secret, keyed by variable, with the secrets for which the spec names no place."""
    trainer_runtime: str = RUNTIME
    """The runtime of a training on several machines: `NAME`, or `TrainingRuntime/NAME` for one of the namespace."""
    trainer_version: str = "2.2"
    """The version of Kubeflow Trainer that is there: `2.2` for that and later ones, or `2.1`."""
    service_account: str = "pipeline-runner"
    """The service account of the steps, as the installation says: who may make such a training, and as whom its
    machines run. With profiles it is `default-editor`."""
    resources: bool = False
    """Whether to write each pipeline also as the custom resources `Pipeline` and `PipelineVersion`."""
    namespace: str = ""
    """The namespace of those resources, and of the roles; empty: whichever they are applied to."""
