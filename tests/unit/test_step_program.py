"""The step program: its protocol, and what each kind of step does with good and with bad input."""

import base64
import copy
import dataclasses
import hashlib
import json
import math
import os
import pickle
import py_compile
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from textwrap import dedent

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clspec import code
from clspec.catalog import METRICS
from clspec.data import caches, table
from clspec.data.storage import storage_at
from clspec.data.versions import Dataset, Shape
from clspec.plan import Kind
from clspec.report.scenarios import as_text
from clspec.stats.proportion import tally
from clspec.step.model import digest as model_digest
from clspec.step.program import main

COLUMNS = {"id": "string", "ride": "string", "n": "integer", "label": "string"}
SHAPE = Shape(columns=COLUMNS, key="id", group="ride")
CLASSES = ["cat", "dog"]


@dataclasses.dataclass
class Ended:
    """How a step ended, and what it said."""

    code: int
    out: str
    err: str


class Bench:
    """A place where single steps are run: a store, user code, and a folder for inputs and outputs."""

    def __init__(self, folder, capfd):
        self.folder, self.capfd = folder, capfd
        self.store = folder / "store"
        self.code = folder / "code"
        self.code.mkdir()

    def path(self, name):
        return self.folder / name

    def put(self, name, value):
        """An input as a JSON file."""
        self.path(name).write_text(value if isinstance(value, str) else json.dumps(value))
        return name

    def put_rows(self, name, rows, columns=COLUMNS, **metadata):
        made = table.from_rows(rows, columns, "test").replace_schema_metadata(metadata or None)
        pq.write_table(made, self.path(name))
        return name

    def put_answers(self, name, answers, model="sha256:m"):
        """Predictions that a model of this digest made."""
        return self.put_rows(name, answers, {"id": "string", "pred": "string"}, **{"clspec.model": model})

    def json(self, name):
        return json.loads(self.path(name).read_text())

    def rows(self, name):
        return pq.read_table(self.path(name)).to_pylist()

    def write_module(self, name, text):
        sys.modules.pop(name, None)
        (self.code / f"{name}.py").write_text(dedent(text))

    def digest(self):
        return code.digest(self.code)

    def dataset(self, name="d"):
        return Dataset(storage_at(str(self.store)), "spec", name)

    def run(self, kind, config, *, inputs=None, outputs=(), parameters=(), extra=()):  # noqa: PLR0913
        """Run one step in this process; inputs and outputs are files of the folder by the same name unless mapped."""
        arguments = [kind, "--config", json.dumps({"spec": "spec", **config}), "--store", str(self.store)]
        arguments += ["--code", str(self.code), "--folder", str(self.folder)]
        for name, place in (inputs or {}).items():
            arguments += ["--in", f"{name}={self.path(place)}"]
        for name in outputs:
            arguments += ["--out", f"{name}={self.path(name)}"]
        for name in parameters:
            arguments += ["--out-param", f"{name}={self.path(name)}"]
        return self.main([*arguments, *extra])

    def main(self, arguments):
        self.capfd.readouterr()
        try:
            ended = main(arguments)
        except SystemExit as error:
            ended = error.code
        return Ended(ended, *self.capfd.readouterr())


@pytest.fixture
def bench(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")  # put back afterwards
    monkeypatch.delenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", raising=False)
    yield Bench(tmp_path, capfd)
    for name in ("user", "other"):
        sys.modules.pop(name, None)


def row(name, n=0, label="cat", ride=None):
    return {"id": name, "ride": ride or f"ride of {name}", "n": n, "label": label}


def assert_said(ended, exit_code, *texts):
    """The step ended so, and said why without a traceback of clspec's."""
    assert (ended.code, "fault of clspec" in ended.err) == (exit_code, False), ended.err
    assert ended.err.startswith("clspec: ")
    for text in texts:
        assert text in ended.err


EMPTY_GATE = '{"seeds":[],"scenarios":[],"baseline":null,"reuse":null,"golden":"sha256:g"}'
"""The configuration of a gate that has nothing to judge, which fails."""


# -- the protocol ------------------------------------------------------------------------------------------------------


REGRESSION = {"pipeline": "regression"}


def conclude(bench, verdict, **options):
    return bench.run("conclude", REGRESSION, inputs={"verdict": bench.put("v", verdict)}, **options)


def test_there_is_a_module_for_every_kind():
    for kind in Kind:
        done = subprocess.run(
            [sys.executable, "-m", "clspec.step", kind.value, "--config", "{}", "--store", "/dev/null/x"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert "No module named" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "the following arguments are required"),
        (["dance", "--config", "{}", "--store", "s"], "invalid choice: 'dance'"),
        (["gate", "--config", "{}"], "the following arguments are required: --store"),
        (["gate", "--conf", "{}", "--store", "s"], "--config"),
        (["gate", "--config", "{}", "--store", "s", "--in", "verdict"], "`verdict` is not a NAME=PATH"),
        (["gate", "--config", "{}", "--store", "s", "--in", "=x"], "`=x` is not a NAME=PATH"),
        (["gate", "--config", "{}", "--store", "s", "--in", "a=x", "--in", "a=y"], "`a=y` is not a NAME=PATH"),
        (["gate", "--config", "{", "--store", "s"], "--config is not JSON"),
        (["gate", "--config", "[]", "--store", "s"], "--config is not a JSON object"),
        (["gate", "--config", "@/no/such/file", "--store", "s"], "--config is not JSON"),
        (["conclude", "--config", '{"pipeline": "regression"}', "--store", "s"], "this step needs --in verdict=PATH"),
        (["gate", "--config", EMPTY_GATE, "--store", "s"], "this step needs --out verdict=PATH"),
    ],
)
def test_wrong_use_is_2_and_says_what_is_wrong(bench, arguments, text):
    ended = bench.main(arguments)
    assert ended.code == 2
    assert text in ended.err
    assert "Traceback" not in ended.err


def test_exit_codes(bench):
    assert conclude(bench, {"verdict": "pass"}).code == 0
    assert_said(conclude(bench, {"verdict": "fail", "reasons": ["a: b"]}), 1, "the verdict is fail\n  a: b")
    assert_said(conclude(bench, "no JSON"), 3, "input `verdict` at", "is not JSON")
    assert_said(bench.run("conclude", REGRESSION, inputs={"verdict": "not there"}), 3, "No such file or directory")


def test_a_fault_of_clspec_is_named_as_one(bench):
    ended = bench.run("snapshot", {}, outputs=["data"])  # a plan always has these keys
    assert ended.code == 2
    assert ended.err.endswith("clspec: this is a fault of clspec itself\n")


def test_the_configuration_may_stand_in_a_file(bench):
    bench.put("config", EMPTY_GATE)
    ended = bench.main(
        ["gate", "--config", f"@{bench.path('config')}", "--store", "s", "--out", f"verdict={bench.path('v')}"]
    )
    assert ended.code == 0
    assert bench.json("v")["verdict"] == "fail"


def test_an_empty_gate_fails(bench):
    found = gate(bench, [], METRICS_OF_NOTHING)
    assert found["verdict"] == "fail"
    assert found["reasons"] == ["nothing was judged that must pass"]


TRAIN_CALL = {"entrypoint": "user:train", "command": None}


def train(bench, body="(pathlib.Path(model_dir) / 'm.json').write_text('{}')", *, data=None, golden=None, **changes):
    bench.write_module(
        "user",
        "import os, pathlib, json, pickle\ndef train(data, validation, model_dir, seed, **params):\n    "
        + body.replace("\n", "\n    "),
    )
    bench.put_rows("data", data or [row("a"), row("b")])
    bench.put_rows("validation", [row("c")])
    bench.put_rows("golden", golden or [row("g")])
    outputs = changes.pop("outputs", ["model", "metrics"])
    extra = changes.pop("extra", ())
    call = {**TRAIN_CALL, "code": bench.digest()}
    config = {"call": call, "params": {}, "seed": 1, "key": "id", "group": "ride"}
    config |= {"protected": [{"name": "golden", "key": "id", "group": "ride"}], **changes}
    return bench.run(
        "train",
        config,
        inputs={"data": "data", "validation": "validation", "golden-golden": "golden"},
        outputs=outputs,
        extra=extra,
    )


def test_outputs_have_their_last_name_from_the_start_and_another_folder(bench):
    body = "pathlib.Path(model_dir, 'place').write_text(model_dir)"
    assert train(bench, body).code == 0
    seen = Path(bench.path("model/place").read_text())
    assert seen.name == "model"
    assert seen != bench.path("model")
    assert seen.parent.parent == bench.folder, "beside its place, so that the move is one rename"
    assert not seen.exists()
    assert {path.name for path in bench.folder.iterdir() if path.name.startswith(".")} == set()


@pytest.mark.parametrize(
    "body", ["raise ValueError('x')", "return {'loss': float('nan')}", "return {'loss': 1.0}", "os._exit"]
)
def test_a_failure_leaves_no_output_and_keeps_an_earlier_one(bench, body):
    bench.path("model").mkdir()
    bench.path("model/old").write_text("old")
    bench.put("metrics", {"old": 1.0})
    partly = "pathlib.Path(model_dir, 'half').write_text('half')\n" if "nan" in body or "ValueError" in body else ""
    assert train(bench, partly + body).code == 3
    assert [path.name for path in bench.path("model").iterdir()] == ["old"]
    assert bench.json("metrics") == {"old": 1.0}
    assert [path.name for path in bench.folder.iterdir() if path.name.startswith(".")] == []


def test_an_output_that_was_not_made_fails_the_step_and_no_other_is_moved(bench):
    body = "pathlib.Path(model_dir, 'm').write_text('')"
    ended = train(bench, body, outputs=["model", "metrics", "more"])
    assert_said(ended, 2, "the step made no output `more`")
    assert not bench.path("model").exists()
    assert not bench.path("metrics").exists()


def test_a_parameter_that_was_not_made_fails_the_step(bench):
    ended = bench.run("gate", json.loads(EMPTY_GATE), outputs=["verdict"], parameters=["outcome", "other"])
    assert_said(ended, 2, "the step made no output `other`")
    assert not bench.path("verdict").exists()
    assert not bench.path("outcome").exists()


def test_a_later_run_replaces_an_earlier_output(bench):
    assert train(bench, "pathlib.Path(model_dir, 'one').write_text('1')").code == 0
    assert train(bench, "pathlib.Path(model_dir, 'two').write_text('2')").code == 0
    assert [path.name for path in bench.path("model").iterdir()] == ["two"]


def test_folders_of_outputs_are_made(bench):
    arguments = ["gate", "--config", EMPTY_GATE, "--store", "s"]
    ended = bench.main([*arguments, "--out", f"verdict={bench.path('a/b/verdict')}"])
    assert ended.code == 0
    assert bench.json("a/b/verdict")["verdict"] == "fail"


