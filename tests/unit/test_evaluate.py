"""What every metric counts, on every kind of case, for a challenger alone and against a champion."""

import itertools
import math
from dataclasses import asdict

import pyarrow.parquet as pq
import pytest
import test_step_program
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_step_program import COLUMNS, TASK, assert_said, row, to_count

from clspec.stats.paired import paired
from clspec.stats.spread import spread

bench = test_step_program.bench
RIDES = ["r1", "r2", "r3"]


def evaluate(bench, rows, said, scenarios, *, champion=None, **changes):
    """The metrics, or how the evaluation ended; `said` and `champion` are rows of answers besides the key."""
    columns = {**COLUMNS, **changes.pop("columns", {})}
    task = {**TASK, "score": None, **changes.pop("task", {})}
    answer = {"pred": "string" if task["type"] == "classification" else "double"}
    extra = {name: "double" for name in (said[0] if said else {}) if name != "pred"}
    inputs = {"data": bench.put_rows("data", rows, columns)}
    for name, answers, model in (("predictions-1", said, "sha256:new"), ("baseline", champion, "sha256:old")):
        if answers is not None:
            given = [{"id": r["id"], **a} for r, a in zip(rows, answers, strict=True)] if answers != "none" else []
            typed = {"id": "string", **answer, **extra}
            inputs[name] = bench.put_rows(
                name, given, typed, **{"clspec.model": model if answers != "none" else "none"}
            )
    config = {"task": task, "key": "id", "columns": columns, "cluster_by": None, "slices": {}, "code": None, **changes}
    bench.path("metrics").unlink(missing_ok=True)
    ended = bench.run("evaluate", {**config, "scenarios": scenarios}, inputs=inputs, outputs=["metrics"])
    return ended if ended.code else bench.json("metrics")


def scenario(*checks, select="true", slices=(), for_each=None, guard=None):
    return {
        "id": "s",
        "select": select,
        "slices": list(slices),
        "for_each": for_each,
        "checks": list(checks),
        "guard": guard,
    }


def pred(*answers):
    return [{"pred": answer} for answer in answers]


def only(metrics):
    """What the one check of the one case counted."""
    assert isinstance(metrics, dict), metrics.err
    ((case,), (check,)) = metrics["scenarios"][0]["cases"], metrics["scenarios"][0]["cases"][0]["checks"]
    assert case["selected"] == check["rows"]
    return check


def custom(name="python:user:metric", **changes):
    return {"metric": name, "class": None, "margin": False, "limit": None, "higher_is_better": True, **changes}


LABELLED = st.lists(
    st.tuples(st.sampled_from(["cat", "dog"]), st.sampled_from(["cat", "dog"])), min_size=1, max_size=30
)
IN_FIXTURE = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


# -- values ------------------------------------------------------------------------------------------------------------


@IN_FIXTURE
@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=1, max_size=30))
def test_errors_of_a_regression(bench, pairs):
    rows = [{**row(f"{n:02}"), "label": label} for n, (label, _) in enumerate(pairs)]
    task, columns = {"type": "regression", "classes": []}, {"label": "double"}
    errors = [abs(label - answer) for label, answer in pairs]
    said = pred(*(answer for _, answer in pairs))
    for metric, value in (("mae", sum(errors) / len(errors)), ("rmse", math.hypot(*errors) / math.sqrt(len(errors)))):
        found = evaluate(bench, rows, said, [scenario(to_count(metric, None))], task=task, columns=columns)
        assert only(found)["value"] == pytest.approx(value, rel=1e-9, abs=1e-12)
        worst = found["scenarios"][0]["wrong"][0]
        assert abs(worst["label"] - worst["said"]) == pytest.approx(max(errors))


