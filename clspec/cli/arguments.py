"""What may be said on the command line."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from clspec.cli import (
    beginning,
    checking,
    collecting,
    configuration,
    image,
    label,
    manifests,
    newcomers,
    past,
    registry,
    review,
    running,
    specs,
)
from clspec.cli.words import EXIT_CODES, digest
from clspec.diagnostic import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class _Command(argparse.ArgumentParser):
    """A parser that takes whole words only: a script that says `--targ` must not change its meaning one day."""

    def __init__(self, **given: Any) -> None:
        super().__init__(allow_abbrev=False, **given)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Name the word that was meant, where one is close, before all the others."""
        if action.choices is not None and value not in action.choices:
            known = [str(choice) for choice in action.choices]
            hint = did_you_mean(str(value), known) or "known: " + ", ".join(f"`{word}`" for word in known)
            raise argparse.ArgumentError(action, f"there is no `{value}`: {hint}")


def parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """All commands with their arguments; of a command line that begins with a command, those of its room alone.

    To lay out what forty commands may be told takes longer than to check a small spec.
    """
    made = _Command(prog="clspec", description="Continuous learning as a spec.", epilog=EXIT_CODES)
    made.add_argument("--version", "-V", action="store_true", help="show the version and leave")
    made.add_argument("--color", choices=["auto", "always", "never"], default="auto", help="colours in what is shown")
    verbs = made.add_subparsers(dest="verb", metavar="COMMAND", parser_class=_Command)
    verb = words[0] if words else None
    meant = [add for names, add in ROOMS if verb in names]
    for add in meant or [add for _, add in ROOMS]:
        add(verbs)
    return made


def _compile(verbs: Any) -> None:
    compile_ = verbs.add_parser("compile", help="emit a spec as a target's files; no user code runs", epilog=EXIT_CODES)
    compile_.add_argument("spec", nargs="?", metavar="SPEC")
    compile_.add_argument("--target", "-t", required=True, metavar="NAME", help="`clspec targets` lists them")
    compile_.add_argument("--out", "-o", metavar="DIR", help="default: build/<spec>/<target>/")
    compile_.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="an option of the target")
    specs.add_options(compile_)


def _lock(verbs: Any) -> None:
    lock = verbs.add_parser("lock", help="write which bytes the spec's names mean", epilog=EXIT_CODES)
    lock.add_argument("spec", nargs="?", metavar="SPEC")
    lock.add_argument(
        "--update",
        action="append",
        default=[],
        metavar="NAME",
        help="move the pin of a dataset to the store's newest version, or of an image, named by its tag as the spec "
        "has it, to what its registry says; no other command asks a registry",
    )
    lock.add_argument(
        "--image", type=digest, metavar="sha256:...", help="what the tag in `code.image` means, as you know it"
    )
    lock.add_argument("--from-champion", action="store_true", help="move the pins to what the champion learned from")
    specs.add_options(lock)


def _data(verbs: Any) -> None:
    data = verbs.add_parser("data", help="datasets in the store")
    data_verbs = data.add_subparsers(dest="data_verb", metavar="COMMAND", required=True, parser_class=_Command)
    add = data_verbs.add_parser("add", help="append rows to a dataset, as a new version", epilog=EXIT_CODES)
    add.add_argument("dataset", metavar="DATASET")
    add.add_argument("origin", metavar="SOURCE|FILE", help="a source of the spec, or a Parquet, CSV or JSONL file")
    add.add_argument("--spec", metavar="SPEC")
    specs.add_options(add)
    registry.add_arguments(verbs, data_verbs)


def _graph(verbs: Any) -> None:
    graph = verbs.add_parser("graph", help="show the steps and what they hand on", epilog=EXIT_CODES)
    graph.add_argument("spec", nargs="?", metavar="SPEC")
    graph.add_argument("--format", choices=["mermaid", "dot", "json"], default="mermaid")
    specs.add_options(graph)


def _questions(verbs: Any) -> None:
    verbs.add_parser("lsp", help="serve editors, over standard input and output: the language server protocol")

    verbs.add_parser("targets", help="list the targets, and what each can and cannot express")

    explain = verbs.add_parser("explain", help="say what a diagnostic code means")
    explain.add_argument("code", nargs="?", metavar="CODE", help="without it, all codes are listed")


ROOMS: tuple[tuple[tuple[str, ...], Callable[[Any], None]], ...] = (
    (("init",), beginning.add_arguments),
    (("check",), checking.add_arguments),
    (("config",), configuration.add_arguments),
    (("compile",), _compile),
    (("run",), running.add_arguments),
    (("why", "runs", "show", "logs", "compare", "status"), past.add_arguments),
    (("lock",), _lock),
    (("data", "promote", "rollback", "promote-scenario", "models", "lineage"), _data),
    (("graph",), _graph),
    (("image",), image.add_arguments),
    (("label",), label.add_arguments),
    (("diff", "review"), review.add_arguments),
    (("lint-manifest",), manifests.add_arguments),
    (("new-backend",), newcomers.add_arguments),
    (("gc",), collecting.add_arguments),
    (("lsp", "targets", "explain"), _questions),
)
"""The commands, and what says what each of them may be told."""