def test_progress_is_told_in_lines_of_json_and_only_if_asked_for(bench):
    assert train(bench).out == ""
    lines = [json.loads(line) for line in train(bench, extra=["--progress"]).out.splitlines()]
    assert lines == [{"progress": {"done": done, "of": 1, "what": "training"}} for done in (0, 1)]


def test_paths_may_be_relative_though_a_command_runs_elsewhere(bench, monkeypatch):
    bench.put_rows("data", [row("a")])
    bench.put_rows("golden", [row("g")])
    monkeypatch.chdir(bench.folder)
    words = ["sh", "-c", 'test -f "$0" && test -f "$1" && cp "$0" "$2/m"', "{data}", "{validation}", "{model_dir}"]
    config = {"call": {"entrypoint": None, "command": words, "code": bench.digest()}, "params": {}, "seed": 1}
    config |= {"key": "id", "group": None, "protected": [{"name": "gold", "key": "id", "group": None}]}
    arguments = ["train", "--config", json.dumps(config), "--store", "store", "--code", "code"]
    for name, place in (("data", "data"), ("validation", "data"), ("golden-gold", "golden")):
        arguments += ["--in", f"{name}={place}"]
    ended = bench.main([*arguments, "--out", "model=out/model", "--out", "metrics=out/metrics"])
    assert ended.code == 0, ended.err
    assert bench.path("out/model/m").read_bytes() == bench.path("data").read_bytes()
    assert bench.json("out/metrics") == {}


def test_kubeflows_uris_are_its_mounts():
    from clspec.step import kubeflow

    said = {
        "inputs": {
            "artifacts": {
                n: {"artifacts": [{"uri": uri}]}
                for n, uri in {"a": "gs://b/x", "b": "s3://b/x", "c": "minio://b/x"}.items()
            }
        },
        "outputs": {"outputFile": "/o"},
    }
    found = kubeflow.read(json.dumps(said))
    assert found.inputs == {"a": Path("/gcs/b/x"), "b": Path("/s3/b/x"), "c": Path("/minio/b/x")}
    assert (found.outputs, found.parameters) == ({}, {})


# -- pin ---------------------------------------------------------------------------------------------------------------

FIRST = [row("a", 1), row("b", 2)]


def digest_of(rows):
    return table.digest(table.from_rows(rows, COLUMNS, "test"), COLUMNS, "id")


def pin(bench, rows=FIRST, wanted=None, *, origin=True, code=""):
    bench.write_module("user", f"def first():\n    yield from {rows!r}\n")
    call = {"entrypoint": "user:first", "command": None}
    source = {"name": "s", "type": "python", "columns": COLUMNS, "call": call} if origin else None
    config = {"digest": wanted or digest_of(rows), "columns": COLUMNS, "key": "id", "group": "ride", "from": source}
    record = {
        "pipeline": "regression",
        "code": bench.digest(),
        "image": "",
        "params": {},
        "datasets": {"d": config["digest"]},
        "roles": {"training": "d", "golden": "d"},
    }
    settings = {
        "pipeline": "regression",
        "datasets": {"d": config},
        "golden": config["digest"],
        "code": code or bench.digest(),
        "record": record,
        "reuse": None,
    }
    return bench.run("pin", settings, outputs=["pins", "standing"])


def test_pin_makes_the_first_version(bench):
    assert pin(bench, [*FIRST, FIRST[0]], digest_of(FIRST)).code == 0
    (version,) = bench.dataset().versions()
    assert (version.number, version.rows, version.origin) == (1, 2, "s")
    assert bench.json("pins") == {"d": {"digest": version.digest, "rows": 2}}
    before = sorted(bench.store.rglob("*"))
    assert pin(bench).code == 0
    assert sorted(bench.store.rglob("*")) == before


def test_pin_tells_what_each_dataset_was_made_of(bench):
    assert pin(bench).code == 0
    (first,) = bench.dataset().versions()
    told = {"number": 1, "digest": first.digest, "rows": 2, "versions": [{"number": 1, "rows": 2, "origin": "s"}]}
    told |= {"by_rule": {}, "by_origin": {"added": 2}, "note": ""}
    assert bench.json("standing")["data"] == {"d": told}


def test_pin_refuses_a_source_that_yields_something_else_and_keeps_nothing(bench):
    ended = pin(bench, wanted="sha256:" + "0" * 64)
    assert_said(ended, 1, f"source `s` yields {digest_of(FIRST)}", "clspec lock SPEC --update d")
    assert [path for path in bench.store.rglob("*") if path.is_file()] == []
    assert not bench.path("pins").exists()


def test_pin_finds_an_older_version(bench):
    assert pin(bench).code == 0
    bench.dataset().append(table.from_rows([row("c")], COLUMNS, "x"), SHAPE, "x")
    assert pin(bench).code == 0
    assert bench.json("pins")["d"]["rows"] == 2


def test_pin_refuses_a_store_with_other_versions_only(bench):
    made = bench.dataset().append(table.from_rows([row("z")], COLUMNS, "x"), SHAPE, "x").version
    ended = pin(bench)
    assert_said(ended, 1, f"pins dataset `d` to {digest_of(FIRST)}", f"version 1 is {made.digest}", "clspec data add")
    assert len(bench.dataset().versions()) == 1


def test_pin_refuses_where_there_is_nothing_to_begin_with(bench):
    assert_said(pin(bench, origin=False), 1, "it has no `from` to make one", "clspec data add d FILE")


def test_pin_runs_no_code_but_the_plans(bench):
    assert_said(pin(bench, wanted="sha256:0", code="sha256:other"), 1, "the plan was made for sha256:other: compile")


def test_pin_says_which_row_of_the_source_is_wrong(bench):
    assert_said(pin(bench, [*FIRST, {**row("c"), "n": 0.5}], "sha256:0"), 3, "row 3 of source `s`: `n` is 0.5")


# -- snapshot ----------------------------------------------------------------------------------------------------------


def snapshot(bench, digest, share=None, by="ride", outputs=("data", "validation")):
    split = None if share is None else {"validation": share, "by": by}
    outputs = outputs if split else ("data",)
    return bench.run("snapshot", {"dataset": "d", "digest": digest, "split": split}, outputs=outputs)


def append(bench, rows):
    return bench.dataset().append(table.from_rows(rows, COLUMNS, "x"), SHAPE, "x").version.digest


def rides(count, frames=5):
    return [row(f"{ride}-{frame}", ride=f"ride {ride}") for ride in range(count) for frame in range(frames)]


def test_a_split_never_cuts_a_group_and_is_stable_as_data_grows(bench):
    sides = {}
    for count in (40, 80, 120):
        assert snapshot(bench, append(bench, rides(count)), 0.3).code == 0
        data, validation = bench.rows("data"), bench.rows("validation")
        assert len(data) + len(validation) == count * 5
        assert {r["ride"] for r in data}.isdisjoint(r["ride"] for r in validation)
        for side, rows in (("data", data), ("validation", validation)):
            for ride in {r["ride"] for r in rows}:
                assert sides.setdefault(ride, side) == side
    share = sum(side == "validation" for side in sides.values()) / len(sides)
    assert 0.15 < share < 0.45


def test_a_snapshot_is_in_key_order_and_the_same_rows_are_the_same_bytes(bench, tmp_path):
    rows = rides(20)
    first = append(bench, rows[50:])
    digest = append(bench, rows[:50])
    assert snapshot(bench, digest).code == 0
    assert bench.rows("data") == [dict(sorted(r.items())) for r in sorted(rows, key=lambda r: r["id"])]
    once = bench.path("data").read_bytes()
    other = Bench(tmp_path / "other", bench.capfd) if (tmp_path / "other").mkdir() is None else None
    assert append(other, list(reversed(rows))) == digest
    assert snapshot(other, digest).code == 0
    assert other.path("data").read_bytes() == once
    assert snapshot(bench, first).code == 0
    assert len(bench.rows("data")) == 50


def test_a_split_of_nothing_leaves_a_validation_file_with_the_columns(bench):
    assert snapshot(bench, append(bench, rides(4)), 0.0).code == 0
    assert len(bench.rows("data")) == 20
    assert bench.rows("validation") == []
    assert pq.read_schema(bench.path("validation")) == pq.read_schema(bench.path("data")) == table.schema(COLUMNS)


def test_a_split_that_leaves_nothing_to_learn_from(bench):
    assert_said(snapshot(bench, append(bench, rides(4)), 1.0), 3, "the split of dataset `d` leaves no rows to learn")
    assert not bench.path("data").exists()


def test_a_snapshot_of_a_version_that_is_gone(bench):
    append(bench, rides(1))
    assert_said(snapshot(bench, "sha256:0"), 1, "no longer holds dataset `d` at sha256:0")


# -- train -------------------------------------------------------------------------------------------------------------


def test_train_gives_plain_arguments_and_keeps_what_is_returned(bench):
    body = """
seen = {"data": data, "validation": validation, "seed": seed, **params}
pathlib.Path(model_dir, "seen.json").write_text(json.dumps(seen))
return {"loss": 0.5, "epochs": 3}
"""
    ended = train(bench, body, params={"lr": 0.003, "layers": [1, 2], "name": "x", "fast": True})
    assert ended.code == 0, ended.err
    assert bench.json("metrics") == {"loss": 0.5, "epochs": 3.0}
    assert json.loads(bench.path("model/seen.json").read_text()) == {
        "data": str(bench.path("data")),
        "validation": str(bench.path("validation")),
        "seed": 1,
        "lr": 0.003,
        "layers": [1, 2],
        "name": "x",
        "fast": True,
    }


def test_train_keeps_what_was_measured_after_each_epoch(bench):
    body = f"{SAVES}return {{'loss': 0.5, 'history': [{{'epoch': 1, 'loss': 0.9}}, {{'epoch': 2, 'loss': 0.5}}]}}"
    assert train(bench, body).code == 0
    history = [{"epoch": 1.0, "loss": 0.9}, {"epoch": 2.0, "loss": 0.5}]
    assert bench.json("metrics") == {"loss": 0.5, "history": history}


def test_train_refuses_golden_rows_and_groups(bench):
    ended = train(bench, data=[row("a"), row("g"), row("h")], golden=[row("g"), row("h"), row("i")])
    assert_said(ended, 1, "golden data in training: 2 rows of `data` are golden (g by key g, h by key h)")
    ended = train(bench, data=[row("a", ride="r")], golden=[row("g", ride="r")])
    assert_said(ended, 1, "golden data in training: 1 rows of `data` are golden (a by group r)")
    ended = train(bench, golden=[row("c", ride="other")])  # held for validation
    assert_said(ended, 1, "1 rows of `validation` are golden (c by key c)")
    many = [row(f"{n}") for n in range(9)]
    assert_said(
        train(bench, data=many, golden=many), 1, "9 rows of `data` are golden (0 by key 0, ", "4 by key 4, ...)"
    )
    assert not bench.path("model").exists()


def test_train_is_told_of_every_golden_dataset(bench):
    assert_said(train(bench, protected=[]), 2, "a training is told of every golden dataset")
    named = [{"name": name, "key": "id", "group": None} for name in ("golden", "other")]
    assert_said(train(bench, protected=named), 2, "golden-other")


