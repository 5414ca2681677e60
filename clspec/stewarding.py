"""What is said of models, data and labels in a spec's store, each by the path of the spec: the api's verbs on a store.

All of them need what `pip install 'clspec[run]'` installs, which nothing is loaded of before it is used.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from clspec import compile as pipe
from clspec.diagnostic import InvalidSpec, has_errors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from clspec.check import Facts
    from clspec.data.collection import Waste
    from clspec.data.queue_state import Contents
    from clspec.labels import Exported, Imported
    from clspec.registry.going_up import Model, Promoted, RolledBack
    from clspec.registry.history import Difference, Erased, Shown, Told
    from clspec.registry.lineage import Lineage
    from clspec.registry.ratchet import Proposal


def today(day: date | None) -> date:
    """The day on which waivers are judged: today, where none is given."""
    return day or datetime.now(tz=UTC).date()


def facts(path: str, environment: str | None = None, day: date | None = None) -> Facts:
    """A spec without errors and its surroundings, as the verbs on the store take it.

    Raises:
        InvalidSpec: it has errors.
    """
    checked = pipe.read(path, environment, today(day))
    if checked.facts is None or has_errors(checked.diagnostics):
        raise InvalidSpec(checked.diagnostics)
    return checked.facts


def user() -> str:
    """Who sits here, as far as the machine knows."""
    import getpass  # noqa: PLC0415  # only who decides something is asked
    import os  # noqa: PLC0415

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return f"user {os.getuid()}"


# -- models ------------------------------------------------------------------------------------------------------------


def models(path: str, environment: str | None = None) -> tuple[Model, ...]:
    """The registered models, the newest first."""
    from clspec.registry import going_up  # noqa: PLC0415  # data libraries, which a compile does without

    return going_up.models(facts(path, environment))


def lineage(path: str, model: str, environment: str | None = None) -> Lineage:
    """Where a model came from, down to the production events.

    Raises:
        UsageError: the word names no model, or several.
    """
    from clspec.registry import lineage as lines  # noqa: PLC0415  # data libraries, which a compile does without

    return lines.lineage(facts(path, environment), model)


def promote(  # noqa: PLR0913  # who takes what how far, and why
    path: str,
    model: str,
    *,
    stage: str | None = None,
    approved_by: str | None = None,
    why: str = "",
    environment: str | None = None,
) -> Promoted:
    """Take a registered model up the stages, as far as the approvals reach or to `stage`.

    Raises:
        UsageError: the word names no model, or there is no such stage.
        Refused: it may not go up.
    """
    from clspec.data.promotion import Said  # noqa: PLC0415  # data libraries, which a compile does without
    from clspec.registry import going_up  # noqa: PLC0415

    said = Said(by=approved_by or user(), why=why, at=_now().isoformat(timespec="seconds"))
    return going_up.promote(facts(path, environment), model, stage=stage, approved_by=approved_by, said=said)


def rollback(path: str, *, by: str, why: str, stage: str = "champion", environment: str | None = None) -> RolledBack:
    """Give a stage back to the model before.

    Raises:
        UsageError: there is no such stage, or no model before.
    """
    from clspec.data.promotion import Said  # noqa: PLC0415  # data libraries, which a compile does without
    from clspec.registry import going_up  # noqa: PLC0415

    said = Said(by=by, why=why, at=_now().isoformat(timespec="seconds"))
    return going_up.rollback(facts(path, environment), stage, said)


def propose_scenario(  # noqa: PLR0913  # which mistakes it is made of
    path: str,
    name: str,
    *,
    rule: str | None = None,
    label: str | None = None,
    limit: int | None = None,
    environment: str | None = None,
) -> Proposal:
    """A golden scenario of mistakes that the champion has fixed; the spec's new text is in `text`, and not written.

    Raises:
        UsageError: the spec has no feedback, or a scenario of that name.
        Refused: there is no champion, or too few mistakes are fixed.
    """
    from clspec.registry.ratchet import Wanted, propose  # noqa: PLC0415  # data libraries, which a compile does without

    return propose(facts(path, environment), name, Wanted(rule=rule, label=label, limit=limit), _now())


# -- data --------------------------------------------------------------------------------------------------------------


def data_log(path: str, dataset: str, environment: str | None = None) -> tuple[Told, ...]:
    """The versions of a dataset, the oldest first.

    Raises:
        UsageError: there is no such dataset.
    """
    from clspec.registry import history  # noqa: PLC0415  # data libraries, which a compile does without

    return history.log(facts(path, environment), dataset)


def data_show(path: str, dataset: str, version: str | None = None, environment: str | None = None) -> Shown:
    """A version with its rows and labels; the newest where none is named.

    Raises:
        UsageError: there is no such dataset or version.
    """
    from clspec.registry import history  # noqa: PLC0415  # data libraries, which a compile does without

    return history.show(facts(path, environment), dataset, version)


def data_diff(
    path: str, dataset: str, before: str, after: str | None = None, environment: str | None = None
) -> Difference:
    """What came and went between two versions; `after` is the newest where it is not named.

    Raises:
        UsageError: there is no such dataset or version.
    """
    from clspec.registry import history  # noqa: PLC0415  # data libraries, which a compile does without

    return history.diff(facts(path, environment), dataset, before, after)


def data_erase(path: str, dataset: str, keys: Sequence[str], why: str = "", environment: str | None = None) -> Erased:
    """Take rows out of a dataset and the label queue for good; their keys never come back.

    Raises:
        UsageError: there is no such dataset.
    """
    from clspec.registry import history  # noqa: PLC0415  # data libraries, which a compile does without

    return history.erase(facts(path, environment), dataset, keys, why)


def data_waste(path: str, environment: str | None = None) -> tuple[Waste, ...]:
    """What `data_gc` would remove from the store."""
    from clspec.registry import history  # noqa: PLC0415  # data libraries, which a compile does without

    return history.waste(facts(path, environment), _now())


def data_gc(path: str, environment: str | None = None) -> tuple[Waste, ...]:
    """Remove what nothing in the store needs any more, erased rows first; it says what that was."""
    from clspec.registry import history  # noqa: PLC0415  # data libraries, which a compile does without

    return history.collect(facts(path, environment), _now())


# -- labels ------------------------------------------------------------------------------------------------------------


def label_queue(path: str, environment: str | None = None) -> Contents:
    """The label queue as it stands.

    Raises:
        UsageError: the spec has no feedback.
    """
    from clspec import labels  # noqa: PLC0415  # data libraries, which a compile does without

    return labels.contents(facts(path, environment))


def label_export(  # noqa: PLR0913  # each is a choice of who exports
    path: str,
    file: str,
    *,
    format: str | None = None,  # noqa: A002  # the word of the command line
    media: str | None = None,
    limit: int | None = None,
    by: str | None = None,
    environment: str | None = None,
) -> Exported:
    """Write the questions that wait for people into a new file.

    Raises:
        UsageError: the file is there already, or cannot be written as that.
        Refused: nothing waits.
    """
    from clspec import labels  # noqa: PLC0415  # data libraries, which a compile does without

    folder = None if media is None else Path(media)
    return labels.export(facts(path, environment), Path(file), form=format, media=folder, limit=limit, by=by)


def label_import(
    path: str,
    file: str,
    *,
    format: str | None = None,  # noqa: A002  # the word of the command line
    by: str | None = None,
    environment: str | None = None,
) -> Imported:
    """Take in the answers of a file; it may come again.

    Raises:
        UsageError: it cannot be read as what it is.
    """
    from clspec import labels  # noqa: PLC0415  # data libraries, which a compile does without

    return labels.take_in(facts(path, environment), Path(file), form=format, by=by, now=_now())


def label_decide(  # noqa: PLR0913  # who decides what
    path: str, key: str, label: str, *, by: str, note: str | None = None, environment: str | None = None
) -> bool:
    """Decide what a row is where people disagree; False if that was decided already.

    Raises:
        UsageError: there is no such class.
        Refused: there is nothing to decide about this row.
    """
    from clspec import labels  # noqa: PLC0415  # data libraries, which a compile does without

    return labels.adjudicate(facts(path, environment), key, label=label, by=by, note=note, now=_now())


def _now() -> datetime:
    return datetime.now(tz=UTC)
