"""Parquet and NumPy as other programs write them: right values, or an error that names the row; bounded memory."""

from __future__ import annotations

import datetime as dt
import pickle
import struct
import subprocess
import sys
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobdeck.connectors.base import MAX_BATCH
from jobdeck.connectors.files.config import FilesConfig
from jobdeck.connectors.files.formats import parquet as parquet_format
from jobdeck.connectors.files.source import FilesSource
from jobdeck.core.environment import Environment
from tests.connectors.harness import rows, table
from tests.connectors.test_bad_inputs import fails, load

BAD = b"\xff\xfe"


def texts(*values: bytes) -> pa.Array:
    """Bytes that a writer calls text."""
    return pa.array(values, pa.binary()).view(pa.string())


NOT_UTF8: list[tuple[str, pa.Array]] = [
    ("text", texts(b"a", BAD, b"c")),
    ("least", texts(b"b", b"\x00\xff", b"c")),
    ("middle", texts(b"a", b"b\xff", b"c")),
    ("dictionary", texts(b"a", BAD, b"a").dictionary_encode()),
    ("list", pa.ListArray.from_arrays([0, 1, 3, 3], texts(b"a", b"b", BAD))),
    ("struct", pa.StructArray.from_arrays([texts(b"a", BAD, b"c")], ["x"])),
    ("map", pa.MapArray.from_arrays([0, 1, 2, 2], texts(b"k", BAD), pa.array([1, 2]))),
    ("large", texts(b"a", BAD, b"c").cast(pa.binary()).cast(pa.large_binary()).view(pa.large_string())),
]


@pytest.mark.parametrize("column", [case[1] for case in NOT_UTF8], ids=[case[0] for case in NOT_UTF8])
@pytest.mark.parametrize("kept", [True, False], ids=["schema kept", "plain"])
def test_texts_that_are_not_utf8(env: Environment, data: Path, column: pa.Array, kept: bool) -> None:
    pq.write_table(pa.table({"i": [1, 2, 3], "a": column}), data / "a.parquet", store_schema=kept)
    error = fails(env, data / "a.parquet")
    assert (error.code, error.facts["row"], error.facts["column"]) == ("bad_row", 2, "a")
    assert "not UTF-8" in error.message
    result, _ = load(env, data / "a.parquet", on_bad_row="reject")
    assert (result.rows, result.rejected, [row["i"] for row in rows(env)]) == (2, 1, [1, 3])


def int96(*values: tuple[int, int], path: Path) -> None:
    """(Julian day, nanoseconds of the day) as only old writers do: written by exchanging the bytes of other values."""
    marks = [1_000_000_007 * (index + 1) for index in range(len(values))]
    plain = {"use_dictionary": False, "compression": "none", "write_statistics": False}
    found = pa.table({"t": pa.array(marks, pa.timestamp("ns"))})
    pq.write_table(found, path, use_deprecated_int96_timestamps=True, **plain)
    content = path.read_bytes()
    for mark, (day, nanos) in zip(marks, values, strict=True):
        content = content.replace(struct.pack("<qi", mark, 2_440_588), struct.pack("<qi", nanos, day))
    path.write_bytes(content)


def test_old_times_have_the_right_year(env: Environment, data: Path) -> None:
    int96((5_373_484, 0), (2_440_588, 1_000), (1_721_426, 0), path=data / "a.parquet")
    load(env, data / "a.parquet")
    assert table(env)["t"].to_pylist() == [  # type: ignore[index]
        dt.datetime(9999, 12, 31),
        dt.datetime(1970, 1, 1, microsecond=1),
        dt.datetime(1, 1, 1),
    ]


@pytest.mark.parametrize("value", [(2_440_588, 1_001), (2_000_000_000, 0)], ids=["nanoseconds", "beyond all years"])
def test_old_times_that_would_be_changed(env: Environment, data: Path, value: tuple[int, int]) -> None:
    int96((2_440_588, 0), value, path=data / "a.parquet")
    error = fails(env, data / "a.parquet")
    assert (error.code, error.facts["row"], error.facts["column"]) == ("bad_row", 2, "t")
    result, _ = load(env, data / "a.parquet", on_bad_row="reject")
    assert (result.rows, result.rejected) == (1, 1)


def test_columns_without_a_name_and_with_dots(env: Environment, data: Path) -> None:
    found = pa.table({"a.b": [1], "": [2], "x y": ["z"]})
    pq.write_table(found, data / "a.parquet")
    load(env, data / "a.parquet")
    assert rows(env) == [{"a.b": 1, "column_2": 2, "x y": "z"}]
    load(env, data / "a.parquet", into="lake/b/u", columns=["column_2"])
    assert rows(env, "lake/b/u") == [{"column_2": 2}]