def test_rows_without_a_group_are_in_no_golden_group(bench):
    none = {"id": "a", "ride": None, "n": 0, "label": "cat"}
    assert train(bench, data=[none], golden=[{**none, "id": "g"}]).code == 0


SAVES = "pathlib.Path(model_dir, 'm').write_text('x')\n"


@pytest.mark.parametrize(
    ("returned", "text"),
    [
        ("{'loss': float('nan')}", "returned nan as `loss`: the training did not converge"),
        ("{'loss': float('inf')}", "returned inf as `loss`: the training did not converge"),
        ("{'loss': 'low'}", "returned 'low' as `loss`, which is no number"),
        ("{'loss': '0.5'}", "returned '0.5' as `loss`, which is no number"),
        ("{'loss': None}", "returned None as `loss`, which is no number"),
        ("{'loss': 10 ** 400}", "as `loss`, which is no number"),
        (
            "{'history': {'loss': 1.0}}",
            "`user:train` must return its `history` as a list with a dict of floats for each",
        ),
        ("{'history': [1.0]}", "`user:train` must return its `history` as a list with a dict of floats for each"),
        ("{'history': [{'loss': 1.0}, {'loss': 'low'}]}", "returned 'low' as `history[1].loss`, which is no number"),
        ("{'history': [{'loss': float('nan')}]}", "returned nan as `history[0].loss`: the training did not converge"),
        ("{'history': [{}] * 10001}", "a `history` of 10001 entries, 10000 are kept"),
        ("[('loss', 0.5)]", "`user:train` must return a dict of floats, not a list"),
        ("0.5", "`user:train` must return a dict of floats, not a float"),
    ],
)
def test_train_takes_only_a_dict_of_finite_numbers(bench, returned, text):
    assert_said(train(bench, f"{SAVES}return {returned}"), 3, text)
    assert not bench.path("metrics").exists()


def test_train_may_return_nothing(bench):
    assert train(bench, SAVES).code == 0
    assert bench.json("metrics") == {}


def test_a_training_that_raises_shows_its_own_traceback(bench):
    ended = train(bench, "raise RuntimeError('out of luck')")
    assert_said(ended, 3, "`user:train` raised RuntimeError", "user.py", "RuntimeError: out of luck")
    assert "clspec/step" not in ended.err


def test_a_training_that_ends_the_process(bench):
    assert_said(train(bench, "raise SystemExit(0)"), 3, "`user:train` ended the process with 0")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("pass", "the training left no file in `model_dir`"),
        ("pathlib.Path(model_dir, 'folder').mkdir()", "the training left no file in `model_dir`"),
        ("os.rmdir(model_dir)", "the training left no file in `model_dir`"),
        ("os.symlink('/etc/passwd', model_dir + '/m')", "the model holds m, which is no regular file"),
        ("os.symlink('/etc', model_dir + '/m')", "the model holds m, which is no regular file"),
        ("os.mkfifo(model_dir + '/m')", "the model holds m, which is no regular file"),
        ("os.rmdir(model_dir); os.symlink('/etc', model_dir)", "model was replaced by a link"),
    ],
)
def test_a_model_is_files(bench, body, text):
    assert_said(train(bench, body), 3, text)
    assert not bench.path("model").exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_refused_under_any_name(bench, protocol):
    ended = train(bench, f"pathlib.Path(model_dir, 'weights').write_bytes(pickle.dumps(pathlib.Path(), {protocol}))")
    assert_said(ended, 3, "the model holds weights, a pickle", "safetensors")


@pytest.mark.parametrize("name", ["m.pkl", "m.pickle", "m.joblib", "deep/M.PKL"])
def test_the_name_of_a_pickle_is_refused(bench, name):
    body = f"p = pathlib.Path(model_dir, '{name}'); p.parent.mkdir(exist_ok=True); p.write_text('harmless')"
    assert_said(train(bench, body), 3, f"the model holds {name}, a pickle")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b".",
        b"{}",
        b'{"weights": [0.25, 1]}',
        b"cat,dog\n1,2\n",
        b"N.",
        b"\x93NUMPY\x01\x00",
        b"PK\x03\x04x\ny.",
        b"\x80",
    ],
)
def test_other_files_are_no_pickles(bench, content):
    assert train(bench, f"pathlib.Path(model_dir, 'weights').write_bytes({content!r})").code == 0


def test_train_runs_no_code_but_the_plans(bench):
    call = {**TRAIN_CALL, "code": "sha256:other"}
    assert_said(train(bench, call=call), 1, "the plan was made for sha256:other")


def test_train_as_a_command(bench):
    script = 'import json, sys\njson.dump(sys.argv[1:], open(sys.argv[3] + "/argv.json", "w"))\n'
    (bench.code / "train.py").write_text(script)
    words = [sys.executable, "train.py", "{data}", "{validation}", "{model_dir}", "{seed}", "--lr={params.lr}"]
    words += ["{params.fast}", "{params.name}"]
    call = {"entrypoint": None, "command": words}
    params = {"lr": 3e-4, "fast": True, "name": "{seed}; rm -rf $HOME"}
    bench.write_module("user", "def train(): ...\n")
    bench.put_rows("data", [row("a")])
    ended = bench.run(
        "train",
        {
            "call": {**call, "code": bench.digest()},
            "params": params,
            "seed": 7,
            "key": "id",
            "group": None,
            "protected": [{"name": "golden", "key": "id", "group": None}],
        },
        inputs={"data": "data", "validation": "data", "golden-golden": bench.put_rows("golden", [row("g")])},
        outputs=["model", "metrics"],
    )
    assert ended.code == 0, ended.err
    *_, seed, rate, fast, name = json.loads(bench.path("model/argv.json").read_text())
    assert (seed, rate, fast, name) == ("7", "--lr=0.0003", "true", "{seed}; rm -rf $HOME")


def told_by_a_command(bench, text):
    """A training by a command that tells so much of itself."""
    assert train(bench).code == 0  # so that the code is there
    bench.path("told").write_text(text)
    script = 'echo x > "$0/model.txt"; [ ! -s "$2" ] || cp "$2" "$1"'
    words = ["sh", "-c", script, "{model_dir}", "{metrics}", str(bench.path("told"))]
    return train(bench, call={"entrypoint": None, "command": words, "code": bench.digest()})


def test_a_command_tells_what_a_function_would_return(bench):
    lines = [{"epoch": 1, "loss": 0.9}, {"epoch": 2, "loss": 0.5}, {"loss": 7, "right": 0.4}, {"loss": 0.5}]
    ended = told_by_a_command(bench, "\n".join(json.dumps(line) for line in lines) + "\n\n")
    assert ended.code == 0, ended.err
    history = [{"epoch": 1.0, "loss": 0.9}, {"epoch": 2.0, "loss": 0.5}]
    assert json.loads(bench.path("metrics").read_text()) == {"loss": 0.5, "right": 0.4, "history": history}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the command wrote no {metrics}, though it names it"),
        ("{", "line 1 of what the command wrote to {metrics} is no JSON"),
        ("\n[1]", "line 2 of what the command wrote to {metrics} is no JSON object"),
        ('{"history": []}', "line 1 of what the command wrote to {metrics} says a `history`"),
        ('{"epoch": 1, "loss": NaN}', "`{metrics}` returned nan as `history[0].loss`"),
        ('{"loss": "low"}', "`{metrics}` returned 'low' as `loss`, which is no number"),
    ],
)
def test_a_command_that_tells_something_else_fails(bench, text, said):
    assert_said(told_by_a_command(bench, text), 3, said)


def test_torch_loads_no_free_pickle_whatever_the_code_asks_for(bench, monkeypatch):
    torch = pytest.importorskip("torch")
    evil = bench.path("evil.pt")

    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(bench.path("pwned")),))

    torch.save({"weights": Evil()}, evil)
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    monkeypatch.delenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD")
    for how in ("", ", weights_only=False"):
        ended = train(bench, f"import torch\ntorch.load({str(evil)!r}{how})\n{SAVES}")
        assert_said(ended, 3, "UnpicklingError")
        assert not bench.path("pwned").exists()
    assert "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD" not in os.environ


def test_a_command_of_the_users_is_told_the_same(bench):
    command = ["sh", "-c", 'env | grep TORCH_FORCE > "$0/env"', "{model_dir}"]
    assert train(bench).code == 0  # so that the code is there
    os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"
    del os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"]
    ended = train(bench, call={"entrypoint": None, "command": command, "code": bench.digest()})
    assert ended.code == 0, ended.err
    assert bench.path("model/env").read_text() == "TORCH_FORCE_WEIGHTS_ONLY_LOAD=1\n"


@pytest.mark.parametrize("name", ["data", "validation"])
def test_a_training_that_changes_its_data_is_refused(bench, name):
    ended = train(bench, f"{SAVES}\npathlib.Path({name}).write_bytes(b'x')")
    assert_said(ended, 3, f"the code changed its input `{name}`")
    assert not bench.path("model").exists()


def test_code_that_is_edited_while_it_runs_is_refused(bench):
    ended = train(bench, f"{SAVES}\npathlib.Path(__file__).with_name('more.py').write_text('')")
    assert_said(ended, 1, "the plan was made for")
    assert not bench.path("model").exists()


def with_another_cache(folder, name):
    """A module whose source says `source`, beside a cache that says `cache` and asks nobody whether it still holds."""
    file = folder / f"{name}.py"
    file.write_text("WORD = 'cache'\n")
    py_compile.compile(str(file), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH, doraise=True)
    file.write_text("WORD = 'source'\n")


BY_PATH = """
import importlib.util
spec = importlib.util.spec_from_file_location("inner", pathlib.Path(__file__).with_name("inner.py"))
inner = importlib.util.module_from_spec(spec)
spec.loader.exec_module(inner)
"""


@pytest.mark.parametrize("how", ["import inner", BY_PATH])
def test_a_cache_of_compiled_code_is_not_run(bench, how):
    bench.write_module("inner", "")
    with_another_cache(bench.code, "inner")
    ended = train(bench, f"{how}\nassert inner.WORD == 'source', inner.WORD\n{SAVES}")
    sys.modules.pop("inner", None)
    assert ended.code == 0, ended.err


@pytest.mark.parametrize(("installed", "word"), [(True, "cache"), (False, "source")])
def test_the_cache_of_a_library_is_taken_and_that_of_another_folder_is_not(bench, monkeypatch, installed, word):
    library = bench.path("libraries")
    library.mkdir()
    with_another_cache(library, "cached")
    monkeypatch.syspath_prepend(str(library))
    monkeypatch.setattr(caches, "_LIBRARIES", {*caches._LIBRARIES, *([f"{library}/"] if installed else [])})
    ended = train(bench, f"import cached\nassert cached.WORD == '{word}', cached.WORD\n{SAVES}")
    sys.modules.pop("cached", None)
    assert ended.code == 0, ended.err


