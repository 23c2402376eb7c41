"""CSV as people have it: line ends, marks, encodings, headers, nulls, strangers. Rows are right, or told."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobdeck.connectors.errors import DataFailure
from jobdeck.connectors.files.formats import records
from jobdeck.core.environment import Environment
from tests.connectors.harness import Job, environment, table

AB = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
MARK = b"\xef\xbb\xbf"


def load(env: Environment, *files: Path, **params: Any) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows, and what was told of them."""
    job = Job(env, {"files": [str(file) for file in files], "into": "lake/b/t", **params})
    job.run()
    found = table(env)
    assert found is not None
    return found.to_pylist(), [text for text, _ in job.warnings]


def put(data: Path, content: bytes | str, name: str = "a.csv") -> Path:
    (data / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return data / name


READ: list[tuple[str, bytes | str, dict[str, Any], list[dict[str, Any]], str]] = [
    ("cr", "a,b\r1,x\r2,y\r", {}, AB, ""),
    ("cr-without-the-last", "a,b\r1,x\r2,y", {}, AB, ""),
    ("cr-quoted", 'a,b\r1,"x\ry"\r2,"z"\r', {}, [{"a": 1, "b": "x\ry"}, {"a": 2, "b": "z"}], ""),
    ("cr-header", "a,b\r1,x\n2,y\n", {}, AB, "Line 1 of"),
    ("cr-in-the-middle", "a,b\n1,x\r2,y\n", {}, AB, "Line 2 of"),
    ("cr-in-quotes-is-a-value", 'a,b\n1,"x\ry"\n', {}, [{"a": 1, "b": "x\ry"}], ""),
    ("crlf", "a,b\r\n1,x\r\n2,y\r\n", {}, AB, ""),
    ("crlf-skipped", "about\r\na,b\r\n1,x\r\n2,y", {"skip_rows": 1}, AB, ""),
    ("one-line", "a,b", {}, [], ""),
    ("one-cell", "a", {}, [], ""),
    ("one-column", "a\r\n1\r\n\r\n3\r\n", {}, [{"a": 1}, {"a": None}, {"a": 3}], ""),
    ("mark-inside", MARK + b"d,n\n2024-01-01,1\n" + MARK + b"2024-01-02,2\n", {},
     [{"d": dt.date(2024, 1, 1), "n": 1}, {"d": dt.date(2024, 1, 2), "n": 2}], "Line 3 of"),
    ("mark-quoted-is-a-value", 'a,b\n1,"\ufeffx"\n', {}, [{"a": 1, "b": "\ufeffx"}], ""),
    ("nul", b"x,y\nte\0st,Reg\nI,Swp\n", {}, [{"x": "te\0st", "y": "Reg"}, {"x": "I", "y": "Swp"}], ""),
    ("sep", "sep=;\na;b\n1;x\n2;y\n", {}, AB, ""),
    ("sep-quoted-crlf", '"sep=|"\r\na|b\r\n1|x\r\n2|y\r\n', {}, AB, ""),
    ("sep-tab-marked", MARK + b"SEP=\t\na\tb\n1\tx\n2\ty\n", {}, AB, ""),
    ("sep-already-skipped", "sep=;\na;b\n1;x\n2;y\n", {"skip_rows": 1}, AB, ""),
    ("sep-in-the-data", "a,b\n1,sep=;\n", {}, [{"a": 1, "b": "sep=;"}], ""),
    ("utf-16-le", "a,b\n1,x\n2,y\n".encode("utf-16-le"), {"encoding": "utf-16-le"}, AB, ""),
    ("utf-16-be", "a,b\n1,x\n2,y\n".encode("utf-16-be"), {"encoding": "UTF-16BE"}, AB, ""),
    ("utf-16-le-marked", "\ufeffa,b\n1,x\n2,y\n".encode("utf-16-le"), {"encoding": "utf-16-le"}, AB, ""),
    ("utf-32-le", "a,b\n1,x\n2,y\n".encode("utf-32-le"), {"encoding": "utf-32-le"}, AB, ""),
    ("cp1252", "a,b\n1,didn’t\n".encode("cp1252"), {"encoding": "windows-1252"}, [{"a": 1, "b": "didn’t"}], ""),
    ("latin-1-marked", MARK + "a,b\n1,é\n".encode("latin-1"), {"encoding": "latin-1"}, [{"a": 1, "b": "é"}], ""),
    ("cp500", "a,b\n1,x\n2,y\n".encode("cp037").replace(b"\x15", b"\x25"), {"encoding": "cp037"}, AB, ""),
    ("utf-7", "a,b\n1,é\n".encode("utf-7"), {"encoding": "utf-7"}, [{"a": 1, "b": "é"}], ""),
    ("null-escaped", 'a,b\n1,\\N\n2,"x\\N"\n3,a\\,b\n', {"escape": "\\"},
     [{"a": 1, "b": "\\N"}, {"a": 2, "b": "xN"}, {"a": 3, "b": "a,b"}], ""),
    ("null-escaped-int", 'a,b\n"\\"A, Me\\"",\\N\nplain,7\n', {"escape": "\\"},
     [{"a": '"A, Me"', "b": None}, {"a": "plain", "b": 7}], ""),
    ("null-escaped-text", "a,b\n\\N,x\ny,\\N\n", {"escape": "\\", "strings_can_be_null": True},
     [{"a": None, "b": "x"}, {"a": "y", "b": None}], ""),
    ("quoted-empty", '"i","t"\n"1",""\n"2",\n', {"strings_can_be_null": True},
     [{"i": 1, "t": ""}, {"i": 2, "t": None}], ""),
    ("quoted-words", '"t","u"\n"NA",1\n"NULL",2\n', {"strings_can_be_null": True},
     [{"t": "NA", "u": 1}, {"t": "NULL", "u": 2}], ""),
    ("quoted-number-column", '"i","t"\n"1","a"\n"","b"\n', {"strings_can_be_null": True},
     [{"i": 1, "t": "a"}, {"i": None, "t": "b"}], ""),
    ("no-header", "1,x,9\n2,y,8\n", {}, [{"1": 2, "x": "y", "9": 8}], "looks like data: 1,x,9"),
    ("no-header-dates", "2024-01-01,x\n2024-01-02,y\n", {},
     [{"2024-01-01": dt.date(2024, 1, 2), "x": "y"}], "looks like"),
    ("no-header-said", "1,x\n2,y\n", {"header": False},
     [{"column_1": 1, "column_2": "x"}, {"column_1": 2, "column_2": "y"}], ""),
    ("empty-names", "a,,\n1,2,3\n", {}, [{"a": 1, "column_2": 2, "column_3": 3}], ""),
    ("empty-name-taken", "column_2,\n1,2\n", {}, [{"column_2": 1, "column_2_": 2}], ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "csv", "right", "told"), [case[1:] for case in READ], ids=[case[0] for case in READ]
)
def test_read(
    env: Environment, data: Path, content: bytes | str, csv: dict[str, Any], right: list[dict[str, Any]], told: str
) -> None:
    found, warnings = load(env, put(data, content), csv=csv)
    assert found == right
    assert len(warnings) == bool(told)
    assert told in "".join(warnings)


REFUSED: list[tuple[str, bytes | str, dict[str, Any], str, str]] = [
    ("only-a-mark", MARK, {}, "file_damaged", "no header"),
    ("only-a-mark-16", b"\xff\xfe", {}, "file_damaged", "no header"),
    ("only-cr", "\r\r", {}, "file_damaged", "no header"),
    ("only-sep", "sep=;\n", {}, "file_damaged", "no header"),
    ("all-skipped", "a,b\n", {"skip_rows": 9}, "file_damaged", "no header"),
    ("lone-cr", "a,b\n1,x\ry\n2,z\n", {}, "bad_row", "row 2 (line 3): 'y' is a row of 1 field"),
    ("utf-16-unsaid", "id,n\n1,é\n".encode("utf-16-le"), {}, "format_unknown", "neither text"),
    ("utf-16-of-no-order", "a\n1\n".encode("utf-16-le"), {"encoding": "utf-16"}, "format_unknown", "neither text"),
    ("utf-32-that-is-none", "a\n1\n", {"encoding": "utf-32"}, "bad_encoding", "utf-32"),
    ("utf-16-cut", "a,b\n1,xy".encode("utf-16-le")[:-1], {"encoding": "utf-16-le"}, "bad_encoding", "utf-16-le"),
    ("surrogate", "a\n".encode("utf-16-le") + b"\x3d\xd8" + "\n".encode("utf-16-le"), {"encoding": "utf-16-le"},
     "bad_encoding", "utf-16-le"),
    ("surrogate-escaped", b"a\n\\ud83d\n", {"encoding": "unicode_escape"}, "bad_encoding", "unicode_escape"),
    ("surrogate-utf-8", b"a\nx\xed\xa0\xbd\n", {}, "bad_encoding", "line 2"),
    ("not-cp1252", b"a\n\x81\n", {"encoding": "cp1252"}, "bad_encoding", "cp1252"),
    ("mark-before-a-quote", b"a,b\n1,x\n" + MARK + b'"2",y\n', {}, "file_damaged", "Line 3"),
    ("names-twice", "1,1,2\n1,1,3\n", {}, "bad_header", "two columns named '1'"),
    ("nul-name", b"a\0b,c\n1,2\n", {}, "bad_header", "NUL"),
    ("quote-never-closed", 'a,b\n1,"x\n', {}, "file_damaged", "ends inside a quoted field"),
    ("quote-never-closed-cr", 'a,b\r1,"x\r', {}, "file_damaged", "ends inside a quoted field"),
    ("short-row-cr", "a,b\r1,x\r2\r", {}, "bad_row", "row 2 (line 3)"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "csv", "code", "words"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_refused(
    env: Environment, data: Path, content: bytes | str, csv: dict[str, Any], code: str, words: str
) -> None:
    file = put(data, content)
    with pytest.raises(DataFailure) as failure:
        load(env, file, csv=csv)
    assert (failure.value.code, words in failure.value.message) == (code, True), failure.value.message
    assert str(file) in failure.value.message
    assert "universal-newline" not in failure.value.message
    assert table(env) is None


def test_cr_lines_in_a_file_larger_than_a_record_may_be(env: Environment, data: Path) -> None:
    rows = records.MAX_RECORD // 64
    value = b"y" * 60 + b"\r"
    file = put(data, b"a,b\r" + b"".join(b'%07d,"%b"\r' % (i, value) for i in range(rows)))
    job = Job(env, {"files": [str(file)], "into": "lake/b/t"})
    job.run()
    found = table(env)
    assert found is not None
    assert found.num_rows == rows
    assert sorted(found["a"].to_pylist()) == [f"{i:07}" for i in range(rows)]
    assert found["b"].unique().to_pylist() == [value.decode()]


def test_a_row_that_is_too_long_is_named(env: Environment, data: Path) -> None:
    file = put(data, b"a,b\n1,x\n2," + b"y" * (records.MAX_RECORD + records.BLOCK) + b"\n")
    with pytest.raises(DataFailure) as failure:
        load(env, file)
    assert failure.value.code == "file_too_large"
    assert "row 2 (line 3)" in failure.value.message


def test_the_row_beside_a_huge_field_is_named(env: Environment, data: Path) -> None:
    file = put(data, b"a,b\n1," + b"y" * 300_000 + b"\nx,z\n")
    with pytest.raises(DataFailure) as failure:
        load(env, file, columns={"a": "int64"})
    assert "row 2 (line 3), column 'a': 'x'" in failure.value.message


def test_all_rows_rejected_fails_and_tells_where_they_are(env: Environment, data: Path, storage: Path) -> None:
    file = put(data, "A,B,C\n1,4,7,\n2,5,8,\n")
    with pytest.raises(DataFailure) as failure:
        load(env, file, on_bad_row="reject")
    assert failure.value.code == "all_rejected"
    assert "2 rows" in failure.value.message
    name = failure.value.message.split(" in ")[1].split(",")[0]
    assert len((storage / "projects/default" / name).read_text().splitlines()) == 2
    assert table(env) is None


STRANGERS: list[tuple[dict[str, str], dict[str, Any], str, list[str]]] = [
    ({"a.csv": "a,b\n1,x\n", "b.csv": "2,y\n3,z\n"}, {}, "b.csv", ["'2', 'y'"]),
    ({"a.csv": "a,b\n1,x\n", "b.csv": "a,b\n1,x\n", "c.csv": "2,y\n3,z\n"}, {}, "c.csv", []),
    ({"a.csv": "2,y\n3,z\n", "b.csv": "a,b\n1,x\n", "c.csv": "a,b\n1,x\n"}, {}, "a.csv", []),
    ({"README.txt": "This folder has data\nsee the wiki\n", "s.csv": "a,b\n1,x\n"}, {}, "README.txt", []),
    ({"a.csv": "a,b\n1,x\n", "b.jsonl": '{"z":1}\n'}, {}, "b.jsonl", ["'z'"]),
    ({"a.csv": "a,b\n1,x\n", "b.csv": "c\n1\n"}, {"columns": ["a", "b"]}, "b.csv", []),
    ({"a.csv": "1,x\n2,z\n", "b.csv": "2,y\n3,z\n"}, {}, ".csv", ["header=false"]),
]


@pytest.mark.parametrize(("files", "params", "stranger", "words"), STRANGERS)
def test_a_file_that_shares_no_column_is_refused(
    env: Environment, data: Path, files: dict[str, str], params: dict[str, Any], stranger: str, words: list[str]
) -> None:
    paths = [put(data, content, name) for name, content in files.items()]
    with pytest.raises(DataFailure) as failure:
        load(env, *paths, **params)
    assert failure.value.code == "schema_mismatch"
    assert f"{stranger} shares no column with" in failure.value.message
    assert all(word in failure.value.message + str(failure.value.hint) for word in words)
    assert table(env) is None


def test_files_joined_by_chains_of_columns_belong_together(env: Environment, data: Path) -> None:
    files = [put(data, content, f"{i}.csv") for i, content in enumerate(["a,b\n1,2\n", "b,c\n3,4\n", "c,d\n5,6\n"])]
    found, warnings = load(env, *files, put(data, "", "empty.jsonl"))
    assert len(found) == 3
    assert warnings == []


CELL = st.text(st.sampled_from(['"', ",", ";", "\r", "\n", "a", " ", "\\", "\ufeff", "\0", "é"]), max_size=5)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.lists(CELL, min_size=2, max_size=2), min_size=1, max_size=8),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    last=st.booleans(),
    size=st.sampled_from([16, 64, records.BLOCK]),
)
def test_quoted_cells_survive_all_line_ends_and_cuts(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], end: str, last: bool, size: int
) -> None:
    root = tmp_path_factory.mktemp("f")
    env = environment(root)
    lines = ["u,v", *(",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)]
    text = end.join(lines) + (end if last else "")
    put(root / "data", text + "".join(f'{end}"",""' for _ in range(0 if last else 4 * text.count("\0"))))
    before = records.BLOCK
    records.BLOCK = size
    try:
        found, _ = load(env, root / "data/a.csv", columns={"u": "string", "v": "string"})
    finally:
        records.BLOCK = before
    assert [[row["u"], row["v"]] for row in found][: len(rows)] == rows
