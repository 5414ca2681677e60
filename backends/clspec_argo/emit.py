"""A plan as Argo objects: one WorkflowTemplate for each pipeline, one CronWorkflow for each time zone it runs in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clspec.plan import Event, Kind
from clspec.trainjob import TRAINJOBS, is_launched
from clspec_argo import access, events, memo, order
from clspec_argo.layout import ENTRY, EXIT, Layout, part_name
from clspec_argo.pod import SCRATCH, container, parameter_path, placement, read_path, security, write_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.plan import Input, Pipeline, Plan, Step, Trigger
    from clspec_argo.options import Options

API = "argoproj.io/v1alpha1"

Document = dict[str, Any]

_AS_IT_IS: Document = {"none": {}}
"""No archive: what a step wrote is what is kept."""
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


def documents(plan: Plan, options: Options) -> Iterator[tuple[str, Document]]:
    """The objects of every pipeline, each with the name of its file.

    One after another, since those of ten thousand steps together keep Python's collector of garbage busy. What many
    steps say alike is one value in all of them: an object is for writing, not for changing.
    """
    for pipeline in plan.pipelines:
        layout = laid_out(pipeline, options)
        yield f"{pipeline.name}.workflowtemplate.yaml", workflow_template(plan, layout, options)
        if len(layout.parts) > 1:
            for number in range(len(layout.parts)):
                file = f"{pipeline.name}.{part_name(number)}.workflowtemplate.yaml"
                yield file, part(plan, layout, number, options)
        for number, triggers in enumerate(schedules(plan, pipeline, options), start=1):
            suffix = "" if number == 1 else f"-{number}"
            yield f"{pipeline.name}.cronworkflow{suffix}.yaml", _cron(plan, pipeline, triggers, suffix)
        yield from _started(plan, pipeline, options).items()
        yield from _kept_results(plan, layout, options).items()
    yield from _allowed(plan, options).items()


def laid_out(pipeline: Pipeline, options: Options) -> Layout:
    """Where the steps of a pipeline stand."""
    return Layout(pipeline, options.longest_list, memoizes=options.memoize_seconds > 0)


def _kept_results(plan: Plan, layout: Layout, options: Options) -> dict[str, Document]:
    """What Argo's controller finds earlier results in, and the right to do so; nothing where none are asked for."""
    if not layout.kept:
        return {}
    pipeline, labels = layout.pipeline, _labels(plan, layout.pipeline)
    names = [cache_name(plan, layout, step) for step in layout.steps if step in layout.kept]
    made = {f"{pipeline.name}.results.yaml": memo.caches(names, labels)}
    account = access.granted(f"{object_name(plan, pipeline)}-results", options.controller, memo.rights(names), labels)
    return made | {f"access.{pipeline.name}-results.{kind}.yaml": document for kind, document in account.items()}


def cache_name(plan: Plan, layout: Layout, step: str) -> str:
    """The ConfigMap that holds the results of a step."""
    return f"{object_name(plan, layout.pipeline)}-{layout.called[step]}"


def _started(plan: Plan, pipeline: Pipeline, options: Options) -> dict[str, Document]:
    """What starts a pipeline on events; nothing can without a store."""
    heard = events.heard(pipeline, options) if store(plan, options) else ()
    if not heard:
        return {}
    name, labels = object_name(plan, pipeline), _labels(plan, pipeline)
    specs = {
        "EventSource": events.source(name, heard, options),
        "Sensor": events.sensor(name, heard, starter_name(plan)),
    }
    return {f"{pipeline.name}.{k.lower()}.yaml": _object(k, name, labels, spec) for k, spec in specs.items()}


def _allowed(plan: Plan, options: Options) -> dict[str, Document]:
    """The accounts of the pods, where none is given, and of what starts runs, where anything does."""
    labels = {"app.kubernetes.io/managed-by": "clspec", "app.kubernetes.io/part-of": plan.name}
    made: dict[str, Document] = {}
    launches = any(is_launched(step) for pipeline in plan.pipelines for step in pipeline.steps)
    if not options.service_account:
        accounts = access.account(plan.name, access.PODS + (TRAINJOBS if launches else []), labels)
        made |= {f"access.{kind}.yaml": document for kind, document in accounts.items()}
    elif launches:
        given = access.granted(f"{plan.name}-trainjobs", options.service_account, TRAINJOBS, labels)
        made |= {f"access.trainjobs.{kind}.yaml": document for kind, document in given.items()}
    if store(plan, options) and any(events.heard(pipeline, options) for pipeline in plan.pipelines):
        accounts = access.account(starter_name(plan), access.STARTER, labels)
        made |= {f"access.starter.{kind}.yaml": document for kind, document in accounts.items()}
    return made


def starter_name(plan: Plan) -> str:
    """The account that makes Workflows on events."""
    return f"{plan.name}-starter"


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


def exclusive(plan: Plan, step: Step) -> str:
    """What only one step at a time may do in the cluster, or nothing: append to a dataset."""
    if step.kind is not Kind.APPEND:
        return ""
    dataset = json.loads(step.config).get("dataset") or {}
    return f"{plan.name}.{dataset['name']}" if dataset.get("name") else ""


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


