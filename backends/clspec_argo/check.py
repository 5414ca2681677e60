"""What Argo cannot say of a plan, told at the user's line before anything is emitted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from clspec.codes import problem
from clspec.diagnostic import Diagnostic, Severity, in_order
from clspec.plan import Event
from clspec.trainjob import is_launched
from clspec_argo import events, memo
from clspec_argo.emit import laid_out, object_name, schedules, store, templates
from clspec_argo.text import MAX_CRON_NAME, MAX_LIST, MAX_OBJECT, MAX_RUN_NAME, changed, compact, fits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.plan import Pipeline, Plan, Step, Trigger
    from clspec_argo.options import Options

LARGE_OBJECT = 256_000
"""Bytes of JSON from which on a run's status outgrows its object."""
MAX_STEP = 120_000
"""Bytes of JSON: a template reaches its pod in one variable, and Linux takes 131,072 bytes with its name."""

_DIGEST = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")


def problems(plan: Plan, options: Options) -> tuple[Diagnostic, ...]:
    """Everything that stops the plan from running on Argo, or that a run will lack."""
    found = [*_images(plan), *_texts_of_plan(plan, options), *_store(plan, options)]
    for pipeline in plan.pipelines:
        found += _names(plan, pipeline, options)
        found += _triggers(plan, pipeline, options)
        found += (*_sizes(plan, pipeline, options), *_anew(plan, pipeline, options))
        found += (d for step in pipeline.steps for d in (*_texts(plan, step), *_machine(plan, step, options)))
    return in_order(found)


def _at(plan: Plan, step: Step, code: str, message: str, hint: str = "") -> Diagnostic:
    return problem(code, message, path=plan.spec, span=step.origin, hint=hint, where=step.where)


def _images(plan: Plan) -> Iterator[Diagnostic]:
    """Each image once: one line of the spec sets it for all steps."""
    for image in dict.fromkeys(step.image for pipeline in plan.pipelines for step in pipeline.steps):
        if not image:
            hint = "give `code.image`, by digest"
            yield _of_code(plan, "CLS501", "there is no image to run the steps in", hint, "code.image")
        elif not _DIGEST.fullmatch(image):
            hint = "write `name@sha256:...`, or pin the tag: `clspec lock SPEC --update NAME:TAG` asks its registry"
            yield _of_code(plan, "CLS502", f"the image {image!a} has no digest", hint, "code.image")


def _of_code(plan: Plan, code: str, message: str, hint: str, where: str) -> Diagnostic:
    return problem(code, message, path=plan.spec, span=plan.code_origin, hint=hint, where=where)


def _texts_of_plan(plan: Plan, options: Options) -> Iterator[Diagnostic]:
    if not plan.workdir:
        hint = "give `code.workdir`, such as `/app`"
        message = "nothing says where the code lies in the image"
        yield _of_code(plan, "CLS501", message, hint, "code.workdir")
    for where, text in (("code.workdir", plan.workdir), ("store", store(plan, options))):
        if why := changed(text):
            yield problem("CLS506", f"`{where}` would not reach the step: {why}", path=plan.spec, where=where)


def _texts(plan: Plan, step: Step) -> Iterator[Diagnostic]:
    for form, what, text in _worded(step):
        if why := changed(text):
            yield _at(plan, step, "CLS506", f"{what} {text!a} would not stay as it is: {why}")
        elif not fits(form, text):
            yield _at(plan, step, "CLS508", f"{what} `{text}` is not a {form}, as Kubernetes or Argo demands")


def _worded(step: Step) -> Iterator[tuple[str, str, str]]:
    """Every text of a step that is not JSON: its form, what it is, and the text."""
    if step.image:
        yield "one word", "the image", step.image
    for what, given in (("input", step.inputs), ("output", step.outputs)):
        yield from (("artifact name", f"the {what}", item.name) for item in given)
    yield from (("artifact name", "the parameter", parameter) for parameter in step.parameters)
    if step.when is not None:
        yield "word", "the condition's value", step.when.equals
    for secret in step.secrets:
        yield "variable", "the secret's variable", secret.env
        if secret.name and secret.key:
            yield "object name", "the secret", secret.name
            yield "key", "the secret's key", secret.key
    for key, value in step.resources.node_selector:
        yield "label name", "the node selector's key", key
        yield "label value", "the node selector's value", value
    for toleration in step.resources.tolerations:
        if toleration.key:  # without a key, `Exists` takes every taint
            yield "label name", "the toleration's key", toleration.key
        yield "toleration operator", "the toleration's operator", toleration.operator
        yield "label value", "the toleration's value", toleration.value
        yield "taint effect", "the toleration's effect", toleration.effect
    if step.resources.gpu is not None:
        yield "label name", "the GPU's resource", step.resources.gpu.resource
        yield "label value", "the GPU's model", step.resources.gpu.model


