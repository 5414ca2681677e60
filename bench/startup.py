"""How much CPU time the first answers take: `clspec --version` and `clspec check`, beside an empty Python.

    python bench/startup.py [ROUNDS]

Times are user plus system time of the whole process, medians over rounds in which the commands take turns, so that a
machine that slows down slows all of them. Ends with 1 where a requirement is missed.
"""

from __future__ import annotations

import os
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SPEC = "specs/robotaxi.yaml"
MOST_RATIO = 3.0
MOST_SECONDS = 0.25

CLSPEC = str(Path(sys.executable).with_name("clspec"))
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "clspec --version": [CLSPEC, "--version"],
    f"clspec check {SPEC}": [CLSPEC, "check", SPEC],
}


def cpu_seconds(command: list[str]) -> float:
    """User and system time of one run of a command, its output thrown away."""
    # Compiled modules are kept, as they are for whoever installed clspec.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    pid = os.posix_spawn(command[0], command, environment, file_actions=quiet)
    _, status, usage = os.wait4(pid, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return usage.ru_utime + usage.ru_stime


def main(rounds: int) -> int:
    os.chdir(ROOT)
    for command in COMMANDS.values():
        cpu_seconds(command)  # the first run compiles, the second finds it compiled
    seen: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, command in COMMANDS.items():
            seen[name].append(cpu_seconds(command))
    empty, version, check = (statistics.median(times) for times in seen.values())
    print(f"CPU time, median of {rounds} rounds, Python {sys.version.partition(' ')[0]}")
    for name, times in seen.items():
        median = statistics.median(times)
        print(f"  {name:<36} {median * 1000:7.1f} ms  {median / empty:5.1f} x  (least {min(times) * 1000:.1f} ms)")
    kept = {
        f"`clspec --version` within {MOST_RATIO:.0f} x of an empty Python": version <= MOST_RATIO * empty,
        f"`clspec check {SPEC}` within {MOST_SECONDS} s": check <= MOST_SECONDS,
    }
    for requirement, holds in kept.items():
        print(f"  {'holds ' if holds else 'MISSED'}  {requirement}")
    return 0 if all(kept.values()) else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 31))