@IN_FIXTURE
@given(st.lists(st.tuples(st.sampled_from(["cat", "dog"]), st.integers(0, 4)), min_size=1, max_size=25))
def test_auroc_is_the_share_of_pairs_in_order(bench, drawn):
    """The model says dog where its score of a dog is at least a half, and then how sure it is of what it said."""
    dogs = [score / 4 for _, score in drawn]
    said = [{"pred": "dog" if p >= 0.5 else "cat", "conf": p if p >= 0.5 else 1 - p} for p in dogs]
    rows = [row(f"{n:02}", label=label) for n, (label, _) in enumerate(drawn)]
    task = {"score": "conf"}
    pairs = [
        (mine, other)
        for (mine, (one, _)), (other, (two, _)) in itertools.product(zip(dogs, drawn, strict=True), repeat=2)
        if (one, two) == ("dog", "cat")
    ]
    wanted = sum((mine > other) + (mine == other) / 2 for mine, other in pairs) / len(pairs) if pairs else None
    for name in ("dog", "cat"):
        found = only(evaluate(bench, rows, said, [scenario(to_count("auroc", name))], task=task))
        assert found["value"] == (None if wanted is None else pytest.approx(wanted))


@IN_FIXTURE
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30)), min_size=1, max_size=40))
def test_calibration_is_the_mean_distance_in_fifteen_bins(bench, drawn):
    rows = [row(f"{n:02}") for n in range(len(drawn))]
    said = [{"pred": "cat" if right else "dog", "conf": score / 30} for right, score in drawn]
    wanted = 0.0
    for bin_ in range(15):
        inside = [(r, s / 30) for r, s in drawn if (2 * bin_ < s <= 2 * bin_ + 2) or (bin_ == 0 and s == 0)]
        if inside:
            accuracy = sum(r for r, _ in inside) / len(inside)
            wanted += len(inside) / len(drawn) * abs(accuracy - sum(s for _, s in inside) / len(inside))
    check = to_count("expected_calibration_error", None)
    assert only(evaluate(bench, rows, said, [scenario(check)], task={"score": "conf"}))["value"] == pytest.approx(
        wanted, abs=1e-12
    )


@pytest.mark.parametrize("metric", ["auroc", "expected_calibration_error"])
def test_a_score_is_a_probability_and_there(bench, metric):
    check = to_count(metric, "cat" if metric == "auroc" else None)
    rows = [row("a"), row("b", label="dog")]
    said = [{"pred": "cat", "conf": 0.5}, {"pred": "cat", "conf": 1.5}]
    ended = evaluate(bench, rows, said, [scenario(check)], task={"score": "conf"})
    assert_said(ended, 3, "1 scores are not from 0 to 1, like 1.5")
    assert_said(evaluate(bench, rows, pred("cat", "cat"), [scenario(check)]), 3, "set `task.score`")


def test_auroc_of_many_classes_needs_each_classs_own_score(bench):
    task = {"score": "conf", "classes": ["cat", "dog", "cow"]}
    rows = [row("a"), row("b", label="dog"), row("c", label="cow")]
    said = [{"pred": "cat", "conf": 0.5}] * 3
    ended = evaluate(bench, rows, said, [scenario(to_count("auroc", "dog"))], task=task)
    assert_said(ended, 3, "`auroc` of `dog` needs that class's own score", "`SCORE.dog`")
    said = [{**answer, "conf.dog": score} for answer, score in zip(said, (0.2, 0.3, 0.3), strict=True)]
    assert only(evaluate(bench, rows, said, [scenario(to_count("auroc", "dog"))], task=task))["value"] == 0.75


@IN_FIXTURE
@given(LABELLED)
def test_f1_is_told_with_the_rows_behind_it(bench, pairs):
    rows = [row(f"{n:02}", label=label) for n, (label, _) in enumerate(pairs)]
    found = only(evaluate(bench, rows, pred(*(a for _, a in pairs)), [scenario(to_count("f1", "dog"))]))
    both = sum(pair == ("dog", "dog") for pair in pairs)
    some = sum("dog" in pair for pair in pairs)
    assert (found["tally"]["rows"], found["tally"]["successes"]) == (some, both)
    assert found["value"] == (pytest.approx(2 * both / (some + both)) if some else None)


def test_latency_counts_the_rows_within_the_limit(bench):
    rows = [row(f"{n:03}") for n in range(200)]
    said = [{"pred": "cat", "clspec.latency": 0.001 * (n + 1)} for n in range(200)]
    found = only(evaluate(bench, rows, said, [scenario(to_count("latency_p99", None, limit=0.1505))]))
    assert found["value"] == pytest.approx(0.198)
    assert (found["tally"]["rows"], found["tally"]["successes"]) == (200, 150)
    ended = evaluate(bench, rows, pred(*["cat"] * 200), [scenario(to_count("latency_p99", None, limit=1.0))])
    assert_said(ended, 3, "do not say how long each row took")


