"""How long `clspec check`, `clspec diff` and the loader take, beside a check built from PyYAML and jsonschema.

    python bench/check.py [ROUNDS]

User plus system time of whole processes, the least over rounds in which they take turns. The spec of a megabyte has
1,700 scenarios and more, each with predicates of its own, slices and a guard, and a lock that counts all of them. The
peer reads it with `yaml.safe_load` and validates it with `jsonschema`: it knows no places and judges no meaning.
Ends with 1 where a requirement is missed.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import yaml

from clspec import lock
from clspec.lock import Count, ScenarioPin, both

DATA = Path(__file__).resolve().parents[1] / "tests" / "data"
SCENARIO = """\
    - id: pedestrian-at-night-%(number)05d
      must_pass: true
      select: %(select)s
      slices: [night, rain]
      checks:
        - {metric: recall, class: pedestrian, min: %(min)s}
        - metric: recall
          class: pedestrian
          margin: 2e-2
      guard:   # the paired negative
        select: %(guard)s
        checks: [{metric: false_positive_rate, class: pedestrian, max: 0.05}]
"""
PEER = """\
import sys, yaml, jsonschema, clspec_schema
value = yaml.safe_load(open(sys.argv[1], encoding="utf-8"))
validator = jsonschema.Draft202012Validator(clspec_schema.schema())
faults = list(validator.iter_errors(value))
print(len(faults), "faults")
"""
LOAD = """\
import sys
from clspec.load import load
document, problems = load(open(sys.argv[1], encoding="utf-8").read(), "spec.yaml")
assert document is not None and not problems, problems
last = ("golden", "scenarios", len(document.value["golden"]["scenarios"]) - 1, "checks", 1, "margin")
assert document.span(last).line > 1
"""
CLSPEC = [sys.executable, "-m", "clspec"]


@dataclass(frozen=True)
class Cost:
    """CPU seconds and the peak of memory, in MB, of a process."""

    seconds: float
    megabytes: float


def scenario(number: int, *, changed: bool) -> tuple[str, ScenarioPin]:
    """A scenario, and what the lock counts for it."""
    moved = changed and number % 10 == 0
    select = f"label = 'pedestrian' and lighting = 'night' and occlusion between 0.{number + moved:05d} and 0.9"
    guard = f"label in ('none', 'vehicle') and lighting = 'night' and occlusion < 0.{number:05d}5"
    text = SCENARIO % {"number": number, "select": select, "guard": guard, "min": "0.90" if moved else "0.95"}
    counts = {"rows": 5000, "clusters": 500, "cluster_by": "ride_id"}
    slices = {"night": "lighting = 'night'", "rain": "weather = 'rain'"}
    pin = ScenarioPin(
        scenario=Count(select=select, **counts),
        guard=Count(select=guard, **counts),
        slices={name: Count(select=both(select, one), **counts) for name, one in slices.items()},
    )
    return text, pin


def write(place: Path, size: int, *, changed: bool) -> None:
    """Write a spec of about so many bytes with its lock."""
    head, rest = (DATA / "full.yaml").read_text().split("  scenarios:\n")
    tail = rest[rest.index("feedback:\n") :]
    pins, parts, length = {}, [f"{head}  scenarios:\n"], len(head) + len(tail)
    while length < size:
        number = len(parts)
        text, pins[f"pedestrian-at-night-{number:05d}"] = scenario(number, changed=changed)
        parts.append(text)
        length += len(text)
    place.write_text("".join(parts) + tail)
    known = lock.parse(yaml.safe_load((DATA / "full.lock").read_text()))
    pinned = lock.Lock(datasets=known.datasets, images=known.images, sources=known.sources, scenarios=pins)
    place.with_suffix(".lock").write_text(lock.render(pinned))


def write_all(places: dict[str, int]) -> None:
    """Write the specs in a process of its own: the peak of memory of this one would count as that of its children."""
    for place, size in places.items():
        writer = get_context("fork").Process(
            target=write, args=(Path(place), size), kwargs={"changed": place.endswith("new.yaml")}
        )
        writer.start()
        writer.join()
        if writer.exitcode:
            sys.exit(f"{place} cannot be written")


def cost(command: list[str], allowed: tuple[int, ...] = (0,)) -> Cost:
    """What a process costs, its output thrown away."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    pid = os.posix_spawn(command[0], command, environment, file_actions=quiet)
    _, status, usage = os.wait4(pid, 0)
    if os.waitstatus_to_exitcode(status) not in allowed:
        sys.exit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6)


def measured(folder: Path, rounds: int) -> dict[str, Cost]:
    """The least cost of each command."""
    (folder / "robotaxi").symlink_to(DATA / "robotaxi")
    day = ["--as-of", "2026-01-01"]
    small, large, other, huge = (str(folder / name) for name in ("small.yaml", "old.yaml", "new.yaml", "huge.yaml"))
    write_all({small: 10_000, large: 1_000_000, other: 1_000_000, huge: 10_000_000})
    print(f"{Path(large).read_text().count('    - id: '):,} scenarios in {Path(large).stat().st_size:,} bytes")
    commands: dict[str, list[str]] = {
        "check 10 KB": [*CLSPEC, "check", small, *day],
        "check 1 MB": [*CLSPEC, "check", large, *day],
        "peer 10 KB": [sys.executable, "-c", PEER, small],
        "peer 1 MB": [sys.executable, "-c", PEER, large],
        "load 10 MB": [sys.executable, "-c", LOAD, huge],
        "diff 1 MB": [*CLSPEC, "diff", other, "--against", large, *day],
    }
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            if name in {"peer 1 MB", "load 10 MB"} and number > 2:
                continue  # they take long, and two are enough
            found = cost(command, (0, 1) if name.startswith("diff") else (0,))
            costs[name] += [found] if number else []  # the first run compiles
    return {
        name: Cost(min(one.seconds for one in found), max(one.megabytes for one in found))
        for name, found in costs.items()
    }


def main(rounds: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        found = measured(Path(folder), rounds)
    print(f"CPU time, the least of {rounds} rounds, Python {sys.version.partition(' ')[0]}")
    for name, one in found.items():
        print(f"  {name:<14} {one.seconds * 1000:9.1f} ms  {one.megabytes:7.1f} MB")
    times = {name: one.seconds for name, one in found.items()}
    kept = {
        "`clspec check` of 10 KB within 0.2 s": times["check 10 KB"] <= 0.2,
        "`clspec check` of 1 MB within 1.5 s": times["check 1 MB"] <= 1.5,
        "`clspec check` of 1 MB within 120 MB": found["check 1 MB"].megabytes <= 120,
        "a load of 10 MB with places within 3 s": times["load 10 MB"] <= 3,
        "`clspec diff` of two of 1 MB within 2 s": times["diff 1 MB"] <= 2,
        "the peer takes at least 3 x as long at 1 MB": times["peer 1 MB"] >= 3 * times["check 1 MB"],
    }
    for requirement, holds in kept.items():
        print(f"  {'holds ' if holds else 'MISSED'}  {requirement}")
    return 0 if all(kept.values()) else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
