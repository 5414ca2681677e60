"""What a keystroke in an editor costs on a spec of 100 KB: judging it anew, completion and hover, in CPU time.

Exits with 1 where one of them takes more than 100 ms.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from clspec.lsp.completion import complete
from clspec.lsp.hover import hover
from clspec.lsp.spec import OpenSpec

if TYPE_CHECKING:
    from collections.abc import Callable

SPEC = Path(__file__).resolve().parents[1] / "specs" / "robotaxi.yaml"
SIZE = 100_000
LIMIT = 0.100
ROUNDS = 9
_SCENARIO = """    - id: scenario-{0}
      select: "label = 'dog' and occlusion >= 0.{0} and weather in ('rain', 'clear')"
      checks: [{{metric: recall, class: dog, min: 0.{1}}}]
      guard:
        select: "label in ('none', 'vehicle') and occlusion >= 0.{0}"
        checks: [{{metric: false_positive_rate, class: dog, max: 0.1}}]
"""


def grown() -> str:
    """The example with so many scenarios that it has the size."""
    head, mark, tail = SPEC.read_text(encoding="utf-8").partition("  scenarios:\n")
    more: list[str] = []
    size = len(head) + len(mark) + len(tail)
    while size < SIZE:
        more.append(_SCENARIO.format(len(more) + 100, 80 + len(more) % 10))
        size += len(more[-1])
    return head + mark + "".join(more) + tail


def best(work: Callable[[int], object]) -> float:
    """The least CPU seconds of several rounds, each with its own number."""
    found = []
    for number in range(ROUNDS):
        begun = time.process_time()
        work(number)
        found.append(time.process_time() - begun)
    return min(found)


def main() -> int:
    """Measure, and say what was missed."""
    text = grown()
    lines = text.split("\n")
    line = next(number for number, row in enumerate(lines) if row.startswith("      checks:"))
    known = OpenSpec(str(SPEC), text)
    _ = known.checked.diagnostics, known.plan

    def judged(number: int) -> object:
        """Another threshold is typed in one scenario: what the server does once the keys rest."""
        typed = text.replace("max: 0.1}", f"max: 0.1{number}}}", 1)
        return OpenSpec(str(SPEC), typed, known).checked.diagnostics

    def completed(_: int) -> object:
        return complete(text, line, lines[line].index("recall") + 2, known.root)

    def hovered(_: int) -> object:
        return hover(known, line + 1, lines[line].index("recall") + 2)

    missed = False
    for name, work in (("problems", judged), ("completion", completed), ("hover", hovered)):
        taken = best(work)
        missed |= taken > LIMIT
        sys.stdout.write(f"{name:<11} {taken * 1000:6.1f} ms of {LIMIT * 1000:.0f}, {len(text) / 1000:.0f} KB\n")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