def test_types_that_tables_do_not_have(env: Environment, data: Path) -> None:
    columns = {
        "u64": (pa.array([2**64 - 1, None], pa.uint64()), [Decimal(2**64 - 1), None]),
        "half": (pa.array([1.5, None], pa.float16()), [1.5, None]),
        "span": (pa.array([7, None], pa.duration("us")), [7, None]),
        "time": (pa.array([1, None], pa.time64("us")), ["00:00:00.000001", None]),
        "nulls": (pa.array([[None], []], pa.list_(pa.null())), [[None], []]),
        "wide": (pa.array([Decimal("1.50"), None], pa.decimal256(38, 2)), [Decimal("1.50"), None]),
        "fixed": (pa.array([b"ab", None], pa.binary(2)), [b"ab", None]),
        "words": (pa.array(["a", None]).dictionary_encode(), ["a", None]),
        "inside": (pa.array([["a", None], None]), [["a", None], None]),
    }
    pq.write_table(pa.table({name: column for name, (column, _) in columns.items()}), data / "a.parquet")
    load(env, data / "a.parquet")
    found = table(env)
    assert found is not None
    assert {name: found[name].to_pylist() for name in columns} == {name: right for name, (_, right) in columns.items()}


def test_what_tables_cannot_hold_is_named(env: Environment, data: Path) -> None:
    pq.write_table(pa.table({"d": pa.array([Decimal(10) ** 50], pa.decimal256(60, 0))}), data / "a.parquet")
    error = fails(env, data / "a.parquet")
    assert (error.code, "column 'd'" in error.message, "decimal256" in error.message) == (
        "unsupported_type",
        True,
        True,
    )


@pytest.mark.parametrize(
    ("found", "code", "words"),
    [
        (pa.Table.from_arrays([pa.array([1])] * 2, names=["a", "a"]), "bad_header", "two columns named 'a'"),
        (pa.table({f"c{i}": [1] for i in range(10_001)}), "too_many_columns", "10001 columns"),
        (
            pa.table({"s": pa.array([{f"c{i}": 1 for i in range(10_001)}])}),
            "too_many_columns",
            "10001 columns",
        ),
    ],
    ids=["twice", "columns", "fields"],
)
def test_columns_that_cannot_be(env: Environment, data: Path, found: pa.Table, code: str, words: str) -> None:
    pq.write_table(found, data / "a.parquet")
    error = fails(env, data / "a.parquet")
    assert (error.code, words in error.message) == (code, True), error.message


def test_a_few_bytes_that_unfold_to_gigabytes_are_read_in_bounded_batches(env: Environment, data: Path) -> None:
    """One text of 100 KB, 20,000 times by dictionary: 2 GB of rows in a file of some hundred bytes."""
    many = pa.DictionaryArray.from_arrays(np.zeros(20_000, np.int32), pa.array(["x" * 100_000]))
    nested = pa.ListArray.from_arrays(np.arange(20_001, dtype=np.int32), many)
    for name, column in (("flat", many), ("list", nested)):
        pq.write_table(pa.table({"s": column}), data / f"{name}.parquet", compression="zstd", store_schema=False)
        assert (data / f"{name}.parquet").stat().st_size < 100_000
        source = FilesSource(FilesConfig(files=[str(data / f"{name}.parquet")]), env)
        sizes = [(read.batch.nbytes, read.rows) for part in source.parts() for read in source.read(part)]
        assert sum(count for _, count in sizes) == 20_000
        assert max(size for size, _ in sizes) <= 2 * MAX_BATCH


READ_ALL = """
import sys
from pathlib import Path
from jobdeck.connectors.files.config import FilesConfig
from jobdeck.connectors.files.source import FilesSource
from jobdeck.core.environment import Environment

source = FilesSource(FilesConfig(files=[sys.argv[2]]), Environment.model_validate_json(sys.argv[1]))
rows = sum(read.rows for part in source.parts() for read in source.read(part))
status = Path("/proc/self/status").read_text()
print(rows, status.partition("VmHWM:")[2].split()[0])
"""