def test_the_innermost_folder_says_whose_a_source_is(monkeypatch):
    library = str(Path(json.__file__).parent.parent)
    assert caches.is_of_a_library(json.__file__)
    assert not caches.is_of_a_library("/work/code/train.py")
    monkeypatch.setattr(caches, "_ROOTS", {"/", f"{library}/json/"})
    assert not caches.is_of_a_library(json.__file__), "the code root lies in an installed package"
    assert caches.is_of_a_library(f"{library}/email/message.py"), "an environment lies in the code root"


def test_a_torch_state_dict_is_a_model(bench):
    pytest.importorskip("torch")
    body = """
import torch
torch.save(torch.nn.Linear(2, 3).state_dict(), model_dir + "/m.pt")
loaded = torch.load(model_dir + "/m.pt", weights_only=True)
return {"weights": loaded["weight"].sum() * 0}
"""
    ended = train(bench, body)
    assert ended.code == 0, ended.err
    assert bench.json("metrics") == {"weights": 0.0}


# -- predict -----------------------------------------------------------------------------------------------------------

TASK = {"type": "classification", "label": "label", "classes": CLASSES, "prediction": "pred", "score": "conf"}


def predict(  # noqa: PLR0913
    bench, body, rows=None, *, shard=1, shards=1, columns=COLUMNS, call=None, extra=(), **task
):
    bench.write_module(
        "user",
        "import pyarrow.parquet as pq\ndef predict(data, model_dir):\n    rows = pq.read_table(data).to_pylist()\n    "
        + body.replace("\n", "\n    "),
    )
    bench.path("model").mkdir(exist_ok=True)
    bench.put_rows("data", [row("b"), row("a"), row("c")] if rows is None else rows, columns)
    call = {"entrypoint": "user:predict", "command": None, **(call or {}), "code": bench.digest()}
    config = {"call": call, "task": {**TASK, **task}, "key": "id", "shard": shard, "shards": shards}
    return bench.run("predict", config, inputs={"data": "data", "model": "model"}, outputs=["predictions"], extra=extra)


ALL_CATS = "for r in rows: yield {'id': r['id'], 'pred': 'cat', 'conf': 0.5}"


def test_predictions_stand_in_the_order_of_the_rows(bench):
    ended = predict(bench, ALL_CATS.replace("in rows", "in sorted(rows, key=lambda r: r['id'])"))
    assert ended.code == 0, ended.err
    assert bench.rows("predictions") == [{"conf": 0.5, "id": name, "pred": "cat"} for name in ("b", "a", "c")]


def test_the_model_does_not_see_the_label(bench):
    ended = predict(bench, f"assert set(rows[0]) == {{'id', 'ride', 'n'}}, rows[0]\n{ALL_CATS}")
    assert ended.code == 0, ended.err


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("yield from ()", "predict answers 0 of 3 rows, and 0 that were not asked"),
        (ALL_CATS.replace("in rows", "in rows[1:]"), "predict answers 2 of 3 rows, and 0 that were not asked"),
        (ALL_CATS.replace("in rows", "in [*rows, rows[0]]"), "predict gives 1 rows twice, and 0 without `id`"),
        (ALL_CATS.replace("r['id']", "r['id'] + 'x'"), "predict answers 0 of 3 rows, and 3 that were not asked"),
        (ALL_CATS + "\nyield {'id': 'd', 'pred': 'cat', 'conf': 0.5}", "3 of 3 rows, and 1 that were not asked"),
        (ALL_CATS.replace("r['id']", "None"), "and 3 without `id`"),
        (ALL_CATS.replace("'cat'", "'Cat'"), "predict answers 'Cat', which is not one of the classes cat, dog"),
        (ALL_CATS.replace("'cat'", "None"), "predict gives 3 rows no `pred`"),
        (ALL_CATS.replace("'cat'", "1"), "row 1 of `user:predict`: `pred` is 1, which is no string"),
        (ALL_CATS.replace("0.5", "float('nan')"), "predict gives 3 rows no finite `conf`"),
        (ALL_CATS.replace("0.5", "float('-inf')"), "predict gives 3 rows no finite `conf`"),
        (ALL_CATS.replace("0.5", "None"), "predict gives 3 rows no finite `conf`"),
        (ALL_CATS.replace("0.5", "'high'"), "row 1 of `user:predict`: `conf` is 'high', which is no double"),
        (ALL_CATS.replace(", 'conf': 0.5", ""), "row 1 of `user:predict` lacks `conf`"),
        (ALL_CATS.replace("'pred'", "'prediction'"), "lacks `pred` and has `prediction`, which is no column"),
        ("for r in rows: yield (r['id'], 'cat', 0.5)", "row 1 of `user:predict` is a tuple, not a dict"),
        ("yield from rows[0]", "row 1 of `user:predict` is a str, not a dict"),
        ("return 3", "`user:predict` must yield dicts, one for each row, not return a int"),
        (ALL_CATS + "\nraise ValueError('late')", "ValueError: late"),
    ],
)
def test_predictions_that_are_refused(bench, body, text):
    assert_said(predict(bench, body), 3, text)
    assert not bench.path("predictions").exists()


def test_a_task_without_a_score_and_one_of_numbers(bench):
    assert predict(bench, "for r in rows: yield {'id': r['id'], 'pred': 'dog'}", score=None).code == 0
    assert bench.rows("predictions")[0] == {"id": "b", "pred": "dog"}
    body = "for r in rows: yield {'id': r['id'], 'pred': 1.5}"
    assert predict(bench, body, score=None, type="regression", classes=[]).code == 0
    assert bench.rows("predictions")[0] == {"id": "b", "pred": 1.5}


def test_a_key_may_be_a_number(bench):
    columns = {**COLUMNS, "id": "integer"}
    rows = [{**row("x"), "id": n} for n in (3, 1)]
    assert predict(bench, ALL_CATS, rows, columns=columns).code == 0
    assert [r["id"] for r in bench.rows("predictions")] == [3, 1]


@pytest.mark.parametrize(("count", "shards"), [(10, 3), (3, 3), (2, 5), (1, 1), (7, 7)])
def test_shards_together_hold_every_row_once(bench, count, shards):
    rows = [row(f"{n:02}") for n in range(count)]
    seen = []
    for shard in range(1, shards + 1):
        assert predict(bench, ALL_CATS, rows, shard=shard, shards=shards).code == 0
        seen += [r["id"] for r in bench.rows("predictions")]
    assert seen == [r["id"] for r in rows]


@pytest.mark.parametrize(
    "change",
    ["pathlib.Path(model_dir, 'cache').write_text('x')", "pathlib.Path(model_dir, 'm.json').write_text('other')"],
)
def test_a_prediction_that_changes_its_model_is_refused(bench, change):
    bench.path("model").mkdir()
    bench.path("model/m.json").write_text("{}")
    assert_said(predict(bench, f"{ALL_CATS}\nimport pathlib\n{change}"), 3, "the code changed its input `model`")
    assert not bench.path("predictions").exists()


def test_predictions_know_their_model(bench):
    assert predict(bench, ALL_CATS).code == 0
    metadata = pq.read_schema(bench.path("predictions")).metadata
    assert metadata[b"clspec.model"].decode() == model_digest(bench.path("model"))


def test_progress_of_predictions(bench):
    ended = predict(bench, ALL_CATS, [row(f"{n}") for n in range(1_500)], extra=["--progress"])
    told = [json.loads(line)["progress"] for line in ended.out.splitlines()]
    assert [(p["done"], p["of"], p["what"]) for p in told] == [(n, 1_500, "rows") for n in (0, 1_000, 1_500)]


ANSWERS = """
import sys
import pyarrow as pa
import pyarrow.parquet as pq
data, model_dir, out = sys.argv[1:]
rows = pq.read_table(data)
assert "label" not in rows.column_names
answers = {"id": rows.column("id"), "pred": ["cat"] * len(rows), "conf": [1] * len(rows), "more": ["x"] * len(rows)}
pq.write_table(pa.table(answers), out)
"""


def test_predict_as_a_command(bench):
    (bench.code / "answer.py").write_text(ANSWERS)
    words = [sys.executable, "answer.py", "{data}", "{model_dir}", "{out}"]
    ended = predict(bench, "pass", call={"entrypoint": None, "command": words})
    assert ended.code == 0, ended.err
    assert bench.rows("predictions") == [{"conf": 1.0, "id": name, "pred": "cat"} for name in ("b", "a", "c")]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["true", "{data}"], "the command wrote no {out}"),
        (["sh", "-c", "exit 7", "{out}"], "ended with exit code 7"),
        (["sh", "-c", "echo x > $0", "{out}"], "what the command wrote to {out} is no Parquet file"),
        (["cp", "{data}", "{out}"], "what the command wrote to {out} has no column `pred`, `conf`"),
    ],
)
def test_a_predicting_command_that_fails(bench, words, text):
    assert_said(predict(bench, "pass", call={"entrypoint": None, "command": words}), 3, text)


# -- evaluate ----------------------------------------------------------------------------------------------------------


