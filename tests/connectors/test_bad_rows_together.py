"""A file with several bad rows is mended once: all of them are told when the first one ends the import."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from jobdeck.connectors.errors import BadRow
from jobdeck.connectors.files.formats import bad_rows
from jobdeck.core.environment import Environment
from tests.connectors.harness import Job, rows, table


def failure(env: Environment, *files: Path, **params: Any) -> tuple[BadRow, Job]:
    job = Job(env, {"files": [str(f) for f in files], "into": "lake/b/t", **params})
    with pytest.raises(BadRow) as error:
        job.run()
    assert table(env) is None
    return error.value, job


def errors(job: Job) -> list[str]:
    return [text for text, level in job.logged if level == "error"]


def put(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_rows_of_another_width_are_told_together(env: Environment, data: Path) -> None:
    file = put(data / "a.csv", ["id,name", "1,a", "2", "3,c", "4,d,e", "5,e", "6,f,g,h"])
    error, job = failure(env, file)
    assert error.message == f"{file}: row 2 (line 3): '2' is a row of 1 fields where the header has 2."
    assert "2 more rows do not fit: line 5, line 7. " in str(error.hint)
    assert error.facts["line"] == 3
    told = [
        f"bad_row: {file}: row 4 (line 5): '4,d,e' is a row of 3 fields where the header has 2.",
        f"bad_row: {file}: row 6 (line 7): '6,f,g,h' is a row of 4 fields where the header has 2.",
    ]
    assert errors(job) == told


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_values_that_do_not_fit_are_told_together(env: Environment, data: Path, name: str) -> None:
    csv = ["id,price", "1,1.5", "2,oops", "3,eek", "x,4.5"]
    json = ['{"id": "1", "price": "1.5"}', '{"id": "2", "price": "oops"}', '{"id": "3", "price": "eek"}',
            '{"id": "x", "price": "4.5"}']  # fmt: skip
    file = put(data / name, csv if name == "a.csv" else json)
    error, job = failure(env, file, columns={"id": "int64", "price": "float64"})
    assert "row 2 " in error.message
    assert "2 more rows do not fit" in str(error.hint)
    assert [text.rpartition("column ")[2] for text in errors(job)] == [
        "'price': 'eek' is not a float64.", "'id': 'x' is not an int64.",
    ]  # fmt: skip


def test_other_files_of_the_same_part_are_looked_at_too(env: Environment, data: Path) -> None:
    first = put(data / "a.csv", ["id", "x"])
    second = put(data / "b.csv", ["id", "7", "y"])
    error, _ = failure(env, first, second, columns={"id": "int64"})
    assert error.message.startswith(f"{first}: row 1 ")
    assert f"1 more row does not fit: line 3 of {second}." in str(error.hint)


def test_what_is_damaged_behind_a_bad_row_is_told_after_it(env: Environment, data: Path) -> None:
    lines = ["id,name", "1,a,b", *(f"{i},{'x' * (i * 7919 % 101)}" for i in range(200_000))]
    whole = gzip.compress("\n".join(lines).encode())
    file = data / "a.csv.gz"
    file.write_bytes(whole[: len(whole) // 2])
    error, _ = failure(env, file)
    assert "row 1 (line 2)" in error.message


def test_the_look_behind_a_bad_row_ends(env: Environment, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bad_rows, "MOST", 3)
    file = put(data / "a.csv", ["id,name", *(["1"] * 50)])
    error, job = failure(env, file)
    assert "At least 2 more rows do not fit" in str(error.hint)
    assert len(errors(job)) == 2


def test_no_more_is_read_behind_a_bad_row_than_is_bearable(
    env: Environment, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bad_rows, "BEYOND", 1)
    lines = [f"{i},{'x' * 90}" for i in range(200_000)]
    file = put(data / "a.csv", ["id,name", "1", *lines, "2"])
    error, job = failure(env, file)
    assert "more row" not in str(error.hint)
    assert errors(job) == []


def test_once_all_are_mended_the_job_goes_on(env: Environment, data: Path) -> None:
    file = put(data / "a.csv", ["id,price", "1,oops", "2", "3,eek"])
    error, job = failure(env, file, columns={"price": "float64"})
    assert "row 2 (line 3)" in error.message
    put(file, ["id,price", "1,oops", "2,2", "3,eek"])
    with pytest.raises(BadRow, match="row 1 ") as second:
        job.resume()
    assert "1 more row does not fit: line 4." in str(second.value.hint)
    put(file, ["id,price", "1,1", "2,2", "3,3"])
    job.resume()
    assert [row["price"] for row in rows(env)] == [1.0, 2.0, 3.0]
