"""What Argo itself demands of a workflow and no schema says, after the controller's validate.go (4.1) and its CRDs.

Each rule gives places and sentences. A rule is silent where it does not know: a template of another object, a tag that
only a run can resolve.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from clspec.manifest import items, listed, mapping
from clspec_argo.leaves import leaf, outputs
from clspec_argo.parts import called, doubles, given, hooks, named, required, retries
from clspec_argo.scopes import dag, outside, steps
from clspec_argo.text import MAX_CRON_NAME, MAX_LIST, MAX_RUN_NAME, fits
from clspec_argo.times import schedule, time_zone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from clspec.manifest import Finding, Object, Place

API = "argoproj.io/v1alpha1"
TYPES = ("container", "containerSet", "dag", "data", "http", "plugin", "resource", "script", "steps", "suspend")
TEMPLATES = ("WorkflowTemplate", "ClusterWorkflowTemplate")
KINDS = ("Workflow", *TEMPLATES, "CronWorkflow")
POD_GC = ("OnPodCompletion", "OnPodSuccess", "OnWorkflowCompletion", "OnWorkflowSuccess")
CONCURRENCY = ("Allow", "Forbid", "Replace")
MAX_METRICS = 100

_TYPES = frozenset(TYPES)
_PODS = ("container", "containerSet", "data", "resource", "script")
_OF_PODS = ("podResources", "resourceClaims")
_FLOWS = {"dag": dag, "steps": steps}
_CACHE_KEY = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")
_LONGEST_KEY = 253
_ANY_TAG = re.compile(r"\{\{.*?\}\}")
_AGE = re.compile(r"([0-9]+(\.[0-9]*)?(h|m|s|ms|us|ns))+")
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


def judge(document: Object, longest: int = MAX_LIST) -> Iterator[Finding]:
    """Everything that Argo would refuse in one of its objects; `longest` is how many templates or tasks it takes."""
    kind, spec = document.get("kind"), mapping(document.get("spec"))
    if document.get("apiVersion") != API:
        yield ("apiVersion",), f"apiVersion is {document.get('apiVersion')!r}, not {API}"
    yield from _metadata(mapping(document.get("metadata")), MAX_CRON_NAME if kind == "CronWorkflow" else MAX_RUN_NAME)
    if not spec:
        yield ("spec",), "there is no spec"
    elif kind == "CronWorkflow":
        yield from _cron(spec)
        yield from under(("spec", "workflowSpec"), _workflow(mapping(spec.get("workflowSpec")), longest, is_run=True))
    else:
        yield from under(("spec",), _workflow(spec, longest, is_run=kind == "Workflow"))


def under(place: Place, found: Iterable[Finding]) -> Iterator[Finding]:
    """Findings in a part, as findings of the whole."""
    return (((*place, *below), message) for below, message in found)


def _metadata(metadata: Mapping[str, Any], longest: int) -> Iterator[Finding]:
    name, generated = metadata.get("name"), metadata.get("generateName")
    if not name and not generated:
        yield ("metadata",), "an object has a name or generateName"
    for key, text in (("name", name), ("generateName", generated)):
        if text is None:
            continue
        if not fits("object name", str(text).rstrip("-") if key == "generateName" else str(text)):
            yield ("metadata", key), f"{text!a} is not a Kubernetes name"
        if key == "name" and len(str(text)) > longest:
            yield ("metadata", key), f"name {text} is longer than {longest}"


def _cron(spec: Mapping[str, Any]) -> Iterator[Finding]:
    if "schedule" in spec:
        yield ("spec", "schedule"), "Argo 4 has `schedules`, a list"
    times = listed(spec.get("schedules"))
    if not times and "schedule" not in spec:
        yield ("spec",), "no schedule"
    for index, text in enumerate(times):
        if why := schedule(str(text)):
            yield ("spec", "schedules", index), f"schedule {text!r}: {why}"
    if (zone := spec.get("timezone")) and not time_zone(str(zone)):
        yield ("spec", "timezone"), f"timezone {zone!r} is not known"
    if (policy := spec.get("concurrencyPolicy")) and policy not in CONCURRENCY:
        yield ("spec", "concurrencyPolicy"), f"concurrencyPolicy {policy!r} is none of {', '.join(CONCURRENCY)}"
    for key in ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        if isinstance(spec.get(key), int) and spec[key] < 0:
            yield ("spec", key), f"{key} is negative"
    if not mapping(spec.get("workflowSpec")):
        yield ("spec",), "no workflowSpec"


def _workflow(spec: Mapping[str, Any], longest: int, *, is_run: bool) -> Iterator[Finding]:
    templates = [template for _, template in items(spec, "templates")]
    if "workflowTemplateRef" in spec:
        if "templates" in spec:
            yield ("workflowTemplateRef",), "templates beside workflowTemplateRef"
        if not mapping(spec["workflowTemplateRef"]).get("name"):
            yield ("workflowTemplateRef",), "workflowTemplateRef has no name"
    elif is_run and not templates:
        yield (), "no templates"
    elif is_run and not spec.get("entrypoint"):
        yield (), "no entrypoint"
    dags = ((place, items(t, "dag", "tasks")) for place, t in items(spec, "templates"))
    tasks = ((place, "tasks", len(found)) for place, found in dags)
    for place, what, length in ((("templates",), "templates", len(templates)), *tasks):
        if length > longest:
            yield place, f"{length} {what}, at most {longest}"
    yield from doubles("template", ((("templates", i), t.get("name")) for i, t in enumerate(templates)))
    known = {str(template.get("name")): template for template in templates}
    yield from _starts(spec, known)
    yield from _settings(spec)
    yield from given(mapping(spec.get("arguments")), ("arguments",), complete=is_run)
    yield from doubles("volume", ((p, v.get("name")) for p, v in items(spec, "volumes")))
    for place, template in items(spec, "templates"):
        yield from under(place, _template(template, spec, known))


def _starts(spec: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[Finding]:
    """Entry, exit and hooks name templates that are there."""
    elsewhere = "workflowTemplateRef" in spec
    for key in ("entrypoint", "onExit"):
        name = str(spec.get(key) or "")
        if name and name not in known and not elsewhere and "{{" not in name:
            yield (key,), f"{key}: no template {name}"
        elif name in known:
            yield from _supplied(spec, known[name], key)
    yield from hooks(mapping(spec.get("hooks")), known, ("hooks",), elsewhere=elsewhere)


def _supplied(spec: Mapping[str, Any], template: Mapping[str, Any], key: str) -> Iterator[Finding]:
    """The template that a run begins or ends with is given the run's own arguments."""
    for sort in ("parameters", "artifacts"):
        has = {str(item.get("name")) for _, item in items(spec, "arguments", sort)}
        for name in required(template, sort):
            if name not in has:
                yield (key,), f"{key} {template.get('name')} is not given {name}"