def evaluate(bench, rows, said, scenarios, *, cluster_by=None, shards=1):  # noqa: PLR0913
    inputs = {"data": bench.put_rows("data", rows)}
    answers = [{"id": r["id"], "pred": answer} for r, answer in zip(rows, said, strict=True)]
    for shard in range(1, shards + 1):
        part = answers[len(answers) * (shard - 1) // shards : len(answers) * shard // shards]
        name = f"predictions-{shard}"
        inputs[name] = bench.put_answers(name, part)
    return run_evaluation(bench, inputs, scenarios, cluster_by)


def run_evaluation(bench, inputs, scenarios, cluster_by=None):
    task = {**TASK, "score": None, "classes": ["cat", "dog", "a", "b", "c"]}
    config = {"task": task, "key": "id", "columns": COLUMNS, "cluster_by": cluster_by, "slices": {}, "code": None}
    return bench.run("evaluate", {**config, "scenarios": scenarios}, inputs=inputs, outputs=["metrics"])


def to_count(metric, name, **changes):
    better = METRICS[metric].higher_is_better
    return {"metric": metric, "class": name, "margin": False, "limit": None, "higher_is_better": better, **changes}


def asked(select, *checks, guard=None):
    counted_checks = [to_count(metric, name) for metric, name in checks]
    return {"id": "s", "select": select, "slices": [], "for_each": None, "checks": counted_checks, "guard": guard}


def only_case(bench):
    """The one case of the one scenario of the metrics."""
    (scenario,) = bench.json("metrics")["scenarios"]
    (case,) = scenario["cases"]
    return case


EVERY = [("accuracy", None)] + [
    (metric, name)
    for metric in ("recall", "precision", "false_positive_rate", "false_negative_rate")
    for name in ("a", "b", "c")
]


def by_hand(metric, name, pairs):
    """Denominator and numerator, from the four cells of the confusion matrix."""
    cells = Counter((label == name, said == name) for label, said in pairs)
    hit, miss, alarm, rest = cells[True, True], cells[True, False], cells[False, True], cells[False, False]
    return {
        "accuracy": (len(pairs), sum(Counter(pairs)[n, n] for n in "abc")),
        "recall": (hit + miss, hit),
        "precision": (hit + alarm, hit),
        "false_positive_rate": (alarm + rest, alarm),
        "false_negative_rate": (hit + miss, miss),
    }[metric]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc"), st.integers(0, 3)), min_size=1, max_size=30),
    st.integers(1, 3),
    st.randoms(use_true_random=False),
)
def test_every_metric_counts_what_its_formula_says(bench, drawn, shards, chance):
    rows = [row(f"{n}", n % 2, label, ride=f"{ride}") for n, (label, _, ride) in enumerate(drawn)]
    said = [answer for _, answer, _ in drawn]
    order = chance.sample(range(len(rows)), len(rows))
    scenario = asked("n = 0", *EVERY, guard={"select": "n = 1", "checks": []})
    ended = evaluate(
        bench, [rows[n] for n in order], [said[n] for n in order], [scenario], cluster_by="ride", shards=shards
    )
    assert ended.code == 0, ended.err
    found = {**bench.json("metrics")["scenarios"][0], **only_case(bench)}
    chosen = [(r, answer) for r, answer in zip(rows, said, strict=True) if r["n"] == 0]
    assert (found["selected"], found["nulls"]) == (len(chosen), 0)
    assert found["guard"]["selected"] == len(rows) - len(chosen)
    pairs = [(r["label"], answer) for r, answer in chosen]
    for check in found["checks"]:
        counted = check["tally"]
        assert (counted["rows"], counted["successes"]) == by_hand(check["metric"], check["class"], pairs), check
    accuracy = found["checks"][0]["tally"]
    expected = tally([r["label"] == answer for r, answer in chosen], [r["ride"] for r, _ in chosen])
    assert accuracy == dataclasses.asdict(expected)
    assert accuracy["clusters"] == len({r["ride"] for r, _ in chosen})


def test_without_clusters_every_row_is_worth_one(bench):
    assert evaluate(bench, [row("a"), row("b")], ["cat", "dog"], [asked("true", ("accuracy", None))]).code == 0
    found = only_case(bench)["checks"][0]["tally"]
    assert found == {"rows": 2, "successes": 1, "clusters": None, "effective": 2.0}


def test_a_null_in_a_selection_is_counted_and_not_selected(bench):
    rows = [row("a", 1), {**row("b"), "n": None}, row("c", 2), {**row("d"), "n": None}]
    assert evaluate(bench, rows, ["cat"] * 4, [asked("n = 1", ("accuracy", None))]).code == 0
    found = only_case(bench)
    assert (found["selected"], found["nulls"]) == (1, 2)
    assert evaluate(bench, rows, ["cat"] * 4, [asked("n is null", ("accuracy", None))]).code == 0
    found = only_case(bench)
    assert (found["selected"], found["nulls"]) == (2, 0)


def test_a_selection_of_nothing_and_a_golden_set_of_nothing(bench):
    assert evaluate(bench, [row("a")], ["cat"], [asked("n = 99", ("accuracy", None))]).code == 0
    (found,) = only_case(bench)["checks"]
    assert (found["rows"], found["value"], found["tally"], found["problem"]) == (0, None, None, None)
    assert evaluate(bench, [], [], [asked("true", ("accuracy", None), ("recall", "cat"))]).code == 0
    assert [check["rows"] for check in only_case(bench)["checks"]] == [0, 0]


def test_the_rows_that_were_wrong_are_named(bench):
    rows = [row("a", 0, "cat"), row("b", 0, "dog"), row("c", 1, "cat"), row("d", 1, "dog")]
    guard = {"select": "n = 1", "checks": [to_count("false_positive_rate", "dog")]}
    ended = evaluate(bench, rows, ["dog", "cat", "dog", "cat"], [asked("n = 0", ("recall", "dog"), guard=guard)])
    assert ended.code == 0, ended.err
    found = bench.json("metrics")["scenarios"][0]
    assert found["wrong"] == [{"key": "b", "label": "dog", "said": "cat"}]
    assert found["guard"]["wrong"] == [{"key": "c", "label": "cat", "said": "dog"}]
    many = [row(f"{n:03}") for n in range(100)]
    assert evaluate(bench, many, ["dog"] * 100, [asked("true", ("accuracy", None))]).code == 0
    wrong = bench.json("metrics")["scenarios"][0]["wrong"]
    assert [w["key"] for w in wrong] == [r["id"] for r in many[: len(wrong)]]
    assert 12 <= len(wrong) < 100


@pytest.mark.parametrize(
    ("answered", "text"),
    [
        (["a"], "1 predictions for 2 golden rows, 1 of which have none"),
        (["a", "x"], "2 predictions for 2 golden rows, 1 of which have none"),
        (["a", "b", "x"], "3 predictions for 2 golden rows, 0 of which have none"),
        (["a", "a"], "2 predictions for 2 golden rows, 1 of which have none"),
        (["a", "b", "b"], "3 predictions for 2 golden rows, 0 of which have none"),
    ],
)
def test_predictions_for_other_rows_are_refused(bench, answered, text):
    answers = [{"id": name, "pred": "cat"} for name in answered]
    inputs = {
        "data": bench.put_rows("data", [row("a"), row("b")]),
        "predictions-1": bench.put_answers("p", answers),
    }
    assert_said(run_evaluation(bench, inputs, [asked("true", ("accuracy", None))]), 3, text)


def test_a_label_outside_the_classes_is_refused(bench):
    rows = [row("a"), {**row("b"), "label": "Cat"}]
    ended = evaluate(bench, rows, ["cat", "cat"], [asked("true", ("accuracy", None))])
    assert_said(ended, 3, "1 golden rows have labels that are not in `task.classes`: 'Cat'")


def test_shards_of_different_models_are_refused(bench):
    inputs = {"data": bench.put_rows("data", [row("a"), row("b")])}
    for shard, name in enumerate("ab", 1):
        inputs[f"predictions-{shard}"] = bench.put_answers(f"p{shard}", [{"id": name, "pred": "cat"}], f"sha256:{name}")
    ended = run_evaluation(bench, inputs, [asked("true", ("accuracy", None))])
    assert_said(ended, 3, "not those of one model: sha256:a, sha256:b")


def test_golden_rows_without_a_label_or_a_cluster_are_refused(bench):
    check = [asked("true", ("accuracy", None))]
    rows = [row("a"), {**row("b"), "label": None}]
    assert_said(evaluate(bench, rows, ["cat", "cat"], check), 3, "1 golden rows have no label")
    rows = [row("a"), {**row("b"), "ride": None}]
    ended = evaluate(bench, rows, ["cat", "cat"], check, cluster_by="ride")
    assert_said(ended, 3, "1 golden rows have no `ride`, by which they are clustered")


def test_an_input_that_is_no_parquet_file(bench):
    inputs = {"data": bench.put("data", "no"), "predictions-1": "data"}
    assert_said(run_evaluation(bench, inputs, []), 3, "input `data` at", "cannot be read as Parquet")


# -- gate --------------------------------------------------------------------------------------------------------------


def counted(rows, successes, metric="recall", name="dog", **changes):
    """What a check about a share counted, where every selected row is in its denominator."""
    found = {"rows": rows, "successes": successes, "clusters": None, "effective": float(rows), **changes}
    rest = {"value": None, "champion": None, "paired": None, "spread": None, "problem": None}
    return {**to_count(metric, name), "rows": max(rows, 0), "clusters": found["clusters"], **rest, "tally": found}


def measured(name, *checks, nulls=0, guard=None):
    selected = checks[0].get("rows", 0) if checks else 0
    case = {"slice": None, "group": None, "of": selected, "selected": selected, "nulls": nulls, "checks": list(checks)}
    return {"id": name, "cases": [case], "slices": [], "wrong": [], "flipped": None, "guard": guard}


def demanded(name, *checks, guard=(), must_pass=True):
    return {
        "id": name,
        "must_pass": must_pass,
        "confidence": 0.95,
        "min_samples": 100,
        "slices": [],
        "for_each": None,
        "checks": [*checks],
        "guard": [*guard],
    }


def demand(kind="min", threshold=0.9, metric="recall", name="dog", gate="bound"):
    asks = to_count(metric, name, margin=kind == "margin")
    return {**asks, "kind": kind, "threshold": threshold, "max_gap": None, "range": None, "gate": gate}


METRICS_OF_NOTHING = {"model": "sha256:m", "compared": False, "champion": None, "rows": 1, "scenarios": []}
GOOD, BAD, FEW = counted(200, 199), counted(200, 150), counted(40, 40)
FALSE_ALARMS = demand("max", 0.05, "false_positive_rate")


def alarms(successes, rows=200):
    check = counted(rows, successes, "false_positive_rate")
    return {"selected": rows, "nulls": 0, "wrong": [], "flipped": None, "checks": [check]}


def gate(bench, scenarios, *metrics, standing=None, **config):
    """The verdict on metrics of one seed each, or how the gate ended if it reached none."""
    pins = bench.put("pins", {"d": {"digest": "sha256:d", "rows": 1}})
    inputs = {"pins": pins, "standing": bench.put("standing", standing or {"champion": None})}
    for seed, found in enumerate(metrics, 1):
        value = {**METRICS_OF_NOTHING, "scenarios": found} if isinstance(found, list) else found
        inputs[f"metrics-seed-{seed}"] = bench.put(f"m{seed}", value)
    bench.path("verdict").unlink(missing_ok=True)
    seeds = list(range(1, len(metrics) + 1))
    known = {"seeds": seeds, "scenarios": scenarios, "golden": "sha256:9", "training": "d", "pipeline": "regression"}
    given = {**known, "baseline": None, "reuse": None, **config}
    ended = bench.run("gate", given, inputs=inputs, outputs=["verdict"], parameters=["outcome"])
    if ended.code:
        assert not bench.path("verdict").exists()
        return ended
    found = bench.json("verdict")
    assert bench.path("outcome").read_text() == found["verdict"]
    return found


@pytest.mark.parametrize(
    ("check", "verdict", "reason"),
    [
        (GOOD, "pass", ""),
        (BAD, "fail", "s (seed 1): 150 of 200 right; the 95 % lower bound 0.695 is under 0.9"),
        (FEW, "inconclusive", "s (seed 1): only 40 rows, 100 are needed"),
        (counted(0, 0), "fail", "s (seed 1): no rows selected"),
        (counted(200, 199, "precision"), "fail", "s (seed 1): there is no result"),
        (counted(200, 199, name="cat"), "fail", "s (seed 1): there is no result"),
    ],
)
def test_verdicts(bench, check, verdict, reason):
    found = gate(bench, [demanded("s", demand())], [measured("s", check)])
    assert found["verdict"] == verdict
    assert found["reasons"] == ([reason] if reason else [])


