"""What `--set KEY=VALUE` can say to the Argo target."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clspec.diagnostic import UsageError
from clspec.trainjob import RUNTIME, complaint
from clspec_argo.text import MAX_LIST, changed, fits

if TYPE_CHECKING:
    from collections.abc import Iterator

_REPOSITORY = re.compile(r"[-A-Za-z0-9_.]+/[-A-Za-z0-9_.]+")
_VERSIONS = ("4.1", "3.7")
_LEAST = {"parallelism": 0, "run_as_user": 0, "keep_seconds": 0, "deadline_seconds": 0, "memoize_seconds": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the runs sit in their cluster; none of it changes what a step does."""

    store: str = ""
    """The store's URI for every run that is not given another; without it, the spec's if that is a URI."""
    service_account: str = ""
    """The service account of the pods; without it, one is emitted that may do no more than they must."""
    secrets: str = "clspec"
    """The Kubernetes secret with the webhooks of `notify` for which the spec names no place, each under its variable's
    name, and `webhook-token`."""
    artifact_repository: str = ""
    """Where artifacts go, as `CONFIGMAP` or `CONFIGMAP/KEY`; without it, the namespace's default repository."""
    gpu_model_label: str = "nvidia.com/gpu.product"
    """The node label that `gpu.model` is compared with."""
    parallelism: int = 0
    """How many pods of one run may work at a time; 0 for as many as there are."""
    run_as_user: int = 8737
    """The user id of every container of a pod; 0 where the cluster gives one to each namespace, as OpenShift does.

    It is one for all, because the files that Argo's own containers fetch are for their user only.
    """
    keep_seconds: int = 1_209_600
    """How long an ended run stays to be seen; 0 for ever. Its artifacts stay anyway."""
    deadline_seconds: int = 0
    """After how long a whole run is ended; 0 for never."""
    events: bool = True
    """Whether Argo Events is there, so that changed data, new labels and pushed code can start runs."""
    github: str = ""
    """The repository whose pushes are heard of, as `OWNER/NAME`."""
    trainer_runtime: str = RUNTIME
    """The runtime of a training on several machines: `NAME`, or `TrainingRuntime/NAME` for one of the namespace."""
    trainer_version: str = "2.2"
    """The version of Kubeflow Trainer that is there: `2.2` for that and later ones, or `2.1`."""
    memoize_seconds: int = 0
    """How old an earlier result may be that stands in for a training, a prediction or an evaluation; 0 for none.

    It takes a right that Argo's own installation does not give its controller, which is emitted.
    """
    controller: str = "argo/argo"
    """The service account of Argo's controller, as `NAMESPACE/NAME`: it keeps what `memoize_seconds` asks for."""
    argo_version: str = "4.1"
    """The version of Argo that is there: `4.1`, or `3.7`, whose lists have no longest length."""

    def __post_init__(self) -> None:
        """Refuse what a manifest cannot hold.

        Raises:
            UsageError: a value is out of range or not of the form that its key takes.
        """
        for key, why in self._complaints():
            message = f"--set {key}={getattr(self, key)!s}: {why}"
            raise UsageError(message)

    @property
    def longest_list(self) -> int:
        """How many tasks a DAG and templates an object may have."""
        return MAX_LIST if self.argo_version != "3.7" else sys.maxsize

    def _complaints(self) -> Iterator[tuple[str, str]]:
        for key, least in _LEAST.items():
            if getattr(self, key) < least:
                yield key, f"the least is {least}"
        if why := changed(self.store):
            yield "store", why
        elif self.store and not ("://" in self.store and fits("one word", self.store)):
            yield "store", "a URI has `://` and no spaces"
        if self.argo_version not in _VERSIONS:
            yield "argo_version", "it is one of " + ", ".join(_VERSIONS)
        if why := complaint(self.trainer_runtime, self.trainer_version):
            yield why.split()[0], why
        yield from self._names()

    def _names(self) -> Iterator[tuple[str, str]]:
        if self.service_account and not fits("object name", self.service_account):
            yield "service_account", "not a Kubernetes name"
        if self.github and not _REPOSITORY.fullmatch(self.github):
            yield "github", "write OWNER/NAME"
        namespace, _, account = self.controller.partition("/")
        if not (fits("name", namespace) and fits("object name", account)):
            yield "controller", "write NAMESPACE/NAME"
        if not fits("object name", self.secrets):
            yield "secrets", "not a Kubernetes name"
        if not fits("label name", self.gpu_model_label):
            yield "gpu_model_label", "not a Kubernetes label"
        configmap, slash, key = self.artifact_repository.partition("/")
        if self.artifact_repository and not (fits("object name", configmap) and (not slash or fits("key", key))):
            yield "artifact_repository", "write CONFIGMAP or CONFIGMAP/KEY"
