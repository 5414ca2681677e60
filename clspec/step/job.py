"""All that a step may know: its configuration, its inputs, where its outputs go, the store and the user's code."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from clspec.data.sources import Place
from clspec.data.storage import Storage, storage_at
from clspec.data.versions import Dataset
from clspec.diagnostic import StepFailed, UsageError
from clspec.plan import canonical

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Job:
    """One step at work. It writes its outputs under temporary names; whoever runs it moves them when it is done."""

    config: dict[str, Any]
    inputs: dict[str, Path]
    outputs: dict[str, Path]
    store: str
    code: Path | None
    folder: Path | None
    """The folder of the spec, from which the paths of its sources count; none on a cluster."""
    tells_progress: bool = False
    parameters: dict[str, str] = field(default_factory=dict)
    """The one-word values that conditions read; the step puts them here."""

    @cached_property
    def storage(self) -> Storage:
        """The store."""
        return storage_at(self.store)

    def dataset(self, name: str) -> Dataset:
        """A dataset in the store."""
        return Dataset(self.storage, self.config["spec"], name)

    @property
    def place(self) -> Place:
        """Where sources are read from."""
        return Place(code=self.code, folder=self.folder)

    def code_root(self) -> Path:
        """The code root.

        Raises:
            UsageError: none was given, or it is no folder.
        """
        if self.code is None or not self.code.is_dir():
            message = (
                f"the code root {self.code} is no folder" if self.code else "this step runs user code: give --code"
            )
            raise UsageError(message)
        return self.code

    def read_json(self, name: str) -> Any:
        """An input that is JSON.

        Raises:
            StepFailed: it is not.
        """
        try:
            return json.loads(self.inputs[name].read_bytes())
        except (OSError, ValueError) as error:
            message = f"input `{name}` at {self.inputs[name]} is not JSON: {error}"
            raise StepFailed(message) from error

    def write_json(self, name: str, value: Any) -> None:
        """Write an output as JSON: the same value, the same bytes."""
        self.outputs[name].write_text(canonical(value) + "\n", encoding="ascii")

    def tell(self, done: int, of: int, what: str) -> None:
        """Say how far the step is, as one JSON line, if asked to."""
        if self.tells_progress:
            print(json.dumps({"progress": {"done": done, "of": of, "what": what}}), flush=True)  # noqa: T201
