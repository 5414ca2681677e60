"""A run's verdict for programs: few names, a form that stays, and nothing that is green by default.

`format` names the form; a name is only ever added to it. `passed` is true where the verdict is a pass, nobody raised an
alarm and, of a run that is known to its end, that end was good.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clspec.report.scenarios import worst

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clspec.report.ran import Ran

FORMAT = "clspec-result/1"
MISSING = "missing"
"""The verdict of a run that reached none."""
_COPIED = ("metric", "class", "kind", "threshold", "estimate", "bound", "champion", "rows", "clusters")


def result(content: Mapping[str, Any], ran: Ran | None = None) -> dict[str, Any]:
    """The verdict of a report's content, and of the run that made it if that is known.

    Raises:
        LookupError, TypeError: the content has not the form that the report's step gives it.
    """
    made_by, verdict = content["made_by"], content["verdict"]
    alarms = list(content.get("loop", {}).get("labels", {}).get("alarms", []))
    ended_well = ran is None or ran.exit_code == 0
    return {
        "format": FORMAT,
        "spec": content["spec"],
        "pipeline": made_by["pipeline"],
        "verdict": verdict,
        "passed": verdict == "pass" and ended_well and not alarms,
        "reasons": list(content["reasons"]),
        "warnings": list(content.get("warnings", [])),
        "alarms": alarms,
        "champion": content.get("champion"),
        "models": {str(seed["seed"]): seed.get("model") for seed in content["seeds"]},
        "code": made_by["code"],
        "image": made_by["image"],
        "params": made_by["params"],
        "datasets": made_by["datasets"],
        "scenarios": list(_scenarios(content["seeds"])),
        "run": None if ran is None else _run(ran),
    }


def _run(ran: Ran) -> dict[str, Any]:
    return {
        "id": ran.run,
        "began": ran.began,
        "seconds": round(ran.seconds, 3),
        "exit_code": ran.exit_code,
        "failed_step": ran.failed or None,
        "steps": {step.id: {"state": step.state, "seconds": round(step.seconds, 3)} for step in ran.steps},
    }


def _scenarios(seeds: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for index, first in enumerate(seeds[0]["scenarios"] if seeds else []):
        judged = [(seed["seed"], seed["scenarios"][index]) for seed in seeds]
        yield {
            "id": first["id"],
            "must_pass": first["must_pass"],
            "verdict": worst(scenario["verdict"] for _, scenario in judged),
            "seeds": {str(seed): {"verdict": s["verdict"], "reason": s["reason"]} for seed, s in judged},
            "checks": [
                {
                    "seed": seed,
                    "case": check["title"],
                    "part": check["part"],
                    **{name: check[name] for name in _COPIED},
                    "gate": check["gate"],
                    "verdict": check["verdict"],
                    "reason": check["reason"],
                }
                for seed, scenario in judged
                for check in scenario["checks"]
            ],
        }
