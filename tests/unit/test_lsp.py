"""The language server, asked through the protocol by an editor."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from editor import edit

from clspec import api

SPECS = Path(__file__).parents[2] / "specs"


@pytest.fixture
def spec(tmp_path):
    """A copy of the robotaxi example with its lock and its code."""
    for name in ("robotaxi.yaml", "robotaxi.lock"):
        shutil.copy(SPECS / name, tmp_path)
    shutil.copytree(SPECS / "robotaxi", tmp_path / "robotaxi", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "robotaxi.yaml"


def codes(told, path):
    return [(found.code, found.range.start.line) for found in told.get(path.as_uri(), ())]


def test_problems_are_told_as_you_type_and_are_those_of_check(spec):
    async def script(editor):
        text = spec.read_text()
        editor.open(spec)
        await editor.until(lambda told: spec.as_uri() in told)
        assert codes(editor.told, spec) == []
        broken = text.replace("class: dog, min", "class: dgo, min").replace("epochs: 10", "epoch: 10", 1)
        line = next(n for n, row in enumerate(broken.split("\n")) if "class: dgo" in row)
        await editor.change(spec, broken)
        await editor.until(lambda told: told[spec.as_uri()])
        spec.write_text(broken)
        expected = [(d.code, d.span.line - 1, d.span.column - 1, d.message) for d in api.check(str(spec)).diagnostics]
        told = editor.told[spec.as_uri()]
        assert [
            (d.code, d.range.start.line, d.range.start.character, d.message.partition("\n")[0]) for d in told
        ] == expected
        assert line in {d.range.start.line for d in told}
        assert any("did you mean `dog`?" in d.message for d in told)
        assert {d.source for d in told} == {"clspec"}
        await editor.change(spec, text)
        await editor.until(lambda told: told[spec.as_uri()] == [])

    edit(script)


def test_what_is_typed_key_by_key_ends_as_what_is_opened_at_once(spec):
    async def script(editor):
        text = spec.read_text()
        editor.open(spec)
        line = next(n for n, row in enumerate(text.split("\n")) if row.startswith("training:"))
        for number, letter in enumerate("  frozen: yes"):
            await editor.insert(spec, line + 1, number, letter)
        await editor.insert(spec, line + 1, len("  frozen: yes"), "\n")
        await editor.until(lambda told: ("CLS201", line + 1) in codes(told, spec))

    edit(script)


def test_columns_are_counted_as_the_protocol_counts(spec):
    async def script(editor):
        car = "\U0001f697"  # two units of UTF-16
        text = spec.read_text().replace("owners: [perception@example.com]", f'owners: ["{car}"], nme: a')
        row = next(n for n, line in enumerate(text.split("\n")) if "nme" in line)
        editor.open(spec, text)
        await editor.until(lambda told: any(code == "CLS201" for code, _ in codes(told, spec)))
        (found,) = [d for d in editor.told[spec.as_uri()] if d.code == "CLS201"]
        start = found.range.start
        assert (start.line, start.character) == (row, len('metadata: {name: robotaxi-perception, owners: ["xx"], '))
        assert found.range.end.character == start.character + len("nme")

    edit(script)


def test_a_lock_that_cannot_be_read_is_told_of_where_it_lies(spec):
    async def script(editor):
        lock = spec.with_suffix(".lock")
        whole = lock.read_text()
        lock.write_text("version: [\n")
        editor.open(spec)
        await editor.until(lambda told: lock.as_uri() in told)
        assert [d.code for d in editor.told[lock.as_uri()]] == ["CLS603"]
        lock.write_text(whole)
        await editor.save(spec)
        await editor.until(lambda told: told[lock.as_uri()] == [])

    edit(script)


def test_code_that_changes_is_looked_at_again_and_what_is_closed_is_forgotten(spec):
    async def script(editor):
        editor.open(spec)
        await editor.until(lambda told: spec.as_uri() in told)
        train = spec.parent / "robotaxi" / "train.py"
        train.write_text(train.read_text().replace("epochs: int", "rounds: int"))
        await editor.save(train)
        await editor.until(lambda told: any(code == "CLS311" for code, _ in codes(told, spec)))
        await editor.close(spec)
        await editor.until(lambda told: told[spec.as_uri()] == [])

    edit(script)


def test_other_yaml_is_left_alone(tmp_path):
    async def script(editor):
        other, own = tmp_path / "compose.yaml", tmp_path / "clspec.yaml"
        editor.open(other, "services: {a: 1, a: 2}\n")
        editor.open(own, "")
        await editor.until(lambda told: own.as_uri() in told)
        assert other.as_uri() not in editor.told
        assert [d.code for d in editor.told[own.as_uri()]] == ["CLS111"]
        assert await editor.complete(other, "serv|") == {}

    edit(script)


CASES = {
    "a key": (
        "  split: {v",
        "  iso|\n  split: {v",
        {"isolation", "secrets"},
        {"dataset", "command"},
        {"isolation": "isolation: "},
    ),
    "an empty line": ("  split: {v", "  |\n  split: {v", {"isolation"}, {"dataset", "params"}, {}),
    "the top": ("promotion:", "|\npromotion:", {"waivers", "meta"}, {"training", "golden"}, {}),
    "a key in braces": ("class: dog, min: 0.95", "class: dog, min: 0.95, |", {"gate"}, {"metric", "class", "max"}, {}),
    "braces that are not closed": ("class: dog, min: 0.95}", "class: dog, min: 0.95, |", {"gate"}, {"metric"}, {}),
    "a listed value": ("  timeout: 15m", "  isolation: |\n  timeout: 15m", {"fork", "spawn"}, set(), {"fork": "fork"}),
    "a value right after the colon": ("  timeout: 15m", "  isolation:|\n  timeout: 15m", {"spawn"}, set(), {}),
    "a truth": ("must_pass: false", "must_pass: |", {"true", "false"}, set(), {"true": "true"}),
    "a dataset": ("append_to: canonical", "append_to: ca|", {"canonical", "golden"}, {"fleet"}, {}),
    "a source": ("  source: fleet", "  source: |", {"fleet", "rider_reports"}, {"canonical"}, {}),
    "a class in braces": ("class: dog, min", "class: d|, min", {"dog", "none"}, set(), {"dog": "dog", "none": "none"}),
    "a class in quotes": ("class: dog, min", 'class: "d|", min', {"dog"}, set(), {"dog": "dog"}),
    "a metric": ("metric: recall, class: dog, min", "metric: r|, class: dog, min", {"recall", "f1"}, set(), {}),
    "a role": ("time: created_at", "time: |", {"created_at", "inference_id"}, {"conf"}, {}),
    "a column of another source": ("join: inference_id", "join: |", {"corrected_label"}, {"conf"}, {}),
    "a golden column": ("cluster_by: ride_id", "cluster_by: |", {"ride_id", "label"}, {"conf"}, {}),
    "an entry point": ('"train:predict"', '"tr|"', {"train:predict", "scenes:golden_drives"}, set(), {}),
    "a parameter": (
        "batch_size: 128}",
        "|}",
        {"batch_size"},
        {"epochs", "data", "seed"},
        {"batch_size": "batch_size: "},
    ),
    "a predicate": ("select: \"label = 'dog'\"", 'select: "|', {"label", "abs", "and"}, {"conf"}, {"abs": "abs("}),
    "a rule's predicate": ("accel < -6", "accel < -6 and st|", {"conf", "steer_rate"}, {"label"}, {}),
    "a class in a predicate": ("label = 'dog'\"", "label = '|'\"", {"dog", "none"}, {"label"}, {"dog": "dog"}),
    "a class in a list of them": ("label in ('none', 'vehicle')", "label in ('none', '|')", {"dog"}, {"label"}, {}),
    "nothing in another text": ("weather = 'rain'", "weather = '|'", set(), {"dog", "label"}, {}),
    "a waiver's code": ("promotion:", "waivers: [{code: |}]\npromotion:", {"CLS412"}, {"CLS101"}, {}),
    "a waiver's path": (
        "promotion:",
        "waivers: [{path: |}]\npromotion:",
        {"golden.scenarios.dog-crossing", "sources.fleet"},
        set(),
        {},
    ),
    "a class as a key": ("{dog: 150}", "{do|}", {"dog", "cyclist"}, {"min"}, {"dog": "dog: "}),
    "a rule of a kind": ("  rules:", "  rules:\n    - {id: x, type: random, |}", {"rate", "alarm"}, {"when"}, {}),
    "a source of a kind": ("datasets:", "  x:\n    type: csv\n    |\ndatasets:", {"uri"}, {"query", "entrypoint"}, {}),
    "a source of no kind yet": ("datasets:", "  x:\n    |\ndatasets:", {"type", "query"}, set(), {"type": "type: "}),
    "a source's kind": ("datasets:", "  x: {type: |}\ndatasets:", {"parquet", "python", "postgres"}, set(), {}),
    "a rule's kind": ("  rules:", "  rules:\n    - {type: |}", {"random", "heuristic", "human_feedback"}, set(), {}),
    "a trigger's event": ("triggers:", "triggers:\n  - event: |", {"code_change", "schedule", "labels"}, set(), {}),
    "a kind that is given already": ("{event: labels,", "{event: la|,", {"code_change", "labels"}, set(), {}),
    "a trigger's source": ("source: fleet, run", "source: |, run", {"fleet"}, {"golden"}, {}),
    "a stage's name": ("alias: shadow", "alias: |", {"shadow", "champion"}, set(), {}),
    "the truth": ("  label: label", "  label: |", {"label", "ride_id"}, {"conf"}, {}),
    "what leaks": ("against: [golden]", "against: [|]", {"golden", "canonical"}, {"fleet"}, {}),
    "a source of an environment": (
        "triggers:",
        "environments: {p: {sources: {|}}}\ntriggers:",
        {"fleet"},
        {"golden"},
        {},
    ),
    "an event to be told of": ("on_event: [gate_failed,", "on_event: [|,", {"promoted", "alarm"}, set(), {}),
    "a comment": ("# a row", "# a r|ow", set(), {"dataset"}, {}),
}


@pytest.fixture(scope="module")
def offered(tmp_path_factory):
    """What is offered in every case."""
    path = tmp_path_factory.mktemp("editor") / "robotaxi.yaml"
    shutil.copy(SPECS / "robotaxi.yaml", path)
    shutil.copytree(SPECS / "robotaxi", path.parent / "robotaxi")
    text, found = path.read_text(), {}

    async def script(editor):
        editor.open(path)
        for case, (old, new, *_) in CASES.items():
            assert old in text, f"the example has no {old} any more"
            found[case] = await editor.complete(path, text.replace(old, new, 1))

    edit(script)
    return found


@pytest.mark.parametrize("case", CASES)
def test_what_is_offered(case, offered):
    _, _, wanted, unwanted, written = CASES[case]
    assert wanted <= offered[case].keys(), sorted(offered[case])
    assert not unwanted & offered[case].keys()
    for label, text in written.items():
        assert offered[case][label].text_edit.new_text == text


def test_what_is_offered_and_taken_is_right(spec):
    """Every key and every value that is offered for a check, written in its place, is no unknown one."""

    async def script(editor):
        text = spec.read_text()
        editor.open(spec)
        old = "{metric: recall, class: dog, min: 0.95}"
        for new in ("{metric: recall, class: dog, min: 0.95, |}", "{metric: |, class: dog, min: 0.95}"):
            cursor = text.replace(old, new, 1)
            for item in (await editor.complete(spec, cursor)).values():
                head, _, tail = cursor.partition("|")
                taken = item.text_edit.new_text
                spec.write_text(head + taken + ("null" if taken.endswith(": ") else "") + tail)
                found = {d.code for d in api.check(str(spec)).diagnostics}
                assert not found & {"CLS101", "CLS201", "CLS404"}, (taken, found)

    edit(script)


HOVERS = {
    "a dataset's name": ("dataset: can|onical", ("frame_sha256", "`train-seed-1`")),
    "a function": ('"train:tr|ain"', ("def train(", "Learn from the frames")),
    "a duration": ("timeout: 1|5m", ("900 seconds", "`train-seed-3`")),
    "a memory": ("memory: 4|Gi", ("4,294,967,296 bytes",)),
    "a threshold": ("class: dog, min: 0.|95", ("59 rows", "`gate`")),
    "a metric": ("metric: re|call, class: dog, min", ("rows of the class predicted as the class", "Fawcett")),
    "a scenario's selection": ("sel|ect: \"label = 'dog'", ("rows in", "clusters")),
    "a key with a default": ("- id: rainy-day\n      must_|pass", ("Default: `true`",)),
    "the store": ("st|ore: ../.clspec", ("In environment `prod`",)),
    "nothing": ("# a split nev|er cuts", ()),
}


def test_what_hovering_tells(spec):
    async def script(editor):
        text = spec.read_text() + "environments:\n  prod: {store: s3://bucket/cl}\n"
        editor.open(spec)
        for case, (cursor, wanted) in HOVERS.items():
            plain = cursor.replace("|", "")
            assert plain in text, case
            told = await editor.hover(spec, text.replace(plain, cursor, 1))
            assert all(word in told for word in wanted), (case, told)
            assert bool(told) == bool(wanted), (case, told)

    edit(script)


def test_going_to_what_a_name_means_and_back(spec):
    async def script(editor):
        text = spec.read_text()
        lines = text.split("\n")

        def line(start):
            return next(number for number, row in enumerate(lines) if row.startswith(start))

        async def goes(cursor):
            plain = cursor.replace("|", "")
            assert plain in text
            return await editor.definition(spec, text.replace(plain, cursor, 1))

        editor.open(spec)
        assert await goes("append_to: can|onical") == [("robotaxi.yaml", line("  canonical:"), 2)]
        assert await goes("against: can|onical") == [("robotaxi.yaml", line("  canonical:"), 2)]
        ((_, row, _),) = await goes("class: d|og, min")
        assert row == line("  classes:")
        ((_, row, _),) = await goes("cluster_by: rid|e_id")
        assert row == line("      ride_id: string")
        ((name, row, column),) = await goes('"train:tra|in"')
        source = (spec.parent / "robotaxi" / "train.py").read_text().split("\n")
        assert (name, source[row][column:].startswith("train(")) == ("train.py", True)
        assert await goes("min_per_class: {d|og") != []
        assert await goes("budget|:") == []

        plain = "  canonical:  "
        found = await editor.references(spec, text.replace(plain, "  cano|nical:  ", 1))
        rows = {lines[row].strip().partition(":")[0] for _, row, _ in found}
        assert {"append_to", "dataset", "golden"} <= rows

        train = spec.parent / "robotaxi" / "train.py"
        editor.open(train, language="python")
        row = next(number for number, text_ in enumerate(source) if text_.startswith("def train("))
        ((name, back, _),) = await editor.definition(train, None, row)
        assert (name, lines[back].strip()) == ("robotaxi.yaml", 'entrypoint: "train:train"')
        assert await editor.references(train, None, row) == await editor.definition(train, None, row)
        assert await editor.definition(train, None, 0) == []

    edit(script)


def test_what_is_certain_is_offered_as_a_fix(spec):
    async def script(editor):
        text = spec.read_text()
        broken = text.replace("  seeds: [1, 2, 3]", "  sedes: [1, 2, 3]").replace(
            "golden:\n", "golden:\n  cluster_by: x\n"
        )
        editor.open(spec, broken)
        await editor.until(lambda told: told.get(spec.as_uri()))
        told = {found.code: found for found in editor.told[spec.as_uri()]}
        (action,) = await editor.actions(spec, told["CLS201"])
        ((edit_,),) = action.edit.changes.values()
        assert (edit_.new_text, edit_.range.start.line) == ("seeds", told["CLS201"].range.start.line)
        assert (edit_.range.start.character, edit_.range.end.character) == (2, 2 + len("sedes"))
        twice = told["CLS105"] if "CLS105" in told else next(d for d in told.values() if d.related_information)
        (first,) = twice.related_information
        assert first.location.range.start.line != twice.range.start.line
        assert await editor.actions(spec, twice) == []

    edit(script)


def test_the_outline(spec):
    async def script(editor):
        editor.open(spec)
        outline = {symbol.name: symbol for symbol in await editor.outline(spec)}
        assert list(outline)[:3] == ["apiVersion", "kind", "metadata"]
        assert [part.name for part in outline["golden"].children][:2] == ["pedestrian-at-night", "dog-crossing"]
        assert "fleet" in {part.name for part in outline["sources"].children}
        assert "swerve" in {part.name for part in outline["feedback"].children}
        for symbol in outline.values():
            for part in (symbol, *symbol.children):
                assert (part.range.start.line, part.range.start.character) <= (
                    part.selection_range.start.line,
                    part.selection_range.start.character,
                )

    edit(script)


def test_broken_texts_end_no_server(spec):
    async def script(editor):
        editor.open(spec)
        for text in (
            "",
            "a: [",
            "|",
            "\ufeffa: |b",
            "a: &x [*x|]",
            "- |",
            "{|",
            "'|",
            "apiVersion: clspec.dev/|",
            "\t|",
        ):
            cursor = text if "|" in text else text + "|"
            await editor.complete(spec, f"# clspec.dev/\n{cursor}")
            await editor.hover(spec, f"# clspec.dev/\n{cursor}")
        assert (await editor.complete(spec, spec.read_text().replace("  split", "  |\n  split", 1))).keys() >= {
            "isolation"
        }

    edit(script)
