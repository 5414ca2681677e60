"""What each rule means, as SQL over the rows of the production source.

A rule gives hits: rows that it mines, some with the label that people gave. The SQL is printed from the plan's values
by `clspec.data.query`; every literal and every name in it is quoted there. What a rule cannot judge for want of a value
is no hit, and is counted.
"""

# ruff: noqa: S608  # printing SQL is what this module is for

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clspec.data.query import as_text, condition, literal, name
from clspec.data.table import DataError
from clspec.diagnostic import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

ROWS, HITS = '"clspec rows"', '"clspec hits"'
"""The tables of all rows, and of hits: the row's id, its place, the rule's bit, and the label that people gave."""
AT = '"clspec at"'
"""The place of a row in its source: the number of the file and the number in it."""
LONGEST_WINDOW = 32
MOST_RULES = 62
_MICROSECONDS = 1_000_000
_DIGITS = 13
"""So many hexadecimal digits, 52 bits, a double holds exactly."""
_SALT = "clspec.mine:"
"""The same for every rule, so that of two rates the sample of the smaller is part of the other's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The production source: its columns with their types, and what they mean."""

    name: str
    columns: Mapping[str, str]
    roles: Mapping[str, str | None]
    key: str
    """The dataset's key, which must be one of its columns."""
    complete: frozenset[str] = frozenset()
    """Columns that are known to have no NULL, so that nobody needs to look for one."""

    @property
    def id(self) -> str:
        """The column that names a row; the dataset's key where the source has no id."""
        return self.roles.get("id") or self.key

    @property
    def time(self) -> str:
        """When a row happened, in microseconds since 1970; NULL where nothing says so."""
        role = self.roles.get("time")
        return f"epoch_us({name(role)})" if role else "CAST(NULL AS BIGINT)"

    def role(self, wanted: str, rule: Mapping[str, Any]) -> str:
        """The column of a role that a rule cannot do without.

        Raises:
            UsageError: the source has none.
        """
        column = self.roles.get(wanted)
        if column is None:
            message = f"rule `{rule['id']}` needs source `{self.name}` to have `roles: {{{wanted}: COLUMN}}`"
            raise UsageError(message)
        return name(column)

    def moment(self, rule: Mapping[str, Any]) -> str:
        """When a row happened, for a rule that cannot do without."""
        self.role("time", rule)
        return self.time

    def lacks(self, column: str) -> str:
        """Whether a row has no value in a column."""
        return "FALSE" if column in self.complete else f"({name(column)} IS NULL)"

    def holds(self, predicate: str) -> str:
        """A predicate on one of its rows."""
        return condition(predicate, self.columns)


def of_one_row(rule: Mapping[str, Any], source: Source) -> str | None:
    """The condition of a rule that looks at one row and nothing else; None for the other rules."""
    if rule["type"] == "heuristic":
        return source.holds(rule["when"])
    if rule["type"] == "low_confidence":
        return source.holds(f"{source.role('confidence', rule)} < {rule['below']!r}")
    if rule["type"] == "random":
        return _drawn(rule["rate"], source)
    return None


def _drawn(rate: float, source: Source) -> str:
    """Whether a row is in the sample: the first digits of the hash of its id, as a share of all that they can be."""
    limit = int(rate * 16**_DIGITS)
    identity = f"CAST({name(source.id)} AS VARCHAR)"
    if limit >= 16**_DIGITS:
        return f"({identity} IS NOT NULL)"
    return f"(md5({literal(_SALT)} || {identity}) < {literal(f'{limit:0{_DIGITS}x}')})"


def unjudged(rule: Mapping[str, Any], source: Source) -> str:
    """Whether a rule cannot judge a row for want of a value; true or false."""
    nameless = source.lacks(source.id)
    if rule["type"] == "random":
        return nameless
    if (one := of_one_row(rule, source)) is not None:
        return f"({one} IS NULL OR coalesce({one}, FALSE) AND {nameless})"
    if rule["type"] == "event_after":
        when, event = source.holds(rule["when"]), source.holds(rule["event"])
        placeless = f"({_lacks('group', rule, source)} OR {_lacks('time', rule, source)})"
        return f"({when} IS NULL OR {event} IS NULL OR ({when} OR {event}) AND {placeless} OR {when} AND {nameless})"
    if rule["type"] == "prediction_flip":
        return f"({' OR '.join([nameless, *(_lacks(role, rule, source) for role in ('group', 'time', 'prediction'))])})"
    ageless = _lacks("time", rule, source) if rule.get("when_absent") else "FALSE"
    return f"({source.lacks(rule['join'])} OR {nameless} OR {ageless})"


