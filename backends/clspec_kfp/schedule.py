"""When a pipeline starts by itself: recurring runs, which Kubeflow keeps beside its pipelines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clspec.plan import Event
from clspec_kfp.document import name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clspec.plan import Pipeline, Plan, Trigger
    from clspec_kfp.options import Options

UTC = frozenset({"UTC", "Etc/UTC", "Etc/UCT", "GMT", "Etc/GMT", "Zulu"})
"""Names of the one time zone that a recurring run can mean."""


def scheduled(pipeline: Pipeline) -> tuple[Trigger, ...]:
    """The triggers that become recurring runs."""
    return tuple(trigger for trigger in pipeline.triggers if trigger.event is Event.SCHEDULE)


def recurring_runs(
    plan: Plan, pipeline: Pipeline, documents: Sequence[Mapping[str, Any]], options: Options
) -> dict[str, str]:
    """A file for each schedule, to be posted as it is to `/apis/v2beta1/recurringruns`.

    It holds the pipeline itself, as the SDK's `create_recurring_run(pipeline_package_path=...)` sends it: the
    identifiers of an uploaded pipeline are the cluster's to give and nothing that a compiler could know.
    """
    files = {}
    for number, trigger in enumerate(scheduled(pipeline), start=1):
        suffix = "" if number == 1 else f"-{number}"
        run = _recurring_run(plan, pipeline, trigger, documents, options)
        files[f"{pipeline.name}.recurring-run{suffix}.json"] = json.dumps(run, sort_keys=True, indent=2) + "\n"
    return files


def _recurring_run(
    plan: Plan, pipeline: Pipeline, trigger: Trigger, documents: Sequence[Mapping[str, Any]], options: Options
) -> dict[str, Any]:
    spec, *platform = documents
    config: dict[str, Any] = {"parameters": {}}
    if options.pipeline_root:
        config["pipeline_root"] = options.pipeline_root
    return {
        "display_name": name(plan, pipeline),
        "mode": "ENABLE",
        # Runs of one pipeline meet in the store; after an outage only the latest missed one is worth running.
        "max_concurrency": "1",
        "no_catchup": True,
        "trigger": {"cron_schedule": {"cron": six_fields(trigger.cron)}},
        "pipeline_spec": {"pipeline_spec": spec, "platform_spec": platform[0]} if platform else spec,
        "runtime_config": config,
    }


def six_fields(cron: str) -> str:
    """A five-field cron expression as Kubeflow's scheduler reads it: seconds first, Sunday never 7."""
    *times, weekday = cron.split()
    days = ",".join(_day(item) for item in weekday.split(","))
    return " ".join(["0", *times, days])


def _day(item: str) -> str:
    """One item of the weekday field. robfig/cron 1.x, which Kubeflow uses, refuses 7, cron's other name of Sunday."""
    days, _, step = item.partition("/")
    first, _, last = days.partition("-")
    if first == "7":
        return "0"
    if last == "7" and first.isdecimal():
        return ",".join(str(day) for day in sorted({day % 7 for day in range(int(first), 8, int(step or "1"))}))
    return item
