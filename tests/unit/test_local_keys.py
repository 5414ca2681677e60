"""What a step's key is made from: the code that it can reach, files by their content, and nothing else."""

import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clspec.plan import Kind, Step, canonical
from clspec_local import artifacts, keys, made_from, stamps
from clspec_local.keys import Parts
from clspec_local.made_from import Making
from clspec_local.reach import reach
from clspec_local.stamps import Stamps


def write(root, **texts):
    """Files by their names, in which `__` stands for a slash."""
    for name, text in texts.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(f"{path.name}.py").write_text(text)


def reached(root, *entrypoints, beside=()):
    return reach(root, entrypoints or ("work:train",), "", beside, Path.read_bytes)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import near", {"near.py"}),
        ("import near as n, torch", {"near.py"}),
        ("from near import x", {"near.py"}),
        ("def train():\n    import near", {"near.py"}),
        ("try:\n    import near\nexcept ImportError:\n    near = None", {"near.py"}),
        ("if TYPE_CHECKING:\n    import near", {"near.py"}),
        ("import nets.small", {"nets/__init__.py", "nets/small.py", "nets/blocks.py"}),
        ("from nets import small", {"nets/__init__.py", "nets/small.py", "nets/blocks.py"}),
        ("from nets.small import Net", {"nets/__init__.py", "nets/small.py", "nets/blocks.py"}),
        ("from nets import *", {"nets/__init__.py", "nets/small.py", "nets/blocks.py", "nets/large.py"}),
        ("import plain.deep.leaf", {"plain/deep/leaf.py"}),
        ('NET = "nets.small:Net"', {"nets/__init__.py", "nets/small.py", "nets/blocks.py"}),
        ('NOTE = "near"', set()),
        ("import json", set()),
        ("from importlib.metadata import version", set()),
    ],
)
def test_imports_are_followed(tmp_path, source, names):
    write(tmp_path, near="", far="", nets__a="", nets__large="", plain__deep__leaf="", work=source)
    (tmp_path / "nets" / "a.py").rename(tmp_path / "nets" / "__init__.py")
    write(tmp_path, nets__small="from .blocks import x", nets__blocks="from . import small")
    found = reached(tmp_path)
    assert (set(found.files), found.whole) == ({"work.py", *names}, "")


@pytest.mark.parametrize(
    "source",
    [
        "import importlib",
        "from importlib import import_module",
        "import importlib.util",
        "__import__('near')",
        "exec(open('near.txt').read())",
        "eval('1')",
        "import runpy",
        "import pickle",
        "from subprocess import run",
        "import os\nos.system('python far')",
        "from os import execv",
        "import sys\nsys.path.insert(0, 'elsewhere')",
        "SCRIPT = 'far.py'",
        "def train(:",
        "x = '\ud800'",
        "import near",  # which cannot be read itself
    ],
)
def test_what_imports_cannot_tell_makes_every_file_count(tmp_path, source):
    write(tmp_path, far="", near="import runpy")
    (tmp_path / "work.py").write_bytes(source.encode("utf-8", "surrogatepass"))
    found = reached(tmp_path)
    assert set(found.files) == {"far.py", "near.py", "work.py"}
    assert "work.py" in found.whole or "near.py" in found.whole


def test_the_reason_has_a_place(tmp_path):
    write(tmp_path, work="import json\nimport importlib\n")
    assert reached(tmp_path).whole == "work.py, line 2, imports importlib"


def test_files_that_are_not_python_always_count(tmp_path):
    write(tmp_path, work="", far="")
    (tmp_path / "labels.txt").write_text("dog")
    assert set(reached(tmp_path).files) == {"work.py", "labels.txt"}


def test_what_is_imported_from_elsewhere_is_named_and_what_lies_beside_counts(tmp_path):
    write(tmp_path, code__work="import torch.nn, shared.words", lib__shared__words="import numpy")
    found = reached(tmp_path / "code", beside=(tmp_path / "lib",))
    assert set(found.files) == {"work.py", "1:shared/words.py"}
    assert found.elsewhere == {"torch", "numpy"}


