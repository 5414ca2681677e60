"""All that a step may know: its configuration, its inputs, where its outputs go, the store and the user's code."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clspec.diagnostic import StepFailed, UsageError
from clspec.plan import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import pyarrow as pa

    from clspec.data.sources import Place
    from clspec.data.storage import Storage
    from clspec.data.versions import Dataset


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
    as_of: datetime
    """When the run began: the only time that a step may know."""
    allow_both: dict[str, str] | None = None
    """Who permits code and data to move at once (`by`), and why (`why`); None where nobody does."""
    tells_progress: bool = False
    run: str = ""
    """Which run of a cluster this is part of, where something is named after it."""
    trainjob: dict[str, Any] | None = None
    """The job on several machines that this step makes and awaits, as the target wants it."""
    parameters: dict[str, str] = field(default_factory=dict)
    """The one-word values that conditions read; the step puts them here."""

    @cached_property
    def storage(self) -> Storage:
        """The store."""
        from clspec.data.storage import storage_at  # noqa: PLC0415  # a step that only reads JSON starts without

        return storage_at(self.store)

    def dataset(self, name: str) -> Dataset:
        """A dataset in the store."""
        from clspec.data.versions import Dataset  # noqa: PLC0415  # see above

        return Dataset(self.storage, self.config["spec"], name)

    @property
    def place(self) -> Place:
        """Where sources are read from."""
        from clspec.data.sources import Place  # noqa: PLC0415  # see above

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

    def has(self, name: str) -> bool:
        """Whether an optional input is there."""
        return name in self.inputs

    def read_json(self, name: str) -> dict[str, Any]:
        """An input that is a JSON object.

        Raises:
            StepFailed: it is not.
        """
        path = self.inputs[name]
        try:
            found = json.loads(path.read_bytes(), parse_constant=_not_finite)
        except (OSError, ValueError, RecursionError) as error:
            message = f"input `{name}` at {path} is not JSON: {error}"
            raise StepFailed(message) from error
        if not isinstance(found, dict):
            message = f"input `{name}` at {path} is a JSON {type(found).__name__}, not an object"
            raise StepFailed(message)
        return found

    def read_rows(self, name: str, columns: list[str] | None = None) -> pa.Table:
        """An input that is a Parquet file, or some of its columns.

        Raises:
            StepFailed: it cannot be read as one.
        """
        import pyarrow as pa  # noqa: PLC0415  # see above
        import pyarrow.parquet as pq  # noqa: PLC0415

        path = self.inputs[name]
        try:
            return pq.read_table(path, columns=columns)
        except (OSError, pa.ArrowException) as error:
            message = f"input `{name}` at {path} cannot be read as Parquet: {error}"
            raise StepFailed(message) from error

    def write_json(self, name: str, value: Any) -> None:
        """Write an output as JSON: the same value, the same bytes."""
        self.outputs[name].write_text(canonical(value) + "\n", encoding="ascii")

    def tell(self, done: int, of: int, what: str) -> None:
        """Say how far the step is, as one JSON line, if asked to."""
        if self.tells_progress:
            print(json.dumps({"progress": {"done": done, "of": of, "what": what}}), flush=True)  # noqa: T201


class Paths(dict[str, Path]):
    """Where inputs or outputs lie, by name; asking for one that was not given is wrong use."""

    def __init__(self, option: str, given: Mapping[str, Path]) -> None:
        super().__init__(given)
        self._option = option

    def __missing__(self, name: str) -> Path:
        """Say which argument is missing.

        Raises:
            UsageError: always.
        """
        message = f"this step needs {self._option} {name}=PATH"
        raise UsageError(message)


def _not_finite(word: str) -> None:
    message = f"{word} is no JSON number"
    raise ValueError(message)