def test_labels_of_a_regression_are_finite_numbers(bench):
    task, check = {"type": "regression", "classes": []}, [scenario(to_count("mae", None))]
    for label, kind in ((math.nan, "double"), (math.inf, "double"), ("1", "string")):
        rows = [{**row("a"), "label": label}]
        ended = evaluate(bench, rows, pred(1.0), check, task=task, columns={"label": kind})
        assert_said(ended, 3, "1 golden rows have a `label` that is no finite number")


# -- against a champion ------------------------------------------------------------------------------------------------

NINE = [row(f"{n}", label="dog" if n < 6 else "cat", ride=RIDES[n % 3]) for n in range(9)]
OLD = pred("dog", "dog", "dog", "cat", "cat", "cat", "cat", "cat", "dog")
NEW = pred("dog", "cat", "dog", "dog", "dog", "cat", "dog", "dog", "cat")


def test_flips_are_counted_and_named(bench):
    found = evaluate(bench, NINE, NEW, [scenario(to_count("negative_flip_rate", None))], champion=OLD)
    check = only(found)
    assert (check["tally"]["successes"], check["tally"]["rows"], check["value"]) == (3, 9, pytest.approx(3 / 9))
    assert found["scenarios"][0]["flipped"] == {
        "count": 3,
        "rows": [
            {"key": "1", "label": "dog", "said": "cat", "champion": "dog"},
            {"key": "6", "label": "cat", "said": "dog", "champion": "cat"},
            {"key": "7", "label": "cat", "said": "dog", "champion": "cat"},
        ],
    }
    assert (found["compared"], found["champion"], found["model"]) == (True, "sha256:old", "sha256:new")


@pytest.mark.parametrize(
    ("metric", "name", "about", "gained", "lost"),
    [
        ("accuracy", None, range(9), {3, 4, 8}, {1, 6, 7}),
        ("recall", "dog", range(6), {3, 4}, {1}),
        ("false_negative_rate", "dog", range(6), {3, 4}, {1}),
        ("false_positive_rate", "dog", range(6, 9), {8}, {6, 7}),
    ],
)
def test_a_share_is_compared_row_by_row(bench, metric, name, about, gained, lost):  # noqa: PLR0913, PLR0917
    check = to_count(metric, name, margin=True)
    found = only(evaluate(bench, NINE, NEW, [scenario(check)], champion=OLD, cluster_by="ride"))
    wanted = paired([n in gained for n in about], [n in lost for n in about], [NINE[n]["ride"] for n in about])
    assert found["paired"] == asdict(wanted)
    assert (found["tally"], found["spread"]) == (None, None)
    assert found["champion"] is not None


@pytest.mark.parametrize(("metric", "name"), [("precision", "dog"), ("f1", "dog")])
def test_other_values_are_compared_by_their_difference(bench, metric, name):
    many = [{**r, "id": f"{n}-{r['id']}"} for n in range(8) for r in NINE]
    check = to_count(metric, name, margin=True)
    found = only(evaluate(bench, many, NEW * 8, [scenario(check)], champion=OLD * 8))
    assert found["spread"]["value"] == pytest.approx(found["value"] - found["champion"])
    assert found["spread"]["rows"] == 72


def test_a_difference_is_positive_where_the_challenger_is_better_also_of_errors(bench):
    rows = [{**row(f"{n}"), "label": 0.0} for n in range(6)]
    task, columns = {"type": "regression", "classes": []}, {"label": "double"}
    check = to_count("mae", None, margin=True)
    found = only(
        evaluate(
            bench,
            rows,
            pred(*[1.0, 2.0] * 3),
            [scenario(check)],
            champion=pred(*[3.0] * 6),
            task=task,
            columns=columns,
        )
    )
    assert (found["value"], found["champion"], found["spread"]["value"]) == (1.5, 3.0, 1.5)


def test_without_a_champion_nothing_is_compared_and_the_rest_is_counted(bench):
    checks = [to_count("accuracy", None, margin=True), to_count("negative_flip_rate", None), to_count("accuracy", None)]
    found = evaluate(bench, NINE, NEW, [scenario(*checks)], champion="none")
    assert (found["compared"], found["champion"]) == (True, None)
    margin, flips, plain = found["scenarios"][0]["cases"][0]["checks"]
    for check in (margin, flips):
        assert check["tally"] is check["paired"] is check["spread"] is check["champion"] is None
    assert (margin["value"], flips["value"]) == (pytest.approx(5 / 9), None)
    assert plain["tally"]["successes"] == 5
    assert found["scenarios"][0]["flipped"] is None