def test_the_memory_of_a_task_stays_small(tmp_path: Path, env: Environment, data: Path) -> None:
    """Read in a process of its own, whose memory is bounded by the kernel's account of it."""
    many = pa.DictionaryArray.from_arrays(np.zeros(40_000, np.int32), pa.array(["x" * 100_000]))
    pq.write_table(pa.table({"s": many}), data / "a.parquet", compression="zstd", store_schema=False)
    ran = [sys.executable, "-c", READ_ALL, env.model_dump_json(), str(data / "a.parquet")]
    done = subprocess.run(ran, capture_output=True, text=True, check=True, cwd=tmp_path)
    count, kilobytes = map(int, done.stdout.split())
    assert count == 40_000
    assert kilobytes < 400_000


def test_a_row_that_unfolds_too_far_is_refused(env: Environment, data: Path) -> None:
    many = pa.DictionaryArray.from_arrays(np.zeros(4_000, np.int32), pa.array(["x" * 100_000]))
    found = pa.table({"s": pa.ListArray.from_arrays([0, 4_000], many)})
    pq.write_table(found, data / "a.parquet", compression="zstd", store_schema=False)
    error = fails(env, data / "a.parquet")
    assert (error.code, "one row" in error.message) == ("file_too_large", True)


def test_rows_of_nothing_but_nulls_are_bounded_too() -> None:
    schema = pa.schema([(f"c{i}", pa.int64()) for i in range(3_000)])
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table([pa.nulls(1_000, pa.int64())] * 3_000, schema=schema), sink)
    found = pq.ParquetFile(pa.BufferReader(sink.getvalue()))
    assert parquet_format.batch_rows(found.metadata, schema) * 3_000 * 8 <= 4 * MAX_BATCH


NUMPY: list[tuple[str, Any, str, str]] = [
    ("a.npz", {"a.txt": b"hi"}, "format_unknown", "ZIP archive of something else: it holds 'a.txt'"),
    ("a.npz", {}, "format_unknown", "something else"),
    ("a.npz", {"a.npy": b"hello"}, "format_unknown", "'a.npy' in it is no NumPy array"),
    ("a.npz", np.array([{"a": 1}], object), "format_unknown", "Python objects"),
    ("a.npy", np.array([{"a": 1}], object), "format_unknown", "Python objects"),
    ("a.npz", np.zeros((2, 2)), "format_unknown", "one dimension"),
    ("a.npz", np.float64(3), "format_unknown", "one dimension"),
    ("a.npy", np.zeros(2, complex), "unsupported_type", "complex128"),
    ("a.npy", np.zeros(2, "V4"), "unsupported_type", "'value'"),
    ("a.npy", np.zeros((2, 2, 2)), "format_unknown", "3 dimensions"),
    ("a.npy", b"\x93NUMPY\x01\x00\x10\x00{'descr': foo()}", "file_damaged", "header"),
    ("a.npy", b"\x93NUMPY\x01", "file_damaged", "header"),
    ("a.npy", pickle.dumps([1], 2), "format_unknown", "pickle"),
    ("a.npz", b"PK\x03\x04nothing", "file_damaged", "archive is damaged"),
]


@pytest.mark.parametrize(("name", "content", "code", "words"), NUMPY, ids=[case[3] for case in NUMPY])
def test_numpy_of_other_kinds(env: Environment, data: Path, name: str, content: Any, code: str, words: str) -> None:
    file = data / name
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif isinstance(content, dict):
        with zipfile.ZipFile(file, "w") as archive:
            for inside, text in content.items():
                archive.writestr(inside, text)
    elif name.endswith(".npz"):
        np.savez(file, a=content)
    else:
        np.save(file, content)
    error = fails(env, file)
    assert (error.code, words in error.message, bool(error.hint)) == (code, True, True), error.message
    assert "allow_pickle" not in error.message


DAY = dt.datetime(2024, 1, 1)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ([("k", DAY)], pa.map_(pa.string(), pa.timestamp("us"))),
        ([(DAY, 1)], pa.map_(pa.timestamp("ns"), pa.int64())),
        ([[("k", [DAY])]], pa.list_(pa.map_(pa.string(), pa.list_(pa.timestamp("s"))))),
    ],
)
def test_times_without_a_zone_in_maps(env: Environment, data: Path, value: Any, kind: pa.DataType) -> None:
    pq.write_table(pa.table({"a": pa.array([value], kind)}), data / "a.parquet")
    error = fails(env, data / "a.parquet")
    assert (error.code, "'a' has times without a zone in a map" in error.message) == ("unsupported_type", True)
    assert table(env) is None
    pq.write_table(pa.table({"a": pa.array([value], kind), "b": [DAY]}), data / "b.parquet")
    load(env, data / "b.parquet")
    assert rows(env) == [{"a": value, "b": DAY}]
