"""Tables as bytes: the same rows come back, and no thread of Arrow's is left with a Python object in its hands."""

from __future__ import annotations

import subprocess
import sys

import pyarrow as pa
import pytest

from clspec.data.parquet import packed, unpacked

_THREADS = """
import os
import pyarrow as pa
import pyarrow.parquet
from clspec.data.parquet import packed, unpacked

content = packed(pa.table({"a": ["x"] * 5000, "b": list(range(5000))}))
before = len(os.listdir("/proc/self/task"))
assert len(unpacked(content)) == 5000
assert unpacked(content, ["b"]).column_names == ["b"]
print(len(os.listdir("/proc/self/task")) - before)
"""


def test_the_same_rows_come_back():
    rows = pa.table({"a": ["x", None], "b": [1, 2]})
    assert unpacked(packed(rows)) == rows
    assert unpacked(packed(rows), ["b", "absent"]) == rows.select(["b"])


def test_what_is_no_parquet_says_so():
    with pytest.raises(pa.ArrowException):
        unpacked(b"PAR1 or not")


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_reading_bytes_starts_no_thread():
    done = subprocess.run([sys.executable, "-c", _THREADS], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"