def test_answers_of_a_champion_that_do_not_fit_are_refused(bench):
    check = [scenario(to_count("accuracy", None, margin=True))]
    inputs = {"data": bench.put_rows("data", NINE), "predictions-1": "p", "baseline": "b"}
    bench.put_answers("p", [{"id": r["id"], **a} for r, a in zip(NINE, NEW, strict=True)])
    bench.put_answers("b", [{"id": r["id"], **a} for r, a in zip(NINE[1:], OLD[1:], strict=True)], "sha256:old")
    config = {"task": {**TASK, "score": None}, "key": "id", "columns": COLUMNS, "cluster_by": None, "slices": {}}
    ended = bench.run("evaluate", {**config, "scenarios": check}, inputs=inputs, outputs=["metrics"])
    assert_said(ended, 3, "8 predictions for 9 golden rows, 1 of which have none")


def test_flips_and_latencies_have_no_margin(bench):
    check = to_count("negative_flip_rate", None, margin=True)
    assert_said(evaluate(bench, NINE, NEW, [scenario(check)], champion=OLD), 3, "cannot have a `margin`")


# -- cases -------------------------------------------------------------------------------------------------------------

ACCURACY = to_count("accuracy", None)


def weather(name, n, lit="day", sky="rain"):
    return {**row(name, n), "lit": lit, "sky": sky}


SKY = {"lit": "string", "sky": "string"}
NIGHT = {"night": "lit = 'night'", "wet": "sky = 'rain'"}


def test_a_scenario_is_counted_once_for_each_of_its_slices_and_told_for_all(bench):
    rows = [weather("a", 1, "night"), weather("b", 1, "day"), weather("c", 2, "night"), weather("d", 1, None)]
    rows += [weather("e", 2, None), weather("f", None, "day")]  # what is out for sure is no NULL
    found = evaluate(
        bench,
        rows,
        pred("cat", "dog", "dog", "cat", "cat", "cat"),
        [scenario(ACCURACY, select="n = 1", slices=["night"])],
        columns=SKY,
        slices=NIGHT,
    )
    (counted,) = found["scenarios"]
    (case,) = counted["cases"]
    assert (case["slice"], case["group"], case["selected"], case["nulls"]) == ("night", None, 1, 1)
    told = {part["name"]: (part["rows"], part["nulls"], part["checks"][0]["value"]) for part in counted["slices"]}
    assert told == {"night": (1, 1, 1.0), "wet": (3, 1, pytest.approx(2 / 3))}


def test_an_empty_slice_is_an_empty_case(bench):
    found = evaluate(
        bench, [weather("a", 1)], pred("cat"), [scenario(ACCURACY, slices=["night"])], columns=SKY, slices=NIGHT
    )
    (case,) = found["scenarios"][0]["cases"]
    assert (case["slice"], case["selected"]) == ("night", 0)
    assert found["scenarios"][0]["slices"][0]["checks"][0]["value"] is None


def test_each_value_is_a_group_and_null_is_a_value(bench):
    rows = [weather("a", 1, sky="rain"), weather("b", 1, sky=None), weather("c", 1, sky="null"), weather("d", None)]
    rows += [weather("e", 1, sky="rain"), weather("f", 2, sky="snow")]
    found = evaluate(bench, rows, pred(*["cat"] * 6), [scenario(ACCURACY, select="n = 1", for_each="sky")], columns=SKY)
    cases = found["scenarios"][0]["cases"]
    assert [(c["group"], c["selected"], c["nulls"], c["of"]) for c in cases] == [
        ({"value": "null"}, 1, 1, 4),
        ({"value": "rain"}, 2, 1, 4),
        ({"value": None}, 1, 1, 4),
    ]


