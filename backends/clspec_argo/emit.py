"""A plan as Argo objects: one WorkflowTemplate for each pipeline, one CronWorkflow for each time zone it runs in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clspec.plan import Event
from clspec_argo.pod import SCRATCH, container, parameter_path, placement, read_path, write_path
from clspec_argo.text import names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clspec.plan import Pipeline, Plan, Step, Trigger
    from clspec_argo.options import Options

API = "argoproj.io/v1alpha1"
ENTRY = "pipeline"
"""The template that holds the order of the steps."""

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

Document = dict[str, Any]


def documents(plan: Plan, options: Options) -> dict[str, Document]:
    """The objects of every pipeline, by the name of their file."""
    made: dict[str, Document] = {}
    for pipeline in plan.pipelines:
        made[f"{pipeline.name}.workflowtemplate.yaml"] = workflow_template(plan, pipeline, options)
        for number, triggers in enumerate(schedules(plan, pipeline, options), start=1):
            suffix = "" if number == 1 else f"-{number}"
            made[f"{pipeline.name}.cronworkflow{suffix}.yaml"] = _cron(plan, pipeline, triggers, suffix)
    return made


def store(plan: Plan, options: Options) -> str:
    """The store that a run uses when it is given none, or nothing: a path of this machine is none."""
    return options.store or (plan.store if "://" in plan.store else "")


def schedules(plan: Plan, pipeline: Pipeline, options: Options) -> list[list[Trigger]]:
    """The schedules that can run, those of one time zone together; none can without a store."""
    groups: dict[str, list[Trigger]] = {}
    for trigger in pipeline.triggers:
        if trigger.event is Event.SCHEDULE and store(plan, options):
            groups.setdefault(trigger.time_zone, []).append(trigger)
    return list(groups.values())


def object_name(plan: Plan, pipeline: Pipeline) -> str:
    """What the objects of a pipeline are called in the cluster."""
    return f"{plan.name}-{pipeline.name}"


def skippable(step: Step) -> bool:
    """Whether a run may pass over the step."""
    return step.when is not None


def schedule(cron: str) -> str:
    """A five-field schedule as Argo's scheduler (robfig/cron 3) reads it: Sunday is 0 and never 7."""
    *times, weekdays = cron.split()
    return " ".join((*times, ",".join(map(_weekday, weekdays.split(",")))))


def _weekday(item: str) -> str:
    days, _, step = item.partition("/")
    first, _, last = days.partition("-")
    if first == "7":
        return "0"
    if last != "7":
        return item
    start = _DAYS.index(first.lower()) if first.lower() in _DAYS else int(first)
    return ",".join(str(day % 7) for day in range(start, 8, int(step or 1)))


def _labels(plan: Plan, pipeline: Pipeline) -> dict[str, str]:
    return {
        "app.kubernetes.io/managed-by": "clspec",
        "app.kubernetes.io/part-of": plan.name,
        "clspec.dev/pipeline": pipeline.name,
    }