def test_a_chain_of_imports_may_be_as_long_as_it_likes(tmp_path):
    write(tmp_path, work="import m0", **{f"m{n}": f"import m{n + 1}" for n in range(3000)})
    assert len(reached(tmp_path).files) == 3001


# -- keys --------------------------------------------------------------------------------------------------------------


def step(**config):
    call = {"entrypoint": "work:train", "command": None, "code": "sha256:whole"}
    return Step(id="train", kind=Kind.TRAIN, config=canonical({"call": call, "seed": 1, **config}))


def key(root, wanted=None):
    return keys.key(Making(root, Stamps(root.parent / "stamps.sqlite")).parts(wanted or step(), {"data": "sha256:d"}))


def test_an_unrelated_module_is_no_part_of_a_key_and_a_helper_is(tmp_path):
    root = tmp_path / "code"
    write(root, work="import near", near="", far="")
    before = key(root)
    write(root, far="x = 1")
    assert key(root, step(call={"entrypoint": "work:train", "command": None, "code": "sha256:other"})) == before
    write(root, near="x = 1")
    assert key(root) != before


def test_a_key_is_of_content_and_not_of_places_or_times(tmp_path):
    for name in ("one", "other"):
        write(tmp_path / name / "code", work="")
    os.utime(tmp_path / "other" / "code" / "work.py", (1, 1))
    assert key(tmp_path / "one" / "code") == key(tmp_path / "other" / "code")


def test_a_command_makes_every_file_count(tmp_path):
    root = tmp_path / "code"
    write(root, work="", far="")
    command = step(call={"entrypoint": None, "command": ["python", "work.py"], "code": "sha256:whole"})
    parts = Making(root, Stamps(tmp_path / "stamps.sqlite")).parts(command, {})
    assert (set(parts.code), parts.whole) == ({"work.py", "far.py"}, "a command may run any file")


def test_a_step_without_user_code_knows_no_code(tmp_path):
    (tmp_path / "code").mkdir()
    wanted = Step(id="s", kind=Kind.SNAPSHOT, config='{"digest":"sha256:x"}')
    parts = Making(tmp_path / "code", Stamps(tmp_path / "stamps.sqlite")).parts(wanted, {})
    assert (parts.code, parts.whole, parts.config) == ({}, "", {"digest": "sha256:x"})


def test_caches_are_no_part_of_the_program(tmp_path, monkeypatch):
    """Python writes them while others run, under names such as `x.cpython-311.pyc.140`."""
    package = tmp_path / "clspec"
    (package / "__pycache__").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(made_from.clspec, "__file__", str(package / "__init__.py"))

    def program():
        return Making(tmp_path, Stamps(tmp_path / "stamps.sqlite")).program

    before = program()
    (package / "__pycache__" / "x.cpython-311.pyc.140").write_bytes(b"half")
    assert program() == before
    (package / "__init__.py").write_text("x = 1")
    assert program() != before


_TEXT = st.text(max_size=5)
_PARTS = st.builds(
    Parts,
    kind=_TEXT,
    config=st.dictionaries(_TEXT, st.one_of(st.none(), st.booleans(), st.integers(), _TEXT), max_size=3),
    inputs=st.dictionaries(_TEXT, _TEXT, max_size=2),
    code=st.dictionaries(_TEXT, _TEXT, max_size=2),
    whole=_TEXT,
)


@given(_PARTS, _PARTS)
def test_parts_come_back_from_their_text_and_only_equal_ones_have_one_key(one, other):
    assert keys.from_json(keys.as_json(one)) == one
    same = keys.as_json(one) == keys.as_json(other)
    assert (keys.key(one) == keys.key(other)) is same


