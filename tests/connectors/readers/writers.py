"""Writes tables with the four tools (and numpy, and Python's json), in every format that Jobdeck reads."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas  # type: ignore[import-untyped]
import polars
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from tests.connectors.readers.canon import canon
from tests.connectors.readers.made import Dialect, Made
from tests.connectors.readers.packing import ENDINGS, packed
from tests.connectors.readers.tables import BINARY, NESTED, PLAIN, random_table

FORMATS = ("csv", "json", "jsonl", "parquet", "numpy")
SUFFIXES = {"csv": ".csv", "json": ".json", "jsonl": ".jsonl", "parquet": ".parquet"}
KINDS = {
    "csv": PLAIN,
    "json": PLAIN | NESTED,
    "jsonl": PLAIN | NESTED,
    "parquet": PLAIN | NESTED | BINARY,
}
Writer = Callable[[pa.Table, Path, random.Random], Dialect]


class NotWritten(Exception):
    """The tool does not write this table."""


def written(r: random.Random, folder: Path, format: str) -> Made:
    """A random table in a file of `format`, by a tool that writes it. Raises NotWritten."""
    if format == "numpy":
        return _numpy(r, folder)
    tool = r.choice(list(_WRITERS[format]))
    compression = r.choice(["", "", "", "gzip", "zstd", "bz2"]) if format != "parquet" else ""
    table = random_table(r, KINDS[format])
    plain = folder / f"made{SUFFIXES[format]}"
    try:
        dialect = _WRITERS[format][tool](table, plain, r)
    except (KeyboardInterrupt, AssertionError):
        raise
    except BaseException as error:  # polars panics are no Exception
        raise NotWritten(f"{tool}: {error}") from error
    path = plain
    if compression:
        path = plain.with_name(plain.name + ENDINGS[compression])
        path.write_bytes(packed(plain.read_bytes(), compression))
        plain.unlink()
    # Delimiters that are found out are part of what is tried; what Python's csv cannot tell apart is said.
    params: dict[str, Any] = {}
    if format == "csv" and (r.random() < 0.5 or table.num_columns == 1 or dialect.delimiter not in ",;\t|"):
        params = {"csv": {"delimiter": dialect.delimiter}}
    return Made(path, format, tool, "written", dialect, params, table, compression)


def _frame(table: pa.Table) -> Any:
    return table.to_pandas(types_mapper=pandas.ArrowDtype, timestamp_as_object=False)


def _csv_pandas(table: pa.Table, path: Path, r: random.Random) -> Dialect:
    delimiter = r.choice(",,;\t|")
    quoting = r.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
    na = r.choice(["", "", "NA", "NULL"])
    _frame(table).to_csv(
        path, sep=delimiter, index=False, quoting=quoting, na_rep=na, lineterminator=r.choice(["\n", "\r\n"]),
        encoding=r.choice(["utf-8", "utf-8-sig"]),
    )  # fmt: skip
    return Dialect(delimiter)


def _csv_pyarrow(table: pa.Table, path: Path, r: random.Random) -> Dialect:
    delimiter = r.choice(",,;\t|")
    style = r.choice(["needed", "all_valid"])
    pyarrow.csv.write_csv(table, path, pyarrow.csv.WriteOptions(delimiter=delimiter, quoting_style=style))
    return Dialect(delimiter)


def _csv_polars(table: pa.Table, path: Path, r: random.Random) -> Dialect:
    delimiter = r.choice(",,;\t|")
    frame = polars.DataFrame(polars.from_arrow(table))
    frame.write_csv(
        path, separator=delimiter, quote_style=r.choice(["necessary", "always", "non_numeric"]),
        null_value=r.choice(["", "NA"]), line_terminator=r.choice(["\n", "\r\n"]), include_bom=r.random() < 0.2,
    )  # fmt: skip
    return Dialect(delimiter)


def _csv_duckdb(table: pa.Table, path: Path, r: random.Random) -> Dialect:
    delimiter = r.choice([",", ",", ";", "\t", "|"])
    force = r.choice(["", ", FORCE_QUOTE *"])
    null = r.choice(["", "", "NULL"])
    _copy(table, path, f"FORMAT csv, HEADER, DELIM '{delimiter}', NULLSTR '{null}'{force}")
    return Dialect(delimiter)


def _copy(table: pa.Table, path: Path, options: str) -> None:
    with duckdb.connect() as connection:
        connection.register("made", table)
        connection.execute("SET threads = 1; SET TimeZone = 'UTC'")
        connection.execute(f"COPY made TO '{path}' ({options})")


def _json_pandas(table: pa.Table, path: Path, r: random.Random) -> Dialect:
    lines = path.suffix == ".jsonl"
    _frame(table).to_json(
        path, orient="records", lines=lines, date_format=r.choice(["iso", "epoch"]), double_precision=15,
        force_ascii=r.random() < 0.5,
    )  # fmt: skip
    return Dialect()


def _json_polars(table: pa.Table, path: Path, r: random.Random) -> Dialect:
    frame = polars.DataFrame(polars.from_arrow(table))
    if path.suffix == ".jsonl":
        frame.write_ndjson(path)
    else:
        frame.write_json(path)
    return Dialect()


def _json_duckdb(table: pa.Table, path: Path, r: random.Random) -> Dialect:
    _copy(table, path, f"FORMAT json, ARRAY {path.suffix == '.json'}")
    return Dialect()


def _json_python(table: pa.Table, path: Path, r: random.Random) -> Dialect:
    """As programs write it by hand: names left out, spaces, escapes, numbers as they come."""

    def plain(value: Any) -> Any:
        return value if isinstance(value, str | int | float | bool | list | dict | None) else str(value)

    rows = [{k: plain(v) for k, v in row.items()} for row in table.to_pylist()]
    if r.random() < 0.5:
        rows = [{k: v for k, v in row.items() if v is not None or r.random() < 0.5} for row in rows]
    ascii_only = r.random() < 0.5
    if path.suffix == ".jsonl":
        ends = r.choice(["\n", "\r\n"])
        texts = [json.dumps(row, ensure_ascii=ascii_only, default=str, allow_nan=False) for row in rows]
        path.write_bytes(ends.join([*texts, *([""] if r.random() < 0.5 else [])]).encode())
    else:
        indent = r.choice([None, 1, 2])
        text = json.dumps(rows, ensure_ascii=ascii_only, indent=indent, default=str, allow_nan=False)
        path.write_bytes(r.choice([b"", b"", b"\xef\xbb\xbf"]) + text.encode())
    return Dialect()


def _parquet_pandas(table: pa.Table, path: Path, r: random.Random) -> Dialect:
    _frame(table).to_parquet(path, index=False, compression=r.choice(["snappy", "gzip", None, "zstd"]))
    return Dialect()


def _parquet_pyarrow(table: pa.Table, path: Path, r: random.Random) -> Dialect:
    pyarrow.parquet.write_table(
        table, path, row_group_size=r.choice([1, 3, 1000]), compression=r.choice(["none", "snappy", "zstd", "gzip"]),
        use_dictionary=r.random() < 0.5, version=r.choice(["1.0", "2.4", "2.6"]),
        data_page_version=r.choice(["1.0", "2.0"]), data_page_size=r.choice([None, 64]),
        write_statistics=r.random() < 0.5,
    )  # fmt: skip
    return Dialect()


def _parquet_polars(table: pa.Table, path: Path, r: random.Random) -> Dialect:
    frame = polars.DataFrame(polars.from_arrow(table))
    frame.write_parquet(path, compression=r.choice(["zstd", "snappy", "uncompressed"]), statistics=r.random() < 0.5)
    return Dialect()


def _parquet_duckdb(table: pa.Table, path: Path, r: random.Random) -> Dialect:
    _copy(table, path, f"FORMAT parquet, COMPRESSION {r.choice(['snappy', 'zstd', 'uncompressed'])}")
    return Dialect()


def _numpy(r: random.Random, folder: Path) -> Made:
    rows = r.choice([0, 1, 3, 40])
    kinds: list[tuple[str, Callable[[], Any]]] = [
        ("<i8", lambda: r.randint(-(2**63), 2**63 - 1)), (">i4", lambda: r.randint(-(2**31), 2**31 - 1)),
        ("<u8", lambda: r.randint(0, 2**64 - 1)), ("u1", lambda: r.randint(0, 255)), ("<f8", lambda: r.uniform(-9, 9)),
        (">f4", lambda: float(np.float32(r.uniform(-9, 9)))), ("<f2", lambda: 0.5), ("?", lambda: r.random() < 0.5),
        ("<U5", lambda: r.choice(["", "abc", "ä日"])), ("S4", lambda: r.choice([b"", b"ab", b"abcd"])),
        ("<M8[s]", lambda: r.randint(-(10**9), 10**9)), ("<M8[us]", lambda: r.randint(-(10**15), 10**15)),
        ("<M8[D]", lambda: r.randint(-9999, 9999)),
    ]  # fmt: skip

    def array() -> Any:
        kind, maker = r.choice(kinds)
        return np.array([maker() for _ in range(rows)], kind)

    found: Any
    shape = r.choice(["one", "two", "structured", "npz"])
    path = folder / ("made.npz" if shape == "npz" else "made.npy")
    if shape == "npz":
        saver = r.choice([np.savez, np.savez_compressed])
        saver(path, **{f"c{i}": array() for i in range(r.randint(1, 4))})
    elif shape == "two":
        found = np.array([r.uniform(-9, 9) for _ in range(3 * rows)]).reshape(-1, 3)
        np.save(path, np.asfortranarray(found) if r.random() < 0.5 else found)
    elif shape == "structured":
        arrays = [array() for _ in range(r.randint(1, 4))]
        found = np.zeros(rows, [(f"c{i}", a.dtype) for i, a in enumerate(arrays)])
        for i, a in enumerate(arrays):
            found[f"c{i}"] = a
        np.save(path, found)
    else:
        np.save(path, array())
    return Made(path, "numpy", "numpy", "written")


def expected(table: pa.Table) -> list[list[Any]]:
    """What was given to the tool, in canonical values."""
    return [[canon(value) for value in column.to_pylist()] for column in table.columns]


_WRITERS: dict[str, dict[str, Writer]] = {
    "csv": {"pandas": _csv_pandas, "pyarrow": _csv_pyarrow, "polars": _csv_polars, "duckdb": _csv_duckdb},
    "json": {"pandas": _json_pandas, "polars": _json_polars, "duckdb": _json_duckdb, "python": _json_python},
    "jsonl": {"pandas": _json_pandas, "polars": _json_polars, "duckdb": _json_duckdb, "python": _json_python},
    "parquet": {
        "pandas": _parquet_pandas, "pyarrow": _parquet_pyarrow, "polars": _parquet_polars, "duckdb": _parquet_duckdb,
    },
}  # fmt: skip
