"""The YAML test suite: what the loader reads is what YAML 1.2 says, and what it does not read it refuses by a code."""

import json
from pathlib import Path

import pytest

from clspec import load as room
from clspec.codes import CODES
from clspec.diagnostic import Severity
from clspec.load import PureParser, load
from clspec.reading.findings import Findings
from clspec.reading.progress import Progress

CASES = json.loads((Path(__file__).parents[1] / "data" / "yaml_suite" / "cases.json").read_text(encoding="utf-8"))
PARSERS = {"pure": PureParser} | ({"libyaml": room.CParser} if hasattr(room, "CParser") else {})

REFUSED = {
    "CLS104": "a character that a reviewer does not see",
    "CLS105": "a key given twice",
    "CLS106": "a key that is no string",
    "CLS107": "a tag",
    "CLS108": "a number that is not finite",
    "CLS110": "an alias inside of what it repeats",
    "CLS111": "an empty document",
    "CLS112": "a document that is no mapping",
    "CLS113": "more than one document",
    "CLS116": "an integer that is too large",
}
"""What is YAML and no spec."""
WARNED = {"CLS114", "CLS211"}

OTHERWISE = {
    "652Z": "`?foo` is read as `? foo`",
    "HM87-1": "`?x` is read as `? x`",
    "L24T-1": "trailing spaces at the end of the file are not a line of a block scalar",
    "Y2GN": "an anchor may not hold a colon",
}
"""Where PyYAML's parsers, both of them, read something else. None of it is a text that a spec would hold."""
TAKEN = {
    "9C9N": "a flow list may be indented less than its key",
    "DK95-1": "a tab may stand before the content of a quoted text",
    "QB6E": "a quoted text may be indented less than its key",
    "S98Z": "a block scalar may begin with a longer blank line",
    "SU5Z": "a comment may follow a quote without a space",
    "X4QW": "a comment may follow `>` without a space",
}
"""What is no YAML and is read by one of PyYAML's parsers, in the only way that makes sense of it."""
UNREAD = 31
"""So many of the texts that have a meaning in JSON PyYAML's parsers do not read: a tab, a `%` or an empty key at odd
places. They are refused."""


def read(text, parser):
    """The value at the top, whatever it is, and the codes of what is told."""
    progress = Progress(text, Findings())
    room._built(progress, parser)
    return (progress.top[0] if progress.top else None), {finding.code for finding in progress.findings.all()}


def errors(codes):
    return {code for code in codes if CODES[code].severity is Severity.ERROR}


def documents(text):
    found, rest = [], text.strip()
    while rest:
        value, end = json.JSONDecoder().raw_decode(rest)
        found.append(value)
        rest = rest[end:].strip()
    return found


def ids(wanted):
    return [case["id"] for case in CASES if wanted(case)]


BY_ID = {case["id"]: case for case in CASES}
WRONG, MEANT = ids(lambda case: case.get("fail")), ids(lambda case: "json" in case and not case.get("fail"))


def test_the_suite_is_there():
    assert len(CASES) > 400
    assert len(WRONG) > 90
    assert len(MEANT) > 250


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_yaml_is_refused(case, parser):
    _, codes = read(BY_ID[case]["yaml"], PARSERS[parser])
    assert errors(codes) or case in TAKEN


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("case", MEANT)
def test_what_is_read_means_what_it_should(case, parser):
    value, codes = read(BY_ID[case]["yaml"], PARSERS[parser])
    refused = errors(codes) - {"CLS112"}
    if refused:
        assert refused <= REFUSED.keys() | {"CLS101"}
        return
    (meaning,) = documents(BY_ID[case]["json"])
    assert (value == meaning) is (case not in OTHERWISE)


@pytest.mark.parametrize("parser", PARSERS)
def test_little_is_refused_that_has_a_meaning(parser):
    unread = [case for case in MEANT if "CLS101" in read(BY_ID[case]["yaml"], PARSERS[parser])[1]]
    assert len(unread) <= UNREAD + 4


@pytest.mark.parametrize("case", BY_ID)
def test_whatever_it_is_there_is_a_document_or_an_error(case):
    document, found = load(BY_ID[case]["yaml"], "case.yaml")
    assert (document is not None) or any(one.is_error for one in found)
    assert all(one.span is not None for one in found)
