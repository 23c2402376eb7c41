"""How others read the same files: pandas, pyarrow, polars, DuckDB, and Python's own csv and json as reference."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import numpy as np
import pandas  # type: ignore[import-untyped]
import polars
import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from tests.connectors.readers.canon import canon
from tests.connectors.readers.made import Made, Table
from tests.connectors.readers.packing import unpacked

Peer = Callable[[Made], Table]


def reference(made: Made) -> Table | None:
    """What the bytes say, nothing guessed and nothing rounded: text of CSV, Python's values of JSON."""
    peer = {"csv": csv_python, "json": json_python, "jsonl": json_python}.get(made.format)
    return _read(peer, made) if peer is not None else None


def readings(made: Made) -> Iterator[tuple[str, Table | None]]:
    """Each peer's name with what it reads; None where it refuses or fails."""
    for name, peer in _PEERS[made.format].items():
        yield name, _read(peer, made)


def _read(peer: Peer, made: Made) -> Table | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return peer(made)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001  (polars panics are no Exception; how a peer fails is its own affair)
        return None


def _of(names: list[str], columns: list[list[Any]]) -> Table:
    return Table(names, [[canon(value) for value in column] for column in columns])


def _arrow(table: pa.Table) -> Table:
    return _of(table.column_names, [column.to_pylist() for column in table.columns])


def _polars(frame: Any) -> Table:
    return _of(frame.columns, [series.to_list() for series in frame.get_columns()])


def _pandas(frame: Any) -> Table:
    def missing(value: Any) -> bool:
        return value is pandas.NA or value is pandas.NaT or (isinstance(value, float) and math.isnan(value))

    columns = [[None if missing(v) else _moment(v) for v in frame.iloc[:, i]] for i in range(frame.shape[1])]
    return _of([str(name) for name in frame.columns], columns)


def _moment(value: Any) -> Any:
    return value.to_pydatetime() if isinstance(value, pandas.Timestamp) else value


def _duckdb(query: str, *arguments: Any) -> Table:
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1; SET TimeZone = 'UTC'")
        return _arrow(connection.execute(query, list(arguments)).to_arrow_table())


def _text(made: Made) -> bytes:
    """The content as peers are given it: unpacked, in UTF-8 where a mark says another encoding, without a line `sep=;`,
    which tells spreadsheets (and Jobdeck) what the delimiter is."""
    data = unpacked(made)
    for mark, encoding in ((b"\xff\xfe\0\0", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            data = data.decode(encoding).encode()
            break
    return _SEP.sub(b"", data) if made.format == "csv" else data


_SEP = re.compile(rb"\A(?:\xef\xbb\xbf)?sep=.(?:\r\n|\r|\n)", re.IGNORECASE)


def _plain(made: Made) -> str:
    """The path of a file of that: DuckDB does not know all packings and encodings."""
    path = made.path.with_name("unpacked")
    path.write_bytes(_text(made))
    return str(path)


# CSV, as text (nothing is guessed) and as each reads it by itself.


def csv_python(made: Made) -> Table:
    """Python's csv over the whole text."""
    text = _text(made).decode("utf-8-sig")
    quote = made.dialect.quote
    more: dict[str, Any] = {"quotechar": quote, "strict": False} if quote else {"quoting": csv.QUOTE_NONE}
    lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=made.dialect.delimiter, **more))
    start = next(i for i, line in enumerate(lines) if line)
    names = lines[start]
    # In a file of one column an empty line is a row; in others it is nothing.
    rows = [line or [""] for line in lines[start + 1 :] if line or len(names) == 1]
    if any(len(row) != len(names) for row in rows):
        raise ValueError("ragged")
    return _of(names, [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in names])


def csv_pandas_text(made: Made) -> Table:
    frame = pandas.read_csv(
        io.BytesIO(_text(made)), sep=made.dialect.delimiter, dtype=object, keep_default_na=False, **_quoting(made)
    )
    return _pandas(frame)


def csv_pandas(made: Made) -> Table:
    frame = pandas.read_csv(
        io.BytesIO(_text(made)), sep=made.dialect.delimiter, dtype_backend="pyarrow", **_quoting(made)
    )
    return _pandas(frame)


def _quoting(made: Made) -> dict[str, Any]:
    return {"quotechar": made.dialect.quote} if made.dialect.quote else {"quoting": csv.QUOTE_NONE}


def _arrow_csv(made: Made, convert: Any) -> pa.Table:
    parse = pyarrow.csv.ParseOptions(
        delimiter=made.dialect.delimiter, quote_char=made.dialect.quote or False, newlines_in_values=True
    )
    return pyarrow.csv.read_csv(io.BytesIO(_text(made)), parse_options=parse, convert_options=convert)


