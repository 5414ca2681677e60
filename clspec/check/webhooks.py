"""Who is told: a webhook has one place on a cluster, whichever entry names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clspec.check.facts import Facts
    from clspec.diagnostic import Diagnostic
    from clspec.spec.place import KubernetesSecret


def webhooks_have_one_place(facts: Facts) -> Iterator[Diagnostic]:
    """No variable is read from two Kubernetes secrets, nor from two keys of one."""
    first: dict[str, tuple[int, KubernetesSecret]] = {}
    for index, told in enumerate(facts.spec.notify):
        if told.kubernetes is None:
            continue
        at, place = first.setdefault(told.webhook_env, (index, told.kubernetes))
        if place != told.kubernetes:
            first_at = ("notify", at, "kubernetes")
            line, related = facts.document.span(first_at).line, facts.related(first_at, "first named here")
            message = f"`{told.webhook_env}` is read from key `{place.key}` of secret `{place.name}` in line {line}"
            hint = "name one place, or give the other webhook a variable of its own"
            yield facts.problem("CLS521", ("notify", index, "kubernetes"), message, hint, related=related)


RULES = (webhooks_have_one_place,)
