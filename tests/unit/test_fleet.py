"""The robotaxi's fleet, its teacher and its labellers: all simulated, none of them cheating."""

import itertools
import json
import sys
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the example learns with torch")
pq = pytest.importorskip("pyarrow.parquet")
CODE = Path(__file__).resolve().parents[2] / "specs" / "robotaxi"
DAY = date(2026, 6, 1)
RIDES = 60


@pytest.fixture(scope="module")
def example():
    sys.path.insert(0, str(CODE))
    try:
        import fleet
        import people
        import scenes
        import teacher
        import train
    finally:
        sys.path.remove(str(CODE))
    return fleet, people, scenes, teacher, train


@pytest.fixture(scope="module")
def model(example, tmp_path_factory):
    """A model that has seen little and no dogs."""
    import pyarrow as pa

    _, _, scenes, _, train = example
    folder = tmp_path_factory.mktemp("model")
    rows = [frame for frame in scenes.first_drives() if frame["label"] != "dog"][:600]
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, folder / "data.parquet")
    pq.write_table(table.slice(0, 0), folder / "nothing.parquet")
    train.train(str(folder / "data.parquet"), str(folder / "nothing.parquet"), str(folder), 1, epochs=3)
    return folder


@pytest.fixture(scope="module")
def home(example, model, tmp_path_factory):
    """What a small fleet sent home, with golden frames among it."""
    fleet = example[0]
    out = tmp_path_factory.mktemp("home")
    words = ["--model", str(model), "--out", str(out), "--rides", str(RIDES), "--last-day", f"{DAY}"]
    assert fleet.main([*words, "--plant-golden", "9"]) == 0
    return out


@pytest.fixture(scope="module")
def rows(home):
    return pq.read_table(home / "inferences" / "fleet-1.parquet").to_pylist()


@pytest.fixture(scope="module")
def own(rows):
    return [row for row in rows if not row["inference_id"].startswith("planted")]


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def truth(home):
    return {row["frame_sha256"]: row["label"] for row in lines(home / "truth" / "fleet-1.jsonl")}


def test_it_sends_home_what_the_spec_reads_and_not_the_truth(example, home):
    fleet = example[0]
    names = pq.read_schema(home / "inferences" / "fleet-1.parquet").names
    assert names == fleet.INFERENCES.names
    assert not {"label", "truth"} & set(names)
    for report in lines(home / "rider_reports" / "fleet-1.jsonl"):
        assert set(report) == {"inference_id", "corrected_label", "created_at"}


def test_no_ride_and_no_frame_is_golden_or_learned_from(example, own):
    scenes = example[2]
    for source in (scenes.first_drives, scenes.dog_park_drives, scenes.golden_drives):
        known = list(source())
        for column in ("ride_id", "frame_sha256"):
            assert not {row[column] for row in own} & {row[column] for row in known}


def test_a_fleet_cannot_take_the_rides_of_a_dataset(example, model, tmp_path, capsys):
    fleet = example[0]
    with pytest.raises(SystemExit) as ended:
        fleet.main(["--model", str(model), "--out", str(tmp_path), "--name", "golden"])
    assert ended.value.code == 2
    assert "a fleet drives others" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_each_scene_is_seen_three_times_within_a_second_and_differs_only_in_grain(own, truth):
    assert len({row["inference_id"] for row in own}) == len({row["frame_sha256"] for row in own}) == len(own)
    scenes = {}
    for row in own:
        scenes.setdefault(row["inference_id"].rpartition("/")[0], []).append(row)
    for seen in scenes.values():
        assert [row["inference_id"][-1] for row in seen] == ["0", "1", "2"]
        assert 0 < (seen[2]["ts"] - seen[0]["ts"]).total_seconds() < 1
        assert len({truth[row["frame_sha256"]] for row in seen}) == 1
        assert max(abs(a - b) for a, b in zip(seen[0]["frame"], seen[1]["frame"], strict=True)) <= 30


def test_all_of_it_happened_by_the_last_day(own):
    assert max(row["ts"] for row in own).date() <= date(2026, 6, 2)


def test_the_answers_are_the_models(example, model, own, tmp_path):
    import pyarrow as pa

    train = example[4]
    pq.write_table(
        pa.Table.from_pylist([{k: row[k] for k in ("frame_sha256", "frame")} for row in own]), tmp_path / "f"
    )
    said = {row["frame_sha256"]: (row["pred"], row["conf"]) for row in train.predict(str(tmp_path / "f"), str(model))}
    assert all(said[row["frame_sha256"]] == (row["pred"], row["conf"]) for row in own)


def test_drivers_act_after_a_mistake_about_the_living_as_often_as_they_were_told_to(example, own, truth):
    fleet = example[0]
    wrong = acted = calm = startled = 0
    for before, after in itertools.pairwise(own):
        if before["inference_id"].rpartition("/")[0] != after["inference_id"].rpartition("/")[0]:
            continue
        label = truth[before["frame_sha256"]]
        evades = abs(after["steer_rate"]) > 20 or after["accel"] < -4
        if label in fleet.LIVING and before["pred"] != label:
            wrong, acted = wrong + 1, acted + evades
        else:
            calm, startled = calm + 1, startled + evades
    assert wrong > 50
    assert 0.45 < acted / wrong < 0.75
    assert startled / calm < 0.02


