"""Where things lie: the code beside the spec, everything else at a path or a URI that can be reached."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from clspec import code
from clspec.diagnostic import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.check.facts import Facts
    from clspec.diagnostic import Diagnostic, Pointer

_SCHEMES = ("s3", "file", "memory")
_ROOT = ("code", "root")


def root_exists(facts: Facts) -> Iterator[Diagnostic]:
    """The code root is a folder beside the spec."""
    written = facts.spec.code.root
    if not facts.has_root:
        folders = [p.name for p in facts.folder.iterdir() if p.is_dir() and not p.name.startswith((".", "_"))]
        hint = did_you_mean(written, folders) or "create it, and put the modules with your code into it"
        yield facts.problem("CLS308", _ROOT, f"there is no folder `{written}` beside the spec", hint)


def root_can_be_pinned(facts: Facts) -> Iterator[Diagnostic]:
    """All files under the code root can be read, and none leads out of it."""
    if complaint := not_beside(facts):
        hint = "give the code a folder of its own: its bytes are part of every cache key"
        yield facts.problem("CLS315", _ROOT, complaint, hint)
    elif facts.has_root:
        try:
            list(code.files(facts.root))
        except code.CodeError as error:
            yield facts.problem("CLS315", _ROOT, str(error), "move it out of the code root")


def not_beside(facts: Facts) -> str:
    """Why a folder must not be the code root whatever it holds, or nothing."""
    if not facts.has_root:
        return ""
    if PurePath(facts.spec.code.root).is_absolute():
        return f"`{facts.spec.code.root}` is an absolute path; the code root is relative to the spec"
    if facts.folder.resolve().is_relative_to(facts.root.resolve()):
        return f"the folder `{facts.spec.code.root}` holds the spec itself, which is no part of the code"
    return ""


def uris_can_be_reached(facts: Facts) -> Iterator[Diagnostic]:
    """The store and the files of a source are paths, or URIs of a kind that is known and without a secret."""
    value = facts.document.value
    places: list[Pointer] = [("store",)] if "store" in value else []
    places += [("sources", name, "uri") for name, source in value.get("sources", {}).items() if "uri" in source]
    for at in places:
        uri = value["store"] if at == ("store",) else value["sources"][at[1]]["uri"]
        scheme, separator, rest = uri.partition("://")
        if separator and scheme not in _SCHEMES:
            message = f"nothing is known of `{scheme}://`"
            yield facts.problem("CLS315", at, message, "a path relative to the spec, or an `s3://` URI")
        elif separator and "@" in (host := rest.partition("/")[0]) and ":" not in host.rpartition("@")[0]:
            # With a password it is a secret, and told as one.
            message = "a URI must not hold who may read it"
            yield facts.problem("CLS315", at, message, "give credentials by the environment of the run")


RULES = (root_exists, root_can_be_pinned, uris_can_be_reached)
