"""The shape of a spec: the published schema, the types, and what a user reads when they do not fit."""

import copy
import json
import types
import typing
from datetime import date
from functools import cache
from pathlib import Path

import jsonschema
import jsonschema_rs
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clspec import compile as pipe
from clspec import parse, shape, spec
from clspec.codes import CODES
from clspec.load import load
from clspec.report.diagnostics import as_json, as_text
from clspec.shape.published import homes
from clspec_schema import schema

ROOT = Path(__file__).parents[2]
EXAMPLES = {"robotaxi": ROOT / "specs" / "robotaxi.yaml", "full": ROOT / "tests" / "data" / "full.yaml"}
VALID = ROOT / "tests" / "diagnostics" / "valid.yaml"
OURS = jsonschema_rs.Draft202012Validator(schema())
REFERENCE = jsonschema.Draft202012Validator(schema())
MANY = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@cache
def value_of(name):
    document, found = load(EXAMPLES[name].read_text(), f"{name}.yaml")
    assert found == ()
    return document.value


def document_of(value):
    """JSON is YAML: a value as a document with places."""
    document, found = load(json.dumps(value, ensure_ascii=False, indent=1), "spec.yaml")
    assert found == ()
    return document


def pointers(value, at=()):
    yield at
    if isinstance(value, dict):
        for key, item in value.items():
            yield from pointers(item, (*at, key))
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from pointers(item, (*at, index))


def below(value, at):
    for step in at:
        value = value[step]
    return value


ODD = [None, True, False, 0, 1, -1, 3.0, 0.5, 1e9, "", "x", "Robo Taxi", "6h", "16Gi", "a:b", [], ["x"], [1, 1], {}]
ODD += [
    {"type": "csv"},
    {"event": "labels", "run": "regression"},
    {"metric": "recall", "min": 1, "max": 0},
    [{}],
    10**12,
]


