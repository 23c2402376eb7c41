"""Every broken, mistyped or hostile file gets a clear error or is read right; nothing of it is ever half in a table."""

from __future__ import annotations

import bz2
import gzip
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobdeck.connectors.errors import DataFailure
from jobdeck.connectors.files import streams
from jobdeck.connectors.files.formats import numpy as numpy_format
from jobdeck.core.environment import ConnectionSpec, Environment
from jobdeck.core.errors import InvalidInput
from tests.connectors.harness import Job, Script, on_s3_too, rows, table


def load(env: Environment, *files: Path | str, **params: Any) -> Any:
    job = Job(env, {"files": [str(f) for f in files], "into": "lake/b/t", **params})
    result = job.run()
    return result, job


def fails(env: Environment, *files: Path | str, **params: Any) -> DataFailure:
    with pytest.raises(DataFailure) as failure:
        load(env, *files, **params)
    assert table(env) is None
    assert not failure.value.retryable
    return failure.value


def put(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_bad_value_is_named_with_file_row_line_column_and_type(env: Environment, data: Path) -> None:
    file = put(data / "a.csv", 'id,name\n1,"two\nlines"\n2,b\nx3,c\n')
    error = fails(env, file, columns={"id": "int64"})
    assert error.code == "bad_row"
    assert f"{file}: row 3 (line 5), column 'id': 'x3' is not an int64" in error.message
    assert "on_bad_row" in str(error.hint)
    assert (error.facts["row"], error.facts["column"], error.facts["value"]) == (3, "id", "x3")


def test_bad_rows_go_to_the_reject_file(env: Environment, data: Path, storage: Path) -> None:
    file = put(
        data / "a.csv", "id,when\n1,2013-01-01\nx,2013-01-02\n3,never\n4\n5,\n6,2013-01-06,extra\n7,2013-01-07\n"
    )
    result, job = load(env, file, columns={"id": "int64", "when": "date"}, on_bad_row="reject")
    assert (result.rows, result.rejected) == (3, 4)
    assert [row["id"] for row in rows(env)] == [1, 5, 7]
    assert job.warnings == [("4 rows did not fit and are in the reject files; `jobdeck job rejects 1` shows why.", 4)]
    lines = (storage / "projects/default" / result.rejects[0]).read_text().splitlines()
    told = [json.loads(line) for line in lines]
    assert [(r["row"], r["line"], r["column"], r["value"]) for r in told] == [
        (2, 3, "id", "x"),
        (3, 4, "when", "never"),
        (4, 5, None, "4"),
        (6, 7, None, "6,2013-01-06,extra"),
    ]
    assert told[0]["file"] == str(file)


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        ("", "file_damaged", "empty"),
        ("\n\n", "file_damaged", "no header"),
        ("a,b,a\n1,2,3\n", "bad_header", "two columns named 'a'"),
        ("a,b\n1,2\n3\n", "bad_row", "row 2 (line 3): '3' is a row of 1 fields where the header has 2"),
        ("a,b\n1,2\n\n3,4,5\n", "bad_row", "row 2 (line 4)"),
        ('a,b\n1,"never closed\n2,3\n', "file_damaged", "ends inside a quoted field"),
        (b"a,b\n1,caf\xe9\n", "bad_encoding", "line 2"),
        ("a,b\n1,2\n".encode("utf-16-le"), "format_unknown", "neither text"),
        (b"a\x00z,b\n1,2\n", "bad_header", "NUL"),
        (b"PK\x03\x04rest of a spreadsheet", "format_unknown", "ZIP"),
        ("<html><body>Not found</body></html>", "format_unknown", "HTML"),
        ("A,a\n1,2\n", "schema_mismatch", "case does not count"),
    ],
)
def test_broken_csv(env: Environment, data: Path, content: str | bytes, code: str, words: str) -> None:
    error = fails(env, put(data / "a.csv", content))
    assert error.code == code
    assert words in error.message


def test_a_late_bad_encoding_is_found_with_its_line(env: Environment, data: Path) -> None:
    error = fails(env, put(data / "a.csv", b"a,b\n" + b"1,x\n" * 300_000 + b"1,\xff\n"))
    assert (error.code, "line 300002" in error.message) == ("bad_encoding", True)


