"""What a change to a spec does: two readings of it, matched by id and judged by one table of levels.

Nothing runs here and nothing is asked of git: a side is files in a folder. What cannot be compared is an error, never
"no changes", and a change that no rule knows is for a person to look at.
"""

from clspec.diff.change import Change, Failure, Place, Review
from clspec.diff.compare import compare
from clspec.diff.levels import LEVELS, Level, Row
from clspec.diff.sides import NotCompared, Side, read, side

__all__ = [
    "LEVELS",
    "Change",
    "Failure",
    "Level",
    "NotCompared",
    "Place",
    "Review",
    "Row",
    "Side",
    "compare",
    "read",
    "side",
]