def _settings(spec: Mapping[str, Any]) -> Iterator[Finding]:
    strategy = mapping(spec.get("podGC")).get("strategy")
    if strategy is not None and strategy not in POD_GC:
        yield ("podGC", "strategy"), f"podGC.strategy {strategy!r} is none of {', '.join(POD_GC)}"
    yield from retries(spec)
    yield from _locks(spec)
    yield from _metrics(spec)
    reference = spec.get("artifactRepositoryRef")
    if reference is not None and not isinstance(reference, dict):
        yield ("artifactRepositoryRef",), "artifactRepositoryRef names a configMap and a key"


def _locks(holder: Mapping[str, Any]) -> Iterator[Finding]:
    for key in ("mutex", "semaphore"):
        if key in mapping(holder.get("synchronization")):
            yield ("synchronization", key), f"Argo 4 has no `{key}`: use the list `{_PLURAL[key]}`"


_PLURAL = {"mutex": "mutexes", "semaphore": "semaphores"}


def _metrics(holder: Mapping[str, Any]) -> Iterator[Finding]:
    found = list(items(holder, "metrics", "prometheus"))
    if len(found) > MAX_METRICS:
        yield ("metrics",), f"{len(found)} metrics, at most {MAX_METRICS}"
    for place, metric in found:
        if not _METRIC.fullmatch(str(metric.get("name", ""))):
            yield place, f"metric {metric.get('name')!r} is not a Prometheus name"
        if not metric.get("help"):
            yield place, "a metric has `help`"
        if sum(key in metric for key in ("counter", "gauge", "histogram")) != 1:
            yield place, "a metric is a counter, a gauge or a histogram"
        if mapping(metric.get("gauge")).get("realtime") and "resourcesDuration." in str(metric["gauge"].get("value")):
            yield place, "a gauge that is told at once does not know resourcesDuration"
        yield from ((place, "a label has a key") for _, label in items(metric, "labels") if not label.get("key"))