def mutated(value, draw):
    """The value with a few things removed, replaced, added or doubled."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.sampled_from(list(pointers(value))))
        target = below(value, at)
        how = draw(st.sampled_from(["remove", "replace", "add", "double"]))
        if how == "add" and isinstance(target, dict):
            target[draw(st.sampled_from(["nme", "Bad Name!", *sorted(homes())]))] = draw(st.sampled_from(ODD))
        elif how == "double" and isinstance(target, list) and target:
            target.append(copy.deepcopy(target[0]))
        elif not at:
            continue
        elif how == "remove":
            del below(value, at[:-1])[at[-1]]
        else:
            below(value, at[:-1])[at[-1]] = copy.deepcopy(draw(st.sampled_from(ODD)))
    return value


mutants = st.composite(lambda draw, name: mutated(value_of(name), draw))


def ours(value):
    words = {"oneOfMultipleValid": "oneOf", "oneOfNotValid": "oneOf"}
    return {(tuple(e.instance_path), words.get(e.kind.name, e.kind.name)) for e in OURS.iter_errors(value)}


def reference(value):
    return {(tuple(e.absolute_path), e.validator) for e in REFERENCE.iter_errors(value)}


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_have_the_right_shape(name):
    assert ours(value_of(name)) == reference(value_of(name)) == set()


@pytest.mark.parametrize("name", EXAMPLES)
@MANY
@given(data=st.data())
def test_two_validators_find_the_same(name, data):
    value = data.draw(mutants(name))
    assert ours(value) == reference(value)


# -- schema and types ------------------------------------------------------------------------------------------------


def resolved(part):
    while "$ref" in part:
        part = schema()["$defs"][part["$ref"].rsplit("/", 1)[-1]]
    return part


def branches(part):
    """The alternatives of a union by their discriminator, if it is one."""
    found = {}
    for branch in part.get("allOf", ()):
        (condition,) = branch["if"]["properties"].values()
        found[condition["const"]] = resolved(branch["then"])
    return found


def differences(part, kind, at):
    """Where a schema and a type say different things."""
    part = resolved(part)
    members = typing.get_args(kind) if typing.get_origin(kind) in (typing.Union, types.UnionType) else (kind,)
    structs = [m for m in members if isinstance(m, type) and issubclass(m, msgspec.Struct)]
    containers = [m for m in members if typing.get_origin(m) in (dict, tuple)]
    if union := branches(part):
        tags = {struct.__struct_config__.tag: struct for struct in structs}
        yield from ([(at, union.keys() ^ tags.keys())] if union.keys() != tags.keys() else [])
        for tag in union.keys() & tags.keys():
            yield from fields_differ(union[tag], tags[tag], (*at, tag))
    elif "properties" in part:
        yield from ([(at, kind)] if len(structs) != 1 else fields_differ(part, structs[0], at))
    elif part.get("type") == "array":
        yield from items_differ(part, containers, at)
    elif "object" in str(part.get("type")):
        values = [*part.get("patternProperties", {}).values(), part.get("additionalProperties")]
        inner = next((v for v in values if v), None)
        yield from ([(at, kind)] if len(containers) != 1 else differences(inner, typing.get_args(containers[0])[1], at))
    else:
        yield from scalars_differ(part, members, at)


def items_differ(part, containers, at):
    if len(containers) != 1:
        yield at, containers
        return
    yield from differences(part["items"], typing.get_args(containers[0])[0], (*at, "items"))


def scalars_differ(part, members, at):
    allowed = {"string": {str}, "integer": {int}, "number": {float}, "boolean": {bool}}
    kinds = part.get("type", "string" if {"enum", "const"} & part.keys() else None)
    if kinds is None or isinstance(kinds, list):  # `meta`, and the values of `params`
        return
    literal = [set(typing.get_args(m)) for m in members if typing.get_origin(m) is typing.Literal]
    if literal:
        yield from ([(at, literal)] if literal != [set(part["enum"])] else [])
    elif not allowed[kinds] & set(members) and not (kinds == "integer" and float in members):
        yield at, members


def fields_differ(part, struct, at):
    config = struct.__struct_config__
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    names = part["properties"].keys() - {config.tag_field}
    if names != fields.keys():
        yield at, names ^ fields.keys()
    required = {name for name, field in fields.items() if field.required}
    if required != set(part.get("required", ())) - {config.tag_field}:
        yield (*at, "required"), required ^ set(part.get("required", ()))
    for name in names & fields.keys():
        inner, field = part["properties"][name], fields[name]
        if "default" in inner and json.loads(msgspec.json.encode(field.default)) != inner["default"]:
            yield (*at, name, "default"), field.default
        yield from differences(inner, field.type, (*at, name))


def test_schema_and_types_have_the_same_keys_everywhere():
    assert list(fields_differ(schema(), spec.Spec, ())) == []


def test_a_type_that_differs_is_noticed():
    part = copy.deepcopy(schema()["properties"]["metadata"])
    part["properties"]["colour"] = {"type": "string"}
    part["required"] = []
    assert list(fields_differ(part, spec.Metadata, ())) == [((), {"colour"}), (("required",), {"name"})]


def test_every_key_is_described():
    bare = []

    def walk(part, at):
        for name, inner in part.get("properties", {}).items():
            if not {"description", "$ref", "const"} & inner.keys():
                bare.append((*at, name))
            walk(inner, (*at, name))
        for inner in [*part.get("patternProperties", {}).values(), part.get("items")]:
            walk(inner or {}, at) if inner else None

    walk(schema(), ())
    for name, part in schema()["$defs"].items():
        walk(part, (name,))
        assert part["description"]
    assert bare == []


def keys(part, at=()):
    """Every key of the schema with its subschema, references followed."""
    if isinstance(part, dict):
        if at[-1:] == ("if",):
            return
        for key, below in part.get("properties", {}).items():
            yield (*at, key), {**resolved(below), **below}
        for key, below in part.items():
            if key not in {"default", "examples"}:
                yield from keys(below, (*at, key))
    elif isinstance(part, list):
        for below in part:
            yield from keys(below, at)


def test_editors_have_something_to_show_for_every_key():
    found = list(keys(schema()))
    assert len(found) > 200
    for at, part in found:
        assert part.get("title"), at
        assert part.get("description"), at
        listed = "enum" in part or "const" in part or part.get("type") in {"boolean", "object"}
        of_parts = part.get("type") == "array" and resolved(part["items"]).get("type") == "object"
        if not listed and not of_parts and at != ("meta",):
            assert part.get("examples"), at


def test_examples_and_defaults_have_the_shape_that_they_illustrate():
    whole = schema()
    for at, part in keys(whole):
        valid = jsonschema.Draft202012Validator({**part, "$defs": whole["$defs"]})
        for example in [*part.get("examples", ()), *([part["default"]] if "default" in part else ())]:
            if isinstance(example, str) and "..." in example:
                continue  # a digest that is cut short
            assert not list(valid.iter_errors(example)), (at, example)


def test_the_schema_says_the_defaults_that_the_types_have():
    told = {at[-1]: part["default"] for at, part in keys(schema()) if "default" in part}
    assert (told["isolation"], told["min_samples"], told["confidence"]) == ("fork", 100, 0.95)
    for kind in (spec.golden.Defaults, spec.golden.Check, spec.golden.Scenario, spec.golden.Guard):
        for entry in msgspec.structs.fields(kind):
            if entry.default not in (msgspec.NODEFAULT, None, ()):
                assert told.get(entry.encode_name) == entry.default, entry.name


# -- everything of the right shape parses ----------------------------------------------------------------------------

TEXT = st.text(alphabet="abc:-'\"#{} äß犬", max_size=8)


def values(part):
    """Values of the shape that a part of the schema demands."""
    part = resolved(part)
    if union := branches(part):
        return st.one_of([values(branch) for branch in union.values()])
    if "const" in part or "enum" in part:
        return st.sampled_from(part.get("enum") or [part["const"]])
    kind = part.get("type")
    if kind is None:
        return st.one_of(st.none(), TEXT, st.lists(st.integers(0, 9), max_size=2))
    if isinstance(kind, list):
        inner = {**part, "type": "array", "items": {**part.get("items", {})}}
        scalars = [values({"type": name}) for name in kind if name != "array"]
        return st.one_of(*scalars, values(inner)) if "array" in kind else st.one_of(scalars)
    return {"object": objects, "array": arrays, "string": strings}.get(kind, numbers)(part)


def objects(part):
    chosen = [st.just(())]
    if "oneOf" in part:
        chosen = [st.just(tuple(one["required"])) for one in part["oneOf"]]
    alternatives = {key for one in part.get("oneOf", ()) for key in one["required"]}
    required = set(part.get("required", ()))
    properties = {key: values(inner) for key, inner in part.get("properties", {}).items() if key not in alternatives}
    fixed = st.fixed_dictionaries(
        {key: value for key, value in properties.items() if key in required},
        optional={key: value for key, value in properties.items() if key not in required},
    )
    fixed = fixed.filter(lambda made: len(made) >= part.get("minProperties", 0)) if properties else fixed
    if not properties:
        names, inner = next(iter(part.get("patternProperties", {}).items()), ("^[a-z]{1,5}$", None))
        inner = inner or part["additionalProperties"]
        keys = st.from_regex(names.strip("^$").replace("{0,62}", "{0,4}").replace("]*", "]{0,4}"), fullmatch=True)
        return st.dictionaries(keys, values(inner), min_size=part.get("minProperties", 0), max_size=2)
    given_keys = st.one_of(chosen).flatmap(
        lambda keys: st.fixed_dictionaries({key: values(part["properties"][key]) for key in keys})
    )
    return st.tuples(fixed, given_keys).map(lambda pair: {**pair[0], **pair[1]})


def arrays(part):
    low = part.get("minItems", 0)
    high = part.get("maxItems", max(low, 2))
    key = json.dumps if part.get("uniqueItems") else None
    return st.lists(values(part["items"]), min_size=low, max_size=high, unique_by=key)


def strings(part):
    if "pattern" not in part:
        return TEXT.filter(lambda text: len(text) >= part.get("minLength", 0))
    made = st.from_regex(part["pattern"].strip("^$").replace("]*", "]{0,3}"), fullmatch=True)
    return made.filter(lambda text: len(text) <= part.get("maxLength", 1000))


def numbers(part):
    if part["type"] == "boolean":
        return st.booleans()
    low, high = (
        part.get("minimum", part.get("exclusiveMinimum", -9)),
        part.get("maximum", part.get("exclusiveMaximum", 9)),
    )
    if part["type"] == "integer":
        return st.integers(low, max(low, high))
    strict = {"exclude_min": "exclusiveMinimum" in part, "exclude_max": "exclusiveMaximum" in part}
    return st.one_of(st.floats(low, high, allow_subnormal=False, **strict), st.integers(0, 1)).filter(
        lambda number: REFERENCE.evolve(schema=part).is_valid(number)
    )


@settings(MANY, max_examples=60)
@given(value=values(schema()))
def test_whatever_has_the_right_shape_parses(value):
    assert reference(value) == set()
    document = document_of(value)
    found, rest = shape.check(document)
    parsed, unread = parse.parse(rest)
    # a generated `3.0` may stand where a whole number is needed: the one thing that only we refuse
    assert {d.code for d in found} <= {"CLS203"}
    assert all(d.message.startswith("a whole number") for d in found)
    assert unread == ()
    assert found or msgspec.to_builtins(parsed.metadata)["name"] == value["metadata"]["name"]


# -- what a user reads -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXAMPLES)
@MANY
@given(data=st.data())
def test_what_is_left_of_a_broken_spec_has_the_right_shape_and_parses(name, data):
    document = document_of(data.draw(mutants(name)))
    found, rest = shape.check(document)
    missing = {keyword for at, keyword in reference(rest.value) if at}
    assert missing == set(), "only whole sections may be missing"
    assert parse.parse(rest)[1] == ()
    assert bool(found) == bool(reference(document.value)) or all("whole number" in d.message for d in found)
    for diagnostic in found:
        assert diagnostic.code in CODES
        assert "schema" not in diagnostic.message
        assert "valid under" not in diagnostic.message
        assert "(" not in diagnostic.message.split("`")[0], "a keyword without words of its own"


def judged(value, tmp_path, monkeypatch):
    """All that check says of a variation of the valid base, with the base's lock and code."""
    monkeypatch.chdir(tmp_path)
    Path("spec.yaml").write_text(json.dumps(value, indent=1))
    Path("spec.lock").write_text(VALID.with_suffix(".lock").read_text())
    if not Path("code").exists():
        Path("code").symlink_to(VALID.parent / "code")
    return pipe.read("spec.yaml").diagnostics