def test_groups_of_slices(bench):
    rows = [weather("a", 1, "night", "rain"), weather("b", 1, "night", "sun"), weather("c", 1, "day", "rain")]
    found = evaluate(
        bench,
        rows,
        pred(*["cat"] * 3),
        [scenario(ACCURACY, for_each="sky", slices=["night", "wet"])],
        columns=SKY,
        slices=NIGHT,
    )
    cases = [(c["slice"], c["group"]["value"], c["selected"], c["of"]) for c in found["scenarios"][0]["cases"]]
    assert cases == [("night", "rain", 1, 2), ("night", "sun", 1, 2), ("wet", "rain", 2, 2)]


def test_no_rows_at_all_is_one_empty_case(bench):
    found = evaluate(
        bench, [weather("a", 1)], pred("cat"), [scenario(ACCURACY, select="n = 9", for_each="sky")], columns=SKY
    )
    (case,) = found["scenarios"][0]["cases"]
    assert (case["group"], case["selected"], case["of"]) == (None, 0, 0)


@pytest.mark.parametrize(
    ("kind", "values", "texts"),
    [
        ("integer", [10, 9, None], ["10", "9", None]),
        ("double", [0.0, -0.0, 1.5], ["0.0", "1.5"]),
        ("boolean", [True, False, None], ["false", "true", None]),
        ("date", ["2026-01-02", "2026-01-02", None], ["2026-01-02", None]),
        ("string", ["", None, "x"], ["", "x", None]),
    ],
)
def test_values_of_every_type_are_groups(bench, kind, values, texts):
    rows = [{**row(f"{n}"), "of": value} for n, value in enumerate(values)]
    found = evaluate(bench, rows, pred(*["cat"] * 3), [scenario(ACCURACY, for_each="of")], columns={"of": kind})
    assert [case["group"]["value"] for case in found["scenarios"][0]["cases"]] == texts


# -- metrics of the user's ---------------------------------------------------------------------------------------------


def with_metric(bench, body, rows=NINE, said=NEW, checks=None, **changes):
    bench.write_module("user", f"import pathlib\ncalls = []\ndef metric(rows):\n    {body}\n")
    changes = {"code": bench.digest(), **changes}
    return evaluate(bench, rows, said, [scenario(*(checks or [custom()]))], **changes)


def test_a_metric_of_the_users_sees_rows_with_what_was_said_of_them(bench):
    seen = "{'id', 'ride', 'n', 'label', 'pred', 'conf'}"
    body = f"assert set(rows[0]) == {seen}, rows[0]; return sum(r['conf'] for r in rows)"
    said = [{**answer, "conf": 0.5} for answer in NEW]
    found = only(with_metric(bench, body, said=said, task={"score": "conf"}))
    assert (found["value"], found["spread"]["value"], found["spread"]["groups"]) == (4.5, 4.5, 9)
    wanted = spread(lambda chosen: len(chosen) / 2, 9, None)
    assert found["spread"] == asdict(wanted)


def test_a_metric_of_the_users_may_change_the_rows_it_gets(bench):
    body = "n = len(rows); rows[0].clear(); rows.clear(); return n"
    assert only(with_metric(bench, body))["value"] == 9


def test_a_metric_of_the_users_is_compared(bench):
    body = "return sum(r['pred'] == r['label'] for r in rows) / len(rows)"
    right = sum(new["pred"] == r["label"] for new, r in zip(NEW, NINE, strict=True)) / 9
    old = sum(new["pred"] == r["label"] for new, r in zip(OLD, NINE, strict=True)) / 9
    for higher, sign in ((True, 1), (False, -1)):
        check = custom(margin=True, higher_is_better=higher)
        found = only(with_metric(bench, body, champion=OLD, checks=[check]))
        assert found["spread"]["value"] == pytest.approx(sign * (right - old))


@pytest.mark.parametrize(
    "returned", ["float('nan')", "float('inf')", "None", "'0.5'", "True", "[0.5]", "10 ** 400", "{}"]
)
def test_a_metric_of_the_users_returns_a_finite_float(bench, returned):
    assert_said(with_metric(bench, f"return {returned}"), 3, "`user:metric`")
    assert not bench.path("metrics").exists()


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("raise KeyError('x')", "`user:metric` raised KeyError"),
        ("raise SystemExit(0)", "`user:metric` ended the process with 0"),
        ("return 1 if len(rows) == 9 else float('nan')", "must return a finite float, not nan, on 8 rows"),
    ],
)
def test_a_metric_of_the_users_that_fails_fails_the_step(bench, body, text):
    assert_said(with_metric(bench, body), 3, text)