@pytest.mark.parametrize("text", ["[]", "{}", "3", json.dumps({"form": 99})])
def test_what_is_no_parts_is_refused(text):
    with pytest.raises(ValueError, match="no parts"):
        keys.from_json(text)


def test_every_part_is_part_of_the_key():
    made = Parts(kind="train", config={"seed": 1})
    changes = {"kind": "x", "config": {"seed": 2}, "inputs": {"a": "b"}, "code": {"a": "b"}, "whole": "x"}
    changes |= {"program": "x", "libraries": "x"}
    assert set(changes) == set(Parts.__dataclass_fields__)
    assert len({keys.key(made), *(keys.key(replace(made, **{name: value})) for name, value in changes.items())}) == 8


# -- stamps ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def reads(monkeypatch):
    """How often a file was read."""
    found = []
    real = stamps.hashlib.file_digest
    monkeypatch.setattr(stamps.hashlib, "file_digest", lambda *given: found.append(given) or real(*given))
    return found


def test_a_file_that_has_not_changed_is_not_read_again(tmp_path, reads):
    path = tmp_path / "file"
    path.write_text("one")
    time.sleep(0.1)
    first = Stamps(tmp_path / "stamps.sqlite")
    digest = first.of_file(str(path))
    assert first.of_file(str(path)) == digest
    first.save()
    assert Stamps(tmp_path / "stamps.sqlite").of_file(str(path)) == digest
    assert len(reads) == 1


def test_a_file_that_was_read_in_the_moment_of_its_change_is_read_again(tmp_path, reads):
    """Else an edit of the same size, in the same tick of the clock, would go unseen."""
    path = tmp_path / "file"
    path.write_text("one")
    known = Stamps(tmp_path / "stamps.sqlite")
    one = known.of_file(str(path))
    path.write_text("two")
    assert known.of_file(str(path)) != one
    assert len(reads) == 2


@pytest.mark.parametrize("times", ["kept", "moved"])
def test_an_edit_is_seen_even_with_the_old_time_put_back(tmp_path, times):
    path = tmp_path / "file"
    path.write_text("one")
    time.sleep(0.1)
    known = Stamps(tmp_path / "stamps.sqlite")
    one, before = known.of_file(str(path)), path.stat()
    path.write_text("two")
    if times == "kept":
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert known.of_file(str(path)) != one


@pytest.mark.parametrize("content", [b"", b"no database at all" * 100])
def test_a_memory_that_is_damaged_costs_time_and_nothing_else(tmp_path, content):
    (tmp_path / "stamps.sqlite").write_bytes(content)
    path = tmp_path / "file"
    path.write_text("one")
    known = Stamps(tmp_path / "stamps.sqlite")
    assert known.of_file(str(path)).startswith("sha256:")
    known.save()


@pytest.fixture
def lists(monkeypatch):
    """How often a folder was listed."""
    found = []
    real = stamps.os.scandir
    monkeypatch.setattr(stamps.os, "scandir", lambda path: found.append(path) or real(path))
    return found


@pytest.fixture
def folder(tmp_path):
    """A folder that nobody has changed for a while."""
    made = tmp_path / "folder"
    (made / "sub" / "below").mkdir(parents=True)
    for name in ("a", "sub/b", "sub/below/c"):
        (made / name).write_text(name)
    time.sleep(0.1)
    return made


def test_a_folder_that_has_not_changed_is_neither_listed_nor_read_again(tmp_path, folder, reads, lists):
    first = Stamps(tmp_path / "stamps.sqlite")
    digest = first.of(str(folder))
    first.save()
    assert (len(reads), len(lists)) == (3, 3)
    again = Stamps(tmp_path / "stamps.sqlite")
    assert first.of(str(folder)) == again.of(str(folder)) == digest
    assert (len(reads), len(lists)) == (3, 3)
    assert digest == artifacts.digest(folder)