def valid():
    document, _ = load(VALID.read_text(), "valid.yaml")
    return copy.deepcopy(document.value)


ALL = [at for at in pointers(valid()) if at]


@pytest.mark.parametrize("at", ALL, ids=lambda at: ".".join(map(str, at)))
def test_one_wrong_type_is_one_problem_at_its_place(at, tmp_path, monkeypatch):
    value = valid()
    below(value, at[:-1])[at[-1]] = 3.5 if below(value, at) is True else True
    (found,) = judged(value, tmp_path, monkeypatch)
    dotted = ".".join(map(str, at))
    assert found.where in {dotted, dotted.replace("scenarios.0", "scenarios.dogs")}
    assert found.code in {"CLS203", "CLS204", "CLS210"}


@pytest.mark.parametrize("at", [at for at in ALL if isinstance(at[-1], str)], ids=lambda at: ".".join(map(str, at)))
def test_one_slip_in_a_key_is_one_problem(at, tmp_path, monkeypatch):
    value = valid()
    parent = below(value, at[:-1])
    items = [(f"{key}x" if key == at[-1] else key, item) for key, item in parent.items()]
    parent.clear()
    parent.update(items)
    found = judged(value, tmp_path, monkeypatch)
    if at[-2:-1] in {("sources",), ("datasets",), ("columns",)}:  # the user's own names, which others refer to
        return
    if at == ("sources", "photos", "type"):  # without its kind nothing is known of the other keys
        assert [d.message for d in found] == ["`sources.photos` needs `type`"]
        return
    assert [(d.code, d.hint) for d in found] == [("CLS201", f"did you mean `{at[-1]}`?")]