def _template(template: Mapping[str, Any], spec: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[Finding]:
    yield from called("template", template.get("name"), ("name",))
    yield from body(template, spec, known)


def body(template: Mapping[str, Any], spec: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[Finding]:
    """A template but for its name, which one inside a task does not have."""
    types = sorted(_TYPES & template.keys())
    if len(types) != 1 and (types or not _TYPES & mapping(spec.get("templateDefaults")).keys()):
        yield (), f"is of types {types}, and a template is of one"
        return
    for key, judged in _WHERE_SAID:
        if key in template:
            yield from judged(template)
    for side in ("inputs", "outputs"):
        if side in template:
            for sort in ("parameters", "artifacts"):
                yield from named(mapping(template[side]), sort, (side,))
    kind = types[0] if types else ""
    if kind and kind not in _PODS:
        yield from (((key,), f"{key} is for pods, and a {kind} has none") for key in _OF_PODS if key in template)
    yield from _limits(template, flow=kind in _FLOWS)
    yield from outside(template, spec)
    if kind in _FLOWS:
        yield from _inline(template, spec, known)
        yield from outputs(template, kind)
        yield from under((kind,), _FLOWS[kind](template, known))
    elif kind:
        yield from leaf(template, kind, spec)


def _inline(template: Mapping[str, Any], spec: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[Finding]:
    """Templates that stand in the tasks or steps which run them."""
    found = [(("dag", *place), task) for place, task in items(template, "dag", "tasks")]
    for group, row in enumerate(listed(template.get("steps"))):
        found += [(("steps", group, index), step) for index, step in enumerate(listed(row)) if isinstance(step, dict)]
    for place, task in found:
        if isinstance(task.get("inline"), dict):
            yield from under((*place, "inline"), body(task["inline"], spec, known))


def _limits(template: Mapping[str, Any], *, flow: bool) -> Iterator[Finding]:
    for key in ("activeDeadlineSeconds", "timeout", "pendingTimeout") if flow else ("parallelism",):
        if key in template:
            yield (key,), f"{key} is not for this type of template"
    deadline = template.get("activeDeadlineSeconds")
    if deadline is not None and not flow and "{{" not in str(deadline) and not str(deadline).isdigit():
        yield ("activeDeadlineSeconds",), f"activeDeadlineSeconds {deadline!r} is not a number of seconds"


def _memo(template: Mapping[str, Any]) -> Iterator[Finding]:
    """How an earlier result is found: Argo refuses other keys when the step is to run."""
    memo, place = mapping(template["memoize"]), ("memoize",)
    key, age = str(memo.get("key") or ""), memo.get("maxAge")
    said = _ANY_TAG.sub("x", key)
    if not key:
        yield place, "memoize has no key"
    elif not _CACHE_KEY.fullmatch(said) or len(said) > _LONGEST_KEY:
        yield (*place, "key"), f"memoize: the key {key!a} has other signs than letters, digits and `-`, or too many"
    if not mapping(mapping(memo.get("cache")).get("configMap")).get("name"):
        yield place, "memoize names no cache"
    if age and "{{" not in str(age) and not _AGE.fullmatch(str(age)):
        yield (*place, "maxAge"), f"memoize: maxAge {age!r} is no time such as 24h or 3600s"


_WHERE_SAID: tuple[tuple[str, Callable[[Mapping[str, Any]], Iterator[Finding]]], ...] = (
    ("retryStrategy", retries),
    ("synchronization", _locks),
    ("metrics", _metrics),
    ("memoize", _memo),
)
"""What is judged only of templates that say it; most do not."""