def _lacks(role: str, rule: Mapping[str, Any], source: Source) -> str:
    """Whether a row has no value in the column of a role; a moment that is infinite is none."""
    source.role(role, rule)
    column = source.roles[role] or ""
    return f"({source.time} IS NULL)" if role == "time" and column not in source.complete else source.lacks(column)


def event_after(rule: Mapping[str, Any], bit: int, source: Source) -> list[str]:
    """Hits are the `when` rows whose group has an `event` no earlier and no later than `within`.

    For each such row the next event of its group is looked up; that is one pass however many events a group has.
    """
    group, time = source.role("group", rule), source.moment(rule)
    placed = f"{group} IS NOT NULL AND {time} IS NOT NULL"
    events = name(f"clspec events {rule['id']}")
    found = f"SELECT DISTINCT {group} AS g, {time} AS t FROM {ROWS} WHERE {source.holds(rule['event'])} AND {placed}"
    when = f"{source.holds(rule['when'])} AND {placed} AND {name(source.id)} IS NOT NULL"
    rows = (
        f"SELECT {name(source.id)} AS id, {AT} AS place, {group} AS g, {time} AS t FROM {ROWS} "
        f"WHERE {when} AND {group} IN (SELECT e.g FROM {events} AS e)"
    )
    within = int(rule["within"]) * _MICROSECONDS
    hits = (
        f"INSERT INTO {HITS} SELECT w.id, w.place, {bit}, NULL, NULL FROM ({rows}) AS w "
        f"ASOF JOIN {events} AS e ON w.g = e.g AND w.t <= e.t WHERE CAST(e.t AS HUGEINT) - w.t <= {within}"
    )
    return [f"CREATE TEMP TABLE {events} AS {found}", hits, f"DROP TABLE {events}"]


def prediction_flip(rule: Mapping[str, Any], bit: int, source: Source, passes: int) -> list[str]:
    """Hits are the rows between two with one other prediction, all of them within `window` consecutive rows of a group.

    Rows of one time are in the order of their ids, and those that have that in common too are one row. Sorting by ids
    is dear, so a group is sorted by time alone first, and once more if it has two rows of one time. Each pass takes a
    share of the groups, so that sorting them fits into memory.

    Raises:
        UsageError: the window is too long.
    """
    if rule["window"] > LONGEST_WINDOW:
        message = f"rule `{rule['id']}`: a `window` has at most {LONGEST_WINDOW} rows, not {rule['window']}"
        raise UsageError(message)
    flips, tied = name(f"clspec flips {rule['id']}"), name(f"clspec tied {rule['id']}")
    identity, group, time = name(source.id), source.role("group", rule), source.moment(rule)
    columns = f"{group} AS g, {source.role('prediction', rule)} AS p, {time} AS t"
    judged = f"FROM {ROWS} WHERE NOT {unjudged(rule, source)}"
    shares = [f"{judged} AND hash({group}) % {passes} = {share}" for share in range(passes)] if passes > 1 else [judged]
    wanted = "g, t, lag(t) OVER w = t AS tie"
    by_time = [_flips(rule["window"], wanted, f"SELECT {columns} {rows}", "t") for rows in shares]
    again = f"SELECT {columns}, {AT} AS place, {identity} AS id {judged} AND {group} IN (SELECT d.g FROM {tied} AS d)"
    once = f"SELECT * FROM ({again}) QUALIFY row_number() OVER (PARTITION BY g, t, id ORDER BY place) = 1"
    by_id = _flips(rule["window"], "id, place", once, "t, id")
    rows = f"(SELECT {identity} AS id, {AT} AS place, {group} AS g, {time} AS t {judged}) AS r"
    untied = f"{rows} JOIN {flips} AS f ON r.g = f.g AND r.t = f.t ANTI JOIN {tied} AS d ON r.g = d.g"
    return [
        f"CREATE TEMP TABLE {flips} AS SELECT {group} AS g, {time} AS t, FALSE AS tie FROM {ROWS} LIMIT 0",
        *(f"INSERT INTO {flips} SELECT g, t, tie FROM ({each}) WHERE flip OR tie" for each in by_time),
        f"CREATE TEMP TABLE {tied} AS SELECT DISTINCT g FROM {flips} WHERE tie",
        f"INSERT INTO {HITS} SELECT r.id, r.place, {bit}, NULL, NULL FROM {untied}",
        f"INSERT INTO {HITS} SELECT id, place, {bit}, NULL, NULL FROM ({by_id}) WHERE flip",
        f"DROP TABLE {flips}",
        f"DROP TABLE {tied}",
    ]