def test_a_null_in_a_selection_is_inconclusive(bench):
    found = gate(bench, [demanded("s", demand())], [measured("s", GOOD, nulls=1)])
    assert found["verdict"] == "inconclusive"


def test_a_guard_that_fails_fails_the_scenario(bench):
    scenario = demanded("s", demand(), guard=[FALSE_ALARMS])
    assert gate(bench, [scenario], [measured("s", GOOD, guard=alarms(0))])["verdict"] == "pass"
    found = gate(bench, [scenario], [measured("s", GOOD, guard=alarms(200))])
    assert found["verdict"] == "fail"
    assert found["reasons"][0].startswith("s (seed 1): guard: 200 of 200 wrong")
    assert gate(bench, [scenario], [measured("s", GOOD)])["verdict"] == "fail"  # the guard was not measured
    null = {**alarms(0), "nulls": 2}
    assert gate(bench, [scenario], [measured("s", GOOD, guard=null)])["verdict"] == "inconclusive"


def test_every_check_counts(bench):
    two = demanded("s", demand(), demand(name="cat"))
    assert gate(bench, [two], [measured("s", GOOD, counted(200, 150, name="cat"))])["verdict"] == "fail"
    assert gate(bench, [two], [measured("s", GOOD, counted(200, 199, name="cat"))])["verdict"] == "pass"
    assert gate(bench, [two], [measured("s", GOOD)])["verdict"] == "fail"


def test_seeds_are_anded(bench):
    scenario = [demanded("s", demand())]
    good, bad = [measured("s", GOOD)], [measured("s", BAD)]
    assert gate(bench, scenario, good, good, good)["verdict"] == "pass"
    for metrics in ((bad, good, good), (good, bad, good), (good, good, bad)):
        found = gate(bench, scenario, *metrics)
        assert found["verdict"] == "fail"
        assert [r.partition(":")[0] for r in found["reasons"]] == [f"s (seed {metrics.index(bad) + 1})"]
    assert gate(bench, scenario, good, [measured("s", FEW)])["verdict"] == "inconclusive"
    assert gate(bench, scenario)["verdict"] == "fail"  # no seed at all


def test_what_need_not_pass_blocks_nothing(bench):
    scenarios = [demanded("s", demand()), demanded("t", demand(), must_pass=False)]
    for check in (BAD, FEW, counted(0, 0)):
        found = gate(bench, scenarios, [measured("s", GOOD), measured("t", check)])
        assert (found["verdict"], found["reasons"]) == ("pass", [])
        assert found["seeds"][0]["scenarios"][1]["verdict"] != "pass"
    assert gate(bench, scenarios[1:], [measured("t", GOOD)])["verdict"] == "fail"  # nothing must pass


def test_the_non_critical_family_is_corrected_by_holm_and_no_other_is(bench):
    check = counted(200, 188)  # bound 0.9034: passes alone
    names = [f"t{n}" for n in range(5)]
    for must_pass, verdict in ((True, "pass"), (False, "fail")):
        scenarios = [demanded(name, demand(), must_pass=must_pass) for name in names]
        found = gate(bench, scenarios, [measured(name, check) for name in names])
        assert {s["verdict"] for s in found["seeds"][0]["scenarios"]} == {verdict}
    assert "Holm" in found["seeds"][0]["scenarios"][0]["reason"]
    alone = gate(bench, [demanded("s", demand()), demanded("t", demand(), must_pass=False)],
                 [measured("s", GOOD), measured("t", check)])  # fmt: skip
    assert alone["seeds"][0]["scenarios"][1]["verdict"] == "pass"


def test_a_point_is_judged_as_it_stands(bench):
    scenario = demanded("t", demand(gate="point"), must_pass=False)
    for successes, verdict in ((180, "pass"), (179, "fail")):
        found = gate(
            bench, [demanded("s", demand()), scenario], [measured("s", GOOD), measured("t", counted(200, successes))]
        )
        assert found["seeds"][0]["scenarios"][1]["verdict"] == verdict


def test_a_scenario_that_was_not_measured_fails(bench):
    for metrics in ([], [measured("other", GOOD)]):
        found = gate(bench, [demanded("s", demand())], metrics)
        assert found["verdict"] == "fail"
        assert found["reasons"] == ["s (seed 1): there is no result"]


@pytest.mark.parametrize(
    "metrics",
    [
        "NaN",
        "",
        "[]",
        '"pass"',
        "{}",
        '{"scenarios": null}',
        '{"scenarios": [1]}',
        {},
        {**METRICS_OF_NOTHING, "model": ""},
        {**METRICS_OF_NOTHING, "champion": "sha256:c"},
        *(
            {**METRICS_OF_NOTHING, "scenarios": scenarios}
            for scenarios in (
                [{"id": "s"}],
                [measured("s", GOOD, nulls=-1)],
                [measured("s", GOOD, nulls=None)],
                [measured("s", GOOD, guard="good")],
                [measured("s", counted(-200, -199))],
                [measured("s", counted(200, 201))],
                [measured("s", counted(200, -1))],
                [measured("s", counted(200, 199, effective=math.nan))],
                [measured("s", counted(200, math.nan))],
                [measured("s", counted(200, math.inf))],
                [measured("s", counted(200, 199, effective=1e9))],
                [measured("s", counted(200, 199, effective=-1.0))],
                [measured("s", counted(200, 199, clusters=-5))],
                [measured("s", counted(200, 199, clusters=201))],
                [measured("s", counted(200, "199"))],
                [measured("s", counted(200, None))],
                [measured("s", counted(200, successes=True))],
                [measured("s", {**GOOD, "rows": 199})],
                [measured("s", {**GOOD, "value": 1e999})],
                [measured("s", {"metric": "recall", "class": "dog"})],
                [measured("s", BAD), measured("s", GOOD)],
            )
        ),
    ],
)
def test_metrics_that_cannot_be_never_pass(bench, metrics):
    assert_said(gate(bench, [demanded("s", demand())], metrics), 3)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_tampering_turns_a_failure_into_a_pass_or_a_traceback(bench, data):
    """Any value put in any one place of the metrics of a scenario that fails, and whose guard fails."""
    metrics = copy.deepcopy({**METRICS_OF_NOTHING, "scenarios": [measured("s", BAD, guard=alarms(200))]})
    places = list(_places(metrics))
    place = data.draw(st.sampled_from(places))
    strange = st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=3) | st.integers(-3, 3), st.lists, max_leaves=3
    )
    at = metrics
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = data.draw(strange)
    found = gate(bench, [demanded("s", demand(), guard=[FALSE_ALARMS])], metrics)
    if isinstance(found, Ended):
        assert_said(found, 3)
    else:
        assert found["verdict"] != "pass"


def _places(value, at=()):
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*at, key)
        if isinstance(inner, dict | list):
            yield from _places(inner, (*at, key))


# -- register ----------------------------------------------------------------------------------------------------------


RECORD = {
    "code": "sha256:c",
    "pipeline": "regression",
    "datasets": {"d": "sha256:d", "golden": "sha256:901d"},
    "roles": {"training": "d", "golden": "golden"},
}
REGISTERS = ("model", "training", "metrics", "predictions-1", "verdict")


def register(bench, verdict=None, config=RECORD, more=None, **model):
    """Register a model that was judged; `more` are inputs besides those that every pipeline has."""
    folder = bench.path("model")
    folder.mkdir(exist_ok=True)
    for name, content in (model or {"weights": "1"}).items():
        (folder / name).write_text(content)
    digest = model_digest(folder)
    bench.put("training", {"loss": 0.5})
    bench.put("metrics", {"model": digest, "rows": 1, "scenarios": []})
    bench.put("verdict", {"reasons": [], "seeds": [{"seed": 1, "model": digest}], **(verdict or {"verdict": "pass"})})
    bench.put_answers("predictions-1", [{"id": "a", "pred": "cat"}], digest)
    inputs = {**{name: name for name in REGISTERS}, **(more or {})}
    return bench.run("register", config, inputs=inputs, outputs=["registered"])


def test_a_model_that_passed_is_kept_with_its_record(bench):
    ended = register(bench)
    assert ended.code == 0, ended.err
    digest = re.fullmatch(r"model sha256:([0-9a-f]{64}): registered\n", ended.out)[1]
    base = bench.store / "spec/models" / digest
    assert (base / "files/weights").read_text() == "1"
    (kept,) = (base / "records").iterdir()
    record = json.loads(kept.read_text())
    assert (record["model"], record["files"]) == (f"sha256:{digest}", ["weights"])
    assert record["made_by"]["code"] == "sha256:c"
    assert (record["training"], record["golden"]["rows"]) == ({"loss": 0.5}, 1)
    assert record["verdict"]["verdict"] == "pass"
    answers = pq.read_table(base / "golden/901d.parquet")
    assert answers.to_pylist() == [{"id": "a", "pred": "cat"}]
    assert answers.schema.metadata[b"clspec.model"].decode() == f"sha256:{digest}"
    registered = {"model": f"sha256:{digest}", "record": kept.stem, "golden": "sha256:901d"}
    assert bench.json("registered") == registered


def test_a_dataset_that_moves_is_recorded_as_this_run_pinned_it(bench):
    moving = {**RECORD, "datasets": {**RECORD["datasets"], "d": None}}
    more = {"pins": bench.put("pins", {"d": {"digest": "sha256:new", "rows": 3}})}
    assert register(bench, config=moving, more=more).code == 0
    (kept,) = bench.store.rglob("records/*.json")
    assert json.loads(kept.read_text())["made_by"]["datasets"] == {"d": "sha256:new", "golden": "sha256:901d"}
    for pins in ({}, {"d": None}, {"d": {}}):
        more = {"pins": bench.put("pins", pins)}
        assert_said(register(bench, config=moving, more=more), 3, "which version of dataset `d`")
    assert_said(register(bench, config=moving), 3, "which version of dataset `d`")


def test_who_let_both_move_is_recorded(bench):
    allowed = {"by": "ann", "why": "a fix"}
    more = {"standing": bench.put("standing", {"champion": None, "allow_both": allowed})}
    assert register(bench, more=more).code == 0
    (kept,) = bench.store.rglob("records/*.json")
    assert json.loads(kept.read_text())["made_by"]["allow_both"] == allowed


def test_registering_twice_changes_nothing(bench):
    register(bench)
    before = {path: path.read_bytes() for path in bench.store.rglob("*") if path.is_file()}
    assert len(before) == 3
    ended = register(bench)
    assert (ended.code, "this judgement is registered already" in ended.out) == (0, True)
    assert {path: path.read_bytes() for path in bench.store.rglob("*") if path.is_file()} == before
    register(bench, weights="2")
    assert len(list((bench.store / "spec/models").iterdir())) == 2


@pytest.mark.parametrize("lost", ["files", "golden", "records"])
def test_what_a_killed_run_left_out_is_put_there_by_the_next(bench, lost):
    register(bench)
    before = {path: path.read_bytes() for path in bench.store.rglob("*") if path.is_file()}
    for path in (next((bench.store / "spec/models").iterdir()) / lost).iterdir():
        path.unlink()
    assert register(bench).code == 0
    assert {path: path.read_bytes() for path in bench.store.rglob("*") if path.is_file()} == before


