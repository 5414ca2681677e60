"""Labellers who are not there: simulated people who answer an export of the label queue, nearly always rightly.

    python people.py --truth DATA/truth --tasks tasks.jsonl --answers answers.jsonl [--names ada,ben] [--slips 10]

Each name answers each question once. They look the answer up (what fleet.py wrote down, and the frames of scenes.py)
and, `--slips` times in a thousand, name another class. `--names carla --slips 0` stands for whoever adjudicates.
"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from scenes import CLASSES, Draws, dog_park_drives, first_drives, golden_drives

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


def truth(folder: Path) -> dict[str, str]:
    """The label of every frame that was drawn by the fleet or for a dataset, by its sha256.

    Raises:
        ValueError: the folder holds no truth.
    """
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        message = f"{folder}: no truth of a fleet here"
        raise ValueError(message)
    drawn = chain(first_drives(), dog_park_drives(), golden_drives())
    known = {frame["frame_sha256"]: frame["label"] for frame in drawn}
    for path in files:
        known |= {row["frame_sha256"]: row["label"] for row in _lines(path)}
    return known


def answers(
    keys: Iterable[str], known: Mapping[str, str], names: Sequence[str], slips: int
) -> Iterator[dict[str, str]]:
    """Yield what each person says of each frame.

    Raises:
        ValueError: nobody knows a frame.
    """
    for key in keys:
        if key not in known:
            message = f"nobody drew a frame {key}"
            raise ValueError(message)
        for name in names:
            yield {"key": key, "label": _said(known[key], Draws(f"{name}/{key}"), slips), "by": name}


def _said(label: str, draws: Draws, slips: int) -> str:
    if not draws.chance(slips):
        return label
    others = [name for name in CLASSES if name != label]
    return others[draws.between(0, len(others) - 1)]


def _lines(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines if line.strip())


def main(words: Sequence[str]) -> int:
    """Answer a file of questions."""
    parser = argparse.ArgumentParser(description="Simulate people who label frames.")
    parser.add_argument("--truth", type=Path, required=True, help="the folder `truth` that fleet.py wrote")
    parser.add_argument("--tasks", type=Path, required=True, help="what `clspec label export` wrote")
    parser.add_argument("--answers", type=Path, required=True, help="what `clspec label import` is to read")
    parser.add_argument("--names", default="ada,ben", help="who labels; every one of them answers everything")
    parser.add_argument("--slips", type=int, default=10, help="wrong answers in a thousand")
    given = parser.parse_args(words)
    try:
        keys = [row["key"] for row in _lines(given.tasks)]
        said = list(answers(keys, truth(given.truth), given.names.split(","), given.slips))
    except ValueError as error:
        parser.error(str(error))
    given.answers.write_text("".join(json.dumps(row) + "\n" for row in said), encoding="utf-8")
    sys.stdout.write(f"{given.names}: {len(said)} answers to {len(keys)} questions\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