CHANGES = {
    "edited": lambda at: (at / "sub/below/c").write_text("C"),
    "edited to the same size": lambda at: (at / "a").write_text("A"),
    "appended": lambda at: (at / "sub/b").write_text("sub/b and more"),
    "new": lambda at: (at / "sub/below/d").write_text("d"),
    "gone": lambda at: (at / "sub/b").unlink(),
    "renamed": lambda at: (at / "sub/b").rename(at / "sub/bb"),
    "moved": lambda at: (at / "a").rename(at / "sub/a"),
    "another in its place": lambda at: ((at / "x").write_text("y"), (at / "x").replace(at / "a")),
    "a link in its place": lambda at: ((at / "a").unlink(), (at / "a").symlink_to("sub/b")),
    "a folder in its place": lambda at: ((at / "a").unlink(), (at / "a").mkdir(), (at / "a/b").write_text("b")),
    "a file in a folder's place": lambda at: (shutil.rmtree(at / "sub"), (at / "sub").write_text("sub")),
    "a folder that was elsewhere": lambda at: (
        (at / "sub").rename(at.parent / "s"),
        (at.parent / "s").rename(at / "s"),
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_in_a_folder_is_seen(tmp_path, folder, change):
    known = Stamps(tmp_path / "stamps.sqlite")
    before = known.of(str(folder))
    assert known.of(str(folder)) == before
    CHANGES[change](folder)
    for stamps_ in (known, Stamps(tmp_path / "stamps.sqlite")):
        assert stamps_.of(str(folder)) == artifacts.digest(folder) != before


def test_a_folder_that_was_read_in_the_moment_of_its_change_is_listed_again(tmp_path, lists):
    made = tmp_path / "folder"
    made.mkdir()
    known = Stamps(tmp_path / "stamps.sqlite")
    empty = known.of(str(made))
    assert known.of(str(made)) == empty
    assert len(lists) == 2  # a name that came in the same tick of the clock would have left no trace
    (made / "a").write_text("a")
    assert known.of(str(made)) != empty


def test_a_link_that_leads_nowhere_is_looked_at_each_time(tmp_path, folder):
    """Where it leads may come to be, and nothing in the folder tells."""
    (folder / "link").symlink_to(tmp_path / "later")
    time.sleep(0.1)
    known = Stamps(tmp_path / "stamps.sqlite")
    before = known.of(str(folder))
    (tmp_path / "later").write_text("there")
    assert known.of(str(folder)) == artifacts.digest(folder) != before


def test_what_a_file_behind_a_link_becomes_is_seen(tmp_path, folder):
    (tmp_path / "there").write_text("one")
    (folder / "link").symlink_to(tmp_path / "there")
    time.sleep(0.1)
    known = Stamps(tmp_path / "stamps.sqlite")
    before = known.of(str(folder))
    assert known.of(str(folder)) == before
    (tmp_path / "there").write_text("two")
    assert known.of(str(folder)) == artifacts.digest(folder) != before


def test_a_folder_that_is_left_out_changes_nothing(tmp_path, folder, reads):
    known = Stamps(tmp_path / "stamps.sqlite")
    before = known.of(str(folder), skip="below")
    (folder / "sub/below/c").write_text("C")
    assert known.of(str(folder), skip="below") == before
    assert len(reads) == 2


def test_names_that_are_no_text_are_read_each_time_and_lose_nothing_else(tmp_path, folder):
    (folder / os.fsdecode(b"caf\xe9")).write_text("x")
    (tmp_path / "file").write_text("one")
    time.sleep(0.1)
    known = Stamps(tmp_path / "stamps.sqlite")
    digest, one = known.of(str(folder)), known.of_file(str(tmp_path / "file"))
    known.save()
    again = Stamps(tmp_path / "stamps.sqlite")
    assert again.of(str(folder)) == digest
    assert again._known[str(tmp_path / "file")][1] == one
