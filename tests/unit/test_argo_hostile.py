"""Hostile texts in every text of a spec: on Argo a text changes its own leaf of a manifest and nothing else, or is
refused; and no secret stands in what is emitted or is printed by what runs.
"""

import copy
import json
import os
import re
import shutil
from datetime import date
from pathlib import Path

import pytest
import yaml

import clspec_schema
from clspec import compile as pipe
from clspec.compile import InvalidSpec
from clspec.testing.hostile import TEXTS

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
DAY = date(2026, 11, 25)
SETTINGS = {"store": "s3://bucket/cl", "memoize_seconds": "600"}
SCHEMA = json.loads(next(Path(clspec_schema.__file__).parent.glob("*.json")).read_text(encoding="utf-8"))
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
HOSTILE = (
    *(text for text in TEXTS if len(text) < 1000),
    '"}], "args":["rm"], "x":["{{workflow.parameters.store}}',
    "{{inputs.parameters.digest_train}}",
    "{{=sprig.env('HOME')}}",
    "x $(HOME) {{ user }} {{{{a}}}}",
    "' == '' || '1' == '1",
    "😀\u202e{{workflow.uid}}",
)
MACHINE = {
    "memory": "4Gi",
    "gpu": {"count": 1, "model": "nvidia-a100", "memory": "40Gi", "resource": "nvidia.com/gpu"},
    "shared_memory": "1Gi",
    "ephemeral_storage": "2Gi",
    "node_selector": {"pool": "train"},
    "tolerations": [{"key": "gpu", "operator": "Equal", "value": "yes", "effect": "NoSchedule"}],
}
PLACE = {"resources": MACHINE, "secrets": [{"env": "A_TOKEN", "kubernetes": {"name": "hub", "key": "token"}}]}
NO_TEXT = {("golden", "scenarios", "[]", "slices", "[]"): "names of slices, which are tried as keys"}
"""Texts of the schema that no base holds as texts, each with the reason."""


def by_functions():
    """A spec in which every text of the language stands, but for those of command lines."""
    spec = yaml.safe_load((DATA / "full.yaml").read_text(encoding="utf-8"))
    spec["waivers"][0]["expires"] = "2027-03-01"
    spec["inference"] |= {**copy.deepcopy(PLACE), "timeout": "1h"}
    spec["training"]["resources"] = copy.deepcopy(MACHINE)
    spec["training"]["params"]["layers"] = ["a", "b"]
    spec["feedback"]["auto_label"] |= {**copy.deepcopy(PLACE), "timeout": "1h"}
    spec["feedback"]["rules"][3] |= {"when_absent": "none", "matures_after": "1d"}
    spec["datasets"]["canonical"]["expect"] = {"drift": {"columns": ["lighting"], "against": "golden", "max_psi": 0.25}}
    spec["notify"][0]["kubernetes"] = {"name": "hooks", "key": "slack"}
    environment = spec["environments"]["prod"]
    for part in ("training", "inference"):
        environment[part] = {**copy.deepcopy(PLACE), "timeout": "2h"}
        environment[part]["secrets"][0]["env"] = "B_TOKEN"  # a variable of its own, which is added
    environment["code"] = {"image": spec["code"]["image"], "workdir": "/srv"}
    environment["sources"]["fleet"] |= {"freshness": "12h"}
    environment["sources"]["rider_reports"] = {"dsn_env": "OTHER_DSN", "query": "select 1"}
    return spec


def by_commands():
    """The same with the user's code as command lines."""
    spec = by_functions()
    del spec["training"]["params"]["layers"]
    given = {
        "training": ["{data}", "{model_dir}", "{seed}", "{params.epochs}", "{params.lr}"],
        "inference": ["{data}", "{model_dir}", "{out}"],
    }
    for part, words in ((spec[name], words) for name, words in given.items()):
        del part["entrypoint"]
        part["command"] = ["plain", *words]
    del spec["feedback"]["auto_label"]["entrypoint"]
    spec["feedback"]["auto_label"]["command"] = ["plain", "{data}", "{out}"]
    drives = spec["sources"]["first_drives"]
    del drives["entrypoint"]
    drives["command"] = ["plain", "{out}"]
    return spec


BASES = {"functions": by_functions, "commands": by_commands}

# -- the texts of the language ---------------------------------------------------------------------------------------


