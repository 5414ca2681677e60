"""The robotaxi example: the same scenes on every machine, and a model that keeps to the contract."""

from __future__ import annotations

import hashlib
import itertools
import sys
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("numpy", reason="the scenes are drawn with numpy")
pytest.importorskip("torch", reason="the example learns with torch")
CODE = Path(__file__).resolve().parents[2] / "specs" / "robotaxi"


@pytest.fixture(scope="module")
def example():
    sys.path.insert(0, str(CODE))
    try:
        import scenes
        import train
    finally:
        sys.path.remove(str(CODE))
    return scenes, train


@pytest.fixture(scope="module")
def frames(example):
    scenes, _ = example
    return {name: list(getattr(scenes, name)()) for name in ("first_drives", "dog_park_drives", "golden_drives")}


@pytest.mark.parametrize(
    ("source", "start"),
    [
        ("first_drives", "0009d969fc2a9a86"),
        ("dog_park_drives", "de2b3cfe5e457dd1"),
        ("golden_drives", "dacf7db1206d5438"),
    ],
)
def test_the_scenes_are_the_same_bytes_everywhere(frames, source, start):
    whole = hashlib.sha256(b"".join(frame["frame"] for frame in frames[source])).hexdigest()
    assert whole.startswith(start)


def test_no_key_and_no_ride_is_in_two_sources(frames):
    for left, right in itertools.combinations(frames.values(), 2):
        for column in ("frame_sha256", "ride_id"):
            assert not {frame[column] for frame in left} & {frame[column] for frame in right}


def test_the_first_version_has_hardly_a_dog_and_the_second_has_many(frames):
    first = Counter(frame["label"] for frame in frames["first_drives"])
    park = Counter(frame["label"] for frame in frames["dog_park_drives"])
    assert first["dog"] < 0.002 * first.total()
    assert (first["dog"] + park["dog"]) > 0.1 * (first.total() + park.total())


def test_frames_of_a_ride_share_light_and_weather(frames):
    rides = {}
    for frame in frames["golden_drives"]:
        rides.setdefault(frame["ride_id"], set()).add((frame["lighting"], frame["weather"]))
    assert {len(seen) for seen in rides.values()} == {1}


def test_training_is_repeatable_and_predicts_every_row_once(example, frames, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    _, train = example
    rows, held = frames["first_drives"][:240], frames["first_drives"][240:300]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "data.parquet")
    pq.write_table(pa.Table.from_pylist(held), tmp_path / "held.parquet")
    weights = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        returned = train.train(
            str(tmp_path / "data.parquet"), str(tmp_path / "held.parquet"), str(tmp_path / name), 7, epochs=1
        )
        history = returned.pop("history")
        assert all(isinstance(value, float) for value in returned.values())
        assert history == [{"epoch": 1.0, **returned}]
        weights.append((tmp_path / name / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]
    said = list(train.predict(str(tmp_path / "held.parquet"), str(tmp_path / "one")))
    assert sorted(row["frame_sha256"] for row in said) == sorted(row["frame_sha256"] for row in held)
    assert {row["pred"] for row in said} <= {"none", "vehicle", "pedestrian", "cyclist", "dog"}
    assert all(0 < row["conf"] <= 1 for row in said)


def test_a_frame_of_another_size_is_named(example, frames, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    _, train = example
    pq.write_table(pa.Table.from_pylist([{**frames["first_drives"][0], "frame": b"short"}]), tmp_path / "data.parquet")
    with pytest.raises(ValueError, match="1024"):
        train.train(str(tmp_path / "data.parquet"), str(tmp_path / "data.parquet"), str(tmp_path), 1)
