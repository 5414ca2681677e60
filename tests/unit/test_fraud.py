"""The fraud example: a made-up stream, a truth that comes late, and a gate that tells good from worse."""

import itertools
import json
import sys
import tracemalloc
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import walking

pytest.importorskip("numpy", reason="the detector learns with numpy")
pq = pytest.importorskip("pyarrow.parquet")


@pytest.fixture(scope="module")
def example():
    sys.path.insert(0, str(walking.SPECS / "fraud"))
    try:
        import detector
        import payments
    finally:
        sys.path.remove(str(walking.SPECS / "fraud"))
    return payments, detector


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return walking.pinned("fraud", tmp_path_factory.mktemp("fraud"))


@pytest.fixture(scope="module")
def some(example, tmp_path_factory):
    """A folder with a slice of the payments, and none."""
    import pyarrow as pa

    payments, _ = example
    folder = tmp_path_factory.mktemp("some")
    table = pa.Table.from_pylist(list(itertools.islice(payments.learned(), 6000)))
    pq.write_table(table, folder / "data.parquet")
    pq.write_table(table.slice(0, 0), folder / "nothing.parquet")
    return folder


def trained(detector, some, folder, seed, **params):
    folder.mkdir(exist_ok=True)
    returned = detector.train(str(some / "data.parquet"), str(some / "nothing.parquet"), str(folder), seed, **params)
    return returned, (folder / "model.json").read_bytes()


@pytest.mark.parametrize("source", ["learned", "authorised", "chargebacks"])
def test_sources_stream(example, source):
    """The first rows are there at once, and a thousand more need no more memory."""
    payments, _ = example
    rows = getattr(payments, source)()
    next(rows)
    tracemalloc.start()
    for _ in itertools.islice(rows, 200):
        pass
    assert tracemalloc.get_traced_memory()[1] < 200_000
    tracemalloc.stop()


def test_the_stream_is_the_same_everywhere(example):
    payments, _ = example
    row = next(payments.learned())
    seen = (row["payment_id"], row["cents"], row["paid_at"])
    assert seen == ("171d7c6d6332146b39ea", 3291, datetime(2025, 10, 20, 9, 47, tzinfo=UTC))


def test_one_payment_in_a_hundred_is_stolen_and_keys_are_unique(example):
    payments, _ = example
    rows = list(payments.learned())
    assert len({row["payment_id"] for row in rows}) == len(rows)
    assert 0.008 < Counter(row["label"] for row in rows)["fraud"] / len(rows) < 0.016


def test_no_account_is_learned_from_and_judged_on(example):
    payments, _ = example
    sources = (payments.learned, payments.golden, payments.authorised)
    accounts = [{row["account_id"] for row in source()} for source in sources]
    assert not any(left & right for left, right in itertools.combinations(accounts, 2))


def test_production_does_not_tell_the_truth(example):
    payments, _ = example
    assert not {"label", "finding", "stolen"} & set(next(payments.authorised()))


def test_chargebacks_are_late_and_about_payments_of_the_stream(example):
    payments, _ = example
    paid = {row["payment_id"]: row["paid_at"] for row in payments.authorised()}
    filed = list(payments.chargebacks())
    assert len(filed) > 200
    assert {row["finding"] for row in filed} == {"fraud"}
    for row in filed:
        assert timedelta(days=30) <= row["filed_at"] - paid[row["payment_id"]] < timedelta(days=90)


def test_an_honest_model_passes_on_every_seed(project):
    found = walking.verdict(project, "fraud")
    assert found["verdict"] == "pass"
    assert set().union(*walking.verdicts(found).values()) == {"pass", "not_compared"}


def test_a_model_that_sees_only_amounts_is_refused(project):
    found = walking.verdict(project, "fraud", views="[amount, time]", seeds="[1]")
    assert found["verdict"] == "fail"
    assert walking.verdicts(found)["fraud-is-stopped"] == {"fail"}


def test_a_model_that_blocks_everything_is_refused_by_the_guard(project):
    found = walking.verdict(project, "fraud", blocked_from="0.0", seeds="[1]")
    assert found["verdict"] == "fail"
    assert walking.verdicts(found)["fraud-is-stopped"] == {"fail"}


def test_training_is_repeatable_and_seeds_differ(example, some, tmp_path):
    _, detector = example
    (_, first), (_, again), (_, other) = (
        trained(detector, some, tmp_path / name, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first == again != other


def test_more_passes_change_nothing_more(example, some, tmp_path):
    """Newton's method has arrived: the sums over the stream are those of all rows at once."""
    _, detector = example
    weights = [
        json.loads(trained(detector, some, tmp_path / str(passes), 1, passes=passes)[1])["weights"]
        for passes in (20, 24)
    ]
    assert weights[0] == pytest.approx(weights[1], rel=1e-6, abs=1e-6)


def test_it_answers_every_payment_once_and_says_how_sure_it_is(example, some, tmp_path):
    _, detector = example
    trained(detector, some, tmp_path, 1)
    said = list(detector.predict(str(some / "data.parquet"), str(tmp_path)))
    assert Counter(row["payment_id"] for row in said) == Counter(
        pq.read_table(some / "data.parquet")["payment_id"].to_pylist()
    )
    assert all(row["belief"] >= 0.3 if row["said"] == "fraud" else row["belief"] > 0.7 for row in said)


def test_what_cannot_be_learned_is_refused(example, some, tmp_path):
    _, detector = example
    with pytest.raises(ValueError, match="no views"):
        trained(detector, some, tmp_path, 1, views=["mood"])
    with pytest.raises(ValueError, match="no rows"):
        detector.train(str(some / "nothing.parquet"), str(some / "nothing.parquet"), str(tmp_path), 1)