def workflow_template(plan: Plan, layout: Layout, options: Options) -> Document:
    """A pipeline as the object that runs are made from; its templates are the order, then each step, then the exit."""
    name = object_name(plan, layout.pipeline)
    spec: Document = {"entrypoint": ENTRY}
    if layout.exits:
        spec["onExit"] = EXIT
    spec |= {"arguments": _arguments(plan, options), **_run_settings(plan, options)}
    labels = _labels(plan, layout.pipeline)
    spec |= {"workflowMetadata": {"labels": labels}, "podMetadata": {"labels": labels}}
    in_one = len(layout.parts) == 1
    spec |= {
        "securityContext": security(options),
        "volumes": [{"name": SCRATCH, "emptyDir": {}}],
        "templates": [
            order.of_part(layout, 0, ENTRY) if in_one else order.of_parts(layout, name),
            *(made for step in (layout.parts[0] if in_one else ()) for made in templates(plan, step, layout, options)),
            *(order.of_exit(layout) if layout.exits else ()),
            *(made for step in layout.exits for made in templates(plan, step, layout, options)),
        ],
    }
    return _object("WorkflowTemplate", name, labels, spec)


def part(plan: Plan, layout: Layout, number: int, options: Options) -> Document:
    """A part of a pipeline that is too long for one object, as the object that the pipeline's refers to."""
    called = part_name(number)
    spec = {
        "arguments": _arguments(plan, options),
        "securityContext": security(options),
        "volumes": [{"name": SCRATCH, "emptyDir": {}}],
        "templates": [
            order.of_part(layout, number, called),
            *(made for step in layout.parts[number] for made in templates(plan, step, layout, options)),
        ],
    }
    name = f"{object_name(plan, layout.pipeline)}-{called}"
    return _object("WorkflowTemplate", name, _labels(plan, layout.pipeline), spec)


def _object(kind: str, name: str, labels: dict[str, str], spec: Document) -> Document:
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name, "labels": labels}, "spec": spec}


def _arguments(plan: Plan, options: Options) -> Document:
    """What a run can be given: its store, and a permission to move code and data at once."""
    value = store(plan, options)
    given = {"name": "store", "value": value} if value else {"name": "store"}
    return {"parameters": [given, {"name": "allow-both", "value": ""}]}


def _run_settings(plan: Plan, options: Options) -> dict[str, Any]:
    made: dict[str, Any] = {"serviceAccountName": options.service_account or plan.name}
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


def templates(plan: Plan, step: Step, layout: Layout, options: Options) -> tuple[Document, ...]:
    """A step as a template; as two if it may be tried again and an earlier result may stand in for it."""
    made = _leaf(plan, step, layout, options)
    if step.id not in layout.kept:
        return (made,)
    memoized = memo.memoize(step, made, layout.called, cache_name(plan, layout, step.id), options)
    given = [{"name": memo.taken(layout.called[name])} for name in memo.sources(step)]
    if step.id in layout.tried:
        return order.of_tried(layout, step, made, given, memoized), {**made, "name": layout.tried[step.id]}
    made["inputs"] = {"parameters": given, **made["inputs"]}
    return ({**made, "memoize": memoized},)


def _leaf(plan: Plan, step: Step, layout: Layout, options: Options) -> Document:
    name, digested = layout.called[step.id], step.id in layout.worded
    made: Document = {"name": name, "metadata": {"labels": {"clspec.dev/step": name}}}
    if step.inputs:
        made["inputs"] = {"artifacts": [_read(plan, step, source, layout) for source in step.inputs]}
    if outputs := _outputs(plan, step, layout):
        made["outputs"] = outputs
    if locked := exclusive(plan, step):
        made["synchronization"] = {"mutexes": [{"name": locked}]}
    return {**made, **placement(step, options), "container": container(plan, step, options, digested=digested)}


def _read(plan: Plan, step: Step, source: Input, layout: Layout) -> Document:
    """An input: its task is given it, or it is fetched by its key where no task of that DAG wrote it."""
    made: Document = {"name": source.name, "path": read_path(source.name)}
    if source.optional:
        made["optional"] = True
    if layout.part_of.get(source.step) != layout.part_of.get(step.id):
        made |= _kept(plan, layout.called[source.step], source.output)
    return made


def _kept(plan: Plan, name: str, output: str) -> Document:
    """Where an output is kept: as it is, under a key of its own in whatever repository the run has."""
    return {"archive": _AS_IT_IS, "s3": {"key": f"{plan.name}/{{{{workflow.uid}}}}/{name}/{output}"}}


def _outputs(plan: Plan, step: Step, layout: Layout) -> Document:
    # a reference to a step that was passed over fails its reader, unless there is a default (Argo 3.7.16, 4.0.7)
    default = {"default": ""} if layout.conditions[step.id] else {}
    parameters = [
        {"name": parameter, "valueFrom": {"path": parameter_path(parameter), **default}}
        for parameter in (*step.parameters, *([memo.WORD] if step.id in layout.worded else ()))
    ]
    artifacts = [
        {"name": output.name, "path": write_path(output.name), **_kept(plan, layout.called[step.id], output.name)}
        for output in step.outputs
    ]
    return {key: value for key, value in (("parameters", parameters), ("artifacts", artifacts)) if value}


def _cron(plan: Plan, pipeline: Pipeline, triggers: list[Trigger], suffix: str) -> Document:
    name = object_name(plan, pipeline)
    spec = {
        "schedules": list(dict.fromkeys(schedule(trigger.cron) for trigger in triggers)),
        "timezone": triggers[0].time_zone,
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": 3600,
        "successfulJobsHistoryLimit": 5,
        "failedJobsHistoryLimit": 5,
        "workflowSpec": {"workflowTemplateRef": {"name": name}},
    }
    return _object("CronWorkflow", f"{name}{suffix}", _labels(plan, pipeline), spec)