def test_the_record_comes_last(bench, monkeypatch):
    written = []
    kind = type(storage_at(str(bench.store)))
    for name in ("write", "create"):
        put = getattr(kind, name)

        def spy(self, key, content, put=put):
            written.append(key.split("/")[3])
            return put(self, key, content)

        monkeypatch.setattr(kind, name, spy)
    assert register(bench).code == 0
    assert written == ["files", "golden", "records"]


@pytest.mark.parametrize(
    "verdict",
    [{"verdict": word} for word in ("fail", "inconclusive", "not_compared", "PASS", "passed", "", None, True)]
    + [{"reasons": []}],
)
def test_nothing_else_is_kept(bench, verdict):
    assert_said(register(bench, verdict), 1, "nothing is registered")
    assert not bench.store.exists()


def test_a_later_judgement_of_the_same_model_is_kept_beside_the_first(bench):
    register(bench)
    register(bench, {"verdict": "pass", "reasons": ["another"]})
    assert len(list((bench.store / "spec/models").iterdir())) == 1
    assert len(list(bench.store.rglob("records/*.json"))) == 2


def test_a_model_that_is_not_the_one_that_was_judged_is_not_kept(bench):
    register(bench, {"verdict": "fail"})
    bench.put("verdict", {"verdict": "pass"})
    bench.path("model/weights").write_text("changed since")
    inputs = {name: name for name in REGISTERS}
    ended = bench.run("register", RECORD, inputs=inputs, outputs=["registered"])
    assert_said(ended, 1, "the one that was judged is sha256:")
    assert not bench.store.exists()


@pytest.mark.parametrize("seeds", [[], None, 1, [1], [{"seed": 1}], [{"seed": 1, "model": "sha256:x"}]])
def test_a_verdict_on_another_model_keeps_none(bench, seeds):
    assert_said(register(bench, {"verdict": "pass", "seeds": seeds}), 1, "the one that was judged is")
    assert not bench.store.exists()


@pytest.mark.parametrize(
    ("answers", "model"), [([], ""), ([{"id": "a", "pred": "cat"}], "sha256:x"), ([{"id": "a", "pred": "cat"}] * 2, "")]
)
def test_predictions_of_another_model_or_of_other_rows_are_not_kept(bench, answers, model):
    register(bench, {"verdict": "fail"})
    digest = model_digest(bench.path("model"))
    bench.put("verdict", {"verdict": "pass", "seeds": [{"model": digest}]})
    bench.put_answers("predictions-1", answers, model or digest)
    inputs = {name: name for name in REGISTERS}
    ended = bench.run("register", RECORD, inputs=inputs, outputs=["registered"])
    assert_said(ended, 3, "what was judged are 1 golden rows of sha256:")
    assert not bench.store.exists()


def test_a_model_with_a_pickle_is_not_kept(bench):
    assert_said(register(bench, **{"m.pkl": "x"}), 3, "a pickle")
    assert [path for path in bench.store.rglob("*") if path.is_file()] == []


