"""`clspec promote|rollback|models|lineage`, `data log|show|diff|erase|gc`, `lock --from-champion`, as they are said."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clspec import api
from clspec.cli.commands import run
from clspec.data import table
from clspec.data.storage import storage_at
from clspec.data.versions import Dataset, Shape
from clspec.lower import judging
from clspec.step import demands

HELLO = Path(__file__).parents[1] / "data/hello"
COLUMNS = {"id": "string", "grams": "double", "label": "string"}
SHAPE = Shape(columns=COLUMNS, key="id", group=None)
A, B = ("sha256:" + letter * 64 for letter in "ab")
NOW = datetime(2026, 1, 2, tzinfo=UTC)
STAGES = "promotion: {stages: [{alias: shadow}, {alias: champion, approval: board}]}\n"


class Project:
    def __init__(self, folder, capsys):
        self.folder, self.capsys, self.spec = folder, capsys, folder / "hello.yaml"
        shutil.copytree(HELLO, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "*.lock"))
        text = self.spec.read_text()
        for name, count in (("orchard", 20), ("market", 240)):
            rows = [
                {"id": f"{name}-{n}", "grams": float(n), "label": "melon" if n % 2 else "apple"} for n in range(count)
            ]
            pq.write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet")
            old = f'{{type: python, entrypoint: "fruit:{name}"'
            assert old in text
            text = text.replace(old, f"{{type: parquet, uri: {name}.parquet")
        self.spec.write_text(text)
        self.lock = api.lock(str(self.spec)).lock

    @property
    def storage(self):
        return storage_at(str(self.folder / "store"))

    def dataset(self, name="fruit"):
        return Dataset(self.storage, "hello", name)

    def say(self, *words, code=0):
        self.capsys.readouterr()
        spec = [str(self.spec)] if words[0] == "lock" else ["--spec", str(self.spec)]
        assert run([*words, *spec]) == code, self.capsys.readouterr()
        out, err = self.capsys.readouterr()
        return err if code else out

    def register(self, model, against=None, *, training=None, golden=None):
        data = {
            "fruit": training or self.lock.datasets["fruit"].digest,
            "golden": golden or self.lock.datasets["golden"].digest,
        }
        made_by = {
            "pipeline": "regression",
            "code": "sha256:c",
            "params": {"trim": 0.05},
            "image": "",
            "datasets": data,
            "roles": {"training": "fruit", "golden": "golden"},
        }
        champion = {"number": 1, "model": against} if against else None
        golden_section, counted, demanded = self.gates()
        record = {
            "model": model,
            "made_by": made_by,
            "golden": {"scenarios": counted},
            "verdict": {
                "verdict": "pass",
                "champion": champion,
                "seeds": [{"seed": seed, "model": model, "scenarios": demanded} for seed in golden_section["seeds"]],
            },
        }
        self.storage.create(f"hello/models/{model[7:]}/records/{len(data)}.json", json.dumps(record).encode())

    def gates(self):
        """The golden section as the gate reads it, and what a verdict tells of it."""
        spec = api.check(str(self.spec)).facts.spec
        whole, judged_by = judging.measured_golden(spec), judging.demanded_golden(spec)
        clusters = spec.golden.cluster_by
        counted = [
            {"id": scenario["id"], "asked": demands.counted(scenario, whole["slices"], clusters)}
            for scenario in whole["scenarios"]
        ]
        demanded = [{"id": s["id"], "asked": demands.demanded(s)} for s in judged_by["scenarios"]]
        return judged_by, counted, demanded

    def grow(self, *names):
        told = {
            **dict.fromkeys(("event", "rules", "origin", "by", "teacher"), "string"),
            "votes": "integer",
            "queued_at": "timestamp",
            "labelled_at": "timestamp",
        }
        rows = table.from_rows([{"id": n, "grams": 1.0, "label": "apple"} for n in names], COLUMNS, "x")
        known = {**dict.fromkeys(told), "rules": "unsure,audit", "origin": "people", "by": "ann"}
        origins = [{**known, "id": name, "event": f"event-{name}"} for name in names]
        provenance = table.from_rows(origins, {**told, "id": "string"}, "x")
        return self.dataset().append(rows, SHAPE, "labels", provenance).version


@pytest.fixture
def project(tmp_path, capsys):
    return Project(tmp_path / "project", capsys)


@pytest.fixture
def staged(project):
    with project.spec.open("a") as file:
        file.write(STAGES)
    return project


# -- models ------------------------------------------------------------------------------------------------------------


def test_a_person_crowns_a_registered_model(project):
    assert "no model is registered" in project.say("models")
    project.register(A)
    assert "has `champion`" in project.say("promote", "aaaa", "--why", "the first")
    assert "champion" in project.say("models")
    (listed,) = json.loads(project.say("models", "--format", "json"))
    assert (listed["digest"], listed["stages"], listed["judgements"]) == (A, ["champion"], 1)
    told = project.say("lineage", "aa")
    assert "promote to `champion` (number 1) by " in told
    assert "the first" in told
    assert "fruit" in told
    project.say("promote", "aaaa")  # once more changes nothing
    assert told == project.say("lineage", "aa")


def test_an_approval_is_by_name(staged):
    staged.register(A)
    assert "awaits approval by board for `champion`" in staged.say("promote", A)
    assert "needs the approval of board" in staged.say("promote", A, "--stage", "champion", code=1)
    assert "say --approved-by NAME" in staged.say("promote", A, "--stage", "champion", "--approved-by", " ", code=2)
    staged.say("promote", A, "--approved-by", "ann", "--why", "safe")
    told = staged.say("lineage", A)
    assert "promote to `champion` (number 1) by ann for board at " in told
    assert ": safe" in told
    assert "there is no stage `x`" in staged.say("promote", A, "--stage", "x", code=2)


def test_who_may_not_go_up(project):
    project.register(A, golden="sha256:another")
    assert "has no passing verdict on the golden version" in project.say("promote", A, code=1)
    assert "no registered model begins with `b`" in project.say("promote", "b", code=2)
    assert "names no model" in project.say("promote", "../x", code=2)


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ("min: 0.95", "min: 0.96", "melons"),
        ("\"label = 'melon'\"", "\"label = 'melon' and grams >= 0.0\"", "melons"),
        ("- id: melons", "- id: fruit", "fruit"),
        ("seeds: [1, 2]", "seeds: [1, 2, 3]", "the seeds"),
    ],
)
def test_a_pass_by_other_gates_is_no_pass(project, before, after, named):
    project.register(A)
    text = project.spec.read_text()
    assert before in text
    project.spec.write_text(text.replace(before, after, 1))
    project.say("lock")
    told = project.say("promote", A, code=1)
    assert f"passed other gates than the spec has now: {named} changed since" in told
    project.register(B)
    assert "has `champion`" in project.say("promote", B)


def test_back_to_the_model_before(project):
    project.register(A)
    project.register(B, A)
    assert "there is nothing to go back to" in project.say("rollback", "--by", "ann", "--why", "x", code=1)
    project.say("promote", A)
    project.say("promote", B)
    assert f"`champion` is {A} again, and no longer {B}" in project.say("rollback", "--by", "ann", "--why", "worse")
    assert "rollback to `champion` (number 3) by ann" in project.say("lineage", A)
    assert "--stage champion` makes it that again" in project.say("promote", B, code=1)
    project.say("promote", B, "--stage", "champion")
    assert "champion" in next(line for line in project.say("models").splitlines() if line.startswith("sha256:bbbb"))


def test_lineage_leads_back_to_the_events(project):
    version = project.grow("n1", "n2")
    project.register(A, training=version.digest)
    told = project.say("lineage", A)
    assert "by rule: audit 2, unsure 2; by origin: people 2, added 20" in told
    assert "version 1: 20 rows, from orchard" in told
    assert "version 2: 22 rows, from labels" in told
    assert "event-n1" not in told
    assert "n1  event-n1  unsure,audit  people  ann" in project.say("lineage", A, "--rows")
    found = json.loads(project.say("lineage", A, "--format", "json"))
    assert [row["event"] for row in found["judged"][0]["taught"]["origins"]] == ["event-n1", "event-n2"]


def test_the_lock_follows_the_champion(project):
    assert "there is no champion in" in told_by(lambda: api.lock(str(project.spec), from_champion=True))
    version = project.grow("n1")
    project.grow("n2")
    project.register(A, training=version.digest)
    project.say("promote", A)
    project.say("lock", "--from-champion")
    assert api.lock(str(project.spec)).lock.datasets["fruit"].digest == version.digest
    both = told_by(lambda: api.lock(str(project.spec), ("fruit",), from_champion=True))
    assert "so does --update: give one of them" in both
    project.say("data", "erase", "--dataset", "fruit", "--key", "n1")
    assert "has erased rows of dataset `fruit`" in told_by(lambda: api.lock(str(project.spec), from_champion=True))


def told_by(call):
    from clspec.diagnostic import ClspecError

    with pytest.raises(ClspecError) as raised:
        call()
    return str(raised.value)


# -- data --------------------------------------------------------------------------------------------------------------


def test_the_history_of_a_dataset(project):
    project.grow("n1", "n2")
    first, second = project.say("data", "log", "fruit").splitlines()
    assert first.split() == ["1", project.lock.datasets["fruit"].digest, "20", "rows", "orchard", "pinned"]
    assert "22 rows  labels" in second
    shown = project.say("data", "show", "fruit")
    assert "apple: 12" in shown
    assert shown.count("label=") == 5, "a first look, not all"
    assert "grams=1.0  id='n1'  label='apple'" in shown
    assert "20 rows" in project.say("data", "show", "fruit", "1")
    assert "20 rows" in project.say("data", "show", "fruit", project.lock.datasets["fruit"].digest[:19])
    told = project.say("data", "diff", "fruit", "1").splitlines()
    assert told == ["version 1 to version 2: 20 to 22 rows", "  + n1", "  + n2", "  apple: 10 to 12"]
    assert "  - n1" in project.say("data", "diff", "fruit", "2", "1")
    assert "there is no dataset `frut`" in project.say("data", "log", "frut", code=2)
    for words in (("show", "fruit", "3"), ("show", "fruit", "0"), ("diff", "fruit", "1", "sha256:00000000")):
        assert "has no version `" in project.say("data", *words, code=2)


def test_erasure_names_who_has_learned(project):
    older, version = project.dataset().newest(), project.grow("n1", "n2")
    project.register(A, training=version.digest)
    project.register(B, A, training=older.digest)
    project.say("promote", A)
    told = project.say("data", "erase", "--dataset", "fruit", "--key", "n1", "market-3", "--why", "asked for")
    assert "fruit version 3: 1 rows erased, 21 left" in told
    assert "2 keys are barred" in told
    assert f"model {A} learned from them, and was champion" in told
    assert B not in told
    assert "dataset `golden` holds rows under these keys too" in told
    assert "the lock pins" not in told
    again = project.say("data", "erase", "--dataset", "fruit", "--key", "n1", "market-3")
    assert f"model {A} learned from them, and was champion" in again
    assert "0 rows erased" in again
    assert "no row has any of these keys" in again
    assert "no row has any" not in told
    assert "holds rows that were erased" in project.say("data", "show", "fruit", "2", code=3)
    log = project.say("data", "log", "fruit").splitlines()
    assert "cannot be read" in log[1]
    assert "erasure: asked for  1 rows taken out" in log[2]
    assert "holds rows that were erased" in project.say("lineage", A)
    told = project.say("data", "erase", "--dataset", "fruit", "--key", "orchard-1")
    assert "the lock pins a version that held them: clspec lock SPEC --update fruit" in told
    assert f"model {B} learned from them\n" in told


def test_what_nothing_needs_goes(project):
    assert project.say("data", "gc") == "0 objects, 0 bytes removed\n"
    version = project.grow("n1", "n2")
    project.say("data", "erase", "--dataset", "fruit", "--key", "n1")
    part = project.folder / "store/hello/datasets/fruit/parts" / version.parts[1]
    assert "2 objects" in (dry := project.say("data", "gc", "--dry-run"))
    assert "would go" in dry
    assert part.exists()
    assert "erased" in project.say("data", "gc")
    assert not part.exists()
    assert project.say("data", "gc") == "0 objects, 0 bytes removed\n"
    assert "n2" in project.dataset().rows(project.dataset().newest()).column("id").to_pylist()
