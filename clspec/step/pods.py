"""The pods of a job on several machines: whether they run, what they wait for, and which were lost."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from clspec.step.cluster import ApiError
from clspec.trainjob import POD_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clspec.step.cluster import Cluster

JOB_LABEL = "jobset.sigs.k8s.io/jobset-name"
"""The label under which the pods of a TrainJob carry its name."""
_LOST = ("Evicted", "Preempting", "Preempted", "NodeLost", "NodeShutdown", "Terminated", "UnexpectedAdmissionError")
_KILLED = 128
"""From here on, an exit code tells of a signal."""


@dataclass(frozen=True, slots=True)
class Pods:
    """The pods as they are now; none where they cannot be looked at, and `hidden` says why."""

    found: tuple[Mapping[str, Any], ...]
    hidden: str = ""

    @classmethod
    def of(cls, cluster: Cluster, job: str) -> Pods:
        """The pods of a job. A launcher that may not look at pods knows less, and goes on."""
        selector = quote(f"{JOB_LABEL}={job}", safe="")
        try:
            found = cluster.call("GET", f"/api/v1/namespaces/{cluster.namespace}/pods?labelSelector={selector}")
        except ApiError as said:
            return cls((), hidden=str(said))
        return cls(tuple(found.get("items") or ()))

    @property
    def all_over(self) -> bool:
        """Whether there are some, and none runs or waits."""
        return bool(self.found) and all(_phase(pod) in ("Succeeded", "Failed") for pod in self.found)

    @property
    def lost(self) -> list[str]:
        """The pods that their surroundings ended, each in words."""
        return [f"pod {_name(pod)} {why}" for pod in self.found if (why := _lost(pod))]

    def state(self, wanted: int) -> str:
        """What the job is at, in words."""
        if self.hidden:
            return f"its pods cannot be looked at ({self.hidden})"
        running = sum(_phase(pod) in ("Running", "Succeeded") for pod in self.found)
        waiting = sorted(why for pod in self.found for why in _waits_for(pod))
        return f"{running} of {wanted} machines run" + (f"; {waiting[0]}" if waiting else "")


def owner(cluster: Cluster) -> tuple[list[dict[str, Any]], str]:
    """Whoever owns the pod that this process runs in, as a reference that makes an object theirs too.

    That is the Workflow of this run, on Argo and below Kubeflow: it outlives all tries of a step, and once it is gone,
    Kubernetes takes away what is its own. Where nobody can be found, there is no reference, and the text says why.
    """
    name = next(filter(None, map(os.environ.get, POD_NAMES)), "")
    if not name:
        return [], "its launcher does not know its own pod"
    selector = quote(f"metadata.name={name}", safe="")
    try:
        found = cluster.call("GET", f"/api/v1/namespaces/{cluster.namespace}/pods?fieldSelector={selector}")
    except ApiError as said:
        return [], f"its launcher's pod cannot be looked at ({said})"
    for pod in found.get("items") or ():
        for reference in pod["metadata"].get("ownerReferences") or ():
            if reference.get("controller"):
                # without `controller`, since it controls no job, and `blockOwnerDeletion`, which takes more rights
                return [{key: reference[key] for key in ("apiVersion", "kind", "name", "uid")}], ""
    return [], "its launcher's pod belongs to nobody"


def _name(pod: Mapping[str, Any]) -> str:
    return str(pod.get("metadata", {}).get("name", "?"))


def _phase(pod: Mapping[str, Any]) -> str:
    return str(pod.get("status", {}).get("phase", ""))


def _containers(pod: Mapping[str, Any]) -> list[dict[str, Any]]:
    return pod.get("status", {}).get("containerStatuses") or []


def _lost(pod: Mapping[str, Any]) -> str:
    """How a pod's surroundings ended it: from outside, for its memory, or by a signal that nobody here sent."""
    reason = str(pod.get("status", {}).get("reason", ""))
    if reason in _LOST:
        return f"was ended by its node: {reason}"
    for condition in pod.get("status", {}).get("conditions") or []:
        if condition.get("type") == "DisruptionTarget" and condition.get("status") == "True":
            return f"was ended: {condition.get('reason') or 'DisruptionTarget'}"
    for container in _containers(pod):
        for state in (container.get("state") or {}, container.get("lastState") or {}):
            ended = state.get("terminated") or {}
            if ended.get("reason") == "OOMKilled":
                return "needed more memory than it may have (OOMKilled)"
            if int(ended.get("exitCode") or 0) > _KILLED:
                return f"ended with exit code {ended['exitCode']}, which is a signal"
    return ""


def _waits_for(pod: Mapping[str, Any]) -> Iterator[str]:
    """What keeps a pod from running: no machine for it, or no image."""
    for condition in pod.get("status", {}).get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            yield f"pod {_name(pod)} waits for a machine: {condition.get('message') or condition.get('reason')}"
    for container in _containers(pod):
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
            yield f"pod {_name(pod)} waits: {waiting['reason']} {waiting.get('message') or ''}".rstrip()
