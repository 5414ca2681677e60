"""Writes docs/diagnostics.md anew: the list of all codes, from the table in `clspec/codes.py`.

python tools/diagnostics_page.py
"""

from __future__ import annotations

from pathlib import Path

from clspec.codes import CODES

PLACE = Path(__file__).resolve().parents[1] / "docs" / "diagnostics.md"
HEAD = """\
# Diagnostics

`clspec check` tells every problem of a spec in one run, each with a code that stays. `clspec explain CODE` shows its
page: why it matters, an example that shows it, one that does not, and how to mend it. The pages are
`clspec/pages`; the tests try every example in them. An `error` stops a compile; a `warning` is
shown, and [a waiver](language.md#waivers) accepts it for a while.

    clspec check SPEC... [--format text|json|sarif|github|junit]
    clspec check SPEC --diff         # what would be mended, as a difference; nothing is written
    clspec check SPEC --fix          # write it

- **One cause, one problem.** What follows from another mistake is not told: a misspelt section is one unknown key,
  not all that is missing in it. Other places that belong to a problem are named: `first given here`.
- **Forms.** `text` shows up to 200 problems and counts the rest; `json`, `sarif` (SARIF 2.1.0, with related places
  and fixes), `github` (workflow commands, escaped) and `junit` (a failing case for each problem, a passing one for
  each spec without) have all of them. A spec that cannot be read is an error in every form.
- **`--fix` writes what is certain only**: a key with a slip in it where one key alone can be meant; `yes` where true
  or false is needed; quotes too many or missing; units (`6 hours`, `16GiB`); quotes for what tools that read YAML 1.1
  take for something else; a value with a slip in it where one of a fixed list is needed; and a name with a slip in it
  of something that is not there: a dataset, source, column (also in a predicate), class, metric or slice. Comments and
  layout stay, the rest of the file keeps its bytes, the file is replaced whole or not at all, and never by one with
  more errors: a fix that would uncover others is left for you. Once is enough.
- **Names are mended more carefully than keys**, since a gate must not become another one. The wrong name means
  nothing as it stands, it stands once in the spec, and exactly one name differs from it by one letter (wrong,
  missing, too many, two swapped) or in case and hyphens alone. Not mended, only hinted at: names with other digits
  (`golden2`), what would say twice what is there already (a check of the same metric and class, a column that the
  predicate uses), training on the golden dataset or judging on the training dataset, classes and strings inside
  predicates, thresholds, ids of scenarios and rules, waivers, and functions of your code. `--diff` shows every edit
  before it is made.

Exit codes: 0 no errors, 1 errors, 2 wrong use or a spec that cannot be read.

<!-- written by tools/diagnostics_page.py -->

| code | weight | what it is | what it means |
| --- | --- | --- | --- |
"""


def text() -> str:
    """The page."""
    rows = (
        f"| {name} | {code.severity.value} | {code.title} | {code.text.replace('|', chr(92) + '|')} |"
        for name, code in sorted(CODES.items())
    )
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PLACE.write_text(text(), encoding="utf-8")