def test_two_at_once(bench):
    register(bench, {"verdict": "fail"})
    bench.put("verdict", {"verdict": "pass", "seeds": [{"model": model_digest(bench.path("model"))}]})
    words = [word for name in REGISTERS for word in ("--in", f"{name}={bench.path(name)}")]
    command = [sys.executable, "-m", "clspec.step", "register", "--config", json.dumps({"spec": "spec", **RECORD})]

    def one(number):
        out = bench.path(f"registered-{number}")
        return subprocess.run(
            [*command, "--store", str(bench.store), *words, "--out", f"registered={out}"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    with ThreadPoolExecutor(4) as threads:
        said = sorted(text.split()[-1] for text in threads.map(one, range(4)))
    assert said == ["already", "already", "already", "registered"]
    assert len(list(bench.store.rglob("records/*.json"))) == 1


# -- report ------------------------------------------------------------------------------------------------------------

HOSTILE = "<script>alert(1)</script>{{7*7}}{% raw %}\"'>&<img src=x onerror=y>"


class Page(HTMLParser):
    """What a browser would see: tags with their attributes, and the text outside of style, script and drawings."""

    def __init__(self, text):
        super().__init__()
        self.tags, self._text, self._inside = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "img", "br"}:
            self._inside.append((tag, dict(attrs).get("id")))

    def handle_endtag(self, tag):
        assert self._inside.pop()[0] == tag, "every element is closed where it belongs"

    def handle_data(self, data):
        if {"style", "script", "svg"}.isdisjoint(tag for tag, _ in self._inside):
            self._text.append(({name for _, name in self._inside}, data))

    @property
    def words(self):
        return self.of(None)

    def of(self, section):
        """The text of the section with this id; of all of it without one."""
        return " ".join(" ".join(data for names, data in self._text if section in {None, *names}).split())


def record(*scenarios, params=None):
    return {
        "pipeline": "regression",
        "code": "sha256:c0de",
        "image": "",
        "params": params or {},
        "seeds": [1],
        "datasets": {"golden": "sha256:901d"},
        "roles": {"training": "d", "golden": "golden"},
        "scenarios": [{"id": s, "select": f"label = '{s}'", "guard": None} for s in scenarios],
    }


def report(bench, verdict, made_by, metrics=(), training=()):
    inputs = {"verdict": bench.put("verdict-in", verdict)}
    for what, values in (("metrics", metrics), ("training", training)):
        for seed, value in enumerate(values, 1):
            inputs[f"{what}-seed-{seed}"] = bench.put(f"{what}{seed}", value)
    return bench.run("report", made_by, inputs=inputs, outputs=["report"])


def page(bench):
    return Page(bench.path("report/report.html").read_text(encoding="utf-8"))


def wrong(key, label="dog", said="cat"):
    return {"key": key, "label": label, "said": said}


def test_the_report_of_a_failure_shows_at_once_what_failed_and_on_which_rows(bench):
    verdict = gate(
        bench,
        [demanded("dogs", demand()), demanded("cats", demand(name="cat"))],
        [measured("dogs", BAD), measured("cats", counted(200, 199, name="cat"))],
        [measured("dogs", GOOD), measured("cats", counted(200, 199, name="cat"))],
    )
    metrics = [
        {"scenarios": [{**measured("dogs"), "wrong": [wrong(f"row-{n}") for n in range(20)]}, measured("cats")]},
        {"scenarios": [{**measured("dogs"), "wrong": [wrong("row-19", said="cow")]}, measured("cats")]},
    ]
    assert report(bench, verdict, record("dogs", "cats"), metrics, [{"loss": 0.25}, {}]).code == 0
    against, rest = page(bench).of("against"), page(bench).of("others")
    assert page(bench).of("answer").startswith("✗ failed 1 of 2 must-pass scenarios pass under every seed.")
    assert "dogs ✗ failed seed 1: ✗ failed , 150 of 200 right; the 95 % lower bound 0.695 is under 0.9" in against
    assert "seed 2" not in against.partition("golden row")[0], "a seed that passed says nothing there"
    assert "rows label = 'dogs'" in against
    assert "row-19 dog cat (seed 1); cow (seed 2) row-0 dog cat (seed 1)" in against, "what most seeds had wrong first"
    assert ("row-10" in against, "row-11" in against) == (True, False), "a dozen"
    assert "cats ✓ passed" in rest
    assert "loss = 0.25" in page(bench).of("training")


def test_the_report_of_a_pass(bench):
    verdict = gate(bench, [demanded("dogs", demand())], [measured("dogs", GOOD)])
    assert report(bench, verdict, record("dogs")).code == 0
    assert page(bench).of("answer").startswith("✓ passed 1 of 1 must-pass scenarios pass")
    assert "What stands against" not in page(bench).words


def test_the_json_report_is_the_verdict_and_what_it_is_about(bench):
    verdict = gate(bench, [demanded("dogs", demand(), guard=[FALSE_ALARMS])], [measured("dogs", BAD, guard=alarms(9))])
    metrics = [{"scenarios": [{**measured("dogs", guard={"wrong": [wrong("b")]}), "wrong": [wrong("a")]}]}]
    made_by = record("dogs")
    assert report(bench, verdict, made_by, metrics, [{"loss": 1.0}]).code == 0
    found = bench.json("report/report.json")
    assert {key: found[key] for key in verdict} == verdict
    assert found["made_by"] == {"spec": "spec", **made_by}
    assert found["training"] == {"1": {"loss": 1.0}}
    assert found["examples"] == {"1": {"dogs": {"scenario": [wrong("a")], "guard": [wrong("b")]}}}


def test_nothing_in_a_report_is_markup_or_template(bench):
    verdict = gate(bench, [demanded(HOSTILE, demand())], [measured(HOSTILE, BAD)])
    verdict["reasons"].append(HOSTILE)
    verdict["seeds"][0]["scenarios"][0]["reason"] = HOSTILE
    verdict["seeds"][0]["scenarios"][0]["checks"][0] |= {"reason": HOSTILE, "class": HOSTILE, "metric": HOSTILE}
    verdict |= {"warnings": [HOSTILE], "champion": {"number": HOSTILE, "model": HOSTILE}}
    flip = {"key": HOSTILE, "label": HOSTILE, "said": HOSTILE, "champion": HOSTILE}
    told = [{"metric": HOSTILE, "class": HOSTILE, "value": 0.5}]
    verdict["seeds"][0]["scenarios"][0] |= {
        "flipped": {"count": 1, "rows": [flip]},
        "slices": [{"name": HOSTILE, "rows": 1, "nulls": 0, "checks": told}],
    }
    verdict["seeds"][0]["scenarios"][0]["checks"][0]["title"] = HOSTILE
    made_by = {**record(HOSTILE, params={HOSTILE: HOSTILE}), "spec": HOSTILE, "image": HOSTILE, "code": HOSTILE}
    made_by |= {"datasets": {HOSTILE: HOSTILE}, "pipeline": HOSTILE}
    made_by["scenarios"][0] |= {"select": HOSTILE, "guard": HOSTILE}
    rows = [wrong(HOSTILE, HOSTILE, HOSTILE)]
    metrics = [{"scenarios": [{**measured(HOSTILE, guard={"wrong": rows}), "wrong": rows}]}]
    assert report(bench, verdict, made_by, metrics, [{HOSTILE: 1.0}]).code == 0
    text = bench.path("report/report.html").read_text(encoding="utf-8")
    plain = (
        "html head meta title style script body main header nav section h1 h2 h3 p ul ol li span div a small code b dl"
    )
    plain += " dt dd details summary table caption thead tbody tr th td br svg g rect line path text circle"
    found = Page(text)
    assert {tag for tag, _ in found.tags} <= {*plain.split()}
    assert [tag for tag, _ in found.tags].count("script") == 1
    assert not any(name.startswith("on") for _, attributes in found.tags for name in attributes)
    assert "49" not in found.words
    assert found.words.count(HOSTILE) >= 15


def test_the_report_of_a_comparison_shows_the_champion_the_flips_and_the_slices(bench):
    """Of a verdict with all that a check can tell; the table for a terminal says the same."""
    margin = {**demand("margin", 0.05, "accuracy", None), "title": "dogs[night, sky=rain]", "part": "scenario"}
    numbers = {"estimate": -0.03, "bound": -0.06, "rows": 200, "clusters": None, "effective": 200.0}
    power = {"chance": 0.8, "passes_at": None, "passes_at_all": None, "when_equal": 0.9, "when_equal_all": 0.729}
    told = {"slice": "night", "group": {"column": "sky", "value": "rain"}, "mcnemar": 0.1, "power": power}
    check = {**margin, **numbers, **told, "value": 0.9, "champion": 0.93, "verdict": "fail", "reason": "worse"}
    flipped = {"count": 30, "rows": [{**wrong("row-1"), "champion": "hound"}]}
    values = [{"metric": "accuracy", "class": None, "value": 0.75}, {"metric": "recall", "class": "dog", "value": None}]
    slices = [{"name": "dawn", "rows": 40, "nulls": 3, "checks": values}]
    scenario = {"id": "dogs", "must_pass": True, "verdict": "fail", "reason": "worse", "checks": [check]}
    scenario |= {"slices": slices, "flipped": flipped}
    verdict = {
        "verdict": "fail",
        "reasons": ["dogs (seed 1): worse"],
        "warnings": ["this is decision 9 of 10"],
        "champion": {"number": 3, "model": "sha256:old"},
        "golden": "sha256:9",
        "seeds": [{"seed": 1, "model": "sha256:new", "scenarios": [scenario]}],
    }
    assert report(bench, verdict, record("dogs")).code == 0
    words = page(bench).words
    assert "champion 3, sha256:old" in page(bench).of("answer")
    assert "Warning: this is decision 9 of 10" in words
    row_of_table = "dogs[night, sky=rain] 1 accuracy -0.0300 (0.9000) 0.9300 -0.0600 > -0.05 200 fail worse"
    shown = row_of_table.replace("fail", "✗ failed")
    assert f"{shown} (power: 90% if equal; 73% with all seeds)" in words
    assert "the champion had right and this model has wrong: 30 under seed 1 golden row" in words
    assert "row-1 dog hound cat (seed 1)" in words
    assert "dawn 40 (3 NULL) accuracy 0.7500 dawn 40 (3 NULL) recall dog -" in words
    shown = as_text(verdict)
    assert "champion" in shown.splitlines()[0]
    assert [*shown.splitlines()[1].split(), "worse"] == row_of_table.split(), "why is said under the table, once"
    assert shown.splitlines()[-1] == "warning: this is decision 9 of 10"
    why = "  dogs[night, sky=rain], accuracy (seed 1): fail: "
    assert why not in shown, "the verdict's own reasons say it"
    assert why + "worse" in as_text({**verdict, "reasons": ["another"]}).splitlines()


def test_the_report_of_a_run_that_made_no_model(bench):
    assert bench.run("report", record(), outputs=["report"]).code == 0
    words = page(bench).words
    assert page(bench).of("answer").startswith("- not judged")
    assert "This run made no model, so there was none to judge." in words


def told_by_the_loop(text):
    """What some of the loop's steps tell, with a text wherever data or people may have put one."""
    labels = {"new": 2, "by_class": {text: 2}, "open": 1, "by_origin": {text: 2}, "disagreements": 0}
    labels |= {"agreement": {"alpha": None}, "audits": {}, "notes": [text], "alarms": [text]}
    example = {"key": text, "cause": text, "dataset": text}
    return {
        "loop-labels": labels,
        "loop-dropped-mined": {"kept": 3, "dropped": {text: 1}, "examples": [example]},
        "loop-decision": {"retrain": False, "reason": text},
    }


def test_the_report_tells_the_loops_story_and_then_all_of_it(bench):
    inputs = {name: bench.put(name, value) for name, value in told_by_the_loop("few hounds").items()}
    assert bench.run("report", record(), inputs=inputs, outputs=["report"]).code == 0
    head, loop = page(bench).of("answer"), page(bench).of("loop")
    assert "✗ alarm The verdict is not judged, and yet the run does not end well." in head
    assert "there was none to judge. Why: few hounds." in head
    assert "Alarm: few hounds" in page(bench).words
    tale, _, tables = loop.partition("All that its steps told, as tables")
    assert "labels 2 rows with a label came in (few hounds 2), 1 still wait" in tale
    assert "retrain? no: few hounds guard 3 rows kept, dropped as golden: few hounds 1" in tale
    assert "Labels that came in" in tables
    assert "Mined rows that the guard dropped: examples key cause dataset" in tables
    assert [tag for tag, _ in page(bench).tags].count("details") == 1


def test_nothing_that_the_loop_told_is_markup_or_template(bench):
    inputs = {name: bench.put(name, value) for name, value in told_by_the_loop(HOSTILE).items()}
    assert bench.run("report", record(), inputs=inputs, outputs=["report"]).code == 0
    found = page(bench)
    assert {tag for tag, _ in found.tags}.isdisjoint({"img", "i", "iframe", "svg"})
    assert [tag for tag, _ in found.tags].count("script") == 1
    assert not any(name.startswith("on") for _, attributes in found.tags for name in attributes)
    assert "49" not in found.words
    assert found.words.count(HOSTILE) >= 12


def test_what_the_loop_told_without_its_form_makes_no_report(bench):
    inputs = {"loop-decision": bench.put("decision", {"retrain": False})}
    assert_said(bench.run("report", record(), inputs=inputs, outputs=["report"]), 3, "what the loop's steps told")
    assert not bench.path("report").exists()


def test_a_report_needs_no_other_file(bench):
    verdict = gate(bench, [demanded("dogs", demand())], [measured("dogs", GOOD)])
    assert report(bench, verdict, record("dogs")).code == 0
    text = bench.path("report/report.html").read_text(encoding="utf-8")
    assert not re.search(r"https?:|//[a-z]|url\(|@import|<link|<script |<img|\bsrc=|\bhref=\"[^#]", text)
    assert "default-src 'none'" in text.replace("&#39;", "'")
    names = ["junit.xml", "report.html", "report.json", "result.json"]
    assert sorted(path.name for path in bench.path("report").iterdir()) == names


def test_a_page_trusts_its_own_style_and_script_and_no_other(bench):
    verdict = gate(bench, [demanded("dogs", demand())], [measured("dogs", GOOD)])
    assert report(bench, verdict, record("dogs")).code == 0
    text = bench.path("report/report.html").read_text(encoding="utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)[1].replace("&#39;", "'")
    for tag in ("style", "script"):
        inside = re.search(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_the_same_verdict_is_the_same_bytes(bench):
    verdict = gate(bench, [demanded("dogs", demand())], [measured("dogs", GOOD)])
    seen = set()
    for _ in range(2):
        assert report(bench, verdict, record("dogs"), training=[{"loss": 1.0}] * 11).code == 0
        seen.add(hashlib.sha256(bench.path("report/report.html").read_bytes()).hexdigest())
    assert len(seen) == 1
    assert page(bench).of("training").rpartition("returned")[2].split()[::4] == [f"{n}" for n in range(1, 12)]


def test_a_report_without_a_scenario_says_so(bench):
    for seeds in ([], [{"seed": 1, "scenarios": []}]):
        verdict = {"verdict": "fail", "reasons": ["nothing was judged that must pass"], "seeds": seeds}
        assert report(bench, verdict, record()).code == 0
        words = page(bench).words
        assert "No scenario was judged, and what was not judged is not passed." in words
        assert "nothing was judged that must pass" in words


@pytest.mark.parametrize(
    "verdict", ["", "[]", {}, {"verdict": "pass"}, {"verdict": "pass", "reasons": [], "seeds": [1]}]
)
def test_a_verdict_that_is_none_is_not_shown(bench, verdict):
    assert_said(report(bench, verdict, record()), 3)
    assert not bench.path("report").exists()


# -- conclude ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "verdict",
    [
        *(
            {"verdict": word}
            for word in ("fail", "inconclusive", "not_compared", "PASS", " pass", "pass ", "passed", "")
        ),
        *({"verdict": value} for value in (None, True, 1, ["pass"], {"pass": True})),
        {},
        {"verdict": "fail", "reasons": "pass"},
        {"verdict": "fail", "reasons": [1, None]},
        {"Verdict": "pass"},
    ],
)
def test_anything_but_a_pass_ends_with_1(bench, verdict):
    assert_said(conclude(bench, verdict), 1, "the verdict is ")


@pytest.mark.parametrize(
    "text", ["", "pass", '"pass"', '["pass"]', "null", '{"verdict":"pass"', "\ufeffpass", "[" * 99_999]
)
def test_a_verdict_that_cannot_be_read_is_never_green(bench, text):
    assert_said(conclude(bench, text), 3, "input `verdict` at")


# -- conclude, of the loop ---------------------------------------------------------------------------------------------


def ended(bench, *, retrain, alarms=(), verdict=None, promoted=None):
    """How `conclude` ends a run of the improvement pipeline that told this."""
    told = {
        "loop-decision": {"retrain": retrain, "reason": "3 of 5 new samples"},
        "loop-labels": {"alarms": list(alarms)},
        "verdict": verdict,
        "loop-promoted": promoted,
    }
    inputs = {name: bench.put(name, found) for name, found in told.items() if found is not None}
    return bench.run("conclude", {"pipeline": "improvement"}, inputs=inputs)


def test_not_worth_a_new_model_is_a_good_end_that_says_why(bench):
    done = ended(bench, retrain=False)
    assert (done.code, "no new model: 3 of 5 new samples" in done.out) == (0, True)


def test_an_alarm_ends_a_run_with_1_whatever_the_verdict(bench):
    assert_said(ended(bench, retrain=False, alarms=["audit: 0.3 is over 0.02"]), 1, "audit: 0.3 is over 0.02")
    assert_said(ended(bench, retrain=True, alarms=["audit"], verdict={"verdict": "pass"}), 1, "audit")


def test_a_new_model_needs_a_passing_verdict(bench):
    assert ended(bench, retrain=True, verdict={"verdict": "pass"}).code == 0
    assert_said(ended(bench, retrain=True, verdict={"verdict": "fail"}), 1, "the verdict is fail")
    assert_said(ended(bench, retrain=True), 1, "there is no verdict on it")


def test_a_run_that_awaits_approval_ends_well_and_says_how_to_go_on(bench):
    promoted = {"model": "sha256:ab", "reached": ["shadow"], "awaiting": "champion", "approval": "safety-board"}
    done = ended(bench, retrain=True, verdict={"verdict": "pass"}, promoted=promoted)
    assert done.code == 0
    assert "awaiting approval by safety-board: clspec promote sha256:ab --stage champion" in done.out
