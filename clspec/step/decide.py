"""decide: whether what is new is worth a new model, and in one line why or why not."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from clspec.data.decisions import CLIMBED, Decisions
from clspec.diagnostic import StepFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clspec.data.versions import Dataset, Version
    from clspec.step.job import Job

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def run(job: Job) -> None:
    """Write `decision`, and the parameter `retrain`: yes or no."""
    name = job.config["dataset"]["name"]
    dataset, version = job.dataset(name), _appended(job)
    basis = _basis(job, dataset)
    fresh = dataset.rows(version) if basis is None else dataset.rows_added_after(basis.digest, version)
    per_class = _per_class(fresh.column(job.config["label"]))
    wait = _oldest_wait(job, dataset, version, fresh)
    retrain, reason = judged(job.config["retrain_when"], len(fresh), per_class, wait)
    told = {
        "retrain": retrain,
        "reason": reason,
        "new": len(fresh),
        "per_class": per_class,
        "oldest_wait": wait,
        "since_version": None if basis is None else basis.number,
    }
    job.write_json("decision", told)
    job.parameters["retrain"] = "yes" if retrain else "no"


def _appended(job: Job) -> Version:
    """The version that this run has appended to.

    Raises:
        StepFailed: the store does not have it.
    """
    digest = job.read_json("appended")["digest"]
    name = job.config["dataset"]["name"]
    found = job.dataset(name).find(digest)
    if found is None:
        message = f"{job.storage.uri} no longer holds dataset `{name}` at {digest}"
        raise StepFailed(message)
    return found


def _basis(job: Job, dataset: Dataset) -> Version | None:
    """The newest version that was learned from and judged, or that the lock pins; what came later is new."""
    config, standing = job.config, job.read_json("standing")
    digests = {config["pinned"]}
    if champion := standing["champion"]:
        digests.add(champion["datasets"].get(dataset.name))
    decisions = Decisions(job.storage, config["spec"]).contents(config["golden"])
    digests |= {decision.get("training") for decision in decisions if _settled(decision)}
    known = [version for version in dataset.versions() if version.digest in digests]
    return known[-1] if known else None


def _settled(decision: Mapping[str, Any]) -> bool:
    """Whether nothing more comes of a decision: no pass of this pipeline, or one that `promote` has gone up with.

    A run that was killed after its gate, or that found another champion at the end, has a model that passed and that
    nobody has: its data counts as new, so that the next run makes that model again and carries on.
    """
    unfinished = decision.get("verdict") == "pass" and decision.get("pipeline") == "improvement"
    return not unfinished or bool(decision.get(CLIMBED))


def _per_class(labels: pa.ChunkedArray) -> dict[str, int]:
    return dict(sorted(Counter(labels.cast(pa.large_string()).to_pylist()).items()))


def _oldest_wait(job: Job, dataset: Dataset, version: Version, fresh: pa.Table) -> float | None:
    """For how many seconds the first of the new labels has been there; None where nobody wrote down when that was."""
    told = dataset.provenance(version)
    mine = told.filter(pc.is_in(told.column(version.key), value_set=fresh.column(version.key)))
    since = pc.min(pc.coalesce(mine.column("labelled_at"), mine.column("queued_at"))).as_py()
    return None if since is None else max(0.0, (job.as_of - since).total_seconds())


def judged(
    rule: Mapping[str, Any] | None, new: int, per_class: Mapping[str, int], wait: float | None
) -> tuple[bool, str]:
    """Whether to train, and why: enough of everything, or the oldest has waited long enough; never without new rows."""
    if rule is None:
        return new > 0, f"{new} new samples"
    wanted, classes, longest = rule["min_new_samples"], rule["min_per_class"], rule["max_wait"]
    enough = new >= wanted and all(per_class.get(name, 0) >= least for name, least in classes.items())
    overdue = longest is not None and wait is not None and wait >= longest
    return new > 0 and (enough or overdue), "; ".join(_reasons(rule, new, per_class, wait))


def _reasons(rule: Mapping[str, Any], new: int, per_class: Mapping[str, int], wait: float | None) -> Iterator[str]:
    yield f"{new} of {rule['min_new_samples']} new samples"
    for name, least in rule["min_per_class"].items():
        yield f"{name} {per_class.get(name, 0)} of {least}"
    if rule["max_wait"] is not None and wait is not None:
        yield f"oldest waits {_duration(wait)} of {_duration(rule['max_wait'])}"


def _duration(seconds: float) -> str:
    """A duration in whole units of the largest that it has."""
    unit, size = next(((unit, size) for unit, size in _UNITS if seconds >= size), _UNITS[-1])
    return f"{int(seconds // size)} {unit}"
