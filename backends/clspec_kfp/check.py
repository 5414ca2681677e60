"""What Kubeflow cannot express: an error where the meaning would change, a warning where it survives."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from clspec.codes import problem
from clspec.diagnostic import in_order
from clspec.plan import ArtifactType, Event
from clspec.trainjob import complaint, is_launched
from clspec_kfp import document, text, written
from clspec_kfp.nest import nested, unsayable
from clspec_kfp.pod import node_labels, secrets
from clspec_kfp.schedule import UTC

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.diagnostic import Diagnostic
    from clspec.plan import Pipeline, Plan, Step, Trigger
    from clspec_kfp.options import Options

MAX_NAME = 128
MAX_ARGUMENT = 131_072
"""What Linux takes as one argument of a program, its closing NUL included."""
LARGE_STEPS = 100
LARGE_BYTES = 500_000
"""From here on a run may outgrow what etcd keeps of one object: a step is two pods, and Argo keeps the state of all."""
MAX_FILE = 32 * 1024 * 1024
"""What Kubeflow takes as one upload."""

_DIGEST = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")
_WORD = re.compile(r"[A-Za-z0-9_.-]+")
_STORE = re.compile(r"(?!file:)[a-z][a-z0-9+.-]*://[^\s@?#]+")
_ROOTS = ("gs://", "minio://", "s3://")

_FOLDERS = (ArtifactType.MODEL, ArtifactType.REPORT)

_ELSEWHERE = {
    Event.CODE_CHANGE: "let the job that tests such a change submit the pipeline",
    Event.DATA_CHANGE: "let whatever writes the data submit the pipeline",
    Event.LABELS: "let whatever collects the labels submit the pipeline",
}


def problems(plan: Plan, options: Options) -> tuple[Diagnostic, ...]:
    """Everything about the plan that Kubeflow cannot express, in order, once for each place in the spec."""
    found = [*_plan(plan), *_options(plan, options), *_images(plan)]
    for pipeline in plan.pipelines:
        found += _pipeline(plan, pipeline, options)
        for trigger in pipeline.triggers:
            found += _trigger(plan, trigger)
        for step in pipeline.steps:
            found += [*_hints(plan, step, options), *_refused(plan, step, options), *_texts(plan, step)]
    return in_order(found)


def _at(plan: Plan, place: Step | Trigger, code: str, message: str, hint: str = "") -> Diagnostic:
    return problem(code, message, path=plan.spec, span=place.origin, where=place.where, hint=hint)


def _expanded(plan: Plan, what: str, value: str, place: Step | None = None) -> Iterator[Diagnostic]:
    sign = text.expanded(value)
    if sign:
        span, where = (place.origin, place.where) if place else (None, "")
        yield problem(
            "CLS506",
            f"{what} holds `{sign}`, which Kubeflow would expand: {value!r}",
            path=plan.spec,
            span=span,
            where=where,
            hint="choose a text without `{{`, `$(` and `$$`",
        )


def _plan(plan: Plan) -> Iterator[Diagnostic]:
    if not plan.workdir:
        hint = "add `code.workdir`, the folder of the code in the image"
        yield _of_code(plan, "CLS501", "no `workdir`: a step cannot find the code in its image", hint, "code.workdir")
    if not document.default_store(plan):
        yield problem(
            "CLS505",
            f"the store {plan.store!r} is a path of this machine: each run must be given the parameter `store`",
            path=plan.spec,
            span=plan.store_origin,
            where="store",
            hint="give a URI that the cluster reaches, here or by `--set store=s3://bucket/prefix`, or set `store` for"
            " each run (in a recurring run under `runtime_config.parameters`)",
        )
    yield from _expanded(plan, "the store's URI", document.default_store(plan))
    yield from _expanded(plan, "`code.workdir`", plan.workdir)


def _options(plan: Plan, options: Options) -> Iterator[Diagnostic]:
    yield from _expanded(plan, "the option `pipeline_root`", options.pipeline_root)
    if options.pipeline_root and not options.pipeline_root.startswith(_ROOTS):
        message = f"Kubeflow cannot keep artifacts under {options.pipeline_root!r}"
        hint = "give `pipeline_root` as " + ", ".join(f"`{root}...`" for root in _ROOTS)
        yield problem("CLS508", message, path=plan.spec, hint=hint)
    if options.store and not _STORE.fullmatch(options.store):
        message = f"the option `store` is no URI that a cluster reaches: {options.store!r}"
        yield problem("CLS508", message, path=plan.spec, hint="`s3://bucket/prefix`, without a user or a password")
    for name in ("gpu_model_label", "gpu_memory_label"):
        label = getattr(options, name)
        if label and not text.LABEL_KEY.fullmatch(label):
            yield problem("CLS508", f"the option `{name}` is not the key of a node label: {label!r}", path=plan.spec)
    if why := complaint(options.trainer_runtime, options.trainer_version):
        yield problem("CLS508", f"the option {why}", path=plan.spec)
    for name in ("secret", "namespace", "service_account"):
        value = getattr(options, name)
        if value and not text.OBJECT.fullmatch(value):
            yield problem("CLS508", f"the option `{name}` is no name in a cluster: {value!r}", path=plan.spec)


def _images(plan: Plan) -> Iterator[Diagnostic]:
    """One problem for each image, at the first step that has it: it is usually one for the whole spec."""
    steps = {step.image: step for pipeline in reversed(plan.pipelines) for step in reversed(pipeline.steps)}
    for image, step in steps.items():
        if not image:
            hint = "add `code.image`"
            yield _of_code(plan, "CLS501", "no image: each step on Kubeflow runs in a container", hint, "code.image")
            continue
        yield from _expanded(plan, "the image", image, step)
        if not _DIGEST.fullmatch(image):
            hint = "write `name@sha256:...` with 64 digits, or ask the registry: `clspec lock SPEC --update NAME:TAG`"
            yield _of_code(plan, "CLS502", f"the image `{image}` has no digest", hint, "code.image")


def _of_code(plan: Plan, code: str, message: str, hint: str, where: str) -> Diagnostic:
    return problem(code, message, path=plan.spec, span=plan.code_origin, hint=hint, where=where)


def _pipeline(plan: Plan, pipeline: Pipeline, options: Options) -> Iterator[Diagnostic]:
    name = document.name(plan, pipeline)
    if not text.NAME.fullmatch(name):
        yield problem(
            "CLS506",
            f"not a pipeline's name on Kubeflow: {name!r}",
            path=plan.spec,
            span=pipeline.origin,
            hint="`metadata.name` takes lower-case letters, digits and hyphens",
        )
    if len(name) > MAX_NAME:
        message = f"the pipeline's name has {len(name)} characters, Kubeflow takes {MAX_NAME}: {name}"
        yield problem("CLS507", message, path=plan.spec, span=pipeline.origin, hint="shorten `metadata.name`")
    yield from _conditions(plan, pipeline)
    if _may_be_too_large(pipeline):
        size = len(written.dump(document.documents(plan, pipeline, options)))
        if size > MAX_FILE:
            message = f"pipeline `{pipeline.name}` takes {size:,} bytes, Kubeflow takes {MAX_FILE:,} in one upload"
            yield problem("CLS507", message, path=plan.spec, span=pipeline.origin)
            return
    yield from _large(plan, pipeline)


def _large(plan: Plan, pipeline: Pipeline) -> Iterator[Diagnostic]:
    count, size = len(pipeline.steps), sum(len(text.argument(step.config)) + 2500 for step in pipeline.steps)
    if count > LARGE_STEPS or size > LARGE_BYTES:
        yield problem(
            "CLS510",
            f"pipeline `{pipeline.name}` has {count} steps, about {size // 1000:,} kB: a run may outgrow the 1.5 MiB"
            " that a cluster keeps of one object",
            path=plan.spec,
            span=pipeline.origin,
            where=pipeline.name,
            hint="fewer `training.seeds` make fewer steps; the cluster can keep more with Argo's `nodeStatusOffLoad`",
        )


def _may_be_too_large(pipeline: Pipeline) -> bool:
    """Whether writing it out is worth the time; a step's frame takes less than 8 KiB, quoting at most doubles."""
    return sum(2 * len(step.config) + 8192 for step in pipeline.steps) > MAX_FILE


