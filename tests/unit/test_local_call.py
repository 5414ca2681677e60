"""What a local step is told reaches the step program the same way, in parts or as a command line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clspec.step import program
from clspec_local.call import arguments

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1).filter(lambda w: w[0] != "-")
PAIRS = st.lists(WORDS.map(lambda word: f"name={word}"), max_size=3)
SAID = st.fixed_dictionaries(
    {"kind": st.sampled_from(["notify", "train", "report"]), "config": WORDS, "store": WORDS},
    optional={
        "code": WORDS,
        "folder": WORDS,
        "progress": st.just(True),  # noqa: FBT003  # the only value that the flag has
        "inputs": PAIRS,
        "outputs": PAIRS,
        "parameters": PAIRS,
        "as_of": WORDS,
        "allow_both": WORDS,
    },
)


@given(SAID)
def test_parts_and_the_command_line_say_the_same(said):
    assert program.told(said) == program.parser().parse_args(arguments(said))


def test_a_name_that_the_program_does_not_have_is_refused():
    with pytest.raises(KeyError, match="unheard"):
        program.told({"kind": "notify", "unheard": "of"})
