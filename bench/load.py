"""How long a spec takes to load, with the place of every key and value, beside PyYAML's loaders, which keep none.

    python bench/load.py --megabytes 1 --rounds 7
    python bench/load.py --megabytes 10 --rounds 3 --peers csafe

CPU time, the loaders taking turns; the garbage collector is on, as in any program that would call them.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import yaml

from clspec.load import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

HEAD = """\
apiVersion: clspec.dev/v1alpha1
kind: ContinuousLearning
metadata: {name: robotaxi, owner: perception}
golden:
  dataset: golden
  defaults: {min_samples: 100, confidence: 0.95}
  scenarios:
"""
SCENARIO = """\
    - id: pedestrian-at-night-%(number)05d
      description: "a person crosses away from a crossing, variant %(number)d of the night drives"
      must_pass: true
      select: "label = 'pedestrian' and lighting = 'night' and speed between %(low)d and %(high)d"
      slices: [night, rain]
      checks:
        - {metric: recall, class: pedestrian, min: 0.9%(digit)d}
        - metric: recall
          class: pedestrian
          margin: 2e-2
      guard:   # the paired negative
        select: label in ('none', 'vehicle') and lighting = 'night'
        checks: [{metric: false_positive_rate, class: pedestrian, max: 0.05}]
"""

PEERS: dict[str, Callable[[str], Any]] = {
    "pure": yaml.safe_load,
    "csafe": partial(yaml.load, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)),
}


def spec(size: int) -> tuple[str, int]:
    """A spec of about so many bytes, and the number of its scenarios."""
    parts, length = [HEAD], len(HEAD)
    while length < size:
        number = len(parts)
        parts.append(SCENARIO % {"number": number, "low": number % 40, "high": number % 40 + 25, "digit": number % 10})
        length += len(parts[-1])
    return "".join(parts), len(parts) - 1


def seconds(action: Callable[[], object]) -> float:
    started = time.process_time()
    action()
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS))
    options = parser.parse_args()

    text, scenarios = spec(int(options.megabytes * 1_000_000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    document, diagnostics = load(text, "spec.yaml")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if document is None or diagnostics:
        sys.exit(f"the spec of this benchmark is wrong: {diagnostics}")
    print(
        f"{len(text):,} characters, {scenarios:,} scenarios; peak {peak / 1024:.0f} MiB, text alone {before / 1024:.0f}"
    )

    loaders = {"clspec, with places": lambda: load(text, "spec.yaml")}
    loaders |= {name: partial(PEERS[name], text) for name in options.peers}
    times: dict[str, list[float]] = {name: [] for name in loaders}
    for _ in range(options.rounds):
        for name, action in loaders.items():
            times[name].append(seconds(action))
    ours = statistics.median(times["clspec, with places"])
    for name, measured in times.items():
        median = statistics.median(measured)
        print(f"{name:20} {median * 1000:9.1f} ms CPU  {median / ours:5.1f} x")

    paths = [("golden", "scenarios", number, "checks", 1, "margin") for number in range(scenarios)]
    took = seconds(lambda: [(document.span(path), document.where(path)) for path in paths])
    print(f"{'place and name':20} {took / scenarios * 1e6:9.1f} us CPU each, of {scenarios:,} values")


if __name__ == "__main__":
    main()
