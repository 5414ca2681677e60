"""Kubeflow's executor input and output: the same inputs and outputs, said in its launcher's JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clspec.diagnostic import UsageError

_MOUNTS = {"gs://": "/gcs/", "s3://": "/s3/", "minio://": "/minio/", "oci://": "/oci/"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorInput:
    """What the launcher hands to a step, its URIs as the paths under which it mounts them."""

    inputs: dict[str, Path]
    outputs: dict[str, Path]
    parameters: dict[str, Path]
    output_file: Path
    declared: dict[str, Any]

    def write_output(self, parameters: dict[str, str]) -> None:
        """Tell the launcher which artifacts and parameters were written."""
        self.output_file.parent.mkdir(parents=True, exist_ok=True)
        answer = {
            "artifacts": {name: {"artifacts": listed["artifacts"]} for name, listed in self.declared.items()},
            "parameterValues": {name: parameters[name] for name in self.parameters},
        }
        self.output_file.write_text(json.dumps(answer, sort_keys=True), encoding="utf-8")


def read(text: str) -> ExecutorInput:
    """The executor input that `{{$}}` stands for.

    Raises:
        UsageError: it has not the launcher's form.
    """
    try:
        value = json.loads(text)
        inputs = value.get("inputs", {}).get("artifacts", {})
        outputs = value["outputs"]
        return ExecutorInput(
            inputs={name: _path(listed["artifacts"][0]["uri"]) for name, listed in inputs.items()},
            outputs={n: _path(listed["artifacts"][0]["uri"]) for n, listed in outputs.get("artifacts", {}).items()},
            parameters={n: Path(found["outputFile"]) for n, found in outputs.get("parameters", {}).items()},
            output_file=Path(outputs["outputFile"]),
            declared=outputs.get("artifacts", {}),
        )
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        message = f"--executor-input is not Kubeflow's executor input: {error!r}"
        raise UsageError(message) from error


def _path(uri: str) -> Path:
    for scheme, mount in _MOUNTS.items():
        if uri.startswith(scheme):
            return Path(mount + uri.removeprefix(scheme))
    return Path(uri)
