"""Odd files by the thousand: no traceback, no hang, no memory without end.

    python bench/fuzz.py [SECONDS] [SEED]

Every command that reads a spec gets each file, in a process that may take 1 GiB and ten seconds for one. What goes
wrong is shown with its seed, and the script ends with 1.
"""

from __future__ import annotations

import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path[:0] = [str(TESTS / "unit"), str(TESTS)]

from fuzzing import FULL, odd_file  # noqa: E402  # of the tests
from test_check_fuzz import tried  # noqa: E402

LIMIT = 10


def late(*_: object) -> None:
    message = f"more than {LIMIT} seconds"
    raise TimeoutError(message)


def main(seconds: float, seed: int) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
    signal.signal(signal.SIGALRM, late)
    ends, count, slowest, bad = time.monotonic() + seconds, 0, 0.0, 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "robotaxi").symlink_to(FULL.parent / "robotaxi")
        for name in ("odd", "old"):
            shutil.copy(FULL.with_suffix(".lock"), folder / f"{name}.lock")
        shutil.copy(FULL, folder / "old.yaml")
        while time.monotonic() < ends:
            began = time.process_time()
            signal.alarm(LIMIT)
            try:
                tried(odd_file(seed), folder)
            except Exception:  # noqa: BLE001  # it is what is looked for
                bad += 1
                print(f"seed {seed}:")
                traceback.print_exc()
            finally:
                signal.alarm(0)
            slowest = max(slowest, time.process_time() - began)
            seed, count = seed + 1, count + 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{count:,} files, {bad} went wrong; the slowest took {slowest:.2f} s CPU; peak {peak:.0f} MiB")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 60, int(sys.argv[2]) if len(sys.argv) > 2 else 0))
