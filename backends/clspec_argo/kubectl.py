"""Runs through kubectl, where people reach their cluster with it and not through Argo's own server.

`--host kubectl` means the cluster that kubectl is set up for, `--host kubectl:CONTEXT` another one that it knows.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clspec.diagnostic import StepFailed, UsageError
from clspec_argo.submission import OVER, Unreachable, arguments, templates
from clspec_argo.yaml_text import dump

if TYPE_CHECKING:
    from collections.abc import Callable

    from clspec.backend import Cluster, Occasion
    from clspec.plan import Plan
    from clspec_argo.options import Options

NAME = "kubectl"
_LONGEST = 600


def meant(host: str) -> bool:
    """Whether a host means kubectl."""
    return host == NAME or host.startswith(f"{NAME}:")


def submit(  # noqa: PLR0913, PLR0917  # a run has this many sides
    plan: Plan,
    pipeline: str,
    options: Options,
    cluster: Cluster,
    occasion: Occasion | None,
    wait: Callable[[str], None] | None,
) -> str:
    """Start a pipeline and give the command that shows its run; with `wait`, follow it to its end.

    The cluster is asked first whether it would take the objects, with every field that it does not know an error.

    Raises:
        UsageError: kubectl is not there.
        Unreachable: it says no, or what it says cannot be read.
        StepFailed: `wait` was given, and the run did not succeed.
    """
    command = _command(cluster)
    objects = templates(plan, pipeline, options)
    name = objects[0]["metadata"]["name"]
    text = "---\n".join(dump(document) for document in objects)
    _said(cluster, (*command, "apply", "--dry-run=server", "--validate=strict", "-f", "-"), text)
    _said(cluster, (*command, "apply", "--validate=strict", "-f", "-"), text)
    given = [dict(zip(("name", "value"), each.split("=", 1), strict=True)) for each in arguments(occasion)]
    spec: dict[str, Any] = {"workflowTemplateRef": {"name": name}}
    if given:
        spec["arguments"] = {"parameters": given}
    workflow = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"generateName": f"{name}-"}}
    started = _read(cluster, (*command, "create", "-o", "json", "-f", "-"), json.dumps({**workflow, "spec": spec}))
    run = str(started["metadata"]["name"])
    shown = (*command, "get", "workflow", run)
    if wait is not None:
        _follow(cluster, (*shown, "-o", "json"), run, wait)
    return " ".join(shown)


def _command(cluster: Cluster) -> tuple[str, ...]:
    context = cluster.host.removeprefix(NAME).removeprefix(":")
    command = (NAME, *(("--context", context) if context else ()))
    return (*command, *(("--namespace", cluster.namespace) if cluster.namespace else ()))


def _follow(cluster: Cluster, command: tuple[str, ...], run: str, wait: Callable[[str], None]) -> None:
    while True:
        status = _read(cluster, command, "").get("status") or {}
        phase = status.get("phase", "Pending")
        wait(f"{phase} {status.get('progress', '')}".strip())
        if phase in OVER:
            break
    if phase != "Succeeded":
        message = f"the run {run} ended as {phase}: {status.get('message', 'no message')}"
        raise StepFailed(message)


def _read(cluster: Cluster, command: tuple[str, ...], text: str) -> dict[str, Any]:
    said = _said(cluster, command, text)
    try:
        found = json.loads(said)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        message = f"`{' '.join(command[:4])} ...` did not answer in JSON"
        raise Unreachable(message)
    return found


def _said(cluster: Cluster, command: tuple[str, ...], text: str) -> str:
    if cluster.call is None:
        message = "nothing here runs programs for this target, and kubectl is one: name Argo's server"
        raise UsageError(message)
    try:
        code, out, err = cluster.call(command, text)
    except FileNotFoundError as error:
        message = "kubectl is not installed: install it, or name Argo's server with --host https://HOST:2746"
        raise UsageError(message) from error
    if code:
        message = f"kubectl said no: {' '.join((err or out).split())[:_LONGEST] or f'exit code {code}'}"
        raise Unreachable(message)
    return out