def csv_pyarrow_text(made: Made) -> Table:
    names = _arrow_csv(made, None).column_names
    types = dict.fromkeys(names, pa.string())
    return _arrow(_arrow_csv(made, pyarrow.csv.ConvertOptions(column_types=types)))


def csv_pyarrow(made: Made) -> Table:
    return _arrow(_arrow_csv(made, pyarrow.csv.ConvertOptions()))


def csv_polars_text(made: Made) -> Table:
    return _polars(
        polars.read_csv(
            io.BytesIO(_text(made)), separator=made.dialect.delimiter, quote_char=made.dialect.quote,
            infer_schema=False,
        )
    )  # fmt: skip


def csv_polars(made: Made) -> Table:
    return _polars(
        polars.read_csv(
            io.BytesIO(_text(made)), separator=made.dialect.delimiter, quote_char=made.dialect.quote,
            infer_schema_length=None, try_parse_dates=True,
        )
    )  # fmt: skip


def csv_duckdb_text(made: Made) -> Table:
    return _duckdb(
        "SELECT * FROM read_csv(?, delim=?, quote=?, header=true, all_varchar=true, null_padding=false)",
        _plain(made), made.dialect.delimiter, made.dialect.quote or "",
    )  # fmt: skip


def csv_duckdb(made: Made) -> Table:
    return _duckdb("SELECT * FROM read_csv(?)", _plain(made))


# JSON.


def json_python(made: Made) -> Table:
    """Python's json: integers of any size, the last of equal names."""
    text = _text(made).decode("utf-8-sig")
    rows = (
        json.loads(text) if made.format == "json" else [json.loads(line) for line in text.split("\n") if line.strip()]
    )
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("not a list of objects")
    names = list(dict.fromkeys(name for row in rows for name in row))
    return _of(names, [[row.get(name) for row in rows] for name in names])


def json_pandas(made: Made) -> Table:
    frame = pandas.read_json(
        io.BytesIO(_text(made)), orient="records", lines=made.format == "jsonl", dtype=False, convert_dates=False,
        convert_axes=False, precise_float=True,
    )  # fmt: skip
    return _pandas(frame)


def json_pyarrow(made: Made) -> Table:
    return _arrow(pyarrow.json.read_json(io.BytesIO(_text(made))))


def json_polars(made: Made) -> Table:
    content = io.BytesIO(_text(made))
    if made.format == "json":
        return _polars(polars.read_json(content, infer_schema_length=None))
    return _polars(polars.read_ndjson(content, infer_schema_length=None))


def json_duckdb(made: Made) -> Table:
    form = "array" if made.format == "json" else "newline_delimited"
    return _duckdb("SELECT * FROM read_json(?, format=?, sample_size=-1)", _plain(made), form)


# Parquet and NumPy.


def parquet_pyarrow(made: Made) -> Table:
    table = pyarrow.parquet.read_table(made.path)
    table.validate(full=True)
    return _arrow(table)


def parquet_pandas(made: Made) -> Table:
    return _pandas(pandas.read_parquet(made.path, dtype_backend="pyarrow"))


def parquet_polars(made: Made) -> Table:
    return _polars(polars.read_parquet(made.path))


def parquet_duckdb(made: Made) -> Table:
    return _duckdb("SELECT * FROM read_parquet(?)", str(made.path))


def numpy_numpy(made: Made) -> Table:
    found = np.load(made.path, allow_pickle=False)
    if isinstance(found, np.lib.npyio.NpzFile):
        return _of(found.files, [found[name].tolist() for name in found.files])
    if found.dtype.names:
        return _of(list(found.dtype.names), [found[name].tolist() for name in found.dtype.names])
    if found.ndim == 2:
        return _of([f"column_{i + 1}" for i in range(found.shape[1])], [c.tolist() for c in found.T])
    return _of(["value"], [found.tolist()])


_PEERS: dict[str, dict[str, Peer]] = {
    "csv": {
        "python": csv_python, "pandas text": csv_pandas_text, "pyarrow text": csv_pyarrow_text,
        "polars text": csv_polars_text, "duckdb text": csv_duckdb_text, "pandas": csv_pandas,
        "pyarrow": csv_pyarrow, "polars": csv_polars, "duckdb": csv_duckdb,
    },
    "json": {"python": json_python, "pandas": json_pandas, "polars": json_polars, "duckdb": json_duckdb},
    "jsonl": {
        "python": json_python, "pandas": json_pandas, "pyarrow": json_pyarrow, "polars": json_polars,
        "duckdb": json_duckdb,
    },
    "parquet": {
        "pyarrow": parquet_pyarrow, "pandas": parquet_pandas, "polars": parquet_polars, "duckdb": parquet_duckdb,
    },
    "numpy": {"numpy": numpy_numpy},
}  # fmt: skip
