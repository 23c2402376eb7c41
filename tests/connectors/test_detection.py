"""What a file is: its bytes decide, what it is said to be is honoured, and what is not read is called by its name."""

from __future__ import annotations

import bz2
import gzip
import io
import pickle
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.orc
import pytest

from jobdeck.core.environment import Environment
from tests.connectors.harness import rows, table
from tests.connectors.test_bad_inputs import fails, load, put

ONE = [{"a": 1}]
ORCID = b"ORCID,name\n0000-0001,Ann\n"
ANN = [{"ORCID": "0000-0001", "name": "Ann"}]

READ: list[tuple[str, bytes, dict[str, Any], list[dict[str, Any]]]] = [
    ("orcid.csv", ORCID, {}, ANN),
    ("orcid.csv", ORCID, {"format": "csv"}, ANN),
    ("orcid", ORCID, {}, ANN),
    ("lt.csv", b"<id>,<name>\n1,x\n", {}, [{"<id>": 1, "<name>": "x"}]),
    ("lt.csv", b"<p>hi</p>,b\n1,x\n", {"format": "csv"}, [{"<p>hi</p>": 1, "b": "x"}]),
    ("pdf.csv", b"GIF8,b\n1,x\n", {}, [{"GIF8": 1, "b": "x"}]),
    ("ctrl.csv", b"RDX,MATLAB 5.0\n1,x\n", {}, [{"RDX": 1, "MATLAB 5.0": "x"}]),
    ("u.csv", "a\n1\n".encode("utf-16-le"), {"csv": {"encoding": "utf-16-le"}}, ONE),
    ("u.csv", "a\n1\n".encode("utf-32-be"), {"csv": {"encoding": "utf-32-be"}}, ONE),
    ("u.json", '[{"a":1}]'.encode("utf-16"), {}, ONE),
    ("u.json", '[{"a":1}]'.encode("utf-16-be"), {}, ONE),
    ("u.jsonl", '{"a":1}\n'.encode("utf-16"), {}, ONE),
    ("u.jsonl", '{"a":1}\n'.encode("utf-16-le"), {}, ONE),
    ("u.jsonl", '{"a":1}\n'.encode("utf-32"), {}, ONE),
    ("bom.json", b'\xef\xbb\xbf[{"a":1}]', {}, ONE),
    ("bom.json", b'\xef\xbb\xbf[\n {"a":1}\n]\n', {"on_bad_row": "reject"}, ONE),
    ("bom.jsonl", b'\xef\xbb\xbf{"a":1}\n', {}, ONE),
    ("bom.json.gz", gzip.compress(b'\xef\xbb\xbf[{"a":1}]'), {}, ONE),
    ("zeros.csv.gz", gzip.compress(b"a\n1\n") + b"\0" * 512, {}, ONE),
    ("members.csv.gz", gzip.compress(b"a\n") + gzip.compress(b"1\n"), {}, ONE),
    ("list.csv", b"[id],b\n1,x\n", {}, [{"[id]": 1, "b": "x"}]),
    ("named.txt", b'{"a":1}\n', {}, ONE),
]


def names(cases: list[Any]) -> list[str]:
    """Packed bytes hold the time, so that they are no names for tests."""
    return [f"{number} {case[0]}" for number, case in enumerate(cases)]


@pytest.mark.parametrize(("name", "content", "params", "right"), READ, ids=names(READ))
def test_what_is_read(
    env: Environment, data: Path, name: str, content: bytes, params: dict[str, Any], right: list[dict[str, Any]]
) -> None:
    load(env, put(data / name, content), **params)
    assert rows(env) == right


def tar(mode: str) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode=mode) as archive:  # type: ignore[call-overload]
        archive.addfile(tarfile.TarInfo("a.csv"), io.BytesIO(b""))
    return target.getvalue()


