"""Words that commands share: what may stand for a number or a digest, and what exit codes mean."""

from __future__ import annotations

import argparse

from clspec.diagnostic import UsageError

EXIT_CODES = (
    "exit codes: 0 fine, 1 a verdict said no or `check` found errors, 2 wrong use or an invalid spec, 3 a step failed"
)


def positive(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        message = f"a whole number of at least 1 is needed, not `{text}`"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def digest(text: str) -> str:
    """An image's digest."""
    kind, _, value = text.partition(":")
    if kind != "sha256" or len(value) != 64 or set(value) - set("0123456789abcdef"):  # noqa: PLR2004  # 256 bits
        message = "an image digest is `sha256:` and 64 hexadecimal digits"
        raise argparse.ArgumentTypeError(message)
    return text


def settings(pairs: list[str]) -> dict[str, str]:
    """The options of a target from `KEY=VALUE` texts.

    Raises:
        UsageError: one is no such pair.
    """
    found = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator:
            message = f"--set takes KEY=VALUE, not `{pair}`"
            raise UsageError(message)
        found[key] = value
    return found
