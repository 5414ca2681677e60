"""A run on a cluster, begun from here through Kubeflow's own client, and followed to its end where that is asked."""

from __future__ import annotations

import importlib
import json
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clspec.diagnostic import ClspecError, StepFailed, UsageError
from clspec_kfp import document
from clspec_kfp.validate import SelfCheckError, faults
from clspec_kfp.written import dump

if TYPE_CHECKING:
    from collections.abc import Callable

    from clspec.backend import Occasion
    from clspec.plan import Pipeline, Plan
    from clspec_kfp.options import Options

_ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED", "ERROR"})
_REFUSALS = {
    401: "it does not know who asks: log in, or give the client its token",
    403: "it does not let this user start runs",
    404: "it has no Kubeflow Pipelines API there",
    409: "it already has a run like this",
}


class SubmitError(ClspecError):
    """The cluster did not take a run, or could not be asked about it."""

    exit_code = 3


def submit(  # noqa: PLR0913, PLR0917  # a run elsewhere has this many sides
    plan: Plan,
    pipeline: Pipeline,
    options: Options,
    host: str,
    occasion: Occasion | None = None,
    wait: Callable[[], None] | None = None,
    watch: Callable[[str], None] = lambda _: None,
) -> str:
    """Start a run and say where people can see it.

    `occasion` is when the run begins and what it is permitted, where that is not now and nothing. With `wait`, which
    pauses between two looks at the run, it only returns when the run is over; `watch` is told each new state.

    Raises:
        UsageError: the client is not installed, or the store is one that a cluster cannot reach.
        SelfCheckError: clspec made something that does not hold together.
        SubmitError: the cluster cannot be reached, or refuses.
        StepFailed: the run was waited for, and did not succeed.
    """
    plan = document.placed(plan, options)
    if not document.default_store(plan):
        message = (
            f"a cluster cannot reach the store {plan.store!r}: give one that it can: `--set store=s3://bucket/prefix`"
        )
        raise UsageError(message)
    documents = document.documents(plan, pipeline, options)
    if found := faults(documents):
        raise SelfCheckError(pipeline.name, found)
    client = _asked(host, lambda: _client(host))
    run = _asked(host, lambda: _begun(client, document.name(plan, pipeline), dump(documents), _parameters(occasion)))
    url = f"{host.rstrip('/')}/#/runs/details/{run}"
    if wait:
        state = _followed(lambda: str(_asked(host, lambda: client.get_run(run_id=run)).state or ""), watch, wait)
        if state != "SUCCEEDED":
            message = f"the run {state.lower()}: {url}"
            raise StepFailed(message)
    return url


def _client(host: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of deprecations in its own imports, and of servers that are long gone
            made = importlib.import_module("kfp").Client(host=host)
    except ImportError as error:
        message = "runs on Kubeflow are started by its own client: pip install 'clspec[kfp]'"
        raise UsageError(message) from error
    return made


def _begun(client: Any, name: str, text: str, parameters: dict[str, str]) -> str:
    """The new run's identifier."""
    with tempfile.TemporaryDirectory(prefix="clspec-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package = Path(folder) / "pipeline.yaml"
        package.write_text(text, encoding="ascii")
        experiment = client.create_experiment(name=name)
        made = client.run_pipeline(
            experiment_id=experiment.experiment_id,
            job_name=name,
            pipeline_package_path=str(package),
            params=parameters,
        )
    return str(made.run_id)


def _parameters(occasion: Occasion | None) -> dict[str, str]:
    if occasion is None:
        return {}
    permission = occasion.allow_both
    said = json.dumps({"by": permission.by, "why": permission.why}) if permission else ""
    return {"as-of": occasion.as_of} | ({"allow-both": said} if said else {})


def _followed(ask: Callable[[], str], watch: Callable[[str], None], wait: Callable[[], None]) -> str:
    """The state in which a run ended."""
    told = ""
    while told not in _ENDED:
        state = ask().upper()
        if state and state != told:
            told = state
            watch(state.lower())
        if told not in _ENDED:
            wait()
    return told


def _asked(host: str, question: Callable[[], Any]) -> Any:
    """What the client answers; what it raises becomes one sentence.

    Raises:
        SubmitError: the cluster cannot be reached, or refuses.
    """
    try:
        return question()
    except ClspecError:
        raise
    except Exception as error:  # the client's own, urllib3's, or whatever else it lets through
        message = f"Kubeflow at {host} did not take it: {_why(error)}"
        raise SubmitError(message) from error


def _why(error: Exception) -> str:
    status = getattr(error, "status", None)
    if isinstance(status, int):
        said = _REFUSALS.get(status, "it refuses")
        return f"{said} ({status}{_detail(error)})"
    reason = getattr(error, "reason", None) or error
    return " ".join(str(reason).split())[:300]


def _detail(error: Exception) -> str:
    """What the server says itself, in its own words."""
    try:
        found = json.loads(getattr(error, "body", "") or "{}")
    except ValueError:
        return ""
    told = found.get("error_message") or found.get("message") or found.get("error") if isinstance(found, dict) else ""
    return f": {' '.join(str(told).split())[:300]}" if told else ""
