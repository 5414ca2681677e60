"""A training on several machines: a TrainJob of Kubeflow Trainer is made, awaited and taken away again.

The job's name follows from the run and the step, so that a launcher that is tried again finds the job of the one
before it and goes on waiting. What goes into the machines and comes out of them lies in the store, in a folder that
each job has for itself: a pod of an earlier job that still runs can put nothing into a later one's.
"""

from __future__ import annotations

import copy
import json
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from clspec.diagnostic import ClspecError, StepFailed, SurroundingsFailed, UsageError
from clspec.plan import canonical
from clspec.step import cluster, parcel, pods
from clspec.step.ending import asked_to_end
from clspec.step.fit import numbers
from clspec.step.machine import DONE, TASK
from clspec.step.watch import Watch

if TYPE_CHECKING:
    from pathlib import Path

    from clspec.step.ending import Ending
    from clspec.step.job import Job

API = "trainer.kubeflow.org/v1alpha1"
ASKED = "clspec.dev/asked"
"""The annotation with the digest of all that the job was made for."""
FOLDER = "clspec.dev/folder"
"""The annotation with the folder of the store that is this job's."""
_STEM = 23
"""Pods are called after the job, and JobSet and Job append to that; 63 characters are the end."""
_GONE = 600.0
"""Seconds in which a job that is being deleted must be gone."""
_PAUSE = 2.0
_PASSED_ON = ("data", "validation")
"""The inputs that the machines are given. Golden rows stay here, where they were compared with."""