def _machine(plan: Plan, step: Step, options: Options) -> Iterator[Diagnostic]:
    if step.resources.nodes > 1 and not is_launched(step):
        message = f"`nodes: {step.resources.nodes}`: only training runs on several machines at once"
        yield _at(plan, step, "CLS508", message, "use `nodes: 1` with several GPUs")
    elif step.resources.nodes > 1 and options.trainer_version == "2.1":
        message = "Trainer 2.1 takes no security context: the machines run as the image and the runtime let them"
        yield _at(plan, step, "CLS504", message, "say there as whom they run, or use Trainer 2.2")
    if step.resources.gpu is not None and step.resources.gpu.memory:
        message = "`gpu.memory` chooses no machine on Argo: a pod can ask for a number of GPUs and for labels"
        yield _at(plan, step, "CLS504", message, "give `gpu.model`, or a `node_selector` with your cluster's label")
    labels = dict(step.resources.node_selector)
    if (gpu := step.resources.gpu) and gpu.model and labels.get(options.gpu_model_label, gpu.model) != gpu.model:
        message = f"`gpu.model` and `node_selector` disagree about `{options.gpu_model_label}`"
        yield _at(plan, step, "CLS508", message, "keep one of them, or name the label with `--set gpu_model_label`")
    for secret in step.secrets:
        if not (secret.name and secret.key) and not step.always:
            message = f"nothing says where the secret `{secret.env}` lies in the cluster"
            hint = f"write `{{env: {secret.env}, kubernetes: {{name: SECRET, key: KEY}}}}`"
            yield _at(plan, step, "CLS508", message, hint)
    yield from _tolerations(plan, step)
    twice = {s.env for s in step.secrets if [o.env for o in step.secrets].count(s.env) > 1}
    for env in sorted(twice):
        yield _at(plan, step, "CLS508", f"two secrets for one variable `{env}`", "keep one of them")


def _tolerations(plan: Plan, step: Step) -> Iterator[Diagnostic]:
    """Kubernetes takes a toleration of every taint, and one of every value, only in so many words."""
    for toleration in step.resources.tolerations:
        if not toleration.key and toleration.operator != "Exists":
            yield _at(plan, step, "CLS508", "a toleration without a key takes every taint", "write `operator: Exists`")
        elif toleration.value and toleration.operator == "Exists":
            message = f"a toleration of every value of `{toleration.key}` has the value `{toleration.value}`"
            yield _at(plan, step, "CLS508", message, "leave `value` out, or write `operator: Equal`")


def _store(plan: Plan, options: Options) -> Iterator[Diagnostic]:
    if not store(plan, options):
        message = f"the store `{plan.store}` is a path of this machine: every run must be given `store`, a URI"
        hint = "write a URI that the cluster reaches, or compile with `--set store=s3://BUCKET/PREFIX`"
        yield problem("CLS505", message, path=plan.spec, span=plan.store_origin, hint=hint, where="store")


def _names(plan: Plan, pipeline: Pipeline, options: Options) -> Iterator[Diagnostic]:
    def at(code: str, message: str, hint: str) -> Diagnostic:
        return problem(code, message, path=plan.spec, span=pipeline.origin, hint=hint, where="metadata.name")

    name = object_name(plan, pipeline)
    if not (fits("name", plan.name) and fits("name", pipeline.name)):
        yield at("CLS506", f"{name!a} cannot name a Kubernetes object", "use lower-case letters, digits and hyphens")
        return
    groups = len(schedules(plan, pipeline, options))
    parts = len(laid_out(pipeline, options).parts)
    longest = name if groups < 2 else f"{name}-{groups}"  # noqa: PLR2004
    longest = longest if parts < 2 else f"{name}-part-{parts}"  # noqa: PLR2004
    most = MAX_CRON_NAME if groups else MAX_RUN_NAME
    if len(longest) > most:
        hint = f"shorten `metadata.name` by {len(longest) - most}"
        yield at("CLS507", f"the name `{longest}` has {len(longest)} characters, Argo takes {most}", hint)


