"""Sampling: a stable choice within its budget, fair to every stratum, and to the audit before all."""

import json
import subprocess
import sys
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clspec.data import sampling, table
from clspec.data.leakage import Near
from clspec.data.sampling import Plan, sample, shared
from clspec.data.table import DataError
from clspec.data.versions import Shape

COLUMNS = {"key": "string", "ride": "string", "frame": "binary"}
SHAPE = Shape(columns=COLUMNS, key="key", group="ride")
RESERVED = {
    "clspec.id": "string",
    "clspec.rule": "string",
    "clspec.audit": "boolean",
    "clspec.label": "string",
    "clspec.by.pred": "string",
}


def plan(budget=None, by=(), most=None, distance=None):
    near = None if distance is None else Near(media="frame", distance=distance)
    return Plan(budget=budget, stratify_by=by, max_per_group=most, dedupe=near)


def row(key, ride=None, rule="r", pred="cat", audit=False, label=None, frame=None, name=None):  # noqa: FBT002, PLR0913, PLR0917
    return {
        "key": key,
        "ride": ride,
        "frame": frame,
        "clspec.id": name or f"of {key}",
        "clspec.rule": rule,
        "clspec.audit": audit,
        "clspec.label": label,
        "clspec.by.pred": pred,
    }


def rows(found):
    return table.from_rows(found, COLUMNS | RESERVED, "test")


def chosen(found, wanted):
    sampled = sample(rows(found), SHAPE, wanted)
    return sampled.rows.to_pylist(), sampled.counts


def image(seed):
    return np.random.default_rng(seed).integers(0, 256, 1024, dtype=np.uint8).tobytes()


candidates = st.lists(
    st.builds(
        row,
        st.sampled_from([f"k{n}" for n in range(30)]),
        st.sampled_from([None, "a", "b"]),
        st.sampled_from(["flip", "unsure", "brake"]),
        st.sampled_from([None, "cat", "dog"]),
        st.sampled_from([False, False, None, True]),
        st.sampled_from([None, "cat"]),
        st.sampled_from([None, image(1), image(2), image(3)]),
        st.sampled_from(["x", "y", "z"]),
    ),
    max_size=40,
)
plans = st.builds(
    plan,
    st.none() | st.integers(1, 40),
    st.sampled_from([(), ("rule",), ("pred",), ("rule", "pred")]),
    st.none() | st.integers(1, 5),
    st.none() | st.integers(0, 64),
)


