"""The frame of every step: read the arguments, run, move the outputs into place, answer with an exit code."""

from __future__ import annotations

import argparse
import importlib
import json
import re
import shutil
import sys
import tempfile
import traceback
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clspec.diagnostic import ClspecError, UsageError
from clspec.plan import Kind
from clspec.step.job import Job, Paths

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OWN_FAULT = 2
_RUN = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]*")


def main(arguments: Sequence[str]) -> int:
    """Run one step and return its exit code: 0 done, 1 a verdict said no, 2 wrong use or own fault, 3 failed."""
    return carry_out(parser().parse_args(arguments))


def carry_out(given: argparse.Namespace) -> int:
    """Run the step that `parser` was told, and return its exit code; see `main`."""
    try:
        return _run(given)
    except ClspecError as error:
        print(f"clspec: {error}", file=sys.stderr, flush=True)  # noqa: T201
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        print(f"clspec: {error}", file=sys.stderr, flush=True)  # noqa: T201
        return 3
    except Exception:  # noqa: BLE001  # the last line of defence: a fault of clspec is named as one
        traceback.print_exc()
        print("clspec: this is a fault of clspec itself", file=sys.stderr, flush=True)  # noqa: T201
        return OWN_FAULT


def told(said: Mapping[str, Any]) -> argparse.Namespace:
    """What `parser` makes of a command line that says this, by its names, without the line; unknown names are refused.

    Raises:
        KeyError: it has no such name.
    """
    found = {**unsaid()}
    for name, value in said.items():
        found[name] = Path(value) if isinstance(value, str) and name in _PATHS else value
    if len(found) > len(unsaid()):
        raise KeyError(*(said.keys() - unsaid().keys()))
    return argparse.Namespace(**found)


_PATHS = frozenset({"code", "folder", "digest"})


@cache
def unsaid() -> Mapping[str, Any]:
    """What holds where nothing is said; a process from which steps are forked has it made before."""
    return vars(parser().parse_args([Kind.PIN.value, "--config", "", "--store", ""]))


def parser() -> argparse.ArgumentParser:
    """What the program may be told."""
    made = argparse.ArgumentParser(prog="python -m clspec.step", description=__doc__, allow_abbrev=False)
    made.add_argument("kind", choices=[kind.value for kind in Kind], help="what the step does")
    made.add_argument("--config", required=True, help="canonical JSON, or @FILE that holds it")
    made.add_argument("--store", required=True, help="the URI or path of the store")
    made.add_argument("--code", type=Path, help="the folder with the user's code")
    made.add_argument("--folder", type=Path, help="the folder of the spec, where its sources' paths count from")
    made.add_argument("--in", dest="inputs", action="append", default=[], metavar="NAME=PATH")
    made.add_argument("--in-optional", dest="optional", action="append", default=[], metavar="NAME=PATH")
    made.add_argument("--out", dest="outputs", action="append", default=[], metavar="NAME=PATH")
    made.add_argument("--out-param", dest="parameters", action="append", default=[], metavar="NAME=PATH")
    made.add_argument("--digest", type=Path, metavar="PATH", help="where one word for all outputs' content is written")
    made.add_argument("--as-of", metavar="TIME", help="when the run began, ISO 8601; now where it is not given")
    made.add_argument("--allow-both", metavar="JSON", help="who lets code and data move at once, and why")
    made.add_argument("--run", default="", metavar="UID", help="which run this is, where something is named after it")
    made.add_argument("--trainjob", metavar="JSON", help="make this job on several machines, and wait for it")
    made.add_argument("--progress", action="store_true", help="print progress as JSON lines")
    return made