def _conditions(plan: Plan, pipeline: Pipeline) -> Iterator[Diagnostic]:
    """Steps that the graphs of Kubeflow cannot hold, and words that its expressions cannot compare with."""
    for step, why in unsayable(pipeline):
        hint = "Kubeflow cannot pass on what a step writes that may be skipped"
        yield _at(plan, step, "CLS508", f"step `{step.id}` {why}", hint)
    for step in pipeline.steps:
        if step.when and not _WORD.fullmatch(step.when.equals):
            message = f"a condition of step `{step.id}` compares with {step.when.equals!r}, which is not one plain word"
            yield _at(plan, step, "CLS506", message, "letters, digits, `_`, `.` and `-` mean the same everywhere")
    yield from _folders(plan, pipeline)


def _folders(plan: Plan, pipeline: Pipeline) -> Iterator[Diagnostic]:
    """What may be missing is handed over through the store, as one file."""
    found = nested(pipeline)
    types = {(step.id, output.name): output.type for step in pipeline.steps for output in step.outputs}
    for step in pipeline.steps:
        for given in step.inputs:
            if found.is_handed_over(step, given) and types.get((given.step, given.output)) in _FOLDERS:
                message = f"input `{given.name}` of step `{step.id}` may be missing, and is a folder"
                yield _at(plan, step, "CLS508", message, "what may be missing is handed over as one file")