@pytest.mark.parametrize("at", [at for at in ALL if isinstance(at[-1], str)], ids=lambda at: ".".join(map(str, at)))
def test_one_missing_key_is_told_once(at, tmp_path, monkeypatch):
    value = valid()
    del below(value, at[:-1])[at[-1]]
    errors = [d for d in judged(value, tmp_path, monkeypatch) if d.is_error]
    names_of_others = at[-2:-1] in {("sources",), ("datasets",), ("columns",)} or at == ("sources",)
    assert len(errors) <= 1 or names_of_others, errors


SECTIONS = [key for key in valid() if key != "apiVersion"]


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize("value", [3, [], None, "x"], ids=repr)
def test_a_broken_section_hides_no_problem_elsewhere(section, value, tmp_path, monkeypatch):
    spec_ = valid()
    spec_["metadata"]["nme"] = 1
    spec_["inference"]["entrypoint"] = "modle:predict"
    spec_["golden"]["scenarios"][0]["checks"][0]["metric"] = "recal"
    spec_["training"]["dataset"] = "canonicle"
    spec_[section] = value
    expected = {"metadata": "CLS201", "inference": "CLS309", "golden": "CLS304", "training": "CLS301"}
    if section == "code":  # where no code is known, no entry point can be looked up
        del expected["inference"]
    if section == "datasets":  # where no dataset is known, none can be misspelt
        del expected["training"]
    found = judged(spec_, tmp_path, monkeypatch)
    said = [(d.where.split(".")[0], d.code) for d in found]
    for where, code in expected.items():
        assert where == section or (where, code) in said
    assert len(found) == len(expected) + (section not in expected) - (section == "store" and value == "x")


