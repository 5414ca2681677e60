"""Texts made to crash, hang or fill the memory: each ends soon, with a diagnostic or a document."""

import gc
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clspec import load as room
from clspec.load import MAX_BYTES, MAX_BYTES_PURE, PureParser, load
from clspec.reading import anchors, events
from clspec.reading.progress import MAX_DEPTH

MIB = 1024 * 1024


def laughs(levels, width, name="a"):
    lines = [f"{name}0: &{name}0 [x, x]"]
    lines += [f"{name}{n}: &{name}{n} [{', '.join([f'*{name}{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines)


def merges(levels, width):
    lines = ["a0: &a0 {k0: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * width)}], k{n}: 1}}" for n in range(1, levels)]
    return "\n".join(lines)


# Each makes a text and names the codes of which one is told; none: it is a document.
DEEP = {
    "[": (lambda: "[" * 100_000, {"CLS109"}),
    "[[],": (lambda: "[[]," * 30_000, {"CLS109"}),
    "[ in a value": (lambda: "a: " + "[" * 100_000, {"CLS109"}),
    "16 M [": (lambda: "[" * (16 * MIB), {"CLS109"}),
    "{": (lambda: "{" * 100_000, {"CLS109", "CLS101"}),
    "{a: ": (lambda: "{a: " * 50_000, {"CLS109"}),
    "- ": (lambda: "- " * 50_000, {"CLS109"}),
    "? ": (lambda: "? " * 100_000, {"CLS109"}),
    "? - ": (lambda: "? - " * 50_000, {"CLS109"}),
    "[a: ": (lambda: "[a: " * 50_000, {"CLS109", "CLS101"}),
    "indented": (lambda: "".join(" " * n + "a:\n" for n in range(3000)), {"CLS109"}),
    "deep by aliases": (lambda: laughs(300, 1), {"CLS109"}),
    "deep by merged mappings": (
        lambda: "a0: &a0 {x: {}}\n" + "".join(f"a{n}: &a{n} {{x: {{<<: *a{n - 1}}}}}\n" for n in range(1, 300)),
        {"CLS109"},
    ),
}
WIDE = {
    "billion laughs": (lambda: laughs(30, 9), {"CLS110"}),
    "quadratic": (lambda: "a: &a [" + "x," * 50_000 + "]\nb: [" + "*a," * 50_000 + "]", {"CLS110"}),
    "long text": (lambda: "a: &a " + "x" * MIB + "\nb: [" + "*a," * 100_000 + "]", {"CLS110"}),
    "long key": (lambda: "a: &a {? " + "x" * MIB + "\n : 1}\nb: [" + "*a," * 30_000 + "]", {"CLS110"}),
    "merge bomb": (lambda: merges(24, 9), {"CLS114"}),
    "merge and alias bomb": (
        lambda: (
            "a0: &a0 {x: 1}\n"
            + "".join(f"a{n}: &a{n} {{<<: *a{n - 1}, l{n}: *a{n - 1}, r{n}: *a{n - 1}}}\n" for n in range(1, 30))
        ),
        {"CLS110"},
    ),
    "the same merge key again and again": (lambda: "a: &a {}\nb:\n" + "  <<: *a\n" * 200_000, {"CLS105"}),
    "itself": (lambda: "a: &a [" + "*a," * 100_000 + "]", {"CLS110"}),
    "anchors": (lambda: "".join(f"a{n}: &a{n} x\n" for n in range(100_000)), set()),
    "anchors and aliases": (lambda: "".join(f"a{n}: &a{n} x\nb{n}: *a{n}\n" for n in range(99_000)), set()),
    "one anchor name": (lambda: "".join(f"a{n}: &a [x]\n" for n in range(50_000)), set()),
    "undefined": (lambda: "a: [" + "*x," * 300_000 + "]", {"CLS115"}),
    "long anchor": (lambda: "a: &" + "a" * (4 * MIB) + " x\nb: *" + "a" * (4 * MIB), set()),
    "blanks after an anchor": (lambda: "a: &a" + " " * 300_000 + "x\nb: &b" + " \n" * 100_000 + "  y", set()),
    "comments after an anchor": (lambda: "a: &a\n" + " # &\n" * 100_000 + " x", set()),
    "blanks after a tag": (lambda: "a: !t" + " " * 300_000 + "x\nb: &b ! " + " \n" * 100_000 + " y", {"CLS107"}),
}
LARGE = {
    "one line": (lambda: "a: " + "x" * (MAX_BYTES - 3), set()),
    "quoted line": (lambda: 'a: "' + "x" * (MAX_BYTES - 5) + '"', set()),
    "escapes": (lambda: 'a: "' + "\\n" * (8 * MIB) + '"', set()),
    "digits": (lambda: "a: " + "9" * (MAX_BYTES - 3), {"CLS116"}),
    "zeros": (lambda: "a: " + "0" * (MAX_BYTES - 3), set()),
    "hex digits": (lambda: "a: 0x" + "f" * (MAX_BYTES - 5), {"CLS116"}),
    "exponent": (lambda: "a: 1e" + "9" * (MAX_BYTES - 5), {"CLS108"}),
    "decimals": (lambda: "a: ." + "9" * (MAX_BYTES - 4), set()),
    "almost a number": (lambda: "a: " + "9" * (8 * MIB) + ".e+x", set()),
    "too large": (lambda: "a: " + "x" * MAX_BYTES, {"CLS103"}),
    "newlines": (lambda: "\n" * MAX_BYTES, {"CLS111"}),
    "comments": (lambda: "#\n" * (8 * MIB), {"CLS111"}),
    "folded": (lambda: "a: >\n" + "  x\n\n" * MIB, set()),
    "many lines": (lambda: "a: x\n" + "  x\n" * MIB, set()),
    "NUL": (lambda: "\0" * (16 * MIB), {"CLS104"}),
    "NUL and text": (lambda: "\0a" * (8 * MIB), {"CLS104"}),
    "carriage returns": (lambda: "\r" * (16 * MIB), {"CLS104"}),
    "NEL": (lambda: "a\x85" * (4 * MIB), {"CLS104"}),
    "byte order marks": (lambda: "\ufeff" * MIB, {"CLS104"}),
    "surrogates": (lambda: "\ud800" * MIB, {"CLS104"}),
    "joiners": (lambda: "# " + "😀\u200d" * (2 * MIB) + "\na: 1", set()),
}
MANY = {
    "equal keys": (lambda: "a: 1\n" * 300_000, {"CLS105"}),
    "late equal keys": (lambda: "".join(f"k{n}: 1\n" for n in range(300_000)) + "k299999: 2\n" * 30, {"CLS105"}),
    "equal keys in many mappings": (lambda: "a: [" + "{a: 1, a: 2}," * 100_000 + "]", {"CLS105"}),
    "numbers as keys": (lambda: "".join(f"{n}: x\n" for n in range(300_000)), {"CLS106"}),
    "lists as keys": (lambda: "a: {" + "[]: 1," * 100_000 + "}", {"CLS106"}),
    "tags": (lambda: "a: [" + "!x y," * 300_000 + "]", {"CLS107"}),
    "single tags": (lambda: "a: [" + "! y," * 300_000 + "]", {"CLS107"}),
    "NaN": (lambda: "a: [" + ".nan," * 300_000 + "]", {"CLS108"}),
    "documents": (lambda: "---\n" * 300_000, {"CLS111"}),
    "unclosed": (lambda: "a: [" + "[x]," * 100_000, {"CLS101"}),
    "percent": (lambda: "%" * MIB, {"CLS101"}),
    "colons": (lambda: "a: b" * 300_000, {"CLS101"}),
    "only colons": (lambda: ":" * (8 * MIB), {"CLS101"}),
    "tabs": (lambda: "\t" * MIB, {"CLS101"}),
    "tabs after a colon": (lambda: "a:" + "\t" * (8 * MIB) + "b", set()),
    "quotes": (lambda: "a: " + "'" * (4 * MIB - 2) + "x", {"CLS101"}),
    "question marks": (lambda: "?" * (8 * MIB), {"CLS112"}),
    "binary": (lambda: bytes(range(256)).decode("latin-1") * 10_000, {"CLS104"}),
    "UTF-16": (lambda: "a: 1\n".encode("utf-16").decode("latin-1"), {"CLS104"}),
}
ALL = DEEP | WIDE | LARGE | MANY
SECONDS = 15  # several times what the slowest takes here, a sixth of what a hang would


@pytest.mark.parametrize("name", ALL)
def test_it_ends_soon(name):
    make, codes = ALL[name]
    text = make()
    started = time.process_time()
    document, diagnostics = load(text, "spec.yaml")
    assert time.process_time() - started < SECONDS
    loaded = document is not None
    del document, text  # a failing assertion would try to show what they hold
    assert {d.code for d in diagnostics} & codes or (loaded and not codes and not diagnostics)
    assert len(diagnostics) < 60
    assert sum(len(d.message) + len(d.hint) + len(d.where) for d in diagnostics) < 20_000
    assert gc.isenabled()


@pytest.mark.parametrize("name", DEEP | WIDE | MANY)
def test_it_ends_soon_without_libyaml(name):
    text = ALL[name][0]().encode("utf-8", "surrogatepass")[:MAX_BYTES_PURE].decode("utf-8", "ignore")
    started = time.process_time()
    room._load(text, "spec.yaml", PureParser)
    assert time.process_time() - started < SECONDS


def isolated(program, **limits):
    """What a program prints in a process of its own: a crash, or a hang, would end the tests as well."""
    prelude = f"import resource, sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
    prelude += "".join(f"resource.setrlimit(resource.RLIMIT_{name}, ({n}, {n}))\n" for name, n in limits.items())
    command = [sys.executable, "-c", prelude + program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_what_crashes_other_loaders_does_not_crash_this_one():
    program = """
from test_load_hostile import DEEP, MAX_BYTES_PURE, PureParser, load, room
for name, (make, _) in DEEP.items():
    print(load(make(), name)[0], room._load(make()[:MAX_BYTES_PURE], name, PureParser)[0])
"""
    assert isolated(program, AS=1 << 30, CPU=60) == "None None\n" * len(DEEP)


def test_memory_is_bounded():
    program = """
from clspec.load import load
text = "a: [" + "{a: }," * (5 << 20) + "]"
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
_, (diagnostic,) = load(text, "spec.yaml")
print(diagnostic.code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    code, kibibytes = isolated(program, AS=1 << 30, CPU=60).split()
    assert code == "CLS103"
    assert int(kibibytes) < 400 * 1024


# -- the limits are where they are said to be --------------------------------------------------------------------------


def nested(depth, kind):
    """A document in which `depth` lists and mappings stand in one another."""
    inner = depth - 1
    return {
        "flow": "a: " + "[" * inner + "]" * inner,
        "block": "".join("  " * n + "a:\n" for n in range(depth)),
        "mixed": "a:\n" + "- " * (inner - 1) + "b: 1" if inner > 1 else "a:\n- b",
    }[kind]


@pytest.mark.parametrize("kind", ["flow", "block", "mixed"])
@pytest.mark.parametrize("parser", [None, PureParser])
def test_the_depth_limit(kind, parser):
    def codes(text):
        return [d.code for d in room._load(text, "spec.yaml", parser or room._parser)[1]]

    assert codes(nested(MAX_DEPTH, kind)) == []
    assert codes(nested(MAX_DEPTH + 1, kind)) == ["CLS109"]


def test_the_depth_limit_counts_what_an_alias_stands_for():
    anchor = "a: &a " + "[" * 40 + "]" * 40
    fits = "[" * (MAX_DEPTH - 41)
    assert load(f"{anchor}\nb: {fits}*a{fits.replace('[', ']')}", "spec.yaml")[1] == ()
    document, diagnostics = load(f"{anchor}\nb: [{fits}*a{fits.replace('[', ']')}]", "spec.yaml")
    assert (document, [d.code for d in diagnostics]) == (None, ["CLS109"])


def test_a_document_of_the_greatest_depth_can_be_used():
    document, _ = load(nested(MAX_DEPTH, "flow"), "spec.yaml")
    pointer = ("a",) + (0,) * (MAX_DEPTH - 2)
    assert document.text_of(pointer) == "[]"
    assert document.without([pointer]).value != document.value


def test_the_alias_budget():
    # Each alias stands for a list and its 9 items; every 64 characters and every key count too.
    fits = anchors.BUDGET // 10
    text = "a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]\nb: [" + "*a," * fits
    assert load(f"{text}]", "spec.yaml")[1] == ()
    assert [d.code for d in load(f"{text}*a]", "spec.yaml")[1]] == ["CLS110"]
    text = "a: &a {k: " + "x" * 63 * 3 + "}\nb: [" + "*a," * (anchors.BUDGET // 5)
    assert load(f"{text}]", "spec.yaml")[1] == ()
    assert [d.code for d in load(f"{text}*a]", "spec.yaml")[1]] == ["CLS110"]


def test_the_limit_of_events(monkeypatch):
    monkeypatch.setattr(events, "MAX_EVENTS", 8)
    assert load("a: [1, 2]", "spec.yaml")[1] == ()
    document, (diagnostic,) = load("a: [1, 2, 3]", "spec.yaml")
    assert (document, diagnostic.code) == (None, "CLS103")


# -- the garbage collector is left as it was ---------------------------------------------------------------------------


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("text", ["a: 1", "a: ]", "[" * 100, "", "a: \0"])
def test_the_garbage_collector_is_left_as_it_was(enabled, text):
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        load(text, "spec.yaml")
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if before else gc.disable)()


def test_the_garbage_collector_rests_meanwhile():
    seen = set()

    class Watched(PureParser):
        def get_event(self):
            seen.add(gc.isenabled())
            return super().get_event()

    assert gc.isenabled()
    room._load("a: [1, 2]", "spec.yaml", Watched)
    assert seen == {False}


def test_the_garbage_collector_is_on_when_the_parser_itself_fails():
    def broken(_text):
        raise MemoryError

    with pytest.raises(MemoryError):
        room._load("a: 1", "spec.yaml", broken)
    assert gc.isenabled()


def test_many_can_load_at_once():
    text = "a: [" + "{b: 1}," * 5000 + "]"
    with ThreadPoolExecutor(8) as pool:
        values = [document.value for document, _ in pool.map(load, [text] * 40, ["spec.yaml"] * 40)]
    assert values == [values[0]] * 40
    assert gc.isenabled()
