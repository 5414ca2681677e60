"""One of the processes that make a model together: `python -m clspec.step.rank FILE`, begun by `clspec.step.world`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from clspec.data.usercode import UserCodeFailed
from clspec.diagnostic import ClspecError
from clspec.step.fit import fit


def main(file: str) -> int:
    """Run the user's code once; what came of it goes into the file that is asked for."""
    asked = json.loads(Path(file).read_text(encoding="utf-8"))
    try:
        result: dict[str, Any] = {"exit_code": 0, "metrics": _made(asked)}
    except ClspecError as error:
        result = {"exit_code": error.exit_code, "text": str(error)}
    place = Path(asked["result"])
    beside = place.with_suffix(".part")
    beside.write_text(json.dumps(result), encoding="utf-8")
    beside.replace(place)
    return int(result["exit_code"])


def _made(asked: dict[str, Any]) -> dict[str, float]:
    directory = Path(asked["model_dir"])
    numbers = fit(Path(asked["code"]), asked["config"], Path(asked["data"]), Path(asked["validation"]), directory)
    written = sorted(path.name for path in directory.iterdir()) if asked["rank"] else []
    if written:  # else half of a model would be lost without a word
        message = f"it wrote {written[0]} into `model_dir`: only rank 0 writes the model, after gathering what it needs"
        raise UserCodeFailed(message)
    return numbers


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
