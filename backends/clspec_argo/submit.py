"""Runs on a cluster: a pipeline's objects are put there, a Workflow is made from them, and followed to its end.

It talks to Argo's own server through the `argo-workflows` client, which the extra `argo` installs; nothing else of this
backend needs it.
"""

from __future__ import annotations

import importlib
import json
from typing import TYPE_CHECKING, Any

from clspec.diagnostic import StepFailed, UsageError
from clspec_argo.submission import OVER, Unreachable, arguments, templates

if TYPE_CHECKING:
    from collections.abc import Callable

    from clspec.backend import Occasion
    from clspec.plan import Plan
    from clspec_argo.options import Options

_ANSWERS = {
    401: "it does not know you: set CLSPEC_CLUSTER_TOKEN to what `argo auth token` prints",
    403: "you may not do that there: ask for the right to create workflows and workflowtemplates",
    404: "there is no such thing: does the namespace exist, and is it Argo's server?",
    409: "somebody else has changed the same object meanwhile: try again",
}


def submit(  # noqa: PLR0913, PLR0917  # a run has this many sides
    plan: Plan,
    pipeline: str,
    options: Options,
    host: str,
    occasion: Occasion | None,
    wait: Callable[[str], None] | None,
    *,
    namespace: str = "argo",
    token: str = "",
) -> str:
    """Start a pipeline on Argo and give the page of its run; with `wait`, follow it to its end.

    `wait` is told at each look what the run is at, and comes back when it is time for the next look.

    The server is asked first whether it would take the objects. Its certificate is checked.

    Raises:
        UsageError: the client is not installed, or the pipeline has no store that a cluster sees.
        Unreachable: the server cannot be reached, or refuses.
        StepFailed: `wait` was given, and the run did not succeed.
    """
    client = _client(host, token)
    objects = templates(plan, pipeline, options)
    name = objects[0]["metadata"]["name"]
    for document in reversed(objects):  # a server finds fault with what refers to parts that are not there yet
        _put(client, namespace, document)
    body = {
        "resourceKind": "WorkflowTemplate",
        "resourceName": name,
        "submitOptions": {"parameters": arguments(occasion)},
    }
    started = client("POST", f"/api/v1/workflows/{namespace}/submit", body)
    run = str(started["metadata"]["name"])
    if wait is not None:
        _follow(client, namespace, run, wait)
    return f"{host.rstrip('/')}/workflows/{namespace}/{run}"


def _put(client: Callable[..., Any], namespace: str, document: dict[str, Any]) -> None:
    """Have an object judged by the server, then make it, or bring the one that is there up to date."""
    place = f"/api/v1/workflow-templates/{namespace}"
    client("POST", f"{place}/lint", {"namespace": namespace, "template": document})
    name = document["metadata"]["name"]
    there = client("GET", f"{place}/{name}", None, absent=True)
    if there is None:
        client("POST", place, {"namespace": namespace, "template": document})
        return
    version = there.get("metadata", {}).get("resourceVersion", "")
    newer = {**document, "metadata": {**document["metadata"], "namespace": namespace, "resourceVersion": version}}
    client("PUT", f"{place}/{name}", {"name": name, "namespace": namespace, "template": newer})


def _follow(client: Callable[..., Any], namespace: str, run: str, wait: Callable[[str], None]) -> None:
    while True:
        status = client("GET", f"/api/v1/workflows/{namespace}/{run}", None).get("status") or {}
        phase, progress = status.get("phase", "Pending"), status.get("progress", "")
        wait(f"{phase} {progress}".strip())
        if phase in OVER:
            break
    if phase != "Succeeded":
        message = f"the run {run} ended as {phase}: {status.get('message', 'no message')}"
        raise StepFailed(message)


def _client(host: str, token: str) -> Callable[..., Any]:
    """What asks the server; the client's own transport, with plain JSON, since its models are of an older Argo."""
    if not host.startswith(("http://", "https://")):
        message = f"`{host}` is not the address of Argo's server: write https://HOST:2746"
        raise UsageError(message)
    try:
        argo = importlib.import_module("argo_workflows")
        errors = importlib.import_module("argo_workflows.exceptions")
    except ImportError as error:
        message = "Argo's client is not installed: pip install 'clspec[argo]'"
        raise UsageError(message) from error
    api = argo.ApiClient(argo.Configuration(host=host.rstrip("/")))
    api.rest_client.pool_manager.connection_pool_kw["retries"] = False
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if token:
        headers["Authorization"] = token if token.startswith("Bearer ") else f"Bearer {token}"

    def ask(method: str, path: str, body: Any, *, absent: bool = False) -> Any:
        url = f"{host.rstrip('/')}{path}"
        try:
            answer = api.rest_client.request(
                method, url, headers=headers, body=body, _preload_content=True, _request_timeout=30
            )
            return json.loads(answer.data or "{}")
        except errors.ApiException as error:
            if absent and error.status == 404:  # noqa: PLR2004  # not found, as HTTP says it
                return None
            raise Unreachable(_said(host, error)) from error
        except Exception as error:
            reason = type(getattr(error, "reason", None) or error).__name__
            message = f"Argo's server at {host} cannot be reached or did not answer in JSON ({reason})"
            raise Unreachable(message) from error

    return ask


def _said(host: str, error: Any) -> str:
    why = _ANSWERS.get(error.status, "")
    try:
        message = str(json.loads(error.body).get("message", ""))
    except (ValueError, TypeError, AttributeError):
        message = ""
    told = "; ".join(part for part in (message, why) if part) or "it gave no reason"
    return f"Argo's server at {host} answered {error.status}: {told}"