def _triggers(plan: Plan, pipeline: Pipeline, options: Options) -> Iterator[Diagnostic]:
    given = "" if store(plan, options) else " -p store=URI"
    command = f"argo submit --from workflowtemplate/{object_name(plan, pipeline)}{given}"
    for trigger in pipeline.triggers:
        if trigger.event is Event.SCHEDULE:
            yield from _schedule(plan, trigger, options)
            continue
        without = "" if store(plan, options) else "an event cannot give a run its store"
        why = events.unsaid(trigger, options) or without
        if why:
            message = f"no run of `{pipeline.name}` starts on `{trigger.event.value}`: {why}"
            ways = f"`--set github=OWNER/NAME`, or `{command}`" if "repository" in why else f"`{command}`"
            yield _trigger(plan, trigger, "CLS503", message, f"start it from where that event is seen: {ways}")


def _schedule(plan: Plan, trigger: Trigger, options: Options) -> Iterator[Diagnostic]:
    for text in (trigger.cron, trigger.time_zone):
        if why := changed(text):
            yield _trigger(plan, trigger, "CLS506", f"the schedule {text!a} would not stay as it is: {why}")
    if not store(plan, options):
        message = f"no run starts at `{trigger.cron}`: a schedule cannot give a run its store"
        yield _trigger(plan, trigger, "CLS503", message, "compile with `--set store=s3://BUCKET/PREFIX`")


def _trigger(plan: Plan, trigger: Trigger, code: str, message: str, hint: str = "") -> Diagnostic:
    return problem(code, message, path=plan.spec, span=trigger.origin, hint=hint, where=trigger.where)


def _anew(plan: Plan, pipeline: Pipeline, options: Options) -> Iterator[Diagnostic]:
    """What is not taken from earlier runs although it was asked for."""
    if not options.memoize_seconds:
        return
    if (parts := len(laid_out(pipeline, options).parts)) > 1:
        message = f"no step of `{pipeline.name}` is taken from earlier runs: it stands in {parts + 1} objects"
        hint = "use fewer seeds or shards, or an Argo whose lists may be longer"
        yield problem("CLS525", message, path=plan.spec, span=pipeline.origin, hint=hint)
        return
    steps = {step.id: step for step in pipeline.steps}
    for step, why in memo.obstacles(pipeline).items():
        if why:
            yield _at(plan, steps[step], "CLS525", f"`{step}` is not taken from earlier runs: {why}")


def _sizes(plan: Plan, pipeline: Pipeline, options: Options) -> Iterator[Diagnostic]:
    layout = laid_out(pipeline, options)
    if len(layout.parts) > 1 and len(layout.parts) + len(layout.exits) + 3 > MAX_LIST:
        most = MAX_LIST * (MAX_LIST - 1)
        yield _whole(plan, pipeline, f"`{pipeline.name}` has {len(pipeline.steps)} steps, about {most} can be said")
        return
    leaves = {step.id: len(compact(templates(plan, step, layout, options))) for step in pipeline.steps}
    for step in pipeline.steps:
        if (size := leaves[step.id]) > MAX_STEP:
            message = f"step `{step.id}` is {size} bytes of JSON, a pod of Argo is told at most {MAX_STEP}"
            yield _at(plan, step, "CLS507", message, "what fills it is the configuration: shorten or split it")
    for part in layout.parts:
        size = sum(leaves[step.id] for step in part)
        if size > MAX_OBJECT:
            message = f"`{pipeline.name}` is an object of {size} bytes, at most {MAX_OBJECT} leave room for a run"
            yield _whole(plan, pipeline, message)
        elif size > LARGE_OBJECT:
            message = f"`{pipeline.name}` is an object of {size} bytes: its runs need node status offloading"
            yield Diagnostic(
                code="CLS510",
                severity=Severity.WARNING,
                message=message,
                path=plan.spec,
                span=pipeline.origin,
                hint="use fewer steps, scenarios or predicates, or set up `nodeStatusOffLoad`",
            )


def _whole(plan: Plan, pipeline: Pipeline, message: str) -> Diagnostic:
    hint = "use fewer seeds or shards, or fewer scenarios and predicates"
    return problem("CLS507", message, path=plan.spec, span=pipeline.origin, hint=hint)
