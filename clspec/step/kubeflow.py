"""A step as Kubeflow runs it: `python -m clspec.step.kubeflow KIND ... --executor-input JSON`.

Kubeflow's launcher says in JSON what every other target says in `--in`, `--out` and `--out-param`, and wants to be
told in JSON what was made. What it cannot carry at all, an artifact that may never have been made, one step lays down
in the store and another takes from there.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clspec.data.storage import storage_at
from clspec.diagnostic import ClspecError, StepFailed, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MOUNTS = {"gs://": "/gcs/", "s3://": "/s3/", "minio://": "/minio/", "oci://": "/oci/"}
_RUN = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]*")
_OWN_FAULT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorInput:
    """What the launcher hands to a step, its URIs as the paths under which it mounts them."""

    inputs: dict[str, Path]
    outputs: dict[str, Path]
    parameters: dict[str, Path]
    output_file: Path
    declared: dict[str, Any]
    given: dict[str, str]
    """The parameters that the step was given."""

    def write_output(self, parameters: dict[str, str]) -> None:
        """Tell the launcher which artifacts and parameters were written."""
        self.output_file.parent.mkdir(parents=True, exist_ok=True)
        answer = {
            "artifacts": {name: {"artifacts": listed["artifacts"]} for name, listed in self.declared.items()},
            "parameterValues": {name: parameters[name] for name in self.parameters},
        }
        self.output_file.write_text(json.dumps(answer, sort_keys=True), encoding="utf-8")

    def arguments(self) -> list[str]:
        """The same in the step program's own words.

        Raises:
            UsageError: the run's parameters are missing, or not what the launcher makes of them.
        """
        found = ["--store", self.parameter("store")]
        if "began" in self.given:
            found += ["--as-of", self.given.get("as-of") or self.parameter("began")]
            found += ["--allow-both", self.given.get("allow-both", "")]
        sides = (("--in", self.inputs), ("--out", self.outputs), ("--out-param", self.parameters))
        return found + [
            word for flag, named in sides for name, path in named.items() for word in (flag, f"{name}={path}")
        ]

    def parameter(self, name: str) -> str:
        """A parameter without which the step cannot run.

        Raises:
            UsageError: it is missing, empty, or still the placeholder that something should have replaced.
        """
        value = self.given.get(name, "")
        if not value or value.startswith("{{"):
            message = f"Kubeflow did not say the parameter `{name}`" + (f", but `{value}`" if value else "")
            raise UsageError(message)
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """What the steps of one run hand to each other through the store, under a folder of the run's own."""

    store: str
    folder: str

    def give(self, path: Path, key: str) -> None:
        """Lay down an output for whoever takes it; again, it replaces what an earlier try laid down.

        Raises:
            StepFailed: it is no file, or the store cannot be written.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            message = f"{path} cannot be handed over: {error.strerror or error}"
            raise StepFailed(message) from error
        storage_at(self.store).write(f"{self.folder}/{key}", content)

    def take(self, key: str, path: Path) -> bool:
        """Put at the path what was laid down under a key, if anything was.

        Raises:
            StepFailed: the store cannot be read.
        """
        content = storage_at(self.store).read(f"{self.folder}/{key}")
        if content is None:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return True


def main(arguments: Sequence[str]) -> int:
    """Run one step and return its exit code, which is 0 whatever happened if its end is to change nothing."""
    given, rest = _parser().parse_known_args(arguments)
    try:
        code = _run(given, rest)
    except (ClspecError, OSError) as error:
        print(f"clspec: {error}", file=sys.stderr, flush=True)  # noqa: T201
        code = error.exit_code if isinstance(error, ClspecError) else _OWN_FAULT
    if code and given.always:
        print(f"clspec: the step ended with {code}, which changes nothing about the run", file=sys.stderr)  # noqa: T201
        return 0
    return code


def _run(given: argparse.Namespace, rest: list[str]) -> int:
    from clspec.step import program  # noqa: PLC0415  # which knows this module too

    executor = read(given.executor_input)
    words = [*rest, *executor.arguments()]
    if "--trainjob" in rest:
        words += ["--run", executor.parameter("run")]
    give, take = _pairs(given.give), _pairs(given.take)
    between = _hand_over(executor, rest) if give or take else None
    for name, key in take.items():
        path = executor.output_file.parent / "taken" / name
        if between and between.take(key, path):
            words += ["--in", f"{name}={path}"]
    code = program.main(words)
    if code:
        return code
    for name, key in give.items():
        if between:
            between.give(executor.outputs[name], key)
    executor.write_output({name: path.read_text(encoding="utf-8") for name, path in executor.parameters.items()})
    return 0


def _hand_over(executor: ExecutorInput, rest: Sequence[str]) -> HandOver:
    """Where this run's steps meet.

    Raises:
        UsageError: the run has no name, or the configuration does not say whose it is.
    """
    run = executor.parameter("run")
    if not _RUN.fullmatch(run):
        message = f"`{run}` is no name of a run"
        raise UsageError(message)
    try:
        spec = json.loads(rest[list(rest).index("--config") + 1])["spec"]
    except (ValueError, LookupError, TypeError) as error:
        message = "--config must say whose step this is"
        raise UsageError(message) from error
    return HandOver(store=executor.parameter("store"), folder=f"{spec}/handover/{run}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m clspec.step.kubeflow", description=__doc__, allow_abbrev=False, add_help=False
    )
    parser.add_argument("--executor-input", required=True, metavar="JSON", help="what the launcher makes of `{{$}}`")
    parser.add_argument("--give", action="append", default=[], metavar="OUTPUT=STEP/OUTPUT")
    parser.add_argument("--take", action="append", default=[], metavar="INPUT=STEP/OUTPUT")
    parser.add_argument("--always", action="store_true", help="end with 0 whatever happens")
    return parser


def _pairs(said: Iterable[str]) -> dict[str, str]:
    return {name: key for name, _, key in (pair.partition("=") for pair in said)}


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
            given={
                name: found
                for name, found in value.get("inputs", {}).get("parameterValues", {}).items()
                if isinstance(found, str)
            },
        )
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        message = f"--executor-input is not Kubeflow's executor input: {error!r}"
        raise UsageError(message) from error


def _path(uri: str) -> Path:
    for scheme, mount in _MOUNTS.items():
        if uri.startswith(scheme):
            return Path(mount + uri.removeprefix(scheme))
    return Path(uri)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