@given(candidates, plans, st.randoms())
@settings(deadline=None, max_examples=200)
def test_the_laws_of_a_sample(found, wanted, chance):
    stays, counts = chosen(found, wanted)
    keys = [one["key"] for one in stays]
    assert len(keys) == len(set(keys)), "each key once"
    assert wanted.budget is None or len(stays) <= wanted.budget, "never over budget"
    assert counts["in"] == len(found) == counts["out"] + sum(counts["dropped"].values()), "every row is accounted for"
    assert counts["out"] == len(stays) == counts["audit"]["out"] + sum(one["out"] for one in counts["strata"])

    audits = {one["key"] for one in found if one["clspec.audit"]}
    kept = [one for one in stays if one["clspec.audit"]]
    assert len(kept) == min(len(audits), wanted.budget or len(audits)), "the audit comes first"

    others = [one for one in stays if not one["clspec.audit"]]
    groups = Counter(one["ride"] for one in stays if one["ride"])
    assert all(groups[one["ride"]] <= wanted.max_per_group for one in others if one["ride"] and wanted.max_per_group)
    if wanted.dedupe and wanted.dedupe.distance < 4:
        frames = Counter(one["frame"] for one in stays if one["frame"])
        assert all(frames[one["frame"]] == 1 for one in others if one["frame"]), "none looks like another"

    left = None if wanted.budget is None else wanted.budget - len(kept)
    for one in counts["strata"]:
        assert one["out"] >= min(one["in"], one["in"] if left is None else left // len(counts["strata"]))
    if left is not None and sum(one["in"] for one in counts["strata"]) >= left:
        assert len(stays) == wanted.budget, "nothing of the budget is left over"

    again = [*found]
    chance.shuffle(again)
    assert chosen(again, wanted) == (stays, counts), "the order of the rows never matters"


@given(st.integers(0, 200), st.dictionaries(st.tuples(st.text(max_size=3)), st.integers(1, 50), min_size=1, max_size=8))
def test_a_budget_is_divided_as_evenly_as_sizes_allow(budget, sizes):
    shares = shared(budget, sizes)
    assert sum(shares.values()) == min(budget, sum(sizes.values()))
    assert all(share <= sizes[stratum] for stratum, share in shares.items())
    cut = [share for stratum, share in shares.items() if share < sizes[stratum]]
    assert max(cut, default=0) - min(cut, default=0) <= 1, "those that are cut get the same, but for one that is left"
    assert all(share <= min(cut) + 1 for share in shares.values() if cut)
    if cut and max(cut) > min(cut):
        short = [sizes[stratum] for stratum, share in shares.items() if share == min(cut)]
        more = [sizes[stratum] for stratum, share in shares.items() if share < sizes[stratum] and share > min(cut)]
        assert max(short) <= min(more), "what is left goes to larger ones"
    assert shared(budget, dict(reversed(sizes.items()))) == shares


def test_rare_strata_are_kept_whole():
    found = [row(f"c{n}", rule="common") for n in range(900)] + [row(f"r{n}", rule="rare") for n in range(7)]
    stays, counts = chosen(found, plan(100, ("rule",)))
    assert Counter(one["clspec.rule"] for one in stays) == {"common": 93, "rare": 7}
    assert counts["strata"] == [
        {"stratum": {"rule": "common"}, "in": 900, "out": 93},
        {"stratum": {"rule": "rare"}, "in": 7, "out": 7},
    ]


def test_a_sample_is_stable_as_rows_come_and_go():
    small = {one["key"] for one in chosen([row(f"k{n}") for n in range(1000)], plan(200))[0]}
    large = {one["key"] for one in chosen([row(f"k{n}") for n in range(1100)], plan(200))[0]}
    assert len(small & large) > 170
    assert {key for key in large if int(key[1:]) < 1000} <= small, "a row is displaced by newer ones only"


def test_the_audit_stays_a_fair_sample():
    """Nothing but the budget cuts it, and that blindly: not its group, not its look, not its stratum."""
    same = image(7)
    audit = [row(f"a{n}", "one ride", "audit", "cat" if n % 2 else "dog", audit=True, frame=same) for n in range(400)]
    mined = [row(f"m{n}", "one ride", frame=same) for n in range(400)]
    stays, counts = chosen(mined + audit, plan(300, ("rule", "pred"), most=1, distance=4))
    assert Counter(one["clspec.rule"] for one in stays) == {"audit": 300}
    assert 120 < Counter(one["clspec.by.pred"] for one in stays)["cat"] < 180
    assert counts["audit"] == {"in": 400, "out": 300}
    assert counts["dropped"] == {"key": 0, "near": 400, "group": 0, "budget": 100}


def test_what_looks_like_any_row_of_the_audit_goes(monkeypatch):
    """Rows of the audit may look like each other; each of them keeps others away all the same."""
    bits = {"first": 0, "second": 0b11, "other": 0b1111}
    order = [one["key"] for one in chosen([row(key) for key in bits], plan())[0] if one["key"] != "other"]
    looks = dict(zip([*order, "other"], bits.values(), strict=True))
    monkeypatch.setattr(
        sampling,
        "looks",
        lambda rows, *_: (
            list(range(len(rows))),
            np.array([looks[key] for key in rows.column("key").to_pylist()], np.uint64),
        ),
    )
    found = [row("other"), *(row(key, audit=True) for key in order)]
    assert {one["key"] for one in chosen(found, plan(distance=2))[0]} == set(order)


def test_one_row_for_each_key():
    twice = [row("k", name="b", pred="dog"), row("k", name="a"), row("k", name="c")]
    assert [one["clspec.id"] for one in chosen(twice, plan())[0]] == ["a"]
    drawn = [*twice, row("k", name="d", audit=True)]
    assert [one["clspec.id"] for one in chosen(drawn, plan())[0]] == ["d"], "or the audit would lack it"
    with pytest.raises(DataError, match="1 candidates have no `key`"):
        chosen([row(None), row("k")], plan())


def test_rows_that_have_a_label_count_in_the_budget():
    stays, counts = chosen([row(f"k{n}", label="cat" if n < 50 else None) for n in range(100)], plan(20))
    assert len(stays) == 20
    assert counts["labelled"] == sum(one["clspec.label"] is not None for one in stays) > 0


def test_the_choice_says_nothing_of_the_split():
    """Both go by a hash of the key: with the same one, all that is chosen would be held for validation."""
    from clspec.step.snapshot import _share

    stays, _ = chosen([row(f"k{n}") for n in range(5000)], plan(500))
    assert 0.06 < sum(_share(one["key"]) < 0.1 for one in stays) / len(stays) < 0.14


def test_no_candidates():
    stays, counts = chosen([], plan(10, ("rule",), most=1, distance=4))
    assert (stays, counts["in"], counts["strata"]) == ([], 0, [])


def test_the_step(tmp_path):
    pq.write_table(rows([row(f"k{n}", frame=image(n % 10)) for n in range(30)]), tmp_path / "in")
    config = {
        "spec": "s",
        "dataset": {"name": "d", "columns": COLUMNS, "key": "key", "group": "ride"},
        "budget": 8,
        "stratify_by": ["rule"],
        "max_per_group": 3,
        "dedupe": {"method": "phash", "distance": 4, "media": "frame"},
    }
    command = [sys.executable, "-m", "clspec.step", "sample", "--config", json.dumps(config), "--store", str(tmp_path)]
    command += ["--in", f"rows={tmp_path / 'in'}", "--out", f"rows={tmp_path / 'out'}"]
    ended = subprocess.run(
        [*command, "--out", f"sampled={tmp_path / 'told'}"], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    told = json.loads((tmp_path / "told").read_text())
    assert (told["out"], told["dropped"]) == (8, {"budget": 2, "group": 0, "key": 0, "near": 20})
    assert pq.read_table(tmp_path / "out").num_rows == 8
    assert sampling.Plan.of(config).dedupe == Near(media="frame", distance=4)
