"""What the fleet sent home: new rides with a model at the wheel, its answers, and what the safety driver did.

Everything here is simulated. The scenes are drawn (scenes.py); the answers are those of the given model; swerves,
brakes and riders' reports are thrown by dice that look at the truth, so how well a swerve points at a mistake is
something this module was told (see `Odds`), and nothing to be learned from it about roads.

    python fleet.py --model MODEL_DIR --out DIR [--name fleet-1] [--rides 1500] [--last-day 2026-06-01]

writes DIR/inferences/NAME.parquet and DIR/rider_reports/NAME.jsonl for the pipeline, and DIR/truth/NAME.jsonl for the
simulated labellers (people.py) alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from scenes import CLASSES, Campaign, Draws, Frame, drive, golden_drives
from train import predict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SIGHTINGS = 3
"""How often the camera sees each scene while the car passes it."""
APART = timedelta(milliseconds=400)
LIVING = ("pedestrian", "cyclist", "dog")
_TAKEN = ("first", "park", "golden")
_HARD_BRAKE = -7.0

INFERENCES = pa.schema(
    {
        "inference_id": pa.string(),
        "ts": pa.timestamp("us", tz="UTC"),
        "ride_id": pa.string(),
        "pred": pa.string(),
        "conf": pa.float64(),
        "steer_rate": pa.float64(),
        "accel": pa.float64(),
        "lighting": pa.string(),
        "weather": pa.string(),
        "occlusion": pa.float64(),
        "frame": pa.binary(),
        "frame_sha256": pa.string(),
    }
)


@dataclass(frozen=True, kw_only=True)
class Odds:
    """The dice, in parts of a thousand: what people in and around the car do."""

    notices: int = 600
    """The safety driver acts within a second of a wrong answer about a person or an animal."""
    startles: int = 3
    """The driver swerves or brakes for a reason that has nothing to do with the model (each sighting)."""
    reports: int = 100
    """A rider reports a wrong answer."""
    misnames: int = 20
    """A report names a wrong class itself."""


class Sighting(NamedTuple):
    """One frame of a scene, its label still the truth."""

    inference_id: str
    ts: datetime
    seen: Frame


class Answer(NamedTuple):
    """What the model said of a frame."""

    pred: str
    conf: float


def campaign(name: str, rides: int, last_day: date) -> Campaign:
    """The rides of a fleet that meets more dogs than the first drives did, the last of them on `last_day`.

    Raises:
        ValueError: another source's rides have this name.
    """
    if name in _TAKEN:
        message = f"`{name}` is the name of rides that are learned from or judged on; a fleet drives others"
        raise ValueError(message)
    first_day = last_day - timedelta(days=(rides - 1) // 50)
    return Campaign(
        name=name,
        rides=rides,
        begins=datetime.combine(first_day, time(tzinfo=UTC)),
        labels=(310, 270, 170, 170, 80),
        night=450,
        rain=300,
        occluded=600,
    )


def sightings(rides: Campaign) -> Iterator[Sighting]:
    """Yield each scene as often as the camera sees it while the car passes, moment by moment."""
    looks = [drive(replace(rides, look=look)) for look in range(SIGHTINGS)]
    scenes: Counter[str] = Counter()
    for scene in zip(*looks, strict=True):
        ride_id = scene[0]["ride_id"]
        for look, frame in enumerate(scene):
            moment = datetime.fromisoformat(frame["ts"]) + look * APART
            yield Sighting(f"{ride_id}/{scenes[ride_id]}/{look}", moment, frame)
        scenes[ride_id] += 1


def answers(seen: Sequence[Sighting], model: Path) -> list[Answer]:
    """What the model says of each sighting; like any `predict`, it is not shown the truth."""
    shown = {column: [s.seen[column] for s in seen] for column in ("frame_sha256", "frame")}
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch, "frames.parquet")
        pq.write_table(pa.table(shown), data)
        said = {
            row["frame_sha256"]: Answer(str(row["pred"]), float(row["conf"])) for row in predict(str(data), str(model))
        }
    return [said[s.seen["frame_sha256"]] for s in seen]


def driven(seen: Sequence[Sighting], said: Sequence[Answer], odds: Odds) -> Iterator[dict[str, object]]:
    """Yield the rows that the fleet sends home: answers and how the car moved, no truth."""
    startled = False
    for number, (sighting, answer) in enumerate(zip(seen, said, strict=True)):
        draws = Draws(f"{sighting.inference_id}/driver")
        first = number % SIGHTINGS == 0
        acts = (startled and not first) or draws.chance(odds.startles)
        startled = wrong_about_the_living(sighting, answer) and draws.chance(odds.notices)
        steer_rate, accel = _evades(draws) if acts else _cruises(draws)
        yield _row(sighting, answer, steer_rate, accel)


def wrong_about_the_living(sighting: Sighting, answer: Answer) -> bool:
    """Whether a person or an animal stands there and the model says something else."""
    return sighting.seen["label"] in LIVING and answer.pred != sighting.seen["label"]


def _evades(draws: Draws) -> tuple[float, float]:
    """Steering in degrees a second, acceleration in m/s2 of a driver who swerves, or else brakes."""
    if draws.chance(500):
        side = 1 if draws.chance(500) else -1
        return side * draws.between(250, 450) / 10, draws.between(-35, 5) / 10
    return draws.between(-80, 80) / 10, draws.between(-85, -45) / 10


def _cruises(draws: Draws) -> tuple[float, float]:
    return draws.between(-90, 90) / 10, draws.between(-25, 20) / 10


def _row(sighting: Sighting, answer: Answer, steer_rate: float, accel: float) -> dict[str, object]:
    seen = sighting.seen
    return {
        "inference_id": sighting.inference_id,
        "ts": sighting.ts,
        "ride_id": seen["ride_id"],
        "pred": answer.pred,
        "conf": answer.conf,
        "steer_rate": steer_rate,
        "accel": accel,
        "lighting": seen["lighting"],
        "weather": seen["weather"],
        "occlusion": seen["occlusion"],
        "frame": seen["frame"],
        "frame_sha256": seen["frame_sha256"],
    }


def reports(seen: Sequence[Sighting], said: Sequence[Answer], odds: Odds) -> Iterator[dict[str, str]]:
    """Yield what riders write a day later about wrong answers: mostly the truth."""
    for sighting, answer in zip(seen, said, strict=True):
        draws = Draws(f"{sighting.inference_id}/rider")
        truth = sighting.seen["label"]
        if answer.pred == truth or not draws.chance(odds.reports):
            continue
        others = [name for name in CLASSES if name != truth]
        label = others[draws.between(0, len(others) - 1)] if draws.chance(odds.misnames) else truth
        created = sighting.ts + timedelta(hours=draws.between(1, 24))
        yield {
            "inference_id": sighting.inference_id,
            "corrected_label": label,
            "created_at": f"{created:%Y-%m-%dT%H:%M:%SZ}",
        }


def planted(count: int, like: Sequence[Sighting]) -> list[Sighting]:
    """Golden frames that strayed into the stream by id, by group or as a near-duplicate, in turn: tests of the guard.

    By id: the golden frame itself, on one of the fleet's rides. By group: another frame, on a golden ride. Near: a
    golden frame with one grey changed, on one of the fleet's rides.

    Raises:
        ValueError: there are not as many golden frames, or sightings to take the place of.
    """
    golden = list(islice(golden_drives(), count))
    places = like[:: max(len(like) // count, 1)][:count] if count else []
    if not len(golden) == len(places) == count:
        message = f"{count} golden frames cannot be planted into {len(like)} sightings"
        raise ValueError(message)
    return [
        Sighting(f"planted-{way}-{number:04d}", place.ts, _strayed(way, frame, place.seen))
        for number, (way, frame, place) in enumerate(zip(cycle(("id", "group", "near")), golden, places, strict=False))
    ]


def _strayed(way: str, golden: Frame, own: Frame) -> Frame:
    if way == "id":
        return {**golden, "ride_id": own["ride_id"]}
    if way == "group":
        return _retouched({**own, "ride_id": golden["ride_id"]})
    return _retouched({**golden, "ride_id": own["ride_id"]})


def _retouched(frame: Frame) -> Frame:
    """The frame with its first pixel one grey off: to the eye the same, to sha256 another."""
    content = bytes([frame["frame"][0] ^ 1]) + frame["frame"][1:]
    return {**frame, "frame": content, "frame_sha256": hashlib.sha256(content).hexdigest()}


def write(out: Path, name: str, model: Path, seen: Sequence[Sighting], strays: Sequence[Sighting]) -> dict[str, int]:
    """Let the model answer and leave the three files; return how many rows of what there are.

    Each stray comes with a hard brake, so that it is mined whatever the model says of it.
    """
    odds = Odds()
    said = answers([*seen, *strays], model)
    own, theirs = said[: len(seen)], said[len(seen) :]
    rows = [*driven(seen, own, odds), *(_row(s, a, 0.0, _HARD_BRAKE) for s, a in zip(strays, theirs, strict=True))]
    told = list(reports(seen, own, odds))
    truth = [{"frame_sha256": s.seen["frame_sha256"], "label": s.seen["label"]} for s in (*seen, *strays)]
    for folder in ("inferences", "rider_reports", "truth"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=INFERENCES), out / "inferences" / f"{name}.parquet")
    _lines(out / "rider_reports" / f"{name}.jsonl", told)
    _lines(out / "truth" / f"{name}.jsonl", truth)
    wrong = sum(wrong_about_the_living(*pair) for pair in zip(seen, own, strict=True))
    return {"frames": len(rows), "wrong about people or animals": wrong, "reports": len(told), "planted": len(strays)}


def _lines(path: Path, rows: Iterable[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row, sort_keys=True) + "\n" for row in rows), encoding="utf-8")


def main(words: Sequence[str]) -> int:
    """Drive, and say what came of it."""
    parser = argparse.ArgumentParser(description="Simulate a fleet's rides with a model at the wheel.")
    parser.add_argument("--model", type=Path, required=True, help="the folder that training wrote")
    parser.add_argument("--out", type=Path, required=True, help="where the data goes")
    parser.add_argument("--name", default="fleet-1", help="another name gives other rides")
    parser.add_argument("--rides", type=int, default=1500)
    parser.add_argument("--last-day", type=date.fromisoformat, help="default: the day before yesterday, in UTC")
    parser.add_argument("--plant-golden", type=int, default=0, metavar="N", help="smuggle N golden frames in")
    given = parser.parse_args(words)
    last_day = given.last_day or (datetime.now(UTC) - timedelta(days=2)).date()
    try:
        seen = list(sightings(campaign(given.name, given.rides, last_day)))
        strays = planted(given.plant_golden, seen)
    except ValueError as error:
        parser.error(str(error))
    counts = write(given.out, given.name, given.model, seen, strays)
    sys.stdout.write(f"{given.name}: {', '.join(f'{count} {what}' for what, count in counts.items())}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