def test_other_code_is_not_run_and_edited_code_is_refused(bench):
    assert_said(with_metric(bench, "return 1.0", code="sha256:other"), 1, "the plan was made for sha256:other")
    edits = "pathlib.Path(__file__).with_name('more.py').write_text(''); return 1.0"
    assert_said(with_metric(bench, edits), 1, "the plan was made for")
    assert_said(with_metric(bench, "return 1.0", code=None), 3, "the plan does not say which")
    assert not bench.path("metrics").exists()


def test_a_slice_that_is_only_told_fails_nothing(bench):
    body = "return 1 / sum(r['label'] == 'dog' for r in rows)"
    found = with_metric(bench, body, slices={"cats": "label = 'cat'", "dogs": "label = 'dog'"})
    told = {part["name"]: part["checks"][0]["value"] for part in found["scenarios"][0]["slices"]}
    assert told == {"cats": None, "dogs": pytest.approx(1 / 6)}


def test_no_metric_of_the_users_is_asked_about_no_rows(bench):
    bench.write_module("user", "def metric(rows):\n    raise ValueError\n")
    found = evaluate(bench, NINE, NEW, [scenario(custom(), select="n = 99")], code=bench.digest())
    assert (only(found)["value"], only(found)["spread"]) == (None, None)


# -- predictions with times and scores ---------------------------------------------------------------------------------


def predict(bench, body, **changes):
    bench.write_module(
        "user",
        f"import time\nimport pyarrow.parquet as pq\ndef predict(data, model_dir):\n"
        f"    for r in pq.read_table(data).to_pylist():\n        {body}\n",
    )
    bench.path("model").mkdir(exist_ok=True)
    bench.put_rows("data", [row("a"), row("b"), row("c")])
    call = {"entrypoint": "user:predict", "command": None, "code": bench.digest(), **changes.pop("call", {})}
    config = {"call": call, "task": TASK, "key": "id", "shard": 1, "shards": 1, "latency": False, **changes}
    return bench.run("predict", config, inputs={"data": "data", "model": "model"}, outputs=["predictions"])


def test_the_time_of_every_row_is_measured_where_it_is_asked_for(bench):
    body = "time.sleep(0.05 * (r['id'] == 'b')); yield {'id': r['id'], 'pred': 'cat', 'conf': 0.5}"
    assert predict(bench, body).code == 0
    assert "clspec.latency" not in pq.read_schema(bench.path("predictions")).names
    assert predict(bench, body, latency=True).code == 0
    took = {r["id"]: r["clspec.latency"] for r in bench.rows("predictions")}
    assert took["b"] >= 0.05
    assert 0 <= took["c"] < took["b"]


def test_the_times_of_a_command_cannot_be_measured(bench):
    command = {"entrypoint": None, "command": ["true", "{data}", "{model_dir}", "{out}"]}
    assert_said(predict(bench, "pass", call=command, latency=True), 3, "give `inference` an `entrypoint`")


def test_scores_of_classes_may_be_given_and_are_then_given_for_every_row(bench):
    body = "yield {'id': r['id'], 'pred': 'cat', 'conf': 0.5, 'conf.dog': 0.25}"
    assert predict(bench, body).code == 0
    assert [r["conf.dog"] for r in bench.rows("predictions")] == [0.25] * 3
    partly = "yield {'id': r['id'], 'pred': 'cat', 'conf': 0.5, **({'conf.dog': 0.1} if r['id'] == 'a' else {})}"
    assert_said(predict(bench, partly), 3, "row 2 of `user:predict` lacks `conf.dog`")
    assert_said(predict(bench, body.replace("0.25", "float('nan')")), 3, "predict gives 3 rows no finite `conf.dog`")
    assert_said(predict(bench, body.replace("conf.dog", "conf.cow")), 3, "`conf.cow`, which is no column")


def test_a_number_that_is_predicted_is_finite(bench):
    task = {**TASK, "type": "regression", "classes": [], "score": None}
    for value in ("nan", "inf", "-inf"):
        ended = predict(bench, f"yield {{'id': r['id'], 'pred': float('{value}')}}", task=task)
        assert_said(ended, 3, "predict gives 3 rows no finite `pred`")