def kinds(schema):
    """A part of the schema, and everything that it may be besides."""
    while "$ref" in schema:
        found = SCHEMA
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = {**{key: value for key, value in schema.items() if key != "$ref"}, **found}
    yield schema
    for word in ("oneOf", "anyOf", "allOf"):
        for other in schema.get(word, ()):
            yield from kinds(other)
    for word in ("if", "then", "else"):
        if word in schema:
            yield from kinds(schema[word])


def below(kind):
    """What may stand in a part: its step, and its schema."""
    yield from kind.get("properties", {}).items()
    if isinstance(kind.get("items"), dict):
        yield "[]", kind["items"]
    for free in (kind.get("additionalProperties"), *kind.get("patternProperties", {}).values()):
        if isinstance(free, dict):
            yield "*", free


def declared(schema=SCHEMA, path=(), above=()):
    """The paths of all texts that the schema knows, but for those of which it lists the values."""
    for kind in kinds(schema):
        if any(kind is one for one in above):
            continue
        types = kind.get("type")
        if "string" in (types if isinstance(types, list) else [types]) and not {"enum", "const"} & kind.keys():
            yield path
        for step, inner in below(kind):
            yield from declared(inner, (*path, step), (*above, kind))


def held(value, schema=SCHEMA, path=(), place=()):
    """The texts that a spec holds: path in the schema, place in the spec; those among free keys too."""
    if isinstance(value, str):
        yield path, place
        return
    steps = [pair for kind in kinds(schema) for pair in below(kind)]
    if isinstance(value, list):
        for index, item in enumerate(value):
            for inner in [s for step, s in steps if step == "[]"]:
                yield from held(item, inner, (*path, "[]"), (*place, index))
    elif isinstance(value, dict):
        for key, item in value.items():
            named = [s for step, s in steps if step == key]
            for inner in named or [s for step, s in steps if step == "*"]:
                yield from held(item, inner, (*path, key if named else "*"), (*place, key))


def texts():
    """Each text of the language once: its path, the base that holds it, and its place there."""
    found = {}
    for base, make in BASES.items():
        for path, place in held(make()):
            if path:
                found.setdefault(path, (base, place))
    return found


FIELDS = texts()


def test_every_text_of_the_language_stands_in_a_base():
    missing = set(declared()) - FIELDS.keys() - NO_TEXT.keys()
    assert missing == set(), "put it into one of the bases, so that hostile texts are tried there too"
    assert len(FIELDS) > 130


# -- hostile texts in each of them -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    shutil.copytree(DATA / "robotaxi", folder / "robotaxi", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(DATA / "full.lock", folder / "spec.lock")
    here = Path.cwd()
    os.chdir(folder)
    yield folder
    os.chdir(here)


def compiled(spec, environment=None):
    """The bundle of a spec, or what it is refused with."""
    Path("spec.yaml").write_text(json.dumps(spec), encoding="utf-8")
    try:
        return pipe.compile_for("spec.yaml", "argo", SETTINGS, environment, as_of=DAY).bundle, ()
    except InvalidSpec as error:
        found = error.diagnostics
        assert any(d.is_error for d in found)
        return None, found


@pytest.fixture(scope="module")
def plain(project):
    """The trees of the bases, as they are and in their environment."""
    del project
    made = {}
    for name, make in BASES.items():
        for environment in (None, "prod"):
            bundle, told = compiled(make(), environment)
            assert bundle, told
            made[name, environment] = trees(bundle)
    return made


def trees(bundle):
    return {file: [unfolded(one) for one in yaml.load_all(text, LOADER)] for file, text in bundle.items()}


def unfolded(value):
    """A tree in which JSON in a text is part of the tree, as its reader will see it."""
    if isinstance(value, dict):
        return {key: unfolded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unfolded(item) for item in value]
    if isinstance(value, str) and value[:1] in ("{", "["):
        assert "{{" not in value or value.startswith("{{"), "a configuration is never a template"
        try:
            return ("json", unfolded(json.loads(value)))
        except ValueError:
            return value
    return value


MADE_FROM = re.compile(r"sha256:[0-9a-f]{64}|[a-z2-7]{32}(-\{\{inputs\.parameters\.digest_[-a-z0-9]+\}\})*")
"""Digests and keys of results: of other texts there are others."""


def differences(one, other, place=()):
    """The leaves that differ; a tree of another shape is a leaf that differs."""
    if isinstance(one, tuple) and isinstance(other, tuple):
        one, other = list(one), list(other)
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for key in one:
            yield from differences(one[key], other[key], (*place, key))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (a, b) in enumerate(zip(one, other, strict=True)):
            yield from differences(a, b, (*place, index))
    elif one != other:
        yield place, one, other