@pytest.mark.parametrize(
    "content",
    [
        '\ufeffid,name\r\n1,a\r\n2,"x\r\ny"\r\n',
        'id;name\n1;a\n2;"x\r\ny"\n',
        'id\tname\n1\ta\n2\t"x\r\ny"',
        'id|name\n1|a\n\n2|"x\r\ny"\n\n',
    ],
)
def test_csv_as_people_write_it(env: Environment, data: Path, content: str) -> None:
    load(env, put(data / "a.csv", content))
    assert rows(env) == [{"id": 1, "name": "a"}, {"id": 2, "name": "x\r\ny"}]


def test_encodings(env: Environment, data: Path) -> None:
    load(env, put(data / "a.csv", "id,name\n1,é€\n".encode("utf-16")))
    put(data / "b.csv", "id,name\n2,é\n".encode("latin-1"))
    Job(env, {"files": [str(data / "b.csv")], "into": "lake/b/t", "csv": {"encoding": "latin-1"}}, id=2).run()
    assert {row["name"] for row in rows(env)} == {"é€", "é"}


def test_stray_quotes_and_quotes_that_mean_nothing(env: Environment, data: Path) -> None:
    load(env, put(data / "a.csv", 'id,what\n1,5" pipe\n2,"a ""b"" c"\n3,"x\ny"\n4,6" rod\n'))
    assert [row["what"] for row in rows(env)] == ['5" pipe', 'a "b" c', "x\ny", '6" rod']
    Job(
        env,
        {"files": [str(put(data / "b.csv", 'id,what\n9,"open\n'))], "into": "lake/b/t", "csv": {"quote": None}},
        id=2,
    ).run()
    assert rows(env)[-1]["what"] == '"open'


def test_a_stray_quote_deep_in_the_file_does_not_shift_rows(env: Environment, data: Path) -> None:
    lines = [f'{i},"q {i}\nnext"' for i in range(60_000)]
    lines[55_000] = '55000,3" nail'
    load(env, put(data / "a.csv", "id,what\n" + "\n".join(lines) + "\n"))
    found = table(env)
    assert found is not None
    assert sorted(found["id"].to_pylist()) == list(range(60_000))
    assert found.num_rows == 60_000


def test_types_are_inferred_over_the_whole_file(env: Environment, data: Path) -> None:
    body = "".join(f"{i},{i},{i},2013-01-01,00{i},NA,{i}\n" for i in range(100_000))
    late = "7.5,x,99999999999999999999,2013-01-01 05:00:00,7,NA,NA\n"
    load(env, put(data / "a.csv", "f,s,big,ts,zip,none,i\n" + body + late))
    found = table(env)
    assert found is not None
    assert [str(f.type) for f in found.schema] == [
        "double",
        "string",
        "decimal128(38, 0)",
        "timestamp[us]",
        "string",
        "string",
        "int64",
    ]
    assert found["i"].null_count == 1
    assert found["zip"][5].as_py() == "005"


def test_nulls_and_empty_texts(env: Environment, data: Path) -> None:
    load(env, put(data / "a.csv", 'i,s,f,b\n,,NA,\n1,NA,"",TRUE\nNULL,"",nan,false\n4,x,,\n'))
    assert table(env).to_pylist() == [  # type: ignore[union-attr]
        {"i": None, "s": "", "f": None, "b": None},
        {"i": 1, "s": "NA", "f": None, "b": True},
        {"i": None, "s": "", "f": None, "b": False},
        {"i": 4, "s": "x", "f": None, "b": None},
    ]
    load2 = {"files": [str(data / "a.csv")], "into": "lake/b/u", "csv": {"strings_can_be_null": True}}
    Job(env, load2, id=2).run()
    assert table(env, "lake/b/u")["s"].to_pylist() == [None, None, "", "x"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"a":1}\n{"a":\n', "row 2 (line 2)"),
        ('{"a":1}\n\n[1]\n', "row 2 (line 3)"),
        ('{"a":1,"a":2}\n', "twice"),
        ('{"a":1}\n{"a":"' + "x" * 100, "row 2 (line 2)"),
    ],
)
def test_broken_json_lines(env: Environment, data: Path, content: str, words: str) -> None:
    error = fails(env, put(data / "a.jsonl", content))
    assert error.code == "bad_row"
    assert words in error.message
    result, _ = load(
        env, data / "a.jsonl", "/" + str(put(data / "ok.jsonl", '{"a":1}\n')).lstrip("/"), on_bad_row="reject"
    )
    assert (result.rejected, result.rows >= 1) == (1, True)


