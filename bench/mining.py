"""Mining 10 million inference rows: the `mine` step beside the same queries written by hand, each in its own process.

    python bench/mining.py [--rows N] [--rounds N] [--folder FOLDER]

The data (20 zstd Parquet files) is made once into the folder. By hand means: the same candidates, each id once by its
first row, without those that are known, in the order of their keys, and the counts that a person would look at. What a
row of the table compares ran alternately. Times are medians, with starting Python; memory is the most that the
processes of a side had at once (their proportional share of pages).
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

FILES = 20
RIDE = 500
COLUMNS = {
    "inference_id": "string",
    "ts": "timestamp",
    "ride_id": "string",
    "pred": "string",
    "conf": "double",
    "steer_rate": "double",
    "accel": "double",
    "lighting": "string",
    "weather": "string",
}
REPORTS = {"inference_id": "string", "corrected_label": "string", "created_at": "timestamp"}
RULES = [
    {"id": "hard-brake", "type": "heuristic", "when": "accel < -4.5"},
    {"id": "unsure", "type": "low_confidence", "below": 0.25},
    {"id": "audit", "type": "random", "rate": 0.001},
    {
        "id": "swerve",
        "type": "event_after",
        "when": "conf < 0.55",
        "event": "abs(steer_rate) > 20 or accel < -4",
        "within": 1,
    },
    {"id": "rider-said-wrong", "type": "human_feedback", "join": "inference_id", "label": "corrected_label"},
    {"id": "flip-flop", "type": "prediction_flip", "window": 3},
]
IDS = {
    "hard-brake": "SELECT inference_id FROM fleet WHERE accel < -4.5",
    "unsure": "SELECT inference_id FROM fleet WHERE conf < 0.25",
    "audit": "SELECT inference_id FROM fleet WHERE md5('clspec.mine:' || inference_id) < '00418937'",
    "swerve": """
        SELECT inference_id FROM fleet AS w WHERE conf < 0.55 AND EXISTS (
            SELECT 1 FROM fleet AS e WHERE e.ride_id = w.ride_id AND (abs(e.steer_rate) > 20 OR e.accel < -4)
            AND e.ts BETWEEN w.ts AND w.ts + INTERVAL 1 SECOND)""",
    "rider-said-wrong": "SELECT inference_id FROM fleet WHERE inference_id IN (SELECT inference_id FROM reports)",
    "flip-flop": """
        SELECT inference_id FROM (
            SELECT inference_id, pred, lag(pred) OVER w AS before, lead(pred) OVER w AS after FROM fleet
            WINDOW w AS (PARTITION BY ride_id ORDER BY ts, inference_id))
        WHERE before = after AND pred <> before""",
}


def made(folder: Path, rows: int) -> list[Path]:
    """The production files, and people's reports."""
    paths = [folder / f"fleet-{rows}" / f"part-{number:02}.parquet" for number in range(FILES)]
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(paths):
        if not path.exists():
            pq.write_table(_part(number, rows // FILES), path.with_suffix(".tmp"), compression="zstd")
            path.with_suffix(".tmp").rename(path)
    ids = [f"inf-{n:010}" for n in range(0, rows, 5_000)]
    when = pa.array([datetime(2026, 4, 1, tzinfo=UTC)] * len(ids), pa.timestamp("us", tz="UTC"))
    reports = {"inference_id": ids, "corrected_label": ["dog"] * len(ids), "created_at": when}
    pq.write_table(pa.table(reports), folder / "reports.parquet")
    return paths


def _part(number: int, count: int) -> pa.Table:
    chance = np.random.default_rng(number)
    n = np.arange(number * count, (number + 1) * count)
    ride = n // RIDE
    moment = np.datetime64("2026-03-01", "us") + (n * 100_000 + chance.integers(0, 50_000, count)).astype("m8[us]")
    scene = np.repeat(chance.integers(0, 5, count // 10 + 1), 10)[:count]
    said = np.where(chance.random(count) < 0.003, (scene + 1) % 5, scene)
    return pa.table(
        {
            "inference_id": _named("inf-", n, 10),
            "ts": pa.array(moment).cast(pa.timestamp("us", tz="UTC")),
            "ride_id": _named("ride-", ride, 7),
            "pred": _words(said, ["none", "vehicle", "pedestrian", "cyclist", "dog"]),
            "conf": pa.array(np.round(chance.beta(6, 2, count), 4), mask=chance.random(count) < 0.01),
            "steer_rate": np.round(chance.normal(0, 5, count), 1),
            "accel": np.round(chance.normal(0, 1.2, count), 1),
            "lighting": _words(ride % 3, ["day", "night", "dusk"]),
            "weather": _words(ride % 4, ["clear", "rain", "snow", "fog"]),
        }
    )


def _named(prefix: str, numbers: np.ndarray, width: int) -> pa.Array:
    texts = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width, "0")
    return pc.binary_join_element_wise(pa.scalar(prefix), texts, "")


def _words(codes: np.ndarray, words: list[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(codes.astype(np.int32), pa.array(words)).cast(pa.string())


def config(folder: Path, rows: int, rules: list[str]) -> dict:
    """What the step is told."""
    roles = {"id": "inference_id", "time": "ts", "group": "ride_id", "prediction": "pred", "confidence": "conf"}
    told = {"name": "reports", "type": "parquet", "uri": str(folder / "reports.parquet"), "columns": REPORTS}
    told["roles"] = {"time": "created_at"}
    wanted = [rule | ({"feedback": told} if rule["type"] == "human_feedback" else {}) for rule in RULES]
    kept = {name: COLUMNS[name] for name in ("inference_id", "ride_id", "ts", "lighting", "weather")}
    return {
        "spec": "bench",
        "source": {
            "name": "fleet",
            "type": "parquet",
            "uri": str(folder / f"fleet-{rows}" / "*.parquet"),
            "columns": COLUMNS,
            "roles": roles,
        },
        "dataset": {
            "name": "canonical",
            "columns": {**kept, "label": "string"},
            "key": "inference_id",
            "group": "ride_id",
        },
        "label": "label",
        "task": {"type": "classification", "classes": ["none", "vehicle", "pedestrian", "cyclist", "dog"]},
        "rules": [rule for rule in wanted if rule["id"] in rules],
        "stratify_by": ["rule", "pred"],
        "code": "",
    }


def by_hand(folder: Path, rows: int, rules: list[str], out: Path) -> None:
    """What a person would write: the hits of every rule, their rows, each id once, in order; and a few counts."""
    import duckdb  # noqa: PLC0415  # the other side must not pay for it

    database = duckdb.connect()
    files = str(folder / f"fleet-{rows}" / "*.parquet")
    database.execute(f"CREATE VIEW fleet AS SELECT * FROM read_parquet('{files}')")
    database.execute(f"CREATE VIEW reports AS SELECT * FROM read_parquet('{folder / 'reports.parquet'}')")
    hits = " UNION ALL ".join(f"SELECT inference_id, '{rule}' AS rule FROM ({IDS[rule]})" for rule in rules)
    database.execute(f"CREATE TEMP TABLE hits AS {hits}")
    database.execute("CREATE TEMP TABLE known (inference_id VARCHAR)")
    database.execute(f"""
        COPY (
            SELECT inference_id, ride_id, ts, lighting, weather, pred, conf, rules
            FROM fleet JOIN (
                SELECT inference_id, string_agg(DISTINCT rule, ',' ORDER BY rule) AS rules FROM hits GROUP BY ALL
            ) USING (inference_id)
            ANTI JOIN known USING (inference_id)
            QUALIFY row_number() OVER (PARTITION BY inference_id ORDER BY ts) = 1
            ORDER BY inference_id
        ) TO '{out}' (FORMAT parquet, COMPRESSION zstd)""")
    counts = "SELECT count(*), count(inference_id), count(conf), count(accel), min(ts), max(ts) FROM fleet"
    found = database.execute(counts).fetchone()
    print(found, database.execute("SELECT rule, count(*) FROM hits GROUP BY rule").fetchall(), file=sys.stderr)


def measured(command: list[str]) -> dict[str, float]:
    """What a process and those that it starts took."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        peak = max(peak, _resident(process.pid))
        time.sleep(0.02)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": time.perf_counter() - start, "cpu": cpu, "memory": peak / 2**20}


def _resident(pid: int) -> int:
    """The memory that a process and its children have at this moment; pages that they share are counted once."""
    try:
        lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0
    return int(lines["Pss"].split()[0]) * 2**10 + sum(_resident(int(child)) for child in children)


def compared(folder: Path, rows: int, rules: list[str], rounds: int) -> tuple[dict, dict]:
    """Both sides in turn, after one look whether they find the same."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        place = Path(scratch)
        (place / "config.json").write_text(json.dumps(config(folder, rows, rules)))
        step = [sys.executable, "-P", "-m", "clspec.step", "mine", "--config", f"@{place / 'config.json'}"]
        step += [
            "--store",
            str(place / "store"),
            "--out",
            f"candidates={place / 'ours'}",
            "--out",
            f"mined={place / 'm'}",
        ]
        hand = [sys.executable, __file__, "--by-hand", ",".join(rules), "--out", str(place / "hand")]
        hand += ["--folder", str(folder), "--rows", str(rows)]
        taken = [(measured(step), measured(hand)) for _ in range(rounds)]
        ours = pq.read_table(place / "ours", columns=["inference_id", "clspec.rules"])
        theirs = pq.read_table(place / "hand", columns=["inference_id", "rules"])
    assert ours["inference_id"].to_pylist() == theirs["inference_id"].to_pylist(), rules
    asked = [set(text.split(",")) for text in ours["clspec.rules"].to_pylist()]
    assert asked == [set(text.split(",")) for text in theirs["rules"].to_pylist()], rules
    sides = zip(*taken, strict=True)
    mine, byhand = ({what: statistics.median(one[what] for one in side) for what in side[0]} for side in sides)
    return mine | {"candidates": len(ours)}, byhand


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir(), f"clspec-bench-mining-{os.getuid()}")
    )
    parser.add_argument("--by-hand", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.by_hand:
        by_hand(given.folder, given.rows, given.by_hand.split(","), given.out)
        return
    made(given.folder, given.rows)
    print(f"{given.rows:,} rows; CPU and wall in seconds, memory in MB; clspec / by hand")
    print(f"{'rule':18}{'candidates':>11}{'CPU':>16}{'ratio':>7}{'wall':>16}{'ratio':>7}{'memory':>13}")
    every = [rule["id"] for rule in RULES]
    for rules in [*([rule] for rule in every), every]:
        ours, hand = compared(given.folder, given.rows, rules, given.rounds)
        name = rules[0] if len(rules) == 1 else "all of them"
        times = "".join(
            f"{ours[what]:9.2f} /{hand[what]:5.2f}{ours[what] / hand[what]:7.2f}" for what in ("cpu", "wall")
        )
        print(f"{name:18}{ours['candidates']:11,}{times}{ours['memory']:7.0f} /{hand['memory']:4.0f}", flush=True)


if __name__ == "__main__":
    main()
