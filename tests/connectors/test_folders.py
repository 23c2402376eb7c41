"""Folders as input: the columns that their names give, what is left out, and tables of other systems."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.connectors.files.finding.folders import partition_of
from jobdeck.core.environment import Environment
from jobdeck.core.errors import InvalidInput
from tests.connectors.harness import Job, Script, rows, table
from tests.connectors.test_bad_inputs import fails, load


def put(path: Path, content: str | dict[str, list[Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        path.write_text(content)
    else:
        pq.write_table(pa.table(content), path)
    return path


@pytest.fixture
def hive(data: Path) -> Path:
    put(data / "h/day=2024-01-01/n=1/a.parquet", {"v": [1]})
    put(data / "h/day=2024-01-02/n=20/a.parquet", {"v": [2]})
    put(data / "h/day=__HIVE_DEFAULT_PARTITION__/n=3/a.parquet", {"v": [3]})
    put(data / "h/_SUCCESS", "")
    put(data / "h/day=2024-01-01/n=1/.a.parquet.crc", "x")
    return data / "h"


RIGHT = [
    {"v": 1, "day": dt.date(2024, 1, 1), "n": 1},
    {"v": 2, "day": dt.date(2024, 1, 2), "n": 20},
    {"v": 3, "day": None, "n": 3},
]


@pytest.mark.parametrize("entry", ["", "/", "/*", "/**/*.parquet", "/*/*/*.parquet", "/**", "/day=*"])
def test_folders_give_columns(env: Environment, hive: Path, entry: str) -> None:
    load(env, f"{hive}{entry}")
    assert rows(env) == RIGHT
    assert [str(field.type) for field in table(env).schema] == ["int64", "date32[day]", "int64"]  # type: ignore[union-attr]


def test_the_columns_of_folders_are_chosen_typed_and_appended_as_others_are(env: Environment, hive: Path) -> None:
    load(env, hive, columns=["v", {"name": "d", "from": "day", "type": "string"}, {"name": "n", "type": "int16"}])
    assert rows(env)[0] == {"v": 1, "d": "2024-01-01", "n": 1}
    Job(env, {"files": [str(hive)], "into": "lake/b/t", "columns": ["v", "n"], "mode": "append"}, id=2).run()
    assert len(rows(env)) == 6
    Job(env, {"files": [str(hive)], "into": "lake/b/only", "columns": ["day"]}, id=3).run()
    assert table(env, "lake/b/only")["day"].null_count == 1  # type: ignore[index]


def test_one_file_by_itself_gives_no_columns(env: Environment, hive: Path) -> None:
    load(env, hive / "day=2024-01-01/n=1/a.parquet")
    assert rows(env) == [{"v": 1}]


def test_folders_of_texts_with_escapes_and_leading_zeros(env: Environment, data: Path) -> None:
    put(data / "c/city=S%C3%A3o%20Paulo/m=01/a.csv", "a,b\n1,x\n")
    put(data / "c/city=b%3Dc/m=02/a.jsonl", '{"a":2}\n')
    put(data / "c/city=d/m=03/a.json", '[{"a":3,"b":"z"}]')
    load(env, data / "c")
    assert rows(env) == [
        {"a": 1, "b": "x", "city": "São Paulo", "m": "01"},
        {"a": 2, "b": None, "city": "b=c", "m": "02"},
        {"a": 3, "b": "z", "city": "d", "m": "03"},
    ]


def test_a_column_that_the_file_has_too(env: Environment, data: Path) -> None:
    put(data / "same/y=2024/a.parquet", {"y": [2024, 2024], "v": [1, 2]})
    put(data / "same/y=2025/a.csv", "y,v\n2025,3\n")
    load(env, data / "same")
    assert [(row["y"], row["v"]) for row in rows(env)] == [(2024, 1), (2024, 2), (2025, 3)]


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.parquet", {"y": [2024, 2023]}), ("a.csv", "y\n2024\n2023\n"), ("a.jsonl", '{"y":2024}\n{"y":null}\n')],
)
def test_a_file_that_says_something_else_than_its_folder(
    env: Environment, data: Path, name: str, content: str | dict[str, list[Any]]
) -> None:
    put(data / f"k/y=2024/{name}", content)
    error = fails(env, data / "k")
    assert error.code == "partition_conflict"
    assert all(word in error.message for word in (name, "row 2", "column 'y'", "'2024'"))


def test_a_date_that_differs_from_the_folder_is_told_as_a_date(env: Environment, data: Path) -> None:
    put(data / "k/day=2026-01-03/a.parquet", {"day": [dt.date(2026, 1, 3), dt.date(2026, 4, 11)]})
    error = fails(env, data / "k")
    assert "column 'day' (date) is 2026-04-11, and the folder says '2026-01-03'." in error.message


def refused(env: Environment, entry: Path | str) -> InvalidInput:
    with pytest.raises(InvalidInput) as refusal:
        Job(env, {"files": [str(entry)], "into": "lake/b/t"}).run()
    assert refusal.value.field == "params.files[0]"
    return refusal.value


@pytest.mark.parametrize("entry", ["", "/t", "/t/*", "/*", "/**/*.parquet", "/t/p=*", "/t/p=1", "/t/p=1/*", "file"])
def test_a_delta_table_is_not_its_files(env: Environment, data: Path, entry: str) -> None:
    where = str(data / "d/t")
    (data / "d").mkdir()
    deltalake.write_deltalake(where, pa.table({"v": [1], "p": [1]}), partition_by=["p"])
    deltalake.write_deltalake(where, pa.table({"v": [2], "p": [1]}), mode="overwrite")
    if entry == "file":
        load(env, next((data / "d/t/p=1").iterdir()))
        assert table(env).num_rows == 1  # type: ignore[union-attr]
        return
    error = refused(env, f"{data}/d{entry}")
    assert ("Delta table" in error.message, bool(error.hint)) == (True, True)


def test_tables_of_iceberg_and_hudi(env: Environment, data: Path) -> None:
    put(data / "i/t/metadata/v1.metadata.json", "{}")
    put(data / "i/t/data/a.parquet", {"v": [1]})
    assert "Iceberg table" in refused(env, data / "i").message
    put(data / "h/.hoodie/hoodie.properties", "x")
    put(data / "h/a.parquet", {"v": [1]})
    assert "Hudi table" in refused(env, data / "h").message
    put(data / "ok/metadata/a.csv", "v\n1\n")
    load(env, data / "ok")
    assert rows(env) == [{"v": 1}]


def test_folders_that_say_it_twice_or_hold_nothing(env: Environment, data: Path) -> None:
    put(data / "k/a=1/a=2/x.csv", "v\n1\n")
    assert "'a' twice" in refused(env, data / "k").message
    put(data / "n/_SUCCESS", "")
    assert "_SUCCESS" in str(refused(env, data / "n").hint)


def test_what_is_left_out_is_told(env: Environment, hive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job(env, {"files": [str(hive)], "into": "lake/b/t"})
    notes = job.type().preview(job.new_run("preview", 0, Script())).notes
    told = next(note for note in notes if note.startswith("Left out"))
    assert f"{hive}/_SUCCESS" in told
    assert ".a.parquet.crc" in told
    logged: list[str] = []
    monkeypatch.setattr("tests.connectors.harness.FakeRun.log", lambda _run, text: logged.append(text))
    job.run()
    assert told in logged


def test_a_dry_run_shows_the_columns_of_folders(env: Environment, hive: Path) -> None:
    job = Job(env, {"files": [str(hive)], "into": "lake/b/t"})
    shown = job.type().preview(job.new_run("preview", 0, Script()))
    assert [(c.name, c.type, c.source_type) for c in shown.columns] == [
        ("v", "int64", "int64"),
        ("day", "date", "text"),
        ("n", "int64", "text"),
    ]
    assert shown.refusals == []


def test_a_folder_of_mixed_content_names_the_file(env: Environment, data: Path) -> None:
    put(data / "m/a.csv", "a\n1\n")
    (data / "m/b.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    assert "b.png is a picture" in fails(env, data / "m").message


WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1, max_size=6)


@given(st.dictionaries(WORDS, WORDS, max_size=4))
def test_names_and_values_come_back_from_folders(pairs: dict[str, str]) -> None:
    from urllib.parse import quote

    way = "/".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs.items())
    assert partition_of(f"{way}/a.csv") == pairs