def test_json_values_of_mixed_types(env: Environment, data: Path) -> None:
    lines = [
        '{"a":1,"b":9007199254740993,"c":[1],"d":1.10}',
        '{"a":"x","b":0.5,"c":[2.5]}',
        '{"a":{"k":[true,null]},"e":18446744073709551616}',
    ]
    load(env, put(data / "a.jsonl", "\n".join(lines)))
    assert [row["a"] for row in table(env).to_pylist()] == ["1", "x", '{"k":[true,null]}']  # type: ignore[union-attr]
    assert [row["b"] for row in table(env).to_pylist()] == ["9007199254740993", "0.5", None]  # type: ignore[union-attr]
    assert [row["c"] for row in table(env).to_pylist()] == [[1.0], [2.5], None]  # type: ignore[union-attr]
    assert table(env).to_pylist()[2]["e"] == 18446744073709551616  # type: ignore[union-attr]


def test_json_against_a_typed_table(env: Environment, data: Path) -> None:
    from jobdeck.connectors.lake import catalog

    catalog.create(env, "lake/b/t", [("i", "int16"), ("d", "decimal(5,2)"), ("t", "timestamp"), ("f", "float64")])
    good = '{"i":1.0,"d":1.25,"t":"2013-01-01T05:00:00+01:00","f":3}\n'
    bad = '{"i":70000}\n{"d":1.255}\n{"t":"soon"}\n{"f":"x"}\n{"d":1e999999999}\n{"i":true}\n'
    result, _ = load(env, put(data / "a.jsonl", good + bad), on_bad_row="reject")
    assert (result.rows, result.rejected) == (1, 6)
    row = rows(env)[0]
    assert (row["i"], str(row["d"]), row["t"].isoformat(), row["f"]) == (1, "1.25", "2013-01-01T04:00:00+00:00", 3.0)


def test_deep_nesting_does_not_take_the_process_down(env: Environment, data: Path) -> None:
    depth = 100_000
    error = fails(env, put(data / "a.jsonl", '{"a":' + "[" * depth + "]" * depth + "}\n"))
    assert error.code in {"bad_row", "unsupported_type", "schema_mismatch"}


@pytest.mark.parametrize("name", ["a.parquet", "a.csv"])
def test_a_file_that_is_not_what_it_is_called(env: Environment, data: Path, name: str) -> None:
    if name == "a.parquet":
        file, looks = put(data / name, "id,b\n1,2\n"), "csv"
    else:
        file, looks = data / name, "parquet"
        pq.write_table(pa.table({"id": [1], "b": [2]}), file)
    error = fails(env, file)
    assert error.code == "format_unknown"
    assert f"format={looks}" in str(error.hint)
    load(env, file, format=looks)
    assert rows(env) == [{"id": 1, "b": 2}]


