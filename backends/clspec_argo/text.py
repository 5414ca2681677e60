"""How text reaches Argo unchanged: what it would expand is escaped or named."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from math import ceil
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

FORMS = {
    "name": re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?"),
    "object name": re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"),
    "artifact name": re.compile(r"[-A-Za-z0-9_]+"),
    "word": re.compile(r"[A-Za-z][-A-Za-z0-9_]*"),
    "variable": re.compile(r"[A-Za-z_][A-Za-z0-9_]*"),
    "key": re.compile(r"[-._A-Za-z0-9]{1,253}"),
    "label name": re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"),
    "label value": re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"),
    "toleration operator": re.compile(r"Exists|Equal"),
    "taint effect": re.compile(r"(NoSchedule|PreferNoSchedule|NoExecute)?"),
    "one word": re.compile(r"\S+"),
}
"""The form of each kind of text in a manifest; all but the last are Kubernetes' or Argo's own rules."""

MAX_NAME = 40
"""A pod is called workflow-template-hash, so a template's name must leave room for the workflow's."""
MAX_RUN_NAME = 63
MAX_CRON_NAME = 52
"""Argo appends eleven characters to the name of a CronWorkflow for that of each run."""
MAX_LIST = 200
"""What the objects of Argo 4 hold of tasks and of templates."""
MAX_OBJECT = 900_000
"""Bytes of JSON: etcd takes 1.5 MB, and the run's status stands in the same object."""

_EXPANDED = re.compile(r"(?<=\{)\{|\$|[^ -~]")
_RESERVED = frozenset(
    {"true", "false", "nil", "null", "not", "in", "and", "or", "let", "if", "else", "matches", "contains"}
)
_UNITS = (("Ti", 1 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10))


def escaped(config: str) -> str:
    r"""The same JSON, spelt so that nothing on the way to the step expands it.

    Argo replaces `{{...}}` wherever it stands in a template and has no escape for it (argo-workflows issue 8253);
    Kubernetes turns `$(NAME)` into a variable's value and `$$` into `$` in arguments; Argo quotes values as Go does,
    so that a control character would make its JSON invalid. Outside strings JSON has none of these, and inside them
    `\uXXXX` says the same.
    """
    if "{{" not in config and "$" not in config and config.isascii() and config.isprintable():
        return config  # most are, and looking is cheaper
    return _EXPANDED.sub(_spelt, config)


def _spelt(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def changed(text: str) -> str:
    """What in a text the target would change or choke on, or nothing. For text that is not JSON."""
    if "{{" in text:
        return "`{{` starts an Argo expression"
    if "$(" in text or "$$" in text:
        return "`$(` and `$$` are expanded by Kubernetes"
    if not text.isprintable():
        return "it holds a character that cannot be seen"
    return ""


def fits(form: str, text: str) -> bool:
    """Whether the text has the form of that name."""
    return FORMS[form].fullmatch(text) is not None


def names(ids: Iterable[str], taken: frozenset[str]) -> dict[str, str]:
    """A name for the template and task of each step: its id where that can be one, never the same for two steps.

    Those in `taken` are in use already. Words of the `depends` language cannot name a task.
    """
    ids = tuple(ids)
    kept = {step for step in ids if len(step) <= MAX_NAME and fits("name", step) and step not in _RESERVED | taken}
    used = kept | taken
    return {step: step if step in kept else _shortened(step, used) for step in ids}


def _shortened(step: str, used: set[str]) -> str:
    digest = sha256(step.encode("utf-8", "surrogatepass")).hexdigest()
    stem = re.sub(r"[^a-z0-9]+", "-", step.lower()).strip("-") or "step"
    stem = stem if stem[0].isalpha() else f"step-{stem}"
    for length in range(8, 33):
        name = f"{stem[: MAX_NAME - 1 - length].rstrip('-')}-{digest[:length]}"
        if name not in used:
            return name
    raise AssertionError(step)


def quantity(size: int) -> str:
    """Bytes as Kubernetes writes them, exactly: `16Gi`, `1536Mi`, `1000`."""
    for unit, factor in _UNITS:
        if size % factor == 0 and size:
            return f"{size // factor}{unit}"
    return str(size)


def cores(cpu: float) -> str:
    """Cores as Kubernetes writes them: `4`, or thousandths (`500m`), never fewer than asked for."""
    thousandths = ceil(round(cpu * 1000, 6))
    return f"{thousandths}m" if thousandths % 1000 else str(thousandths // 1000)


def compact(document: Any) -> bytes:
    """The document as the shortest JSON, as Kubernetes keeps it and counts its size."""
    try:
        return msgspec.json.encode(document)
    except (TypeError, UnicodeEncodeError):  # a foreign manifest may hold dates, and half of a character
        return json.dumps(_plain(document), separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, (str, int, float)) else str(value)