def renamed(tree, old, new):
    """A tree with another key instead of one."""
    if isinstance(tree, dict):
        return {new if key == old else key: renamed(item, old, new) for key, item in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(renamed(item, old, new) for item in tree)
    return tree


def changed(spec, place, text):
    made = copy.deepcopy(spec)
    holder = made
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = text
    return made


PREDICATES = {"select", "when", "event", "accept_if", "query"}


def tried(number, path, value):
    """None, and two of the texts, others for each field; in a predicate also as a text that it compares with.

    `CLSPEC_HOSTILE=all` tries all of them in each field, which takes minutes.
    """
    if os.environ.get("CLSPEC_HOSTILE") == "all":
        for text in HOSTILE:
            yield from (text, f"{value}{text}", *([f"weather = '{text}'"] if path[-1] in PREDICATES else ()))
        return
    yield ""
    yield HOSTILE[2 * number % len(HOSTILE)]
    yield f"{value}{HOSTILE[(2 * number + 1) % len(HOSTILE)]}"
    if path[-1] in PREDICATES or "slices" in path:
        yield "weather = '{{workflow.name}} $(HOME)'"


ACCEPTED = set()


@pytest.mark.parametrize("number", range(len(FIELDS)), ids=[".".join(path) for path in FIELDS])
def test_a_text_changes_its_own_leaf_or_is_refused(plain, number):
    path, (base, place) = list(FIELDS.items())[number]
    spec = BASES[base]()
    environment = "prod" if path[0] == "environments" else None
    value = spec
    for step in place:
        value = value[step]
    for text in tried(number, path, value):
        bundle, told = compiled(changed(spec, place, text), environment)
        if bundle is None:
            assert all(d.message and d.code for d in told)
            continue
        if not text:  # an empty one says nothing, so that its place may go
            continue
        ACCEPTED.add(path)
        before = plain[base, environment]
        after = trees(bundle)
        if path[-1] == "resource":  # the name of a device is a key
            after = renamed(after, text, value)
        assert after.keys() == before.keys()
        for where, old, new in differences(before, after):
            assert isinstance(new, str), f"{where}: another shape: {old!r:.200} is now {new!r:.200}"
            assert text in new or MADE_FROM.fullmatch(new), f"{where}: {old!r:.200} is now {new!r:.200}"
        for one in bundle.values():
            assert one.isascii()


def test_many_texts_are_taken_as_they_are(plain):
    del plain
    if len(ACCEPTED) == 0:
        pytest.skip("the fields were not tried in this process")
    assert len(ACCEPTED) > 15, sorted(ACCEPTED)


KEYS = (
    ("training", "params", "lr"),
    ("golden", "slices", "night"),
    ("sources", "fleet", "columns", "steer_rate"),
    ("training", "resources", "node_selector", "pool"),
    ("environments", "prod"),
    ("feedback", "auto_label", "columns", "agreement"),
    ("feedback", "retrain_when", "min_per_class", "dog"),
    ("meta", "anything"),
)


@pytest.mark.parametrize("place", KEYS, ids=map(str, KEYS))
@pytest.mark.parametrize("text", ["{{workflow.name}}", '"}], "x": ["', "$(HOME)", "a\nb: c", "\u202e"])
def test_a_key_changes_nothing_but_itself(plain, place, text):
    spec = by_functions()
    holder = spec
    for step in place[:-1]:
        holder = holder[step]
    holder[text] = holder.pop(place[-1])
    bundle, told = compiled(spec)
    if bundle is None:
        assert told
        return
    for file, text_ in bundle.items():
        for one, other in zip(yaml.safe_load_all(text_), plain["functions", None][file], strict=True):
            assert one["kind"] == other["kind"]
            assert names(one) == names(other)


def names(document):
    """The templates of an object, and the arguments' count of each container."""
    spec = document.get("spec") or {}
    return [(t["name"], sorted(t), len(t.get("container", {}).get("args", ()))) for t in spec.get("templates", ())]


@pytest.mark.parametrize("size", [130_000, 1_000_000])
def test_a_huge_text_is_refused_with_its_place(project, size):
    del project
    bundle, told = compiled(changed(by_functions(), ("training", "params", "note"), "x" * size))
    assert bundle is None
    assert {d.code for d in told if d.is_error} == {"CLS507"}
    assert all(len(d.message) < 1000 and d.span for d in told)


# -- secrets ---------------------------------------------------------------------------------------------------------

CANARIES = [f"canary-{number:02}-{'s3cr3t' * 3}" for number in range(20)]


def test_no_secret_stands_in_what_is_emitted(project, monkeypatch):
    del project
    variables = ("RIDER_DB_DSN", "OTHER_DSN", "SLACK_WEBHOOK_URL", "HF_TOKEN", "A_TOKEN", "CLSPEC_CLUSTER_TOKEN")
    others = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "GOOGLE_APPLICATION_CREDENTIALS")
    more = ("PGPASSWORD", "ARGO_TOKEN", "KUBECONFIG", "GITHUB_TOKEN", "HOME", "USER", "CANARY_A", "CANARY_B")
    for variable, canary in zip((*variables, *others, *more), CANARIES, strict=False):
        monkeypatch.setenv(variable, canary)
    for environment in (None, "prod"):
        for make in BASES.values():
            bundle, told = compiled(make(), environment)
            assert bundle, told
            whole = "".join(bundle.values())
            assert [canary for canary in CANARIES if canary in whole] == []
            assert "secretKeyRef" in whole
            assert "SLACK_WEBHOOK_URL" in whole


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (("sources", "rider_reports", "dsn_env"), f"postgres://ann:{CANARIES[18]}@db/reports"),
        (("notify", 0, "webhook_env"), f"https://hooks.slack.com/services/{CANARIES[19]}"),
        (("store",), f"s3://ann:{CANARIES[17]}@bucket/cl"),
        (("sources", "fleet", "uri"), f"s3://key:{CANARIES[16]}@bucket/*.parquet"),
        (("training", "params", "token"), f"ghp_{CANARIES[15].replace('-', '')}abcdefghij0123456789"),
    ],
)
def test_a_secret_written_into_a_spec_is_refused_and_not_repeated(project, place, text):
    del project
    spec = by_functions()
    holder = spec
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = text
    bundle, told = compiled(spec)
    assert bundle is None, "it would stand in a manifest"
    assert not any(text in d.message + d.hint for d in told)


