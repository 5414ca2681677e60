"""The kit's plans emitted in another process that believes in another host, user, place, clock and hash seed."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import platform
import socket
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

from clspec.backend import load
from clspec.diagnostic import has_errors
from clspec.testing.plans import PLANS

HOST, USER, PROCESS, MOMENT = "canary-host", "canary-user", 987_654_321, 987_654_321.0
"""What the other process takes for its host, user, process id and time (2001-04-19)."""
CANARIES = (HOST, USER, "canary-place", str(PROCESS), "2001-04-19", "20010419", "987654321")
HEAVY = ("torch", "kfp", "pyarrow", "duckdb", "networkx", "jinja2", "numpy", "scipy")
"""What nothing on the way to a compiled bundle imports."""


@cache
def emitted(name: str, options: str, seed: str, folder: Path) -> dict[str, Any]:
    """Bundles by plan (none for a refused one) and the heavy modules loaded, from a process with that hash seed."""
    place = str(folder / "canary-place")
    Path(place).mkdir(exist_ok=True)
    found = [str(Path(entry).absolute()) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    world = dict.fromkeys(("HOME", "TMPDIR"), place)
    world |= dict.fromkeys(("USER", "LOGNAME", "USERNAME"), USER)
    world |= {"HOSTNAME": HOST, "TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": seed}
    world |= {"PYTHONPATH": os.pathsep.join(found)}
    ended = subprocess.run(  # noqa: S603  # this very module
        [sys.executable, "-m", __name__, name, options],
        env={**os.environ, **world},
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        message = f"target `{name}` does not emit in a process of its own:\n{ended.stderr}"
        raise RuntimeError(message)
    made: dict[str, Any] = json.loads(ended.stdout)
    return made


def main(name: str, options: str) -> None:
    """Emit every plan and print what came of it as JSON."""
    _believe()
    backend = load(name)
    chosen = backend.options(**json.loads(options))
    bundles: dict[str, dict[str, str] | None] = {}
    for key, make in PLANS.items():
        plan = make()
        bundles[key] = None if has_errors(backend.check(plan, chosen)) else dict(backend.emit(plan, chosen))
    heavy = [module for module in HEAVY if module in sys.modules]
    sys.stdout.write(json.dumps({"bundles": bundles, "heavy": heavy}))


def options_text(options: Any) -> str:
    """Options as JSON, which the other process makes them from again."""
    return json.dumps(dataclasses.asdict(options))


def _believe() -> None:
    """Replace what a program asks for its host, its process and the time."""
    real = time.localtime, time.gmtime, time.strftime
    uname = os.uname()
    replacements: list[tuple[Any, str, Any]] = [
        (os, "getpid", lambda: PROCESS),
        (os, "uname", lambda: os.uname_result((uname.sysname, HOST, *uname[2:]))),
        (socket, "gethostname", lambda: HOST),
        (platform, "node", lambda: HOST),
        (time, "time", lambda: MOMENT),
        (time, "time_ns", lambda: int(MOMENT) * 10**9),
        (time, "localtime", lambda seconds=None: real[0](MOMENT if seconds is None else seconds)),
        (time, "gmtime", lambda seconds=None: real[1](MOMENT if seconds is None else seconds)),
        (time, "strftime", lambda form, moment=None: real[2](form, moment or real[1](MOMENT))),
        (datetime, "datetime", _Then),
        (datetime, "date", _Day),
    ]
    for owner, name, replacement in replacements:
        setattr(owner, name, replacement)


class _Then(datetime.datetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> _Then:
        return cls.fromtimestamp(MOMENT, tz)

    @classmethod
    def utcnow(cls) -> _Then:
        return cls.fromtimestamp(MOMENT, datetime.UTC).replace(tzinfo=None)


class _Day(datetime.date):
    @classmethod
    def today(cls) -> _Day:
        return cls.fromtimestamp(MOMENT)


if __name__ == "__main__":
    main(*sys.argv[1:])
