"""How often a golden version has decided: a test set that is looked at too often stops being one.

Each decision is one object, created once and named by its content, so that the count is the same on every machine and
a step that runs again after a kill counts nothing twice.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clspec.data.table import DataError
from clspec.plan import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clspec.data.storage import Storage


CLIMBED = "climbed"
"""What a decision is marked with once its model has gone up the stages as far as it may without an approval."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """The decisions of one spec in a store."""

    storage: Storage
    spec: str

    def record(self, golden: str, content: dict[str, Any]) -> bool:
        """Keep a decision on a golden version, by its `models` and `verdict`; False if it stands there already."""
        written = (canonical(content) + "\n").encode()
        name = hashlib.sha256(written).hexdigest()
        return self.storage.create(f"{self._prefix(golden)}/{name}.json", written)

    def contents(self, golden: str) -> tuple[dict[str, Any], ...]:
        """Every decision on a golden version, in the order of their names.

        Raises:
            DataError: one of them cannot be read, so that nobody knows how many there are.
        """
        return tuple(self._read(key) for key in self.storage.keys(self._prefix(golden)))

    def count(self, golden: str) -> int:
        """How many sets of models this golden version has decided on; asking again about the same is no new look.

        Raises:
            DataError: a decision cannot be read.
        """
        return len(self._decided(golden))

    def knows(self, golden: str, models: Iterable[str]) -> bool:
        """Whether this golden version has decided on just these models before.

        Raises:
            DataError: a decision cannot be read.
        """
        return frozenset(models) in self._decided(golden)

    def _decided(self, golden: str) -> set[frozenset[str]]:
        return {frozenset(content["models"]) for content in self.contents(golden)}

    def _prefix(self, golden: str) -> str:
        return f"{self.spec}/decisions/{golden.removeprefix('sha256:')}"

    def _read(self, key: str) -> dict[str, Any]:
        try:
            content = json.loads(self.storage.read(key) or b"")
        except (ValueError, RecursionError) as error:
            message = f"{self.storage.uri}/{key} is no decision: {error}"
            raise DataError(message) from error
        models = content.get("models") if isinstance(content, dict) else None
        if not isinstance(models, list) or not models or not all(isinstance(model, str) for model in models):
            message = f"{self.storage.uri}/{key} is no decision: it names no models"
            raise DataError(message)
        return dict(content)
