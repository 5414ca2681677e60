"""The published JSON Schema of the language, one file for each version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

VERSION = "v1alpha1"


def text(version: str = VERSION) -> str:
    """The schema of a language version as published.

    Raises:
        FileNotFoundError: there is no such version.
    """
    return Path(__file__).with_name(f"{version}.schema.json").read_text(encoding="utf-8")


def schema(version: str = VERSION) -> Any:
    """The schema of a language version as plain values (JSON Schema, draft 2020-12)."""
    return json.loads(text(version))