def _flips(window: int, wanted: str, rows: str, order: str) -> str:
    """Of each row whether it is a flip, and what else is wanted of it."""
    reach = range(1, window - 1)
    before = [f"lag(p, {n}) OVER w AS b{n}" for n in reach]
    after = [f"lead(p, {n}) OVER w AS a{n}" for n in reach]
    flip = " OR ".join(
        f"(b{n} <> p AND b{n} IN ({', '.join(f'a{m}' for m in reach if n + m < window)}))" for n in reach
    )
    sequence = f"WINDOW w AS (PARTITION BY g ORDER BY {order})"
    return (
        f"SELECT *, {flip} AS flip FROM (SELECT p, {wanted}, {', '.join([*before, *after])} FROM ({rows}) {sequence})"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What people said, as a rule reads it: the columns of its source, and what labels there are."""

    name: str
    columns: Mapping[str, str]
    time: str | None
    files: str
    """What stands after FROM."""
    classes: tuple[str, ...]
    """None where the label is no class."""


def said(rule: Mapping[str, Any], feedback: Feedback, as_of: int) -> str:
    """What people had said of each value of the join column by then: the label, and whether it is one.

    Of several labels for one value the newest counts; those without a time are the oldest.
    """
    join, label = name(rule["join"]), as_label(rule["label"], feedback.columns)
    time = f"epoch_us({name(feedback.time)})" if feedback.time else "CAST(NULL AS BIGINT)"
    given = f"SELECT {join} AS j, {label} AS l, {time} AS t FROM {feedback.files}"
    newest = (
        f"SELECT j, l FROM ({given}) WHERE j IS NOT NULL AND l IS NOT NULL AND (t IS NULL OR t <= {as_of}) "
        f"QUALIFY rank() OVER (PARTITION BY j ORDER BY t DESC NULLS LAST) = 1"
    )
    known = f"min(l) IN ({', '.join(map(literal, feedback.classes))})" if feedback.classes else "TRUE"
    state = f"CASE WHEN min(l) <> max(l) THEN 'contradictory' WHEN {known} THEN 'label' ELSE 'unknown' END"
    return f"SELECT j, {state} AS state, min(l) AS label FROM ({newest}) GROUP BY j"


def as_label(column: str, columns: Mapping[str, str]) -> str:
    """A label as text; a number is one too."""
    if columns[column] == "double":
        return f"CAST({name(column)} AS VARCHAR)"
    return as_text(column, columns[column])


def human_feedback(rule: Mapping[str, Any], bit: int, source: Source, feedback: Feedback, as_of: int) -> list[str]:
    """Hits are the rows of which people said something, and with `when_absent` those that nobody spoke of in time.

    Raises:
        DataError: the join column is of two types.
        UsageError: the label of silence is no class.
    """
    join, absent = rule["join"], rule.get("when_absent")
    if absent is not None and feedback.classes and absent not in feedback.classes:
        message = f"rule `{rule['id']}`: `when_absent` is `{absent}`, which is none of `task.classes`"
        raise UsageError(message)
    if source.columns[join] != feedback.columns[join]:
        message = (
            f"rule `{rule['id']}`: `{join}` is {source.columns[join]} in source `{source.name}` "
            f"and {feedback.columns[join]} in source `{feedback.name}`: they cannot be joined"
        )
        raise DataError(message)
    table = told(rule)
    time = source.moment(rule) if absent is not None else source.time
    rows = f"(SELECT {name(source.id)} AS id, {AT} AS place, {name(join)} AS j, {time} AS t FROM {ROWS}) AS r"
    insert = f"INSERT INTO {HITS} SELECT r.id, r.place, {bit},"
    spoken = f"{rows} JOIN {table} AS s ON r.j = s.j WHERE s.state = 'label' AND r.id IS NOT NULL"
    statements = [f"{insert} s.label, FALSE FROM {spoken}"]
    if absent is not None:
        age = f"CAST({as_of} AS HUGEINT) - r.t >= {int(rule['matures_after']) * _MICROSECONDS}"
        statements.append(
            f"{insert} {literal(absent)}, TRUE FROM {rows} ANTI JOIN {table} AS s ON r.j = s.j "
            f"WHERE r.j IS NOT NULL AND r.id IS NOT NULL AND {age}"
        )
    return statements


def told(rule: Mapping[str, Any]) -> str:
    """The table of what people said, for one rule."""
    return name(f"clspec said {rule['id']}")