def _trigger(plan: Plan, trigger: Trigger) -> Iterator[Diagnostic]:
    if trigger.event in _ELSEWHERE:
        message = f"Kubeflow cannot start a run on `{trigger.event.value}`"
        yield _at(plan, trigger, "CLS503", message, _ELSEWHERE[trigger.event])
    elif trigger.event is Event.SCHEDULE and trigger.time_zone not in UTC:
        yield _at(
            plan,
            trigger,
            "CLS503",
            f"a recurring run has no time zone: `{trigger.cron}` is read in that of the installation, usually UTC, "
            f"not in {trigger.time_zone}",
            "write the schedule in UTC",
        )


def _hints(plan: Plan, step: Step, options: Options) -> Iterator[Diagnostic]:
    """What is lost while the run means the same."""
    need = step.resources
    if step.retry.times:
        message = "Kubeflow retries a step on any failure, not only where the infrastructure failed"
        yield _at(plan, step, "CLS504", message)
    if need.nodes > 1 and options.trainer_version == "2.1":
        message = "Trainer 2.1 takes no security context: the machines run as the image and the runtime let them"
        yield _at(plan, step, "CLS504", message, "say there as whom they run, or use Trainer 2.2")
    if need.ephemeral_storage and not is_launched(step):
        message = "Kubeflow limits temporary files to `ephemeral_storage`, and cannot reserve room for them"
        yield _at(plan, step, "CLS504", message, "use `node_selector` for nodes with enough of it")
    if need.gpu and need.gpu.memory and not options.gpu_memory_label:
        message = "`gpu.memory` selects no node without the option `gpu_memory_label`"
        yield _at(plan, step, "CLS504", message, "use `gpu.model` or `node_selector` for GPUs with enough of it")
    if need.gpu and need.gpu.model and not options.gpu_model_label:
        message = f"`gpu.model: {need.gpu.model}` selects no node without the option `gpu_model_label`"
        yield _at(plan, step, "CLS504", message)
    for env in _unplaced(step, options) if step.always else ():
        message = f"nothing says where the cluster keeps `{env}`, so that nobody is told through it"
        yield _at(
            plan,
            step,
            "CLS504",
            message,
            "add `kubernetes: {name: ..., key: ...}`, or name the Secret that holds all such: `--set secret=NAME`",
        )


def _refused(plan: Plan, step: Step, options: Options) -> Iterator[Diagnostic]:
    """What would not run, or would run otherwise."""
    need = step.resources
    if need.nodes > 1 and not is_launched(step):
        message = f"`nodes: {need.nodes}`: only training runs on several machines at once"
        yield _at(plan, step, "CLS508", message, "use several GPUs of one node")
    if need.gpu and not text.EXTENDED_RESOURCE.fullmatch(need.gpu.resource):
        message = f"`gpu.resource: {need.gpu.resource}` is not a resource of a cluster"
        yield _at(
            plan, step, "CLS508", message, "name it as the cluster does: `nvidia.com/gpu`; `gpu.model` says which"
        )
    labels = node_labels(need, options)
    for key, value in labels.items():
        if not text.LABEL_KEY.fullmatch(key) or not text.LABEL.fullmatch(value):
            message = f"no node can carry the label `{key}: {value}`"
            yield _at(plan, step, "CLS508", message, "63 letters, digits, `-`, `_` and `.` at most, as on the nodes")
    if need.gpu and need.gpu.model and labels.get(options.gpu_model_label, need.gpu.model) != need.gpu.model:
        message = f"`gpu.model` and `node_selector` disagree about `{options.gpu_model_label}`"
        yield _at(plan, step, "CLS508", message)
    for env in () if step.always else _unplaced(step, options):
        hint = "add `kubernetes: {name: ..., key: ...}`"
        yield _at(plan, step, "CLS508", f"secret `{env}` does not say where the cluster keeps it", hint)
    size = len(text.argument(step.config)) + 1
    if size > MAX_ARGUMENT:
        message = f"what a step must know here takes {size:,} bytes, Linux takes {MAX_ARGUMENT:,} in an argument"
        yield _at(plan, step, "CLS507", message)


def _unplaced(step: Step, options: Options) -> list[str]:
    placed = {secret.env for secret in secrets(step, options)}
    return [secret.env for secret in step.secrets if secret.env not in placed]


def _texts(plan: Plan, step: Step) -> Iterator[Diagnostic]:
    """Texts that cannot be escaped as those of a config can."""
    need = step.resources
    for key, value in need.node_selector:
        yield from _expanded(plan, "`node_selector`", f"{key}: {value}", step)
    for toleration in need.tolerations:
        shown = f"{toleration.key} {toleration.operator} {toleration.value} {toleration.effect}"
        yield from _expanded(plan, "a toleration", shown, step)
    if need.gpu:
        yield from _expanded(plan, "`gpu`", f"{need.gpu.resource} {need.gpu.model}", step)
    for secret in step.secrets:
        yield from _expanded(plan, f"secret `{secret.env}`", f"{secret.env} {secret.name} {secret.key}", step)