def trained(job: Job, directory: Path) -> dict[str, float]:
    """Have several machines fill the directory, and return what rank 0 says of it.

    Raises:
        ClspecError: they failed, or the job could not be made; what was made has been taken away.
    """
    with asked_to_end() as ending:
        launcher = _Launcher(job, Wanted.read(job.trainjob or {}), cluster.around(), ending)
        try:
            launcher.watch(launcher.begun()).wait()
            return launcher.collected(directory)
        finally:
            ending.is_held = True
            launcher.clear()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the target wants of the job: whose it is, how long it may take, and all of its spec but the arguments."""

    step: str
    seconds: int | None
    spec: dict[str, Any]
    machines: int

    @classmethod
    def read(cls, said: dict[str, Any]) -> Wanted:
        """As it stands in `--trainjob`.

        Raises:
            UsageError: it does not say all of it.
        """
        try:
            spec = dict(said["spec"])
            return cls(
                step=str(said["step"]),
                seconds=None if said["seconds"] is None else int(said["seconds"]),
                spec=spec,
                machines=int(spec["trainer"]["numNodes"]),
            )
        except (LookupError, TypeError, ValueError) as error:
            message = f"--trainjob does not say what the job is: {error!r}"
            raise UsageError(message) from error


class _Launcher:
    """One job: its name, what it is asked for, and where it lies."""

    def __init__(self, job: Job, wanted: Wanted, around: cluster.Cluster, ending: Ending) -> None:
        self._job = job
        self._wanted = wanted
        self._cluster = around
        self._ending = ending
        given = {name: _digest(job.inputs[name]) for name in _PASSED_ON}
        task = {"step": wanted.step, "config": job.config, "given": given, "spec": wanted.spec, "code": str(job.code)}
        self._asked = sha256(canonical(task).encode()).hexdigest()
        self.name = name(job.config["spec"], job.run, wanted.step)
        self._folder = ""

    @property
    def _path(self) -> str:
        return f"/apis/{API}/namespaces/{self._cluster.namespace}/trainjobs"

    # -- the beginning -----------------------------------------------------------------------------------------------

    def begun(self) -> dict[str, Any]:
        """The job: one that an earlier try of this step made, or a new one."""
        deadline = time.monotonic() + _GONE
        while True:
            found = self._cluster.find(f"{self._path}/{self.name}")
            if found is None:
                found = self._made()
            elif not found["metadata"].get("deletionTimestamp"):
                return self._adopted(found)
            else:
                self._say("an earlier job of this name is being deleted")
                found = None
            if found is not None:
                return found
            if time.monotonic() > deadline:
                message = f"TrainJob {self.name} is being deleted, and is not gone after {_GONE:g} s"
                raise SurroundingsFailed(message)
            time.sleep(_PAUSE)

    def _adopted(self, found: dict[str, Any]) -> dict[str, Any]:
        """An existing job, if it was made for the very same.

        Raises:
            StepFailed: it is another's, or was made for something else.
        """
        notes = found["metadata"].get("annotations") or {}
        if notes.get(ASKED) != self._asked or not notes.get(FOLDER):
            whose = "for something else" if notes.get(ASKED) else "by somebody else"
            message = (
                f"there is a TrainJob {self.name} in namespace {self._cluster.namespace} already, made {whose}: "
                f"look at it, and delete it if nobody needs it (kubectl delete trainjob {self.name})"
            )
            raise StepFailed(message)
        self._folder = notes[FOLDER]
        self._say("taken over from an earlier try")
        return found

    def _made(self) -> dict[str, Any] | None:
        """A new job, all that it needs laid down before; None if there is one of that name after all."""
        job = self._job
        self._folder = f"{job.config['spec']}/handover/{job.run}/{self._wanted.step}/{secrets.token_hex(8)}"
        inputs = parcel.send(job.storage, self._folder, ((name, job.inputs[name]) for name in _PASSED_ON))
        config = {key: value for key, value in job.config.items() if key != "protected"}
        job.storage.write(f"{self._folder}/{TASK}", canonical({"config": config, "inputs": inputs}).encode())
        body = self._body()
        there: dict[str, Any] | None = None
        try:
            # Strict, since the API drops what it does not know without a word: with another version of Trainer,
            # the machines' selectors would be lost.
            with self._ending.held():  # else nobody would know of a job that was made just then
                found = self._cluster.call("POST", f"{self._path}?fieldValidation=Strict", body)
        except cluster.ApiError as said:
            if said.status == _CONFLICT:
                there = self._cluster.find(f"{self._path}/{self.name}")
            if there is None or _folder(there) != self._folder:
                parcel.clear(job.storage, self._folder)
                self._folder = ""
                if said.status == _CONFLICT:
                    return None
                raise _explained(said) from said
            found = there  # this very job: an earlier request was carried out, and only its answer was lost
        self._say(f"made, on {self._wanted.machines} machines")
        return found

    def _owned(self) -> dict[str, Any]:
        """Whose the job is: theirs whose this pod is, so that it goes with them even if no launcher is left."""
        owners, why = pods.owner(self._cluster)
        if why:
            self._say(f"belongs to no run: {why}")
        return {"ownerReferences": owners} if owners else {}

    def _body(self) -> dict[str, Any]:
        words = ["--store", self._job.store, "--task", self._folder, "--code", str(self._job.code_root())]
        spec = copy.deepcopy(self._wanted.spec)
        spec["trainer"]["args"] = [word.replace("$", "$$") for word in words]  # Kubernetes makes one of two again
        return {
            "apiVersion": API,
            "kind": "TrainJob",
            "metadata": {
                "name": self.name,
                "namespace": self._cluster.namespace,
                "labels": {"app.kubernetes.io/managed-by": "clspec", "clspec.dev/run": _label(self._job.run)},
                "annotations": {ASKED: self._asked, FOLDER: self._folder, "clspec.dev/step": self._wanted.step},
                **self._owned(),
            },
            "spec": spec,
        }

    # -- the end -----------------------------------------------------------------------------------------------------

    def watch(self, found: dict[str, Any]) -> Watch:
        """The job, to be waited for."""
        return Watch(
            cluster=self._cluster,
            storage=self._job.storage,
            name=self.name,
            path=f"{self._path}/{self.name}",
            uid=found["metadata"].get("uid"),
            folder=self._folder,
            machines=self._wanted.machines,
            seconds=self._wanted.seconds,
        )

    def collected(self, directory: Path) -> dict[str, float]:
        """Put the model that was made into the directory, and return what the training says of it.

        Raises:
            StepFailed: the list of what was made, which is written last, is not there, or not what arrives.
        """
        storage = self._job.storage
        content = storage.read(f"{self._folder}/{DONE}")
        if content is None:
            message = f"TrainJob {self.name} is complete, and its first machine has left no model in {storage.uri}"
            raise StepFailed(message)
        try:
            done = json.loads(content)
            listed, said = dict(done["files"]), dict(done["metrics"])
        except (ValueError, LookupError, TypeError) as error:
            message = f"TrainJob {self.name} left no list of what it made: {error!r}"
            raise StepFailed(message) from error
        parcel.fetch(storage, self._folder, listed, directory)
        return numbers(said, f"TrainJob {self.name}")

    def clear(self) -> None:
        """Take the job away, and what was laid down for it; that this failed is said and changes nothing."""
        if not self._folder:  # it is another's, or there is none
            return
        try:
            found = self._cluster.find(f"{self._path}/{self.name}")
            if found and _folder(found) == self._folder:
                own = {"preconditions": {"uid": found["metadata"].get("uid")}}
                body = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background", **own}
                with suppress(cluster.ApiError):  # gone by itself, or another's by now
                    self._cluster.call("DELETE", f"{self._path}/{self.name}", body)
                    self._say("deleted")
            parcel.clear(self._job.storage, self._folder)
        except ClspecError as error:
            self._say(f"could not be cleared away (kubectl delete trainjob {self.name}): {error}")

    def _say(self, text: str) -> None:
        print(f"TrainJob {self.name}: {text}", flush=True)  # noqa: T201


def name(spec: str, run: str, step: str) -> str:
    """What the job of a step in a run is called: always the same, and never the same for two."""
    digest = sha256(canonical([spec, run, step]).encode()).hexdigest()
    stem = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in step.lower())
    stem = stem if stem[:1].isalpha() else f"step-{stem}"
    return f"{stem[:_STEM].rstrip('-')}-{digest[:16]}"


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        whole = sha256()
        while part := stream.read(1 << 20):
            whole.update(part)
        return whole.hexdigest()


def _folder(found: dict[str, Any]) -> str:
    """The folder of the store that a job says is its own."""
    return (found["metadata"].get("annotations") or {}).get(FOLDER) or ""


_CONFLICT = 409
_LABEL = 63


def _label(run: str) -> str:
    """The run as a label's value, which `kubectl -l` selects by; what cannot be one becomes a digest."""
    plain = len(run) <= _LABEL and run[-1].isalnum()  # the rest of its form was seen when it was read
    return run if plain else sha256(run.encode()).hexdigest()[:32]


def _explained(said: cluster.ApiError) -> StepFailed:
    """The API's refusal to make a job, with the way out that it does not know."""
    ways = {
        401: "its token is not accepted: is the service account still there?",
        403: "apply the roles that were compiled with the pipeline (`access*.yaml`)",
        404: "install Kubeflow Trainer 2 in this cluster",
    }
    way = ways.get(said.status, "")
    if "unknown field" in str(said):
        way = "compile with `--set trainer_version=...` as the cluster has it"
    return StepFailed(f"{said}; {way}" if way else str(said))
