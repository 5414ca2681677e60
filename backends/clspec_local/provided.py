"""What a run must find around it before it begins: its secrets, and what its steps ask of the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec.diagnostic import UsageError
from clspec_local.budget import lacking

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from clspec.plan import Step
    from clspec_local.budget import Machine


def have_secrets(steps: Iterable[Step], mine: Container[str], variables: Mapping[str, str]) -> None:
    """See that the secrets of a run's steps are there; those that run however the others end do without.

    Raises:
        UsageError: some are not.
    """
    needed = (secret.env for step in steps if step.id in mine and not step.always for secret in step.secrets)
    missing = sorted({name for name in needed if name not in variables})
    if missing:
        message = "the spec's secrets are read from variables that are not set: " + ", ".join(missing)
        raise UsageError(message)


def have_resources(steps: Sequence[Step], machine: Machine) -> None:
    """See that there is what each step asks for.

    Raises:
        UsageError: one asks for more.
    """
    for step, wanted in lacking(steps, machine):
        message = f"step `{step.id}` asks for {wanted}, and the run is strict about resources"
        raise UsageError(message)