def test_problems_come_in_the_order_of_the_text(tmp_path, monkeypatch):
    value = valid()
    value["golden"]["scenarios"][0]["select"] = "lable = 'dog'"
    value["zebra"] = 1
    value["task"]["classes"] = 3
    value["kind"] = "Learning"
    del value["store"]
    found = judged(value, tmp_path, monkeypatch)
    assert [d.code for d in found] == ["CLS202", "CLS204", "CLS203", "CLS302", "CLS201"]
    assert [d.span for d in found] == sorted(d.span for d in found)


@pytest.mark.parametrize(
    ("at", "written", "meant"),
    [
        (("task", "type"), "clasification", "classification"),
        (("sources", "photos", "type"), "pyhton", "python"),
        (("datasets", "canonical", "columns", "label"), "sting", "string"),
        (("datasets", "canonical", "from"), "photo", "photos"),
        (("datasets", "golden", "like"), "canonicle", "canonical"),
        (("datasets", "canonical", "key"), "ide", "id"),
        (("training", "dataset"), "cannonical", "canonical"),
        (("golden", "dataset"), "goldn", "golden"),
        (("task", "label"), "lable", "label"),
        (("code", "root"), "cod", "code"),
        (("training", "entrypoint"), "modell:train", "model"),
        (("inference", "entrypoint"), "model:predcit", "predict"),
        (("golden", "scenarios", 0, "checks", 0, "metric"), "recal", "recall"),
        (("golden", "scenarios", 0, "checks", 0, "class"), "dgo", "dog"),
        (("golden", "scenarios", 0, "select"), "labell = 'dog'", "label"),
        (("golden", "scenarios", 0, "select"), "label = 'dig'", "dog"),
        (("golden", "scenarios", 0, "guard", "select"), "label in ('cta')", "cat"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_slip_is_answered_with_what_was_meant(at, written, meant, tmp_path, monkeypatch):
    value = valid()
    below(value, at[:-1])[at[-1]] = written
    (found,) = judged(value, tmp_path, monkeypatch)
    assert found.hint == f"did you mean `{meant}`?"


@pytest.mark.parametrize(
    ("at", "key", "hint"),
    [
        ((), "seeds", "`seeds` belongs in `training`"),
        ((), "scenarios", "`scenarios` belongs in `golden`"),
        (("golden", "scenarios", 0), "cluster_by", "`cluster_by` belongs in `golden`"),
        (("training",), "shards", "`shards` belongs in `inference`"),
        (
            ("golden",),
            "trigers",
            "known: `baseline`, `cluster_by`, `dataset`, `defaults`, `reuse`, `scenarios`, `slices`",
        ),
        (("metadata",), "store", "`store` belongs at the top or in `environments.NAME`"),
    ],
)
def test_a_key_in_the_wrong_place_is_told_its_own(at, key, hint, tmp_path, monkeypatch):
    value = valid()
    below(value, at)[key] = [1]
    (found,) = judged(value, tmp_path, monkeypatch)
    assert (found.code, found.hint) == ("CLS201", hint)


@pytest.mark.parametrize(
    ("at", "written", "message", "hint"),
    [
        (
            ("golden", "scenarios", 0, "checks", 0, "min"),
            "0.9",
            'a number is needed here, not "0.9"',
            "remove the quotes",
        ),
        (("task", "label"), 3, "a text is needed here, not `3`", "put it in quotes"),
        (("task", "label"), True, "a text is needed here, not `true`", "put it in quotes"),
        (("datasets", "golden", "pinned"), "yes", 'true or false is needed here, not "yes"', "write `true`"),
        (("datasets", "golden", "pinned"), "Off", 'true or false is needed here, not "Off"', "write `false`"),
        (
            ("golden", "scenarios"),
            {"id": "x"},
            "a list is needed here, not a mapping",
            "begin each item of a list with `- `",
        ),
        (("task", "classes"), "cat", 'a list is needed here, not "cat"', "a list of one is `[cat]`"),
        (
            ("training", "seeds"),
            [1.0],
            "a whole number is needed here, not `1.0`",
            "write it without a fraction or an exponent",
        ),
        (("training", "seeds"), [1, 2, 1], "`1` stands in the list twice", "remove one of the two"),
        (
            ("store",),
            None,
            "a text is needed here, not an empty value",
            "what outlives a run: a path relative to the spec, or a URI, such as `../.clspec/store`",
        ),
        (
            ("training", "timeout"),
            "6 hours",
            '"6 hours" does not have the right form',
            "write `6h`",
        ),
        (
            ("training", "timeout"),
            "6 fortnights",
            '"6 fortnights" does not have the right form',
            "a whole number of seconds, minutes, hours or days, such as `90s`",
        ),
        (
            ("training", "resources"),
            {"gpu": {"count": 1, "resource": "gpu"}},
            '"gpu" does not have the right form',
            "a resource name is `vendor/name`, such as `nvidia.com/gpu`",
        ),
        (("metadata", "name"), "p" * 51, "at most 50 characters may stand here", ""),
        (
            ("store",),
            "",
            "the text is empty",
            "what outlives a run: a path relative to the spec, or a URI, such as `../.clspec/store`",
        ),
        (("kind",), "Pod", '"Pod" is not possible here', "write `ContinuousLearning`"),
        (
            ("apiVersion",),
            3,
            "this clspec reads `clspec.dev/v1alpha1`, not `3`",
            "write `apiVersion: clspec.dev/v1alpha1`",
        ),
        (("golden", "defaults"), {"confidence": 95}, "`95` must be less than 1", ""),
        (
            ("training", "command"),
            ["x"],
            "exactly one of `entrypoint`, `command` is needed; given: `entrypoint`, `command`",
            "remove all but one",
        ),
        (
            ("sources", "1st"),
            3,
            "`1st` cannot be a name in `sources`",
            "letters, digits, underscores and hyphens, no digit first, 63 at the most",
        ),
    ],
)
def test_a_wrong_value_is_told_in_plain_words(  # noqa: PLR0913, PLR0917
    at, written, message, hint, tmp_path, monkeypatch
):
    value = valid()
    below(value, at[:-1])[at[-1]] = written
    (found,) = [d for d in judged(value, tmp_path, monkeypatch) if d.is_error]
    assert found.message == message
    assert found.hint == hint


def test_what_an_alias_repeats_is_told_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = EXAMPLES["robotaxi"].read_text().replace("      label: string", "      label: strng")
    Path("spec.yaml").write_text(text)
    Path("spec.lock").write_text(EXAMPLES["robotaxi"].with_suffix(".lock").read_text())
    Path("robotaxi").symlink_to(EXAMPLES["robotaxi"].with_suffix(""))
    (found,) = pipe.read("spec.yaml").diagnostics
    assert (found.code, found.where, found.hint) == (
        "CLS204",
        "sources.first_drives.columns.label",
        "did you mean `string`?",
    )


@pytest.mark.parametrize("classes", [["cat", 3], ["cat", "dog", 3.0], ["cat", None]])
def test_a_broken_class_makes_no_other_unknown(classes, tmp_path, monkeypatch):
    value = valid()
    value["task"]["classes"] = classes
    assert [d.code for d in judged(value, tmp_path, monkeypatch)] == ["CLS203"]


@pytest.mark.parametrize("name", EXAMPLES)
@settings(MANY, max_examples=60)
@given(data=st.data())
def test_check_never_falls_over(name, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("spec", numbered=True)
    path = folder / "spec.yaml"
    path.write_text(json.dumps(data.draw(mutants(name)), indent=1))
    if data.draw(st.booleans()):
        path.with_suffix(".lock").write_text(EXAMPLES["robotaxi"].with_suffix(".lock").read_text())
    checked = pipe.read(str(path), as_of=date(2026, 11, 25))
    assert checked.facts is not None or any(d.is_error for d in checked.diagnostics)
    text = as_text(checked.diagnostics, checked.sources, colours=False)
    others = sum(len(found.related) for found in checked.diagnostics)
    assert text.count(f"{path}:") == len(checked.diagnostics) + others
    assert json.loads(as_json(checked.diagnostics))["errors"] == sum(d.is_error for d in checked.diagnostics)


def test_a_union_is_told_of_by_its_kind(tmp_path, monkeypatch):
    value = valid()
    value["sources"]["photos"] = {"type": "parquet", "columns": {"id": "string", "label": "string"}}
    value["triggers"] = [{"event": "schedule", "run": "regression"}, {"event": "never"}, {}, 3]
    found = judged(value, tmp_path, monkeypatch)
    assert [d.message for d in found] == [
        "`sources.photos` needs `uri`",
        "`triggers.0` needs `cron`",
        '"never" is not possible here',
        "`triggers.2` needs `event`",
        "a mapping is needed here, not `3`",
    ]


def test_every_limit_of_the_schema_has_words():
    keywords = set()

    def walk(part):
        if isinstance(part, dict):
            keywords.update(key for key in part if key in REFERENCE.VALIDATORS)
            for inner in part.values():
                walk(inner)
        if isinstance(part, list):
            for inner in part:
                walk(inner)

    walk(schema())
    structure = {"properties", "patternProperties", "items", "$ref", "allOf", "if", "then", "required", "oneOf"}
    from clspec.shape.words import _WORDS

    assert keywords - structure - {"additionalProperties", "format", "description"} <= _WORDS.keys()


@pytest.mark.parametrize("environment", [None, "prod"])
def test_the_whole_language_is_carried_out(environment, monkeypatch):
    monkeypatch.chdir(ROOT)
    checked = pipe.read("tests/data/full.yaml", environment, date(2026, 11, 25))
    assert set(value_of("full")) == set(schema()["properties"])
    assert checked.diagnostics == ()
    assert [(d.code, d.where) for d in checked.waived] == [("CLS412", "golden.scenarios.occluded-cyclist")]
    made = pipe.plan(checked)
    assert [pipeline.name for pipeline in made.pipelines] == ["regression", "improvement"]
    assert made.store == ("s3://perception/cl" if environment else "../.clspec/store")


def test_a_reader_that_meets_what_the_schema_let_through_says_where():
    value = valid()
    value["training"]["seeds"] = [1, 2.0]
    document = document_of(value)
    parsed, (found,) = parse.parse(document)
    assert (found.code, document.text_of(("training", "seeds", 1))) == ("CLS203", "2.0")
    with pytest.raises(parse.Absent):
        _ = parsed.training.seeds
    assert parsed.golden.dataset == "golden"
