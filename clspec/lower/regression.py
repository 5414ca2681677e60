"""The pipeline in which code moves and every dataset is pinned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clspec import plan
from clspec.lower import drawing
from clspec.lower.learning import Learning
from clspec.plan import Input, Kind

if TYPE_CHECKING:
    from clspec.lower.making import Maker

NAME = "regression"


def pipeline(maker: Maker) -> plan.Pipeline:
    """All of it, each step after those it reads from."""
    learning = Learning(maker, NAME, newest="pin", when=None)
    told = learning.judged()
    steps = (
        learning.pin(),
        *learning.expect(()),
        *learning.snapshots(),
        *learning.learned(),
        learning.report(told),
        _conclude(maker),
        *learning.notify(told[:1], needs=("report",)),
    )
    return plan.Pipeline(
        name=NAME, steps=drawing.told(steps), triggers=maker.triggers(NAME), origin=maker.span(("metadata",))
    )


def _conclude(maker: Maker) -> plan.Step:
    inputs = (Input(name="verdict", step="gate", output="verdict"),)
    config = {"pipeline": NAME}
    return maker.step("conclude", Kind.CONCLUDE, config, ("golden",), inputs=inputs, needs=("report",), pure=False)
