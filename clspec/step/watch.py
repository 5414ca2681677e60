"""A job on several machines until it is over: what it is at, and why it failed if it did."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from clspec.diagnostic import ClspecError, Refused, StepFailed, SurroundingsFailed, UsageError
from clspec.step.machine import FAILED
from clspec.step.pods import Pods

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clspec.data.storage import Storage
    from clspec.step.cluster import Cluster

_PAUSES = (1.0, 1.0, 2.0, 4.0, 8.0, 15.0)
_SETTLE = 10.0
"""Seconds in which the cluster may still say that a machine was lost, after another has said that it failed."""
_NEVER_BETTER = ("DeadlineExceeded", "TrainingRuntimeNotSupported")
"""Reasons of a failed job that another try meets again."""
_KINDS: dict[int, type[ClspecError]] = {1: Refused, 2: UsageError, 75: SurroundingsFailed}


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One job, by its path and uid, and its folder in the store."""

    cluster: Cluster
    storage: Storage
    name: str
    path: str
    uid: str
    folder: str
    machines: int
    seconds: int | None
    """How long it may take."""

    def wait(self) -> None:
        """Until the job is complete; whatever changes meanwhile is told.

        Raises:
            StepFailed: the user's code failed on a machine, or it took too long.
            Refused: a machine refused to run.
            SurroundingsFailed: it failed, and no machine's code did.
        """
        deadline = time.monotonic() + self.seconds if self.seconds else float("inf")
        shown, attempt = "", 0
        while "Complete" not in (conditions := self._conditions()):
            if "Failed" in conditions or self._reports():
                self._fail(conditions.get("Failed"))
            state = conditions.get("Suspended") or self._pods().state(self.machines)
            if time.monotonic() > deadline:
                message = f"TrainJob {self.name} was not over after {self.seconds} s: {state}"
                raise StepFailed(message)
            if state != shown:
                print(f"TrainJob {self.name}: {state}", flush=True)  # noqa: T201
            time.sleep(_PAUSES[min(attempt, len(_PAUSES) - 1)])
            shown, attempt = state, attempt + 1

    def _conditions(self) -> dict[str, str]:
        """The conditions that hold, each with its reason in words.

        Raises:
            SurroundingsFailed: the job is no longer there.
        """
        job = self.cluster.find(self.path)
        if job is None or job["metadata"].get("uid") != self.uid:
            message = f"TrainJob {self.name} was deleted by somebody else"
            raise SurroundingsFailed(message)
        listed = (job.get("status") or {}).get("conditions") or []
        return {
            str(item.get("type")): ": ".join(filter(None, (item.get("type"), item.get("reason"), item.get("message"))))
            for item in listed
            if item.get("status") == "True"
        }

    def _pods(self) -> Pods:
        return Pods.of(self.cluster, self.name)

    def _reports(self) -> list[dict[str, Any]]:
        """What machines that failed have said, the first one first."""
        entries = sorted(self.storage.stored(f"{self.folder}/{FAILED}"), key=lambda entry: entry.written)
        return [found for entry in entries if (found := self._report(entry.key)) is not None]

    def _report(self, key: str) -> dict[str, Any] | None:
        with suppress(ValueError):
            found = json.loads(self.storage.read(key) or b"")
            if isinstance(found, dict):
                return {"machine": "?", "exit_code": StepFailed.exit_code, "text": "it failed", **found}
        return None

    def _fail(self, condition: str | None) -> NoReturn:
        """Say why the job failed: for its surroundings where a machine was lost, else in the words of its code.

        The others fail soon after a machine is lost, and say so sooner than the cluster tells of the loss.
        """
        deadline = time.monotonic() + _SETTLE
        while not ((pods := self._pods()).lost or pods.all_over or time.monotonic() > deadline):
            time.sleep(_PAUSES[0])
        if pods.lost:
            message = f"TrainJob {self.name} failed, since {'; '.join(pods.lost)}"
            raise SurroundingsFailed(message)
        if reports := self._reports():
            raise _reported(self.name, reports[0])
        message = f"TrainJob {self.name} failed: {condition or 'it does not say why'}"
        if any(reason in message for reason in _NEVER_BETTER):
            raise StepFailed(message)
        raise SurroundingsFailed(message)


def _reported(name: str, report: Mapping[str, Any]) -> ClspecError:
    kind = _KINDS.get(report["exit_code"], StepFailed)
    return kind(f"TrainJob {name}, machine {report['machine']}: {report['text']}")