def _run(given: argparse.Namespace) -> int:
    inputs = _inputs(given.inputs, given.optional)
    outputs, parameters = _paths(given.outputs), _paths(given.parameters)
    with ExitStack() as elsewhere:
        scratch = _scratch(outputs, elsewhere)
        job = Job(
            config=_config(given.config),
            inputs=Paths("--in", inputs),
            outputs=Paths("--out", scratch),
            store=given.store,
            code=given.code and given.code.absolute(),
            folder=given.folder and given.folder.absolute(),
            as_of=_moment(given.as_of),
            allow_both=_permission(given.allow_both),
            tells_progress=given.progress,
            run=given.run,
            trainjob=_trainjob(given),
        )
        try:
            importlib.import_module(f"clspec.step.{given.kind}").run(job)
            _publish(job, outputs, parameters)
            if given.digest is not None:
                from clspec.step import content  # noqa: PLC0415  # OpenSSL, for clusters alone

                given.digest.parent.mkdir(parents=True, exist_ok=True)
                given.digest.write_text(content.word(outputs), encoding="ascii")
        finally:
            for path in scratch.values():
                shutil.rmtree(path.parent, ignore_errors=True)
    return 0


def _config(text: str) -> dict[str, object]:
    """The configuration; a step that reads a file reads it here alone."""
    try:
        found = json.loads(Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text)
    except (OSError, ValueError) as error:
        message = f"--config is not JSON: {error}"
        raise UsageError(message) from error
    if not isinstance(found, dict):
        message = "--config is not a JSON object"
        raise UsageError(message)
    return found


def _moment(text: str | None) -> datetime:
    """When the run began."""
    if text is None:
        return datetime.now(tz=UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"--as-of is an ISO 8601 time, not `{text}`"
        raise UsageError(message) from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def _permission(text: str | None) -> dict[str, str] | None:
    if not text:  # a target whose arguments are always there says nothing with an empty one
        return None
    try:
        found = json.loads(text)
        return {"by": str(found["by"]), "why": str(found["why"])}
    except (ValueError, LookupError, TypeError) as error:
        message = "--allow-both is a JSON object with `by` and `why`"
        raise UsageError(message) from error


def _trainjob(given: argparse.Namespace) -> dict[str, object] | None:
    """The job that a launcher makes.

    Raises:
        UsageError: it is no JSON object, no run is named, or the step is none that several machines can do.
    """
    if given.trainjob is None:
        return None
    try:
        found = json.loads(given.trainjob)
    except ValueError as error:
        message = f"--trainjob is not JSON: {error}"
        raise UsageError(message) from error
    if not isinstance(found, dict) or not _RUN.fullmatch(given.run) or given.kind != Kind.TRAIN.value:
        message = "--trainjob is a JSON object, for the step `train` of a run that --run names in plain letters"
        raise UsageError(message)
    return found


def _inputs(needed: Sequence[str], optional: Sequence[str]) -> dict[str, Path]:
    """What the step reads; an optional input is one only if it is there."""
    may_lack = {pair.partition("=")[0] for pair in optional}
    return {name: path for name, path in _paths((*needed, *optional)).items() if name not in may_lack or path.exists()}


def _paths(pairs: Sequence[str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for pair in pairs:
        name, separator, path = pair.partition("=")
        if not separator or not name or not path or name in found:
            message = f"`{pair}` is not a NAME=PATH of its own"
            raise UsageError(message)
        found[name] = Path(path).absolute()  # a command of the user's runs in the code root, not here
    return found


def _scratch(outputs: dict[str, Path], elsewhere: ExitStack) -> dict[str, Path]:
    """Where outputs are written first: beside their place, so that moving them is one rename, under their own name.

    The bytes of a saved torch model depend on its file name, so the name is the final one from the start.
    """
    found = {}
    for name, path in outputs.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder = Path(tempfile.mkdtemp(prefix=".clspec-", dir=path.parent))
        except OSError:  # the parent may be read-only while the place itself is not
            folder = Path(elsewhere.enter_context(tempfile.TemporaryDirectory(prefix="clspec-")))
        found[name] = folder / path.name
    return found


def _publish(job: Job, outputs: dict[str, Path], parameters: dict[str, Path]) -> None:
    """Move every output into its place and write the parameters; if one was promised and not made, none of them."""
    made = {name for name, path in job.outputs.items() if path.exists()} | set(job.parameters)
    for name in (*outputs, *parameters):
        if name not in made:
            message = f"the step made no output `{name}`"
            raise ClspecError(message)
    for name, place in outputs.items():
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        shutil.move(job.outputs[name], place)
    for name, place in parameters.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(job.parameters[name], encoding="utf-8")
