"""How far the robotaxi example's verdicts are from tipping: every gate, in standard deviations between seeds.

    python bench/robotaxi_margin.py --seeds 1 2 3 4 5

Version 1 learns from the first drives, version 2 from these and the dog park's; both are judged on the golden set.
An example whose verdict depends on the seed teaches nothing, so each margin should be at least three.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.stats import beta

# The example is user code, not an installed package: its folder is its root.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "specs" / "robotaxi"))

import scenes
import train

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

_ERROR_RATE = 0.05  # of each one-sided bound
_VALIDATION = 0.1


@dataclass(frozen=True)
class Check:
    """A proportion of the selected rows, and the threshold its confidence bound has to meet.

    Recall and the false positive rate count the answer `label`; accuracy, without a label, the right answer.
    """

    scenario: str
    metric: str
    label: str | None
    threshold: float
    select: Callable[[scenes.Frame], bool]

    @property
    def rises(self) -> bool:
        """Whether more is better, so that the lower bound is judged."""
        return self.metric != "false_positive_rate"

    def room(self, bound: float) -> float:
        """Return how far a bound is inside the threshold; below nought it fails."""
        return bound - self.threshold if self.rises else self.threshold - bound


@dataclass(frozen=True)
class Outcome:
    """What one seed showed for one check."""

    estimate: float
    bound: float
    rows: int
    rides: int


def _is(frame: scenes.Frame, *labels: str) -> bool:
    return frame["label"] in labels


def _night(frame: scenes.Frame) -> bool:
    return frame["lighting"] == "night"


def _occluded(frame: scenes.Frame) -> bool:
    return frame["occlusion"] >= 0.3


CHECKS = (
    Check("pedestrian-at-night", "recall", "pedestrian", 0.95, lambda f: _is(f, "pedestrian") and _night(f)),
    Check("its guard", "false_positive_rate", "pedestrian", 0.05, lambda f: _is(f, "none", "vehicle") and _night(f)),
    Check("dog-crossing", "recall", "dog", 0.95, lambda f: _is(f, "dog")),
    Check("its guard", "false_positive_rate", "dog", 0.05, lambda f: _is(f, "none", "vehicle")),
    Check("occluded-cyclist", "recall", "cyclist", 0.90, lambda f: _is(f, "cyclist") and _occluded(f)),
    Check(
        "its guard",
        "false_positive_rate",
        "cyclist",
        0.05,
        lambda f: _is(f, "none", "vehicle", "pedestrian") and _occluded(f),
    ),
    Check("rainy-day", "accuracy", None, 0.90, lambda f: f["weather"] == "rain" and not _night(f)),
)


def effective_size(hits: NDArray[np.float64], rides: Sequence[str]) -> float:
    """Return how many independent rows these clustered rows are worth (Korn, Graubard 1998, without their t ratio).

    With no error, or nothing but errors, the design effect is unknown and each ride counts once.
    """
    rows, share = len(hits), float(hits.mean())
    _, ride_of_row = np.unique(np.array(rides), return_inverse=True)
    clusters = int(ride_of_row.max()) + 1
    if share in (0.0, 1.0):
        return clusters
    residuals = np.bincount(ride_of_row, hits - share)
    clustered = clusters / (clusters - 1) * float(residuals @ residuals) / rows**2
    return min(rows, share * (1 - share) / clustered)


def bound(share: float, size: float, *, lower: bool) -> float:
    """Return the one-sided 95 % Clopper-Pearson bound of a proportion seen in `size` independent rows."""
    hits = share * size
    if lower:
        return float(beta.ppf(_ERROR_RATE, hits, size - hits + 1)) if hits > 0 else 0.0
    return float(beta.ppf(1 - _ERROR_RATE, hits + 1, size - hits)) if hits < size else 1.0


def judge(check: Check, golden: Iterable[scenes.Frame], answers: dict[str, str]) -> Outcome:
    """Return the check's estimate and bound for one model's answers."""
    chosen = [frame for frame in golden if check.select(frame)]
    hits = np.array([answers[frame["frame_sha256"]] == (check.label or frame["label"]) for frame in chosen], float)
    rides = [frame["ride_id"] for frame in chosen]
    share, size = float(hits.mean()), effective_size(hits, rides)
    return Outcome(share, bound(share, size, lower=check.rises), len(chosen), len(set(rides)))


def held_out(frame: scenes.Frame) -> bool:
    """Whether the frame's ride belongs to the tenth kept for validation."""
    ride = hashlib.sha256(frame["ride_id"].encode()).digest()
    return int.from_bytes(ride[:8], "big") < int(_VALIDATION * 2**64)