def test_damaged_parquet(env: Environment, data: Path) -> None:
    file = data / "a.parquet"
    pq.write_table(pa.table({"id": range(100_000), "s": [str(i) for i in range(100_000)]}), file)
    whole = file.read_bytes()
    assert fails(env, put(file, whole[: len(whole) // 2])).code == "file_damaged"
    assert fails(env, put(file, b"PAR1")).code == "file_damaged"
    flipped = bytearray(whole)
    flipped[2000:60_000] = os.urandom(58_000)
    assert fails(env, put(file, bytes(flipped))).code == "file_damaged"


def test_packed_files(env: Environment, data: Path) -> None:
    text = "id,x\n" + "".join(f"{i},{i}\n" for i in range(1000))
    put(data / "a.csv.gz", gzip.compress(text.encode()))
    put(data / "b.csv.bz2", bz2.compress(text.encode()))
    put(data / "c.csv.zst", pa.Codec("zstd").compress(text.encode(), asbytes=True))
    result, _ = load(env, data / "*.csv.*")
    assert result.rows == 3000
    error = fails_new(env, put(data / "d.csv.gz", gzip.compress(text.encode())[:-900]))
    assert error.code == "file_damaged"


def fails_new(env: Environment, file: Path, **params: Any) -> DataFailure:
    with pytest.raises(DataFailure) as failure:
        Job(env, {"files": [str(file)], "into": "lake/b/other", **params}, id=9).run()
    return failure.value


def test_bombs(env: Environment, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "BOMB_FLOOR", 1_000_000)
    error = fails(env, put(data / "a.csv.gz", gzip.compress(b"a,b\n" + b"1,2\n" * 2_000_000)))
    assert error.code == "file_too_large"
    monkeypatch.setattr(numpy_format, "MAX_ARCHIVE", 1_000_000)
    with zipfile.ZipFile(data / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", b"\0" * (2_000_000))
    assert fails(env, data / "a.npz").code == "file_too_large"


def test_a_row_that_never_ends(env: Environment, data: Path) -> None:
    error = fails(env, put(data / "a.jsonl", '{"a":"' + "x" * 20_000_000 + '"}\n{"a":"y"}\n'))
    assert error.code == "file_too_large"
    load(env, put(data / "b.csv", "a,b\n1," + "x" * 5_000_000 + "\n2,y\n"))
    assert len(rows(env)[0]["b"]) == 5_000_000


def test_numpy(env: Environment, data: Path) -> None:
    np.save(data / "a.npy", np.array([(1, "x"), (2, "y")], dtype=[("id", ">i4"), ("s", "U3")]))
    load(env, data / "a.npy")
    assert rows(env) == [{"id": 1, "s": "x"}, {"id": 2, "s": "y"}]
    np.save(data / "o.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert fails_new(env, data / "o.npy").code in {"format_unknown", "file_damaged"}
    np.savez(data / "u.npz", a=np.arange(3), b=np.arange(4))
    assert fails_new(env, data / "u.npz").code == "format_unknown"
    (data / "t.npy").write_bytes((data / "a.npy").read_bytes()[:-5])
    assert fails_new(env, data / "t.npy").code == "file_damaged"


def test_types_must_fit_the_table(env: Environment, data: Path) -> None:
    pq.write_table(pa.table({"id": pa.array([1], pa.int32()), "s": ["x"]}), data / "a.parquet")
    load(env, data / "a.parquet")
    pq.write_table(pa.table({"id": pa.array([2**40], pa.int64()), "s": ["x"]}), data / "b.parquet")
    error = fails_into(env, data / "b.parquet")
    assert error.code == "schema_mismatch"
    assert all(word in error.message for word in (str(data / "b.parquet"), "'id'", "int64", "int32"))
    pq.write_table(pa.table({"id": pa.array([2], pa.int16()), "extra": [1]}), data / "c.parquet")
    assert "extra" in fails_into(env, data / "c.parquet").message
    Job(env, {"files": [str(data / "c.parquet")], "into": "lake/b/t", "columns": ["id"]}, id=5).run()
    assert rows(env) == [{"id": 1, "s": "x"}, {"id": 2, "s": None}]
    Job(env, {"files": [str(data / "c.parquet")], "into": "lake/b/t", "mode": "replace"}, id=6).run()
    assert rows(env) == [{"id": 2, "extra": 1}]


def fails_into(env: Environment, file: Path, **params: Any) -> DataFailure:
    before = rows(env)
    with pytest.raises(DataFailure) as failure:
        Job(env, {"files": [str(file)], "into": "lake/b/t", **params}, id=9).run()
    assert rows(env) == before
    return failure.value


def test_files_whose_types_have_nothing_in_common(env: Environment, data: Path) -> None:
    pq.write_table(pa.table({"x": [1]}), data / "a.parquet")
    pq.write_table(pa.table({"x": [[1]]}), data / "b.parquet")
    error = fails(env, data / "a.parquet", data / "b.parquet")
    assert error.code == "schema_mismatch"
    assert "a.parquet" in error.message
    assert "b.parquet" in error.message


def test_a_wider_type_for_files_that_differ(env: Environment, data: Path) -> None:
    put(data / "a.csv", "k,v\n1,1\n")
    put(data / "b.csv", "k,v,w\n2,1.5,x\n")
    pq.write_table(pa.table({"k": pa.array([3], pa.int8())}), data / "c.parquet")
    load(env, data)
    assert rows(env) == [{"k": 1, "v": 1.0, "w": None}, {"k": 2, "v": 1.5, "w": "x"}, {"k": 3, "v": None, "w": None}]


def test_nanoseconds_are_not_cut_silently(env: Environment, data: Path) -> None:
    pq.write_table(pa.table({"t": pa.array([1_000, 2_000], pa.timestamp("ns"))}), data / "a.parquet")
    load(env, data / "a.parquet")
    pq.write_table(pa.table({"t": pa.array([1_000, 2_001], pa.timestamp("ns"))}), data / "b.parquet")
    error = fails_into(env, data / "b.parquet")
    assert error.code == "bad_row"
    assert "row 2" in error.message


@on_s3_too
def test_upsert_keys(env: Environment, data: Path) -> None:
    put(data / "a.csv", "k,v\n1,a\n2,b\n1,c\n")
    load(env, data / "a.csv", mode="upsert", key=["k"])
    assert rows(env) == [{"k": 1, "v": "c"}, {"k": 2, "v": "b"}]
    put(data / "b.csv", "k,v\n2,x\n3,y\n2,z\n")
    put(data / "c.csv", "k,v\n3,last\n")
    Job(
        env,
        {"files": [str(data / "b.csv"), str(data / "c.csv")], "into": "lake/b/t", "mode": "upsert", "key": ["k"]},
        id=2,
    ).run()
    assert rows(env) == [{"k": 1, "v": "c"}, {"k": 2, "v": "z"}, {"k": 3, "v": "last"}]
    error = fails_into(env, put(data / "d.csv", "k,v\n4,x\n,y\n"), mode="upsert", key=["k"])
    assert error.code == "bad_row"
    assert "row 2 (line 3), column 'k'" in error.message


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"files": ["/nowhere/x.csv"]}, "params.files[0]"),
    ({"files": ["{data}/none.csv"]}, "params.files[0]"),
    ({"files": ["{data}/ok.csv", "{data}/../secret.csv"]}, "params.files[1]"),
    ({"files": ["{data}/link.csv"]}, "params.files[0]"),
    ({"files": ["{data}/folderlink/secret.csv"]}, "params.files[0]"),
    ({"files": ["{data}/*/../../secret.csv"]}, "params.files[0]"),
    ({"files": ["{data}/folderlink/*.csv"]}, "params.files[0]"),
    ({"files": ["{data}/pipe"]}, "params.files[0]"),
    ({"files": ["relative.csv"]}, "params.files[0]"),
    ({"files": ["{data}x/secret.csv"]}, "params.files[0]"),
    ({"files": ["file:../../x"]}, "params.files[0]"),
    ({"files": ["file:7"]}, "params.files[0]"),
    ({"files": ["s3://someone/else"]}, "params.files[0]"),
    ({"files": ["\0"]}, "params.files[0]"),
    ({"into": "nowhere/b/t"}, "params.into"),
    ({"into": "lake/t"}, "params.into"),
    ({"into": "lake/a/b/c"}, "params.into"),
    ({"into": "bucket/b/t"}, "params.into"),
    ({"create": False}, "params.into"),
    ({"mode": "upsert"}, "params.key"),
    ({"mode": "upsert", "key": ["a", "a"]}, "params.key"),
    ({"key": ["a"]}, "params.key"),
    ({"columns": {"a": "intt"}}, "params.columns.a"),
    ({"csv": {"delimiter": "ab"}}, "params.csv.delimiter"),
    ({"csv": {"encoding": "klingon"}}, "params.csv.encoding"),
    ({"csv": {"encoding": "punycode"}}, "params.csv.encoding"),
    ({"columns": {"a": "struct<x: intt>"}}, "params.columns.a"),
]


@pytest.mark.parametrize(("params", "field"), REFUSED)
def test_what_is_refused_at_submit(
    tmp_path: Path, env: Environment, data: Path, params: dict[str, Any], field: str
) -> None:
    put(data / "ok.csv", "a\n1\n")
    (tmp_path / "datax").mkdir()
    put(tmp_path / "datax/secret.csv", "a\n1\n")
    put(tmp_path / "secret.csv", "a\n1\n")
    (data / "link.csv").symlink_to(tmp_path / "secret.csv")
    (data / "folderlink").symlink_to(tmp_path)
    os.mkfifo(data / "pipe")
    env = env.model_copy(
        update={"connections": {"bucket": ConnectionSpec(name="bucket", kind="files", options={"url": "s3://mine/x"})}}
    )
    asked = {"files": [str(data / "ok.csv")], "into": "lake/b/t", **params}
    asked["files"] = [f.replace("{data}", str(data)) for f in asked["files"]]
    with pytest.raises(InvalidInput) as refusal:
        Job(env, asked).check()
    assert refusal.value.field == field
    assert refusal.value.message


def test_a_link_put_in_place_after_the_check_is_not_followed(tmp_path: Path, env: Environment, data: Path) -> None:
    file = put(data / "a.csv", "a\n1\n")
    job = Job(env, {"files": [str(file)], "into": "lake/b/t"})
    job.results["inspect"] = job.call("inspect", "inspect", 0, None, Script())
    put(tmp_path / "secret.csv", "a\n1\n")
    file.unlink()
    file.symlink_to(tmp_path / "secret.csv")
    with pytest.raises(DataFailure) as failure:
        job.call("load", "load", 0, job.results["inspect"][0], Script())
    assert failure.value.code == "source_changed"


def test_a_reset_control_database_does_not_overwrite_older_jobs(env: Environment, data: Path) -> None:
    load(env, put(data / "a.csv", "a\n1\n"))
    error = fails_with(env, put(data / "b.csv", "a\n2\n"))
    assert error.code == "attempt_reused"
    assert rows(env) == [{"a": 1}]


def fails_with(env: Environment, file: Path) -> DataFailure:
    with pytest.raises(DataFailure) as failure:
        load(env, file)
    return failure.value


def test_project_files_and_names_of_any_kind(env: Environment, data: Path, storage: Path) -> None:
    folder = storage / "projects/default/files/17"
    folder.mkdir(parents=True)
    put(folder / "my père's #1 100%.csv", "a\n1\n")
    ref = 'lake/in.a%2Fb "q"/日本.%25x'
    job = Job(env, {"files": ["file:17"], "into": ref})
    job.run()
    assert rows(env, ref) == [{"a": 1}]
    assert job.lineage[0][1] == "file:17"
    from jobdeck.connectors.lake import catalog

    assert [(o.bucket, o.name) for o in catalog.list_objects(env)] == [('in.a/b "q"', "日本.%x")]


@pytest.mark.parametrize("names", [("Name", "name"), ('say "hi"', 'SAY "hi"'), ("größe", "GRÖSSE")])
def test_the_hint_for_names_of_another_case_can_be_given_as_it_is(
    env: Environment, data: Path, names: tuple[str, str]
) -> None:
    load(env, put(data / "a.jsonl", json.dumps({names[0]: 1, "b": 2})))
    second = put(data / "b.jsonl", json.dumps({names[1]: 3, "b": 4}))
    error = fails_into(env, second)
    assert error.hint is not None
    wish = json.loads(error.hint.partition("columns=")[2].removesuffix("."))
    Job(env, {"files": [str(second)], "into": "lake/b/t", "columns": wish}, id=10).run()
    assert rows(env) == [{names[0]: 1, "b": 2}, {names[0]: 3, "b": 4}]
