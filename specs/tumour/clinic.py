"""A clinic that uses the model, simulated: real cases measured again with a little error, and reports of pathology.

The cases are real and neither learned from nor judged on (biopsies.clinic); that they come in again, when, what is
biopsied and when a report arrives is thrown by dice.

    python clinic.py --model MODEL_DIR --out DIR [--name clinic-1] [--last-day 2026-06-01]

writes DIR/inferences/NAME.csv and DIR/reports/NAME.csv.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import sys
import tempfile
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from biopsies import Case, clinic
from classifier import predict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

VISITS = 3
"""How often each patient comes."""
PERIOD = 365
"""The days over which all visits are spread."""
_ERROR = 30  # in parts of a thousand: how far a repeated measurement may be off
_SECOND_LOOK = 300  # of a thousand cases that were called benign, so many are biopsied at once


class _Dice:
    """Numbers that depend on a name only."""

    def __init__(self, name: str) -> None:
        self._name, self._count = name, 0

    def between(self, low: int, high: int) -> int:
        """Return an integer in [low, high]."""
        self._count += 1
        word = hashlib.sha256(f"{self._name}#{self._count}".encode()).digest()[:8]
        return low + int.from_bytes(word, "big") * (high - low + 1) // (1 << 64)


def visits(name: str, last_day: date) -> list[dict[str, Any]]:
    """Return every visit: its id, time and patient, and the thirty measurements, taken anew."""
    end = datetime.combine(last_day, time(16), tzinfo=UTC)
    return [_visit(f"{name}-{case.case_id}-{number}", case, end) for case in clinic() for number in range(VISITS)]


def _visit(inference_id: str, case: Case, end: datetime) -> dict[str, Any]:
    dice = _Dice(inference_id)
    seen = end - timedelta(days=dice.between(0, PERIOD - 1), minutes=dice.between(0, 479))
    measured = {name: value * (1000 + dice.between(-_ERROR, _ERROR)) / 1000 for name, value in case.measured.items()}
    return {"inference_id": inference_id, "case_id": inference_id, "patient_id": case.case_id, "ts": seen, **measured}


def reports(seen: Sequence[dict[str, Any]], said: dict[str, str], last_day: date) -> Iterator[dict[str, Any]]:
    """Yield what pathology wrote until `last_day`.

    What was called malignant is biopsied within three weeks, and so is a share of the rest. A tumour that was missed
    comes to light within five months, but for one in twenty, about which the rule `when_absent` is then wrong.
    """
    truth = {case.case_id: case.label for case in clinic()}
    for visit in seen:
        dice = _Dice(f"{visit['inference_id']}/report")
        label = truth[visit["patient_id"]]
        soon = said[visit["case_id"]] == "malignant" or dice.between(0, 999) < _SECOND_LOOK
        days = dice.between(3, 21) if soon else dice.between(60, 150)
        if not soon and (label == "benign" or dice.between(1, 20) == 1):
            continue
        reported = visit["ts"] + timedelta(days=days)
        if reported.date() <= last_day:
            yield {"inference_id": visit["inference_id"], "finding": label, "reported": _text(reported)}


def answers(seen: Sequence[dict[str, Any]], model: Path) -> dict[str, tuple[str, float]]:
    """What the model says at each visit; it is not told what it was."""
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch, "visits.parquet")
        pq.write_table(pa.Table.from_pylist(list(seen)), data)
        return {str(row["case_id"]): (str(row["said"]), float(row["belief"])) for row in predict(str(data), str(model))}


def write(out: Path, name: str, model: Path, last_day: date) -> dict[str, int]:
    """Let the model answer and leave both files; return how many rows of what there are."""
    seen = visits(name, last_day)
    said = answers(seen, model)
    rows = []
    for visit in seen:
        pred, belief = said[visit["case_id"]]
        rows.append({**visit, "ts": _text(visit["ts"]), "said": pred, "belief": belief})
    told = list(reports(seen, {key: pred for key, (pred, _) in said.items()}, last_day))
    _table(out / "inferences" / f"{name}.csv", rows)
    _table(out / "reports" / f"{name}.csv", told)
    return {"visits": len(rows), "called malignant": sum(r["said"] == "malignant" for r in rows), "reports": len(told)}


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def main(words: Sequence[str]) -> int:
    """Open the clinic for a year, and say what came of it."""
    parser = argparse.ArgumentParser(description="Simulate a clinic's year with a model.")
    parser.add_argument("--model", type=Path, required=True, help="the folder that training wrote")
    parser.add_argument("--out", type=Path, required=True, help="where the data goes")
    parser.add_argument("--name", default="clinic-1", help="another name gives other visits")
    parser.add_argument("--last-day", type=date.fromisoformat, help="default: yesterday, in UTC")
    given = parser.parse_args(words)
    last_day = given.last_day or (datetime.now(UTC) - timedelta(days=1)).date()
    counts = write(given.out, given.name, given.model, last_day)
    sys.stdout.write(f"{given.name}: {', '.join(f'{count} {what}' for what, count in counts.items())}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
