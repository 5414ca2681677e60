"""Texts on their way through Kubeflow: what it would read into them, and how they are kept as they are."""

from __future__ import annotations

import re

NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
"""A DNS-1123 label, to be matched in full: Kubeflow's own check is not anchored."""
LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
"""What Kubernetes takes as the value of a label."""
LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
OBJECT = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
"""A name that Kubernetes gives to an object."""
EXTENDED_RESOURCE = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")

_EXPANDED = ("{{", "$(", "$$")
_SUFFIXES = ("Ti", "Gi", "Mi", "Ki")


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