def packed(**files: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return target.getvalue()


def arrow(writer: Any) -> bytes:
    target = io.BytesIO()
    found = pa.table({"a": [1]})
    with writer(target, found.schema) as sink:
        sink.write_table(found)
    return target.getvalue()


def orc() -> bytes:
    target = io.BytesIO()
    pyarrow.orc.write_table(pa.table({"a": [1]}), target)
    return target.getvalue()


REFUSED: list[tuple[str, bytes, dict[str, Any], str, str]] = [
    ("a.tar.gz", tar("w:gz"), {}, "format_unknown", "tar archive"),
    ("a.tgz", tar("w:gz"), {}, "format_unknown", "tar archive"),
    ("a.tar.bz2", tar("w:bz2"), {}, "format_unknown", "tar archive"),
    ("a.tar", tar("w"), {}, "format_unknown", "tar archive"),
    ("a.zip", packed(a="x"), {}, "format_unknown", "ZIP archive"),
    ("a.csv", packed(a="x"), {"format": "csv"}, "format_unknown", "ZIP archive"),
    ("a.xlsx", packed(xl__workbook="x"), {}, "format_unknown", "workbook"),
    ("a.7z", b"7z\xbc\xaf\x27\x1c\0\4", {}, "format_unknown", "7z"),
    ("a.csv.xz", b"\xfd7zXZ\x00\x00\x04", {}, "format_unknown", "xz"),
    ("a.orc", orc(), {}, "format_unknown", "ORC"),
    ("a.orc", orc(), {"format": "csv"}, "format_unknown", "ORC"),
    ("a.avro", b"Obj\x01\x04\x14avro.codec", {}, "format_unknown", "Avro"),
    ("a.arrow", arrow(pa.ipc.new_file), {}, "format_unknown", "Arrow"),
    ("a.arrows", arrow(pa.ipc.new_stream), {}, "format_unknown", "Arrow stream"),
    ("a.db", b"SQLite format 3\x00\x10\x00", {}, "format_unknown", "SQLite"),
    ("a.duckdb", b"\1\2\3\4\0\0\0\0DUCK\0", {}, "format_unknown", "DuckDB"),
    ("a.h5", b"\x89HDF\r\n\x1a\n\0\0", {}, "format_unknown", "HDF5"),
    ("a.parquet", b"PARE\1\2\3PARE", {}, "format_unknown", "encrypted Parquet"),
    ("a.pkl", pickle.dumps([1]), {}, "format_unknown", "pickle"),
    ("a.npy", pickle.dumps([1]), {}, "format_unknown", "pickle"),
    ("a.png", b"\x89PNG\r\n\x1a\n\0\0", {}, "format_unknown", "picture"),
    ("a.xml", b"<data><row>1</row></data>", {}, "format_unknown", "HTML or XML"),
    ("a.html", b"  <!DOCTYPE html>\n", {}, "format_unknown", "HTML or XML"),
    ("a.jsonl", b'{"a":1}\n{"a":"x\0"}\n', {}, "format_unknown", "NUL character in line 2 (byte 16)"),
    ("a.csv", "id,b\n1,x\n".encode("utf-16-le"), {}, "format_unknown", "utf-16-le"),
    ("a.bin", bytes(range(256)), {}, "format_unknown", "neither text"),
    ("a.csv.gz", gzip.compress(gzip.compress(b"a\n1\n")), {}, "format_unknown", "packed twice"),
    ("a.csv.gz", gzip.compress(b""), {}, "file_damaged", "is empty"),
    ("a.csv.bz2", bz2.compress(b""), {}, "file_damaged", "is empty"),
    ("a.csv.gz", b"", {}, "file_damaged", "is empty"),
    ("a.csv.gz", gzip.compress(b"a\n1\n") + b"rest", {}, "file_damaged", "no gzip"),
    ("a.csv.gz", gzip.compress(b"a\n1\n" * 999)[:-9], {}, "file_damaged", "ends early"),
    ("a.csv.gz", gzip.compress(b"a\n1\n")[:-6] + b"\1\2\3\4\5\6", {}, "file_damaged", "corrupt"),
    ("a.csv.gz", b"a\n1\n", {}, "format_unknown", "is called gzip and is not"),
    ("a.csv", b"\xef\xbb\xbf", {}, "file_damaged", "is empty"),
    ("a.json", b"\xef\xbb\xbf", {}, "file_damaged", "is empty"),
    ("a.csv", b"\xff\xfe", {}, "file_damaged", "is empty"),
    ("a.csv", b" \n\t\n", {}, "file_damaged", "no header"),
    ("a.json", b" \n", {}, "format_unknown", "looks like csv"),
    ("a.jsonl", b"", {}, "schema_mismatch", "no columns"),
    ("a.jsonl.gz", gzip.compress(b""), {}, "schema_mismatch", "no columns"),
    ("a.json", b"[]", {}, "schema_mismatch", "no columns"),
    ("a.json", b"42", {}, "format_unknown", "begins with '42'"),
    ("a.json", b'"text"', {}, "format_unknown", "looks like csv"),
    ("a.json", b"[1,2]", {}, "file_damaged", "'1' where {"),
    ("a.json", b'[{"a":1},]', {}, "file_damaged", "']' where {"),
    ("a.json", b'[{"a":1}', {}, "file_damaged", "ends in the middle"),
    ("a.json", b'[{"a":1}] x', {}, "file_damaged", "more after the array"),
    ("a.json", b'[{"a":1}, {"a":1,}]', {}, "file_damaged", "object 2"),
    ("a.json", b'[{"a":1}, {"a":tru}]' + b" " * 99, {}, "file_damaged", "object 2"),
]


@pytest.mark.parametrize(("name", "content", "params", "code", "words"), REFUSED, ids=names(REFUSED))
def test_what_is_refused(
    env: Environment, data: Path, name: str, content: bytes, params: dict[str, Any], code: str, words: str
) -> None:
    error = fails(env, put(data / name, content), **params)
    assert (error.code, words in error.message, bool(error.hint)) == (code, True, True), error.message
    assert not any(word in error.message for word in ("Error", "line 1 column", "codec", "(char "))


def test_a_damaged_object_far_from_the_end_is_told_at_once(env: Environment, data: Path) -> None:
    """It is not taken for one that goes on, up to the largest that may be."""
    error = fails(env, put(data / "a.json", b'[{"a":1},{"a" 2},' + b'{"a":3},' * 3_000_000 + b"{}]"))
    assert (error.code, "object 2: a colon is missing" in error.message) == ("file_damaged", True)


def test_objects_behind_each_other_and_over_lines(env: Environment, data: Path) -> None:
    load(env, put(data / "a.json", '{\n "a": 1,\n "b": {"c": "x\\ny"}\n}\n{"a": 2}{"a": 3}\r{"a":4}\n'))
    assert [row["a"] for row in rows(env)] == [1, 2, 3, 4]
    assert table(env)["b"].to_pylist()[0] == {"c": "x\ny"}  # type: ignore[index]
