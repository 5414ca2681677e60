"""Registered models: their files by content, and a record of every judgement that let one in."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clspec.data.table import DataError
from clspec.diagnostic import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from clspec.data.storage import Storage, Stored

_SHORT = 12
"""So many digits name a model to people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One judgement of a model: what made it, what it was judged on, and against whom."""

    model: str
    name: str
    written: datetime
    content: dict[str, Any]

    @property
    def made_by(self) -> dict[str, Any]:
        """Code, params, image, seeds and datasets."""
        found: dict[str, Any] = self.content["made_by"]
        return found

    @property
    def datasets(self) -> dict[str, str]:
        """The digest of every dataset that it was made with or judged on, by name."""
        found: dict[str, str] = self.made_by["datasets"]
        return found

    def dataset(self, role: str) -> tuple[str, str]:
        """The name and the digest of the dataset in a role: `training` or `golden`."""
        name = str(self.made_by["roles"][role])
        return name, self.datasets[name]

    @property
    def passed(self) -> bool:
        """Whether the verdict was a pass."""
        return bool(self.content["verdict"].get("verdict") == "pass")

    @property
    def champion(self) -> str | None:
        """The champion that it was judged against, or None."""
        found = self.content["verdict"]["champion"]
        return None if found is None else str(found["model"])

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that were judged, in their order."""
        return tuple(seed["seed"] for seed in self._judged())

    @property
    def asked(self) -> dict[str, tuple[str, str]]:
        """What each scenario asked for, by the digests of what was counted and of what was demanded of it."""
        first = next(iter(self._judged()), {"scenarios": ()})
        demanded = {scenario["id"]: str(scenario.get("asked")) for scenario in first["scenarios"]}
        measured = self.content.get("golden", {}).get("scenarios", ())
        counted = {scenario["id"]: str(scenario.get("asked")) for scenario in measured}
        return {name: (counted.get(name, ""), asked) for name, asked in demanded.items()}

    def _judged(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.content["verdict"].get("seeds", [])
        return found


@dataclass(frozen=True, slots=True)
class Models:
    """The registered models of one spec in a store."""

    storage: Storage
    spec: str

    @property
    def _prefix(self) -> str:
        return f"{self.spec}/models"

    def digests(self) -> tuple[str, ...]:
        """Every registered model; one whose record was never written is none."""
        keys = (key.removeprefix(f"{self._prefix}/").split("/") for key in self.storage.keys(self._prefix))
        return tuple(dict.fromkeys(f"sha256:{parts[0]}" for parts in keys if parts[1:2] == ["records"]))

    def records(self, model: str) -> tuple[Record, ...]:
        """The judgements of a model, the oldest first.

        Raises:
            DataError: one cannot be read.
        """
        stored = self.storage.stored(f"{self._prefix}/{model.removeprefix('sha256:')}/records")
        return tuple(self._record(model, entry) for entry in sorted(stored, key=lambda e: (e.written, e.key)))

    def all_records(self) -> tuple[Record, ...]:
        """The judgements of all models."""
        return tuple(record for model in self.digests() for record in self.records(model))

    def _record(self, model: str, entry: Stored) -> Record:
        try:
            content = json.loads(self.storage.read(entry.key) or b"")
            name = entry.key.rpartition("/")[2].removesuffix(".json")
            found = Record(model=model, name=name, written=entry.written, content=content)
            _ = found.passed, found.champion, found.dataset("training"), found.dataset("golden")
            _ = found.seeds, found.asked
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
            message = f"{self.storage.uri}/{entry.key} is no record of a model: {error}"
            raise DataError(message) from error
        if content.get("model") != model:
            message = f"{self.storage.uri}/{entry.key} is a record of {content.get('model')}"
            raise DataError(message)
        return found

    def named(self, word: str) -> str:
        """The model that a digest, or the beginning of one, names.

        Raises:
            UsageError: it names none, or several.
        """
        digits = word.removeprefix("sha256:")
        if not re.fullmatch(r"[0-9a-f]{1,64}", digits):
            message = f"`{word}` names no model: give the first digits of its digest, as `clspec models` lists them"
            raise UsageError(message)
        found = [model for model in self.digests() if model.removeprefix("sha256:").startswith(digits)]
        if len(found) == 1:
            return found[0]
        if found:
            message = f"`{word}` names {len(found)} models: " + ", ".join(map(short, found)) + "; give more digits"
        else:
            message = f"no registered model begins with `{word}`: `clspec models` lists them"
        raise UsageError(message)


def short(model: str) -> str:
    """A model's digest as people say it."""
    return model.removeprefix("sha256:")[:_SHORT]