def test_no_secret_is_printed_by_a_step(tmp_path, monkeypatch, capfd):
    """What a step says when its source or its webhook cannot be reached names the variable, never what is in it."""
    from clspec.step.program import main

    dsn = f"postgresql://ann:{CANARIES[0]}@127.0.0.1:9/nowhere?connect_timeout=1"
    hook = f"http://127.0.0.1:9/{CANARIES[1]}"
    monkeypatch.setenv("RIDER_DB_DSN", dsn)
    monkeypatch.setenv("SLACK_WEBHOOK_URL", hook)
    spec = by_functions()
    shutil.copytree(DATA / "robotaxi", tmp_path / "robotaxi")
    shutil.copy(DATA / "full.lock", tmp_path / "spec.lock")
    monkeypatch.chdir(tmp_path)
    bundle, told = compiled(spec)
    assert bundle, told
    ran, told_secrets = 0, set()
    looked_at = {"baseline", "expect", "ingest", "mine", "notify", "pin"}
    for text in bundle.values():
        document = yaml.load(text, LOADER)
        if document["kind"] != "WorkflowTemplate":
            continue
        for template in document["spec"]["templates"]:
            arguments = template.get("container", {}).get("args", [""])
            if any("valueFrom" in variable for variable in template.get("container", {}).get("env", ())):
                told_secrets.add(arguments[0])
            if arguments[0] not in looked_at:
                continue
            ran += 1
            given = [a.replace("{{workflow.parameters.store}}", str(tmp_path / "store")) for a in arguments]
            given = [a.replace("{{workflow.creationTimestamp.RFC3339}}", "2026-05-02T00:00:00Z") for a in given]
            given = ["" if a == "{{workflow.parameters.allow-both}}" else a for a in given]
            given = [a.replace("=/tmp/clspec/", f"={tmp_path}/pod/") for a in given]
            given[given.index("--code") + 1] = str(tmp_path / "robotaxi")
            main(given)
    said = "".join(capfd.readouterr())
    assert ran >= 5
    elsewhere = {"train", "predict", "auto_label"}  # in whole runs: tests/end_to_end/test_canaries.py
    assert elsewhere <= told_secrets <= elsewhere | looked_at
    assert "SLACK_WEBHOOK_URL" in said, "the variable is named, or nothing was shown here"
    assert [canary for canary in CANARIES if canary in said] == []
