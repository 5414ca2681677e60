"""A spec's text with an item added: all else is as it was."""

import pytest

from clspec import load
from clspec.amend import with_item
from clspec.diagnostic import UsageError

AT = ("golden", "scenarios")
BLOCKS = "golden:\n  scenarios:\n    - id: old   # the first\n      must_pass: true\n# the end\nmeta: 1\n"
FLOW = "golden:\n  scenarios:\n  - {id: old}  # flow item\n\nmeta: 1\n"
WIDE = "golden:\n  scenarios:\n    -   id: old\n        why: |\n          a\n          b\n"
ITEM = ["id: new  # proposed", "must_pass: false"]


def document(text):
    found, problems = load.load(text, "spec.yaml")
    assert not problems
    return found


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (BLOCKS, BLOCKS.replace("# the end", "    - id: new  # proposed\n      must_pass: false\n# the end")),
        (FLOW, FLOW.replace("\n\nmeta", "\n  - id: new  # proposed\n    must_pass: false\n\nmeta")),
        (WIDE, WIDE + "    -   id: new  # proposed\n        must_pass: false\n"),
    ],
)
def test_an_item_is_added_at_the_end_of_the_list(before, after):
    assert with_item(document(before), AT, ITEM) == after


@pytest.mark.parametrize("text", ["golden: {scenarios: [{id: old}]}\n", "golden:\n  scenarios: []\n"])
def test_a_list_without_dashes_is_left_alone_and_the_item_shown(text):
    with pytest.raises(UsageError, match="- id: new  # proposed\n  must_pass: false"):
        with_item(document(text), AT, ITEM)


def test_what_would_change_the_rest_is_not_done():
    with pytest.raises(UsageError, match="nothing can be added"):
        with_item(document("golden:\n  scenarios:\n    - id: old\n"), AT, ["id: new", "other: [", "must_pass: false"])
