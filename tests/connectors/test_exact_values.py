"""Values through a real import: each is in the table as it was written, or told with row and column; never a null."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobdeck.connectors.errors import AllRejected, BadRow, DataFailure
from jobdeck.connectors.lake import catalog
from jobdeck.core.environment import Environment
from tests.connectors.harness import Job, table

BIG = 2**53 + 1
Z = dt.UTC


def day(number: int, hour: int = 0) -> dt.datetime:
    return dt.datetime(2024, 1, number, hour, tzinfo=Z)


@dataclass
class Case:
    """Files are loaded one after the other into one table, `params` with the last; `first` is what was there before."""

    id: str
    name: str
    content: str
    right: list[dict[str, Any]] | str
    """The rows of the last file; or words of its error, and then the table is as before."""
    first: str = ""
    params: dict[str, Any] = field(default_factory=dict)


DECLARED_TIME = {"columns": {"t": "timestamp"}}
WHOLE = {"columns": {"n": "int64"}}
BAD = "bad_row: "
CASES = [
    Case("zones-mixed", "a.csv", "t\n2024-01-01T00:00:00Z\n2024-01-02T00:00:00\n2024-01-03T00:00:00+01:00\n",
         [{"t": day(1)}, {"t": day(2)}, {"t": day(2, 23)}], params=DECLARED_TIME),
    Case("zones-mixed-json", "a.jsonl", '{"t":"2024-01-01T00:00:00Z"}\n{"t":"2024-01-02 00:00"}\n{"t":null}\n',
         [{"t": day(1)}, {"t": day(2)}, {"t": None}], params=DECLARED_TIME),
    Case("zones-mixed-appended", "a.csv", "t\n2024-01-01\n2024-01-02T00:00:00-0900\n",
         [{"t": day(1)}, {"t": day(2, 9)}], first="t\n2024-01-05T00:00:00Z\n"),
    Case("zones-into-no-zone", "a.csv", "t\n2024-01-02T00:00:00\n2024-01-02T00:00:00Z\n",
         BAD + "row 2 (line 3), column 't': '2024-01-02T00:00:00Z' is not a timestamp_ntz: it has a time zone",
         params={"columns": {"t": "timestamp_ntz"}}),
    Case("nine-digits", "a.csv", "t\n2025-01-01T23:00:00.020643808Z\n", BAD + "9 digits after the second",
         params=DECLARED_TIME),
    Case("nine-digits-that-are-six", "a.csv", "t\n2024-01-01T00:00:00.500000000Z\n2024-01-01\n",
         [{"t": day(1) + dt.timedelta(seconds=0.5)}, {"t": day(1)}], params=DECLARED_TIME),
    Case("year-zero", "a.csv", "d\n0000-01-01\n", [{"d": "0000-01-01"}]),
    Case("year-zero-declared", "a.csv", "d\n0000-01-01\n", BAD + "not a date", params={"columns": {"d": "date"}}),
    Case("date-of-a-time", "a.csv", "d\n2024-01-01\n2024-01-01T05:00:00\n", BAD + "row 2",
         params={"columns": {"d": "date"}}),
    Case("float-and-big", "a.csv", "n\n100.0\n1234567890123456789\n7\n",
         [{"n": 100}, {"n": 1234567890123456789}, {"n": 7}], params=WHOLE),
    Case("exponent-and-big", "a.csv", f"n\n1E+05\n{BIG}\n+3\n 4 \n",
         [{"n": 100000}, {"n": BIG}, {"n": 3}, {"n": 4}], params=WHOLE),
    Case("exponent-and-big-appended", "a.csv", f"n\n1e5\n{BIG}\nNA\n",
         [{"n": 100000}, {"n": BIG}, {"n": None}], first="n\n5\n"),
    Case("exponent-and-big-json", "a.jsonl", f'{{"n":1e5}}\n{{"n":{BIG}}}\n',
         [{"n": 100000}, {"n": BIG}], params=WHOLE),
    Case("edge-of-int64", "a.csv", "n\n9223372036854775807\n-9223372036854775808\n",
         [{"n": 2**63 - 1}, {"n": -(2**63)}]),
    Case("beyond-int64", "a.csv", "n\n1\n9223372036854775808\n", BAD + "row 2 (line 3), column 'n'", params=WHOLE),
    Case("beyond-int64-free", "a.csv", "n\n1\n18446744073709551615\n", [{"n": Decimal(1)}, {"n": Decimal(2**64 - 1)}]),
    Case("fraction-into-int", "a.csv", "n\n1\n1.5\n", BAD + "it has a fraction", params=WHOLE),
    Case("int8", "a.csv", "n\n127\n128\n", BAD + "-128 to 127", params={"columns": {"n": "int8"}}),
    Case("big-into-float", "a.csv", f"v\n1\n{BIG}\n", BAD + f"row 2 (line 3), column 'v': '{BIG}' is not a float64",
         first="v\n1.5\n"),
    Case("big-into-float-json", "a.jsonl", f'{{"v":{BIG}}}\n', BAD + "row 1 (line 1), column 'v'", first="v\n1.5\n"),
    Case("exact-big-into-float", "a.csv", f"v\n{2**53}\n{2**60}\n1e23\n",
         [{"v": 2.0**53}, {"v": 2.0**60}, {"v": 1e23}], first="v\n1.5\n"),
    Case("big-float-text", "a.csv", f"v\n{BIG}.0\n1.5\n", [{"v": f"{BIG}.0"}, {"v": "1.5"}]),
    Case("long-fraction-free", "a.csv", "v\n0.1234567890123456789\n1.5\n",
         [{"v": "0.1234567890123456789"}, {"v": "1.5"}]),
    Case("long-fraction-json", "a.jsonl", '{"v":0.1234567890123456789}\n{"v":1.5}\n',
         [{"v": "0.1234567890123456789"}, {"v": "1.5"}]),
    Case("usual-fractions", "a.csv", "v\n0.30000000000000004\n1.10\n-2.5E-3\n",
         [{"v": 0.30000000000000004}, {"v": 1.1}, {"v": -0.0025}]),
    Case("too-small-for-floats", "a.csv", "v\n1e-400\n1.5\n", [{"v": "1e-400"}, {"v": "1.5"}]),
    Case("too-small-json", "a.jsonl", '{"v":1e-400}\n', BAD + "column 'v'", first="v\n1.5\n"),
    Case("too-large-for-floats", "a.csv", "v\n1e400\n", BAD + "column 'v'", params={"columns": {"v": "float64"}}),
    Case("huge-exponent", "a.csv", "v\n1e999999999\n0e999999999\n", BAD + "row 1",
         params={"columns": {"v": "int64"}}),
    Case("float32", "a.csv", "v\n16777217\n", BAD + "not a float32", params={"columns": {"v": "float32"}}),
    Case("decimal-scale", "a.csv", "p\n1.00\n1.005\n", BAD + "row 2 (line 3), column 'p': '1.005' is not a",
         params={"columns": {"p": "decimal(10,2)"}}),
    Case("decimal-zeros", "a.csv", "p\n1.50000\n1e2\n+3\n",
         [{"p": Decimal("1.50")}, {"p": Decimal("100.00")}, {"p": Decimal("3.00")}],
         params={"columns": {"p": "decimal(10,2)"}}),
    Case("decimal-tiny", "a.csv", "p\n1E-347\n", BAD + "column 'p'", params={"columns": {"p": "decimal(10,2)"}}),
    Case("decimal-json", "a.jsonl", '{"p":1.10}\n{"p":123456789.019}\n', BAD + "row 2",
         params={"columns": {"p": "decimal(12,2)"}}),
    Case("bools", "a.csv", "b\ntrue\n0\nyes\n", BAD + "'yes' is not a boolean", params={"columns": {"b": "boolean"}}),
    Case("plus-free", "a.csv", "a,b,c\n-0,+5,+1.5\n1,+6,2\n",
         [{"a": 0, "b": "+5", "c": "+1.5"}, {"a": 1, "b": "+6", "c": "2"}]),
    Case("phone", "a.csv", "p\n+420602123456\n+420777000111\n", [{"p": "+420602123456"}, {"p": "+420777000111"}]),
    Case("hexadecimal", "a.csv", "p\n0x1f\n12\n", [{"p": "0x1f"}, {"p": "12"}]),
    Case("thousands-point", "a.csv", "id;p\n1;1.234\n2;2,50\n", [{"id": 1, "p": "1.234"}, {"id": 2, "p": "2,50"}],
         params={"csv": {"decimal_point": ","}}),
    Case("thousands-point-declared", "a.csv", "id;p\n1;1.234\n2;2,50\n", BAD + "it has a point where",
         params={"csv": {"decimal_point": ","}, "columns": {"p": "float64"}}),
    Case("thousands-point-decimal", "a.csv", "id;p\n1;2,50\n2;1.234,00\n", BAD + "row 2",
         params={"csv": {"decimal_point": ","}, "columns": {"p": "decimal(10,2)"}}),
    Case("decimal-comma", "a.csv", "id;p\n1;1234\n2;2,50\n", [{"id": 1, "p": 1234.0}, {"id": 2, "p": 2.5}],
         params={"csv": {"decimal_point": ","}}),
    Case("big-beside-fraction-json", "a.jsonl", f'{{"a":{BIG}}}\n{{"a":1.5}}\n', [{"a": str(BIG)}, {"a": "1.5"}]),
    Case("big-beside-fraction-nested", "a.jsonl", '{"o":{"v":9007199254740995}}\n{"o":{"v":1.5}}\n',
         [{"o": {"v": "9007199254740995"}}, {"o": {"v": "1.5"}}]),
    Case("big-beside-fraction-list", "a.jsonl", f'{{"o":[{{"v":[{BIG}]}}]}}\n{{"o":[{{"v":[1.5]}}]}}\n',
         [{"o": [{"v": [str(BIG)]}]}, {"o": [{"v": ["1.5"]}]}]),
    Case("struct-field-new", "a.jsonl", '{"a":{"x":2,"y":"n"}}\n', "schema_mismatch: field 'a.y'",
         first='{"a":{"x":1}}\n'),
    Case("struct-field-new-in-list", "a.jsonl", '{"i":[{"s":"b","price":9.5}]}\n', "schema_mismatch: field 'i.price'",
         first='{"i":[{"s":"a"}]}\n'),
    Case("struct-field-new-deep", "a.jsonl", '{"a":{"b":[{"c":{"x":1,"z":2}}]}}\n', "schema_mismatch: field 'a.b.c.z'",
         first='{"a":{"b":[{"c":{"x":1}}]}}\n'),
    Case("struct-field-gone", "a.jsonl", '{"a":{"y":"n"}}\n', [{"a": {"x": None, "y": "n"}}],
         first='{"a":{"x":1,"y":"m"}}\n'),
    Case("nested-words", "a.jsonl", '{"a":{"x":[1,"2"]}}\n{"a":{"x":["y"]}}\n', BAD + "row 2",
         params={"columns": {"a": "struct<x: list<int64>>"}}),
    Case("nested-big", "a.jsonl", f'{{"a":[{BIG}]}}\n', BAD + "row 1", params={"columns": {"a": "list<float64>"}}),
    Case("nested-times", "a.jsonl", '{"a":["2024-01-01T00:00:00Z","2024-01-02"]}\n', [{"a": [day(1), day(2)]}],
         params={"columns": {"a": "list<timestamp>"}}),
    Case("declared-struct-lacks-a-field", "a.jsonl", '{"a":{"x":1,"y":2}}\n', "schema_mismatch: field 'a.y'",
         params={"columns": {"a": "struct<x: int64>"}}),
    Case("csv-has-no-structs", "a.csv", "a\n1\n", "schema_mismatch: is to be list<int64>",
         params={"columns": {"a": "list<int64>"}}),
    Case("map", "a.jsonl", '{"m":{"a":1,"b":2.0}}\n', [{"m": [("a", 1), ("b", 2)]}],
         params={"columns": {"m": "map<string, int64>"}}),
]  # fmt: skip


def load(env: Environment, file: Path, number: int, **params: Any) -> Job:
    job = Job(env, {"files": [str(file)], "into": "lake/b/t", **params}, id=number)
    job.run()
    return job


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
@pytest.mark.parametrize("on_bad_row", ["fail", "reject"])
def test_values(env: Environment, data: Path, case: Case, on_bad_row: str) -> None:
    before = 0
    if case.first:
        first = data / ("first.jsonl" if case.first.startswith("{") else "first.csv")
        first.write_text(case.first)
        load(env, first, 1)
        before = table(env).num_rows  # type: ignore[union-attr]
    file = data / case.name
    file.write_text(case.content, newline="")
    if isinstance(case.right, str):
        code, words = case.right.split(": ", 1)
        if on_bad_row == "reject" and code == "bad_row":
            return rejects(env, file, case, before)
        with pytest.raises(DataFailure) as failure:
            load(env, file, 2, on_bad_row=on_bad_row, **case.params)
        assert failure.value.code == code
        assert words in failure.value.message
        assert str(file) in failure.value.message
        found = table(env)
        assert (found.num_rows if found is not None else 0) == before
        return None
    load(env, file, 2, on_bad_row=on_bad_row, **case.params)
    found = table(env)
    assert found is not None
    assert found.to_pylist()[: len(case.right)] == case.right or found.to_pylist()[before:] == case.right
    assert found.num_rows == before + len(case.right)
    return None


def rejects(env: Environment, file: Path, case: Case, before: int) -> None:
    """With `reject` each row is in the table or in the reject file."""
    lines = [line for line in case.content.splitlines() if line.strip()][0 if case.name.endswith("l") else 1 :]
    job = Job(env, {"files": [str(file)], "into": "lake/b/t", "on_bad_row": "reject", **case.params}, id=2)
    try:
        result = job.run()
        assert result.rows + result.rejected == len(lines)
        assert result.rejected
        assert table(env).num_rows == before + result.rows  # type: ignore[union-attr]
        names = result.rejects
    except AllRejected as failure:
        names = [failure.message.split(" in ")[1].split(",")[0]]
    root = Path(env.storage_url.removeprefix("file://")) / "projects/default"
    told = [json.loads(line) for name in names for line in (root / name).read_text().splitlines()]
    assert told
    assert all("not a" in reject["reason"] for reject in told)


def test_one_time_without_a_zone_among_many(env: Environment, data: Path) -> None:
    lines = [f"2024-01-01T00:{i // 60 % 60:02}:{i % 60:02}Z" for i in range(100_000)]
    lines[77_777] = "2024-01-01T00:00:00"
    (data / "a.csv").write_text("t\n" + "\n".join(lines) + "\n")
    load(env, data / "a.csv", 1, **DECLARED_TIME)
    found = table(env)
    assert found is not None
    assert found["t"].null_count == 0
    assert found["t"].to_pylist().count(day(1)) == 29


def test_one_bad_value_takes_no_other_along(env: Environment, data: Path) -> None:
    lines = [str(i) for i in range(50_000)]
    lines[10], lines[20], lines[49_999] = "x", "1e3", "9" * 19
    (data / "a.csv").write_text("n\n" + "\n".join(lines) + "\n")
    result = Job(env, {"files": [str(data / "a.csv")], "into": "lake/b/t", "on_bad_row": "reject", **WHOLE}, id=1).run()
    found = table(env)
    assert found is not None
    assert (result.rows, result.rejected, found["n"].null_count) == (49_998, 2, 0)
    assert 1000 in found["n"].to_pylist()[:30]


@pytest.mark.parametrize("kind", ["int64", "timestamp", "float64", "decimal(20,0)"])
def test_keys_that_are_null_after_casting_are_refused(env: Environment, data: Path, kind: str) -> None:
    words = {"timestamp": ["2024-01-01T00:00:00Z", "2024-01-02"]}.get(kind, ["1.0", str(2**53)])
    (data / "a.csv").write_text("k,v\n" + "".join(f"{word},{i}\n" for i, word in enumerate(words)))
    options = {"mode": "upsert", "key": ["k"], "columns": {"k": kind}}
    load(env, data / "a.csv", 1, **options)
    found = table(env)
    assert found is not None
    assert (found.num_rows, found["k"].null_count) == (2, 0)
    (data / "b.csv").write_text(f"k,v\n{words[0]},5\nNA,6\n")
    with pytest.raises(BadRow, match=r"row 2 .* empty, and keys must not be"):
        load(env, data / "b.csv", 2, **options)


def test_a_float_column_appended_as_text_keeps_unknown_words_out(env: Environment, data: Path) -> None:
    catalog.create(env, "lake/b/t", [("d", "decimal(38,2)"), ("b", "boolean"), ("i", "int16")])
    (data / "a.csv").write_text("d,b,i\n1.1,TRUE,32767\n1.10,1,1e2\n")
    load(env, data / "a.csv", 1)
    assert table(env).to_pylist() == [  # type: ignore[union-attr]
        {"d": Decimal("1.10"), "b": True, "i": 32767},
        {"d": Decimal("1.10"), "b": True, "i": 100},
    ]


TYPED: list[tuple[str, pa.Array, str, list[Any] | str]] = [
    ("ns", pa.array([1000, 1001], pa.timestamp("ns")), "timestamp_ntz", "row 2"),
    ("zone-dropped", pa.array([1], pa.timestamp("us", "Europe/Prague")), "timestamp_ntz", "time zone"),
    ("time-of-day", pa.array([dt.datetime(2024, 1, 1, 5)]), "date", "time of day"),
    ("epoch", pa.array([1_700_000_000]), "timestamp", "row 1"),
    ("big", pa.array([1, BIG]), "float64", "row 2"),
    ("uint64", pa.array([2**63], pa.uint64()), "int64", "-9223372036854775808 to"),
    ("halves", pa.array([1.0, 1.5]), "int64", "row 2"),
    ("whole", pa.array([1.0, None, 2.0**53]), "int64", [1, None, 2**53]),
    ("cents", pa.array([1.10, 2.5]), "decimal(10,2)", [Decimal("1.10"), Decimal("2.50")]),
    ("mills", pa.array([1.005]), "decimal(10,2)", "too many digits"),
    ("narrow", pa.array([0.5, 0.1]), "float32", "row 2"),
    ("words", pa.array(["1", "100.0", "x"]).dictionary_encode(), "int64", "'x' is not an int64"),
    ("flags", pa.array([0, 1, 2]), "boolean", "row 3"),
    ("duration", pa.array([1_500_000_000], pa.duration("ns")), "", [1_500_000]),
    ("duration-seconds", pa.array([3], pa.duration("s")), "", [3_000_000]),
    ("duration-fine", pa.array([1], pa.duration("ns")), "", "row 1"),
    ("list", pa.array([[1], [BIG]]), "list<float64>", "row 2"),
    ("list-struct", pa.array([[{"x": 1.0}], [{"x": None}]]), "list<struct<x: int64, y: string>>",
     [[{"x": 1, "y": None}], [{"x": None, "y": None}]]),
    ("struct-dropped", pa.array([{"x": 1, "z": 2}]), "struct<x: int64>", "field 'c.z'"),
    ("map", pa.array([[("a", 1.5)]], pa.map_(pa.string(), pa.float64())), "map<string, int64>", "row 1"),
]  # fmt: skip


@pytest.mark.parametrize(("array", "kind", "right"), [case[1:] for case in TYPED], ids=[case[0] for case in TYPED])
def test_typed_columns_declared(env: Environment, data: Path, array: pa.Array, kind: str, right: Any) -> None:
    pq.write_table(pa.table({"c": array}), data / "a.parquet")
    params: dict[str, Any] = {"columns": {"c": kind}} if kind else {}
    if isinstance(right, str):
        with pytest.raises(DataFailure) as failure:
            load(env, data / "a.parquet", 1, **params)
        assert right in failure.value.message
        assert table(env) is None
        return
    load(env, data / "a.parquet", 1, **params)
    assert table(env)["c"].to_pylist() == right  # type: ignore[index]


def test_structs_of_two_files_under_one_declared_type(env: Environment, data: Path) -> None:
    pq.write_table(pa.table({"s": [{"x": 1}]}), data / "a.parquet")
    pq.write_table(pa.table({"s": [{"x": 2, "y": "n"}]}), data / "b.parquet")
    with pytest.raises(DataFailure) as failure:
        load(env, data, 1)
    assert "Give it a type with `columns`" in str(failure.value.hint)
    load(env, data, 1, columns={"s": "struct<x: int64, y: string>"})
    assert table(env)["s"].to_pylist() == [{"x": 1, "y": None}, {"x": 2, "y": "n"}]  # type: ignore[index]


def test_big_whole_numbers_in_one_file_and_fractions_in_another(env: Environment, data: Path) -> None:
    for ending, big, half in (("csv", f"v\n{BIG}\n", "v\n1.5\n"), ("jsonl", f'{{"v":{BIG}}}\n', '{"v":1.5}\n')):
        (data / f"a.{ending}").write_text(big)
        (data / f"b.{ending}").write_text(half)
        Job(env, {"files": [str(data / f"*.{ending}")], "into": f"lake/b/{ending}"}, id=1).run()
        assert table(env, f"lake/b/{ending}")["v"].to_pylist() == [str(BIG), "1.5"]  # type: ignore[index]
