"""What the api gives back shows itself in a notebook: a plan its steps, a run its scenarios.

The values are as they are, frozen and without a word on how they look. Jupyter and its like ask a value's type for
`_repr_html_`; a type learns to answer when the first value of it is handed to somebody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")
_ASKED = "_repr_html_"


def shown(value: Value) -> Value:
    """The value itself, which from now on shows itself where it is the last of a notebook's cell."""
    from clspec.plan import Plan  # noqa: PLC0415  # who only checks a spec has no plan

    show: Callable[[Any], str] = _plan if isinstance(value, Plan) else _outcome
    if not hasattr(type(value), _ASKED):
        setattr(type(value), _ASKED, show)
    return value


def _plan(value: Any) -> str:
    from clspec.report.notebook import plan_html  # noqa: PLC0415  # only who looks needs a drawing

    return plan_html(value)


def _outcome(value: Any) -> str:
    from clspec.report.notebook import run_html  # noqa: PLC0415  # only who looks needs a table

    return run_html(value.run, value.exit_code, value.report, value.failed)