def run(version: str, frames: list[scenes.Frame], golden: Path, seed: int, folder: Path) -> dict[str, str]:
    """Train one seed and return its answer for each golden frame."""
    model = folder / f"{version}-{seed}"
    model.mkdir()
    data, validation = model.with_suffix(".train.parquet"), model.with_suffix(".validation.parquet")
    _write(data, [frame for frame in frames if not held_out(frame)])
    _write(validation, [frame for frame in frames if held_out(frame)])
    started = time.perf_counter()
    metrics = train.train(data=str(data), validation=str(validation), model_dir=str(model), seed=seed)
    trained = time.perf_counter() - started
    answers = {str(row["frame_sha256"]): str(row["pred"]) for row in train.predict(str(golden), str(model))}
    predicted = time.perf_counter() - started - trained
    told = " ".join(f"{name} {value:.4f}" for name, value in metrics.items())
    _say(f"{version} seed {seed}: train {trained:.1f} s, predict {predicted:.1f} s; {told}")
    return answers


def margin(check: Check, outcomes: Sequence[Outcome]) -> float:
    """Return how many standard deviations the seed nearest to tipping is past the threshold; negative: it fails.

    The deviation is the larger of the estimates' and the bounds', as a bound at its ceiling hides what moved.
    """
    room = [check.room(outcome.bound) for outcome in outcomes]
    nearest = min(room) if max(room) >= 0 else max(room)
    spread = max(_spread([outcome.bound for outcome in outcomes]), _spread([outcome.estimate for outcome in outcomes]))
    return nearest / spread if spread else math.copysign(math.inf, nearest)


def _spread(values: list[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0


def report(version: str, check: Check, outcomes: Sequence[Outcome]) -> None:
    """Print one check: each seed's estimate and bound, their mean and deviation, and the margin."""
    first = outcomes[0]
    wanted = f"{check.metric} {'>=' if check.rises else '<='} {check.threshold}"
    _say(f"\n{version} {check.scenario}: {wanted}, {first.rows} rows, {first.rides} rides")
    _say("  estimate " + " ".join(f"{outcome.estimate:.4f}" for outcome in outcomes))
    _say("  bound    " + " ".join(f"{outcome.bound:.4f}" for outcome in outcomes))
    for name, values in (("estimate", [o.estimate for o in outcomes]), ("bound", [o.bound for o in outcomes])):
        _say(f"  {name}: mean {statistics.mean(values):.4f} sd {_spread(values):.4f}")
    passed = sum(check.room(outcome.bound) >= 0 for outcome in outcomes)
    _say(f"  {passed} of {len(outcomes)} pass, margin {margin(check, outcomes):.1f} sd")


def _write(path: Path, frames: Sequence[scenes.Frame]) -> None:
    columns = {name: [frame[name] for frame in frames] for name in scenes.Frame.__annotations__}  # type: ignore[literal-required]
    pq.write_table(pa.table(columns), path)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _drawn(source: Callable[[], Iterable[scenes.Frame]]) -> list[scenes.Frame]:
    started = time.perf_counter()
    frames = list(source())
    _say(f"{source.__name__}: {len(frames)} frames in {time.perf_counter() - started:.1f} s")
    return frames


def main() -> None:
    """Train both versions for each seed and print every check's margin."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    seeds = parser.parse_args().seeds
    first, park, golden = (_drawn(s) for s in (scenes.first_drives, scenes.dog_park_drives, scenes.golden_drives))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frames = folder / "golden.parquet"
        _write(frames, golden)
        for version, data in (("v1", first), ("v2", first + park)):
            answers = [run(version, data, frames, seed, folder) for seed in seeds]
            for check in CHECKS:
                report(version, check, [judge(check, golden, answer) for answer in answers])


if __name__ == "__main__":
    main()