def test_a_model_without_mistakes_leaves_only_noise(example):
    fleet = example[0]
    frames = list(fleet.sightings(fleet.campaign("fleet-1", RIDES, DAY)))
    perfect = [fleet.Answer(s.seen["label"], 1.0) for s in frames]
    noise = fleet.Odds().startles / 1000
    evaded = [abs(r["steer_rate"]) > 20 or r["accel"] < -4 for r in fleet.driven(frames, perfect, fleet.Odds())]
    assert sum(evaded) / len(evaded) < 5 * noise
    assert list(fleet.reports(frames, perfect, fleet.Odds())) == []


def test_golden_frames_stray_in_by_id_by_group_and_nearly(example, rows):
    scenes = example[2]
    golden = list(scenes.golden_drives())
    keys = {frame["frame_sha256"]: frame for frame in golden}
    rides = {frame["ride_id"] for frame in golden}
    planted = [row for row in rows if row["inference_id"].startswith("planted")]
    assert Counter(row["inference_id"].split("-")[1] for row in planted) == {"id": 3, "group": 3, "near": 3}
    for row in planted:
        way = row["inference_id"].split("-")[1]
        assert (row["frame_sha256"] in keys) == (way == "id")
        assert (row["ride_id"] in rides) == (way == "group")
        assert row["accel"] < -6  # so that a rule mines it
        if way == "near":
            original = keys[min(keys, key=lambda key: _apart(keys[key]["frame"], row["frame"]))]
            assert _apart(original["frame"], row["frame"]) == 1


def _apart(left, right):
    return sum(a != b for a, b in zip(left[:64], right[:64], strict=True))


def test_the_same_fleet_comes_home_again(example, model, tmp_path):
    fleet = example[0]
    for name in ("a", "b"):
        words = ["--model", str(model), "--out", str(tmp_path / name), "--rides", "5", "--last-day", f"{DAY}"]
        assert fleet.main(words) == 0
    for path in ("inferences/fleet-1.parquet", "rider_reports/fleet-1.jsonl", "truth/fleet-1.jsonl"):
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()


def ask(home, own, count):
    questions = [
        {"key": row["frame_sha256"], "label": None, "by": None, "note": None, "data": {}} for row in own[:count]
    ]
    (home / "tasks.jsonl").write_text("".join(json.dumps(question) + "\n" for question in questions))
    return ["--truth", str(home / "truth"), "--tasks", str(home / "tasks.jsonl"), "--answers", str(home / "said.jsonl")]


def test_every_labeller_answers_every_question_and_slips_now_and_then(example, home, own, truth):
    people = example[1]
    assert people.main([*ask(home, own, 400), "--slips", "50"]) == 0
    said = lines(home / "said.jsonl")
    assert Counter(answer["by"] for answer in said) == {"ada": 400, "ben": 400}
    wrong = sum(answer["label"] != truth[answer["key"]] for answer in said)
    assert 10 < wrong < 90
    assert {frozenset(answer) for answer in said} == {frozenset({"key", "label", "by"})}


def test_who_adjudicates_does_not_slip_and_gold_questions_are_known(example, home, own, truth):
    people, scenes = example[1], example[2]
    learned = next(scenes.first_drives())
    asked = [*own[:20], learned]
    assert people.main([*ask(home, asked, 21), "--names", "carla", "--slips", "0"]) == 0
    known = truth | {learned["frame_sha256"]: learned["label"]}
    assert all(answer["label"] == known[answer["key"]] for answer in lines(home / "said.jsonl"))


def test_nobody_guesses_at_a_frame_that_nobody_drew(example, home, capsys):
    people = example[1]
    with pytest.raises(SystemExit) as ended:
        people.main(ask(home, [{"frame_sha256": "f" * 64}], 1))
    assert ended.value.code == 2
    assert "nobody drew" in capsys.readouterr().err


def test_the_teacher_answers_every_row_from_the_pixels_alone(example, own, tmp_path, monkeypatch):
    import pyarrow as pa

    scenes, teacher = example[2], example[3]
    monkeypatch.setattr(teacher, "first_drives", lambda: itertools.islice(scenes.first_drives(), 300))
    shown = [{k: row[k] for k in ("frame_sha256", "frame", "ride_id")} for row in own[:60]]
    pq.write_table(pa.Table.from_pylist(shown), tmp_path / "rows.parquet")
    monkeypatch.chdir(tmp_path)  # no truth lies here
    said = list(teacher.label(str(tmp_path / "rows.parquet")))
    assert [row["frame_sha256"] for row in said] == [row["frame_sha256"] for row in shown]
    assert {frozenset(row) for row in said} == {frozenset({"frame_sha256", "label", "agreement", "min_conf"})}
    assert {row["agreement"] for row in said} <= {1 / 3, 2 / 3, 1.0}
    assert all(0 < row["min_conf"] <= 1 for row in said)
