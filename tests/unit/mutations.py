"""Changes to specs, each with the right answer: whether it weakens what keeps a model safe."""

import copy
import json
import re
import shutil
from pathlib import Path

from clspec.load import load

ROOT = Path(__file__).parents[2]
SPECS = {
    "robotaxi": (ROOT / "specs" / "robotaxi.yaml", ROOT / "specs" / "robotaxi"),
    "fraud": (ROOT / "specs" / "fraud.yaml", ROOT / "specs" / "fraud"),
    "tumour": (ROOT / "specs" / "tumour.yaml", ROOT / "specs" / "tumour"),
    "full": (ROOT / "tests" / "data" / "full.yaml", ROOT / "tests" / "data" / "robotaxi"),
    "loop": (ROOT / "tests" / "data" / "loop" / "loop.yaml", ROOT / "tests" / "data" / "loop" / "loop"),
}
WEAKER, LOOK, FINE = "weaker", "look", "fine"
"""It must be stopped; a person must look; nobody need be bothered."""
GONE = object()
UNPINNED = False


def document(name):
    return copy.deepcopy(load(SPECS[name][0].read_text(), name)[0].value)


def written(folder, name, value, lock=None):
    """A spec with its code and lock in a folder of its own."""
    text, code = SPECS[name]
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / text.name
    place.write_text(json.dumps(value, indent=1))
    shutil.copytree(code, folder / code.name, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    known = text.with_suffix(".lock")
    if lock is not None or known.exists():
        place.with_suffix(".lock").write_text(known.read_text() if lock is None else lock)
    return place


def changed(value, path, new):
    """The value with something else at a path of keys, positions and ids."""
    value = copy.deepcopy(value)
    *steps, last = path
    target = value
    for step in steps:
        target = _below(target, step)
    if new is GONE:
        del target[_key(target, last)]
    elif isinstance(target, list) and last == len(target):
        target.append(new)
    else:
        target[_key(target, last)] = new
    return value


def _key(target, step):
    if isinstance(target, list) and isinstance(step, str):
        return next(n for n, one in enumerate(target) if step in (one.get("id"), one.get("alias")))
    return step


def _below(target, step):
    if isinstance(target, dict):
        return target.setdefault(step, {})
    return target[_key(target, step)]


def at(value, path):
    for step in path:
        value = value[_key(value, step)]
    return value


def mutations(name):
    """Every mutation of a spec: a label, the changed document, and the right answer."""
    value = document(name)

    def one(label, path, new, answer):
        return f"{name}: {label}", changed(value, path, new), answer

    for scenario in value["golden"]["scenarios"]:
        yield from _of_scenario(value, scenario, one)
    yield from _of_golden(value, one)
    if "feedback" in value:
        yield from _of_loop(value, one)
    yield from _of_surroundings(value, one)


def _of_scenario(value, scenario, one):
    here = ("golden", "scenarios", scenario["id"])
    critical = scenario.get("must_pass", True)
    weaker = WEAKER if critical else LOOK
    yield one(f"{here[2]} removed", here, GONE, WEAKER)
    yield one(f"{here[2]} renamed", (*here, "id"), "another-name", LOOK)
    yield one(f"{here[2]} must_pass", (*here, "must_pass"), not critical, WEAKER if critical else FINE)
    select = scenario["select"]
    yield one(f"{here[2]} narrowed", (*here, "select"), f"({select}) and {_column(value)} = 'x'", weaker)
    yield one(f"{here[2]} widened", (*here, "select"), f"({select}) or {_column(value)} = 'x'", LOOK)
    yield one(f"{here[2]} other rows", (*here, "select"), f"{_column(value)} = 'x'", weaker)
    yield one(f"{here[2]} rewritten", (*here, "select"), f"not (not ({select}))", FINE)
    yield one(f"{here[2]} nulls hidden", (*here, "select"), _without_null(value, select), LOOK)
    yield one(f"{here[2]} fewer samples", (*here, "min_samples"), 20, WEAKER)
    yield one(f"{here[2]} more samples", (*here, "min_samples"), 900, FINE)
    yield one(f"{here[2]} less confidence", (*here, "confidence"), 0.6, WEAKER)
    yield one(f"{here[2]} more confidence", (*here, "confidence"), 0.99, FINE)
    yield one(f"{here[2]} default spelt out", (*here, "confidence"), 0.95, FINE)
    yield from _of_checks(here, scenario["checks"], weaker, one)
    if "guard" in scenario:
        yield one(f"{here[2]} guard removed", (*here, "guard"), GONE, WEAKER)
        narrow = f"({scenario['guard']['select']}) and {_column(value)} = 'x'"
        yield one(f"{here[2]} guard narrowed", (*here, "guard", "select"), narrow, weaker)
        yield from _of_checks((*here, "guard"), scenario["guard"]["checks"], weaker, one)
    if "for_each" in scenario:
        yield one(f"{here[2]} for_each removed", (*here, "for_each"), GONE, weaker)
    else:
        yield one(f"{here[2]} for_each added", (*here, "for_each"), _column(value), FINE)
    for name in scenario.get("slices", ()):
        yield one(f"{here[2]} slice {name} removed", (*here, "slices"), GONE, weaker)
        yield one(f"slice {name} narrowed", ("golden", "slices", name), "1 = 2", weaker)


def _of_checks(here, checks, weaker, one):
    name = ".".join(map(str, here[2:]))
    for number, check in enumerate(checks):
        path = (*here, "checks", number)
        yield one(
            f"{name} check {number} metric", (*path, "metric"), "f1" if check["metric"] != "f1" else "recall", weaker
        )
        if len(checks) > 1:
            yield one(f"{name} check {number} removed", path, GONE, weaker)
        for key, strict in (("min", 1), ("max", -1), ("margin", -1), ("max_gap", -1)):
            if key in check:
                loose, tight = check[key] - strict * check[key] / 10, check[key] + strict * check[key] / 50
                yield one(f"{name} check {number} {key} looser", (*path, key), round(loose, 6), weaker)
                yield one(f"{name} check {number} {key} tighter", (*path, key), round(tight, 6), FINE)
        if "max_gap" in check:
            yield one(f"{name} check {number} max_gap removed", (*path, "max_gap"), GONE, weaker)
        point = check.get("gate") == "point"
        yield one(f"{name} check {number} to a point", (*path, "gate"), "point", FINE if point else LOOK)
        yield one(f"{name} check {number} at its bound", (*path, "gate"), "bound", FINE)
    another = {"metric": "accuracy", "min": 0.5}
    yield one(f"{name} check added", (*here, "checks", len(checks)), another, FINE)


def _column(value):
    name = value["golden"]["dataset"]
    name = value["datasets"][name].get("like", name)
    return next(n for n, kind in value["datasets"][name]["columns"].items() if kind == "string")


def _without_null(value, select):
    """The same selection, false where it was NULL: nothing is inconclusive any more."""
    name = value["datasets"][value["golden"]["dataset"]]["like"]
    used = [column for column in value["datasets"][name]["columns"] if re.search(rf"\b{column}\b", select)]
    return " and ".join([f"({select})", *(f"{column} is not null" for column in used)])


def _of_golden(value, one):
    golden, here = value["golden"], ("golden",)
    yield one("cluster_by removed", (*here, "cluster_by"), GONE, WEAKER)
    yield one("cluster_by another", (*here, "cluster_by"), _column(value), WEAKER)
    yield one("golden another", (*here, "dataset"), value["training"]["dataset"], WEAKER)
    yield one("defaults fewer samples", (*here, "defaults"), {"min_samples": 30}, WEAKER)
    yield one("defaults less confidence", (*here, "defaults"), {"confidence": 0.8}, WEAKER)
    yield one("defaults more", (*here, "defaults"), {"min_samples": 200, "confidence": 0.99}, FINE)
    fresh = {"id": "newly-judged", "select": f"{_column(value)} = 'y'", "checks": [{"metric": "accuracy", "min": 0.9}]}
    yield one("scenario added", (*here, "scenarios", len(golden["scenarios"])), fresh, FINE)
    order = list(reversed(golden["scenarios"]))
    yield one("scenarios in another order", (*here, "scenarios"), order, FINE)
    if "baseline" in golden:
        yield one("baseline removed", (*here, "baseline"), GONE, WEAKER)
        yield one("baseline must be there", (*here, "baseline", "when_missing"), "fail", FINE)
    else:
        yield one("baseline added", (*here, "baseline"), {"compare": "champion", "when_missing": "fail"}, FINE)
    if "reuse" in golden:
        yield one("reuse removed", (*here, "reuse"), GONE, WEAKER)
        yield one("reuse raised", (*here, "reuse", "max_decisions"), 1000, WEAKER)
        yield one("reuse lowered", (*here, "reuse", "max_decisions"), 5, FINE)
    else:
        yield one("reuse added", (*here, "reuse"), {"max_decisions": 10}, FINE)


def _of_loop(value, one):
    here, rules = ("feedback",), value["feedback"]["rules"]
    yield one("loop removed", here, GONE, WEAKER)
    yield one("loop from elsewhere", (*here, "source"), "first_drives", LOOK)
    yield one("loop into another", (*here, "append_to"), "golden", LOOK)
    yield one("rules in another order", (*here, "rules"), rules[::-1], FINE)
    for rule in rules:
        path = (*here, "rules", rule["id"])
        kind = rule["type"]
        yield one(f"{rule['id']} removed", path, GONE, WEAKER if kind == "random" else LOOK)
        yield one(f"{rule['id']} renamed", (*path, "id"), "otherwise-called", LOOK)
        for key in ("when", "event"):
            if key in rule:
                columns = value["sources"][value["feedback"]["source"]]["columns"]
                column = next(n for n, k in columns.items() if k == "double")
                yield one(f"{rule['id']} {key} narrowed", (*path, key), f"({rule[key]}) and {column} < -9", LOOK)
                yield one(f"{rule['id']} {key} widened", (*path, key), f"({rule[key]}) or {column} < -9", FINE)
        for key, less, more in (("below", 0.1, 0.9), ("window", None, 9), ("within", "1s", "90s")):
            if key in rule:
                yield one(f"{rule['id']} {key} more", (*path, key), more, FINE)
                if less not in (None, rule[key]):
                    yield one(f"{rule['id']} {key} less", (*path, key), less, LOOK)
        if kind == "random":
            yield one("rate lowered", (*path, "rate"), rule["rate"] / 10, WEAKER)
            yield one("rate raised", (*path, "rate"), rule["rate"] * 2, FINE)
            yield one("alarm removed", (*path, "alarm"), GONE, WEAKER)
            yield one("alarm loosened", (*path, "alarm", "error_rate"), 0.9, WEAKER)
            yield one("alarm tightened", (*path, "alarm", "error_rate"), 0.001, FINE)
        if kind == "human_feedback":
            yield one("corrections from elsewhere", (*path, "label"), rule["join"], LOOK)
            default = next(one for one in value["task"]["classes"] if one != rule.get("when_absent"))
            yield one("truth by default", (*path, "when_absent"), default, LOOK)
    yield from _of_labels(value, one)


def _of_labels(value, one):
    feedback, here = value["feedback"], ("feedback",)
    yield one("leakage guard removed", (*here, "leakage_guard"), GONE, WEAKER)
    yield one("leakage guard elsewhere", (*here, "leakage_guard", "against"), [feedback["append_to"]], WEAKER)
    if "near" in feedback["leakage_guard"]:
        near = (*here, "leakage_guard", "near")
        yield one("near removed", near, GONE, WEAKER)
        yield one("near closer", (*near, "distance"), 1, WEAKER)
        yield one("near further", (*near, "distance"), 9, FINE)
    else:
        yield one("near added", (*here, "leakage_guard", "near"), {"method": "phash", "distance": 4}, FINE)
    if "auto_label" in feedback:
        yield from _of_teacher(value, one)
    yield one("no labelling", (*here, "labelling"), GONE, WEAKER)
    if feedback["labelling"].get("votes", 1) > 1:
        yield one("fewer votes", (*here, "labelling", "votes"), 1, WEAKER)
        yield one("other gold", (*here, "labelling", "gold_rate"), 0.5, FINE)
        if feedback["labelling"].get("gold_rate"):
            yield one("no gold", (*here, "labelling", "gold_rate"), 0.0, LOOK)
        yield one("disagreement otherwise", (*here, "labelling", "on_disagreement"), "drop", LOOK)
    yield one("more votes", (*here, "labelling", "votes"), 5, FINE)
    yield one("smaller budget", (*here, "sampling", "budget"), 10, LOOK)
    yield one("larger budget", (*here, "sampling", "budget"), 9000, FINE)
    yield one("other strata", (*here, "sampling", "stratify_by"), ["rule"], LOOK)
    when = feedback["retrain_when"]
    yield one("retrain from less", (*here, "retrain_when", "min_new_samples"), 1, LOOK)
    yield one("retrain from more", (*here, "retrain_when", "min_new_samples"), 9000, FINE)
    if "min_per_class" in when:
        yield one("retrain without classes", (*here, "retrain_when", "min_per_class"), {}, LOOK)
    if "max_wait" in when:
        yield one("retrain later", (*here, "retrain_when", "max_wait"), "300d", LOOK)
        hours = f"{24 * int(when['max_wait'].removesuffix('d'))}h"
        yield one("retrain at the same time", (*here, "retrain_when", "max_wait"), hours, FINE)
    yield from _of_stages(value, one)
    yield from _of_gates(value, one)


def _of_teacher(value, one):
    feedback, here = value["feedback"], ("feedback",)
    teacher = (*here, "auto_label")
    accept = feedback["auto_label"]["accept_if"]
    column = next(iter(feedback["auto_label"]["columns"]))
    yield one("accept more", (*teacher, "accept_if"), f"({accept}) or {column} > 0.1", WEAKER)
    yield one("accept others", (*teacher, "accept_if"), f"{column} < 0.1", WEAKER)
    yield one("accept fewer", (*teacher, "accept_if"), f"({accept}) and {column} > 0.99", FINE)
    yield one("accept all", (*teacher, "accept_if"), "true", WEAKER)
    yield one("audit fewer labels", (*teacher, "audit_rate"), 0.001, WEAKER)
    yield one("audit more labels", (*teacher, "audit_rate"), 0.9, FINE)
    yield one("disagree more", (*teacher, "max_disagreement"), 0.9, WEAKER)
    yield one("disagree at will", (*teacher, "max_disagreement"), GONE, WEAKER)
    yield one("disagree less", (*teacher, "max_disagreement"), 0.001, FINE)
    yield one("another teacher", (*teacher, "entrypoint"), "teacher:other", LOOK)
    yield one("no teacher", teacher, GONE, FINE)
    if "never_for" in feedback["auto_label"]:
        yield one("never_for shorter", (*teacher, "never_for"), ["dog"], WEAKER)
        yield one("never_for removed", (*teacher, "never_for"), GONE, WEAKER)
    yield one("never_for longer", (*teacher, "never_for"), value["task"]["classes"], FINE)


def _of_stages(value, one):
    stages = ("promotion", "stages")
    yield one("no promotion", ("promotion",), GONE, WEAKER)
    for stage in value["promotion"]["stages"]:
        here = (*stages, stage["alias"])
        if "approval" in stage:
            yield one(f"no approval of {here[-1]}", (*here, "approval"), GONE, WEAKER)
            yield one(f"another approves {here[-1]}", (*here, "approval"), "intern", LOOK)
        else:
            yield one(f"{here[-1]} approved", (*here, "approval"), "safety-board", FINE)
        if len(value["promotion"]["stages"]) > 1 and here[-1] != "champion":
            yield one(f"no {here[-1]}", here, GONE, WEAKER)


def _of_gates(value, one):
    name = value["feedback"]["source"]
    source, fleet = value["sources"][name], ("sources", name)
    expect = source.get("expect", {})
    if expect:
        yield one("no data gates", (*fleet, "expect"), GONE, WEAKER)
    if "drift" in expect:
        yield one("no drift gate", (*fleet, "expect", "drift"), GONE, WEAKER)
        yield one("looser drift gate", (*fleet, "expect", "drift", "max_psi"), 5.0, LOOK)
        yield one("tighter drift gate", (*fleet, "expect", "drift", "max_psi"), 0.01, FINE)
    if "min" in expect.get("rows", {}):
        yield one("fewer rows do", (*fleet, "expect", "rows", "min"), 1, LOOK)
        yield one("more rows needed", (*fleet, "expect", "rows", "min"), 99999, FINE)
    if expect.get("nulls"):
        yield one("more nulls", (*fleet, "expect", "nulls"), {}, WEAKER)
    if "freshness" in source:
        yield one("staler", (*fleet, "freshness"), "9d", LOOK)
        yield one("any age", (*fleet, "freshness"), GONE, WEAKER)
        yield one("fresher", (*fleet, "freshness"), "1h", FINE)
        yield one("as fresh", (*fleet, "freshness"), "1d", FINE)
    if "uri" in source:
        yield one("fleet from elsewhere", (*fleet, "uri"), "other/*.parquet", LOOK)
    if "group" in source["roles"]:
        yield one("roles otherwise", (*fleet, "roles", "group"), GONE, LOOK)


def _of_surroundings(value, one):
    seeds = value["training"]["seeds"]
    yield one("fewer seeds", ("training", "seeds"), seeds[:1], WEAKER)
    yield one("other seeds", ("training", "seeds"), [seed + 40 for seed in seeds], LOOK)
    yield one("more seeds", ("training", "seeds"), [*seeds, 99], FINE)
    yield one("params", ("training", "params", "epochs"), 77, FINE)
    yield one("no validation", ("training", "split", "validation"), 0.0, LOOK)
    yield one("timeout", ("training", "timeout"), "99h", FINE)
    yield one("machine", ("training", "resources"), {"cpu": 9, "memory": "99Gi"}, FINE)
    yield one("secret", ("training", "secrets"), [{"env": "OTHER_TOKEN"}], LOOK)
    yield one("entry point", ("training", "entrypoint"), "train:other", LOOK)
    yield one("learns from golden", ("training", "dataset"), "golden", LOOK)
    yield one("golden unpinned", ("datasets", "golden", "pinned"), UNPINNED, WEAKER)
    trained = value["training"]["dataset"]
    yield one("no group", ("datasets", trained, "group"), GONE, WEAKER)
    yield one("another key", ("datasets", trained, "key"), value["datasets"][trained]["group"], WEAKER)
    yield one("another origin", ("datasets", "golden", "from"), value["datasets"][trained]["from"], LOOK)
    classes = value["task"]["classes"]
    yield one("another class", ("task", "classes"), [*classes[:-1], "unheard-of"], WEAKER)
    yield one("a class more", ("task", "classes"), [*classes, "unheard-of"], LOOK)
    yield one("another label", ("task", "label"), _column(value), WEAKER)
    yield one("another store", ("store",), "elsewhere", LOOK)
    yield one("another name", ("metadata", "name"), "somebody-else", LOOK)
    yield one("owners", ("metadata", "owners"), ["new@example.com"], FINE)
    yield one("meta", ("meta",), {"said": "beside"}, FINE)
    yield one("no triggers", ("triggers",), [], LOOK)
    labels = {"event": "labels", "run": "improvement"}
    if labels not in value["triggers"]:
        yield one("a trigger more", ("triggers", len(value["triggers"])), labels, FINE)
    waiver = {"code": "CLS412", "path": "golden", "reason": "so", "owner": "me", "expires": "2030-01-01"}
    yield one("a waiver", ("waivers",), [*value.get("waivers", []), waiver], LOOK)
    place = {"training": {"timeout": "1h", "secrets": [{"env": "MORE"}]}}
    yield one("secrets by an environment", ("environments", "stage"), place, LOOK)
    if "image" in value["code"]:
        yield one("image", ("code", "image"), value["code"]["image"][:-1] + "e", LOOK)
        yield one("image unpinned", ("code", "image"), "registry.example.com/perception:latest", WEAKER)
        tag = {"code": {"image": "registry.example.com/perception:latest"}}
        yield one("image unpinned by an environment", ("environments", "stage"), tag, WEAKER)
