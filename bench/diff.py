"""How long two specs of about so many megabytes take to compare, each read with its places, lock and code.

    python bench/diff.py --megabytes 1 --rounds 5

CPU time. The specs differ in a threshold and a selection of every tenth scenario. What `clspec check` says of the new
one, which `clspec diff` shows too, is timed by itself.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from clspec import api
from clspec.diff import compare, read

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = Path(__file__).parents[1] / "tests" / "data"
SCENARIO = """\
    - id: pedestrian-at-night-%(number)05d
      must_pass: true
      select: "label = 'pedestrian' and lighting = 'night' and occlusion between 0.%(low)05d and 0.9"
      slices: [night, rain]
      checks:
        - {metric: recall, class: pedestrian, min: %(min)s}
        - metric: recall
          class: pedestrian
          margin: 2e-2
      guard:   # the paired negative
        select: label in ('none', 'vehicle') and lighting = 'night'
        checks: [{metric: false_positive_rate, class: pedestrian, max: 0.05}]
"""


def spec(size: int, *, changed: bool) -> tuple[str, int]:
    """A spec of about so many bytes, and the number of its scenarios."""
    head, rest = (DATA / "full.yaml").read_text().split("  scenarios:\n")
    tail = rest[rest.index("feedback:\n") :]
    parts, length = [f"{head}  scenarios:\n"], len(head) + len(tail)
    while length < size:
        number = len(parts)
        moved = changed and number % 10 == 0
        parts.append(SCENARIO % {"number": number, "low": number + moved, "min": "0.90" if moved else "0.95"})
        length += len(parts[-1])
    return "".join(parts) + tail, len(parts) - 1


def seconds(action: Callable[[], object]) -> float:
    started = time.process_time()
    action()
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder, name) for name in ("old.yaml", "new.yaml")]
        Path(folder, "robotaxi").symlink_to(DATA / "robotaxi")
        for place, changed in zip(places, (False, True), strict=True):
            text, scenarios = spec(int(options.megabytes * 1_000_000), changed=changed)
            place.write_text(text)
            place.with_suffix(".lock").write_bytes((DATA / "full.lock").read_bytes())
        changes = compare(*(read(str(place)) for place in places))
        if len(changes) != scenarios // 10 * 2:
            sys.exit(f"{len(changes)} changes were found of {scenarios // 10 * 2}")
        print(f"{len(text):,} characters, {scenarios:,} scenarios, {len(changes):,} changes")
        times = [seconds(lambda: compare(*(read(str(place)) for place in places))) for _ in range(options.rounds)]
        print(f"diff   {statistics.median(times):6.2f} s CPU (median of {options.rounds}), at most {max(times):.2f}")
        took = seconds(lambda: api.check(str(places[1]), None, date(2026, 1, 1)))
        print(f"check  {took:6.2f} s CPU (once)")


if __name__ == "__main__":
    main()
