"""Texts on their way through Kubeflow: what it would read into them, and how they are kept as they are."""

from __future__ import annotations

import re
from typing import Any

import yaml

HEADER = "# Written by `clspec compile --target kfp`. Change the spec, not this file.\n"
NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
"""A DNS-1123 label, to be matched in full: Kubeflow's own check is not anchored."""
LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
"""What Kubernetes takes as the value of a label."""
LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
EXTENDED_RESOURCE = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")

_EXPANDED = ("{{", "$(", "$$")
_SUFFIXES = ("Ti", "Gi", "Mi", "Ki")
_PLAIN = re.compile(r"[A-Za-z][-A-Za-z0-9_]*([./][-A-Za-z0-9_]+)*")
_SINGLE_QUOTED = re.compile(r"[ -~]*")
_RESERVED = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_WIDTH = 1_000_000_000


def expanded(text: str) -> str:
    """The first sign in the text that something on the way would expand, or nothing.

    Argo and Kubeflow's launcher replace `{{...}}`; Kubernetes replaces `$(NAME)` and halves `$$` in arguments.
    """
    return next((sign for sign in _EXPANDED if sign in text), "")


def argument(config: str) -> str:
    """The same JSON in a spelling that nothing on the way expands: both escapes can only stand inside its strings."""
    return config.replace("{{", "{\\u007b").replace("$", "\\u0024")


def quantity(count: int) -> str:
    """An exact Kubernetes quantity of bytes: `16Gi`, or the plain number."""
    for power, suffix in zip(range(len(_SUFFIXES), 0, -1), _SUFFIXES, strict=True):
        whole, rest = divmod(count, 1024**power)
        if whole and not rest:
            return f"{whole}{suffix}"
    return str(count)


def cores(count: float) -> str:
    """A Kubernetes quantity of cores, to a thousandth and never none: `4`, `500m`."""
    whole, rest = divmod(max(1, round(count * 1000)), 1000)
    return f"{whole * 1000 + rest}m" if rest else str(whole)


def _quoted(dumper: Any, text: str) -> Any:
    """A string in quotes unless every YAML reader, 1.1 or 1.2, sees a string without them (`1e3`, `no`, `0o7`)."""
    if _PLAIN.fullmatch(text) and text.lower() not in _RESERVED:
        style = None
    elif _SINGLE_QUOTED.fullmatch(text):
        style = "'"
    else:
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def dumper_on(base: type) -> Any:
    """A dumper that quotes for every reader and writes everything out; the same bytes on libyaml as without."""
    dumper: Any = type("Dumper", (base,), {"ignore_aliases": lambda _self, _data: True})
    dumper.add_representer(str, _quoted)
    return dumper


_DUMPER = dumper_on(getattr(yaml, "CSafeDumper", yaml.SafeDumper))


def dump(documents: list[dict[str, Any]], dumper: Any = _DUMPER) -> str:
    """The documents as one ASCII YAML text: keys sorted, no aliases, no folded lines."""
    body: str = yaml.dump_all(
        documents,
        Dumper=dumper,
        sort_keys=True,
        default_flow_style=False,
        allow_unicode=False,
        width=_WIDTH,
    )
    return HEADER + body
