"""The functions of fruit.py as command lines: files in, files out."""

import argparse

import fruit
import pyarrow as pa
import pyarrow.parquet as pq

parser = argparse.ArgumentParser()
parser.add_argument("what", choices=["orchard", "market", "train", "predict"])
parser.add_argument("paths", nargs="+")
parser.add_argument("--trim", type=float)
given = parser.parse_args()

if given.what == "train":
    data, validation, model_dir, seed = given.paths
    fruit.train(data, validation, model_dir, int(seed), given.trim)
elif given.what == "predict":
    data, model_dir, out = given.paths
    pq.write_table(pa.Table.from_pylist(list(fruit.predict(data, model_dir))), out)
else:
    pq.write_table(pa.Table.from_pylist(list(getattr(fruit, given.what)())), given.paths[0])