def workflow_template(plan: Plan, pipeline: Pipeline, options: Options) -> Document:
    """A pipeline as the object that runs are made from; its templates are the order and then each step."""
    labels = _labels(plan, pipeline)
    steps = {step.id: step for step in pipeline.steps}
    called = names(steps, ENTRY)
    return {
        "apiVersion": API,
        "kind": "WorkflowTemplate",
        "metadata": {"name": object_name(plan, pipeline), "labels": labels},
        "spec": {
            "entrypoint": ENTRY,
            "arguments": {"parameters": [_store_parameter(plan, options)]},
            **_run_settings(options),
            "workflowMetadata": {"labels": labels},
            "podMetadata": {"labels": labels},
            "securityContext": {
                "runAsNonRoot": True,
                **({"runAsUser": options.run_as_user} if options.run_as_user else {}),
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "volumes": [{"name": SCRATCH, "emptyDir": {}}],
            "templates": [
                _order(steps, called),
                *(_leaf(plan, step, steps, called, options) for step in pipeline.steps),
            ],
        },
    }


def _store_parameter(plan: Plan, options: Options) -> dict[str, str]:
    value = store(plan, options)
    return {"name": "store", "value": value} if value else {"name": "store"}


def _run_settings(options: Options) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if options.service_account:
        made["serviceAccountName"] = options.service_account
    if options.artifact_repository:
        configmap, _, key = options.artifact_repository.partition("/")
        made["artifactRepositoryRef"] = {"configMap": configmap, "key": key} if key else {"configMap": configmap}
    if options.parallelism:
        made["parallelism"] = options.parallelism
    if options.deadline_seconds:
        made["activeDeadlineSeconds"] = options.deadline_seconds
    if options.keep_seconds:
        made["ttlStrategy"] = {"secondsAfterCompletion": options.keep_seconds}
    made["podGC"] = {"strategy": "OnPodSuccess"}
    return made


def _order(steps: Mapping[str, Step], called: Mapping[str, str]) -> Document:
    """The steps and their order. Not `failFast`: what does not hang on a failed step runs, as on every target."""
    return {
        "name": ENTRY,
        "dag": {"failFast": False, "tasks": [_task(step, steps, called) for step in steps.values()]},
    }


def _task(step: Step, steps: Mapping[str, Step], called: Mapping[str, str]) -> Document:
    made: Document = {"name": called[step.id], "template": called[step.id]}
    conditions = (step.when.step,) if step.when else ()
    needed = dict.fromkeys((*step.needs, *(source.step for source in step.inputs), *conditions))
    if needed:
        made["depends"] = " && ".join(_over(steps[need], called) for need in needed)
    if step.when is not None:
        value = f"{{{{tasks.{called[step.when.step]}.outputs.parameters.{step.when.parameter}}}}}"
        made["when"] = f"'{value}' == '{step.when.equals}'"
    if step.inputs:
        made["arguments"] = {
            "artifacts": [
                {
                    "name": source.name,
                    "from": f"{{{{tasks.{called[source.step]}.outputs.artifacts.{source.output}}}}}",
                    **_may_lack(step, steps[source.step]),
                }
                for source in step.inputs
            ]
        }
    return made


def _over(need: Step, called: Mapping[str, str]) -> str:
    name = called[need.id]
    return f"({name}.Succeeded || {name}.Skipped)" if skippable(need) else f"{name}.Succeeded"


def _may_lack(step: Step, producer: Step) -> dict[str, bool]:
    """An input of a step that was passed over is not there; the reader finds no file at its path."""
    return {"optional": True} if skippable(producer) and producer.when != step.when else {}


def _leaf(plan: Plan, step: Step, steps: Mapping[str, Step], called: Mapping[str, str], options: Options) -> Document:
    made: Document = {"name": called[step.id], "metadata": {"labels": {"clspec.dev/step": called[step.id]}}}
    if step.inputs:
        made["inputs"] = {
            "artifacts": [
                {"name": source.name, "path": read_path(source.name), **_may_lack(step, steps[source.step])}
                for source in step.inputs
            ]
        }
    if outputs := _outputs(plan, step, called[step.id]):
        made["outputs"] = outputs
    return {**made, **placement(step, options), "container": container(plan, step)}


def _outputs(plan: Plan, step: Step, name: str) -> Document:
    # a reference to a step that was passed over fails its reader, unless there is a default (Argo 3.7.16, 4.0.7)
    default = {"default": ""} if skippable(step) else {}
    parameters = [
        {"name": parameter, "valueFrom": {"path": parameter_path(parameter), **default}}
        for parameter in step.parameters
    ]
    artifacts = [
        {
            "name": output.name,
            "path": write_path(output.name),
            "archive": {"none": {}},
            "s3": {"key": f"{plan.name}/{{{{workflow.uid}}}}/{name}/{output.name}"},
        }
        for output in step.outputs
    ]
    return {key: value for key, value in (("parameters", parameters), ("artifacts", artifacts)) if value}


def _cron(plan: Plan, pipeline: Pipeline, triggers: list[Trigger], suffix: str) -> Document:
    name = object_name(plan, pipeline)
    return {
        "apiVersion": API,
        "kind": "CronWorkflow",
        "metadata": {"name": f"{name}{suffix}", "labels": _labels(plan, pipeline)},
        "spec": {
            "schedules": list(dict.fromkeys(schedule(trigger.cron) for trigger in triggers)),
            "timezone": triggers[0].time_zone,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 3600,
            "successfulJobsHistoryLimit": 5,
            "failedJobsHistoryLimit": 5,
            "workflowSpec": {"workflowTemplateRef": {"name": name}},
        },
    }
