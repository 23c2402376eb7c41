"""A column that is text for the sake of a few values is told of, in the dry run and in the log."""

from __future__ import annotations

import bz2
import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobdeck.connectors.errors import FileDamaged, FileMissing, SchemaMismatch
from jobdeck.core.amounts import number
from jobdeck.core.environment import Environment
from jobdeck.jobs.import_ import Import
from tests.connectors.harness import Job, Script


def told(env: Environment, *files: Path, into: str = "lake/b/t", **params: Any) -> list[str]:
    """What the dry run says, and the job's warnings, which are the same."""
    job = Job(env, {"files": [str(file) for file in files], "into": into, **params})
    notes = job.type().preview(job.new_run("preview", 0, Script())).notes
    job.run()
    assert [text for text, _ in job.warnings] == notes
    return notes


def column(file: Path, *words: str) -> Path:
    file.write_text("id,x\n" + "".join(f"{row},{word}\n" for row, word in enumerate(words)))
    return file


@pytest.mark.parametrize(
    ("words", "kind", "odd", "row"),
    [
        (["1.5"] * 99 + ["oops"], "float64", "oops", 100),
        (["oops", *["1.5"] * 99], "float64", "oops", 1),
        (["1", "2", "3", "-"], "int64", "-", 4),
        (["1", "2.5", "12.03.2024", "4"], "float64", "12.03.2024", 3),
        (["NA", "7", "", "x", "8", "9"], "int64", "x", 4),
        (["2024-01-01", "2024-02-30", "2024-03-01"], "date", "2024-02-30", 2),
        (["2024-01-01 10:00:00", "soon", "2024-03-01"], "timestamp_ntz", "soon", 2),
        (["2024-01-01T10:00:00Z", "2024-01-01T11:00:00+02:00", "never"], "timestamp", "never", 3),
        (["true", "FALSE", "maybe"], "boolean", "maybe", 3),
        ([str(2**60)] * 3 + ["x"], "int64", "x", 4),
        (["1"] * 200 + ["007"], "int64", "007", 201),
    ],
)
def test_the_word_that_made_a_column_text_is_told(
    env: Environment, data: Path, words: list[str], kind: str, odd: str, row: int
) -> None:
    [note] = told(env, column(data / "a.csv", *words))
    assert f"Column 'x' of {data}/a.csv is text" in note
    assert f"'{odd}' in row {row} (line {row + 1}) is not" in note
    assert f'give columns={{"x": "{kind}"}}' in note


@pytest.mark.parametrize(
    "words",
    [
        ["a", "b", "3"],
        ["01234", "12345", "23456", "34567", "45678"],
        ["+420123", "+420124"],
        ["NA", "", "NA"],
        ["1", "2", "3"],
        ["2024-01-01", "2024-01-02 03:04:05"],
        ["A1", "B2", "3", "C4"],
        ["yes", "no"],
    ],
)
def test_columns_that_are_what_they_seem_are_no_matter_of_a_remark(
    env: Environment, data: Path, words: list[str]
) -> None:
    assert told(env, column(data / "a.csv", *words)) == []


def test_all_misfits_of_a_long_file_are_counted(env: Environment, data: Path) -> None:
    words = ["n.a." if row % 1000 == 999 else str(row) for row in range(400_000)]
    file = column(data / "a.csv", *words)
    assert file.stat().st_size > 2 * 2 * 1024 * 1024  # more than two blocks
    job = Job(env, {"files": [str(file)], "into": "lake/b/t"})
    job.run()
    [(note, _)] = job.warnings
    counts = f"{number(399_600)} of its {number(400_000)} values are int64"
    assert f"{counts}, and 'n.a.' in row 1000 (line 1001) is not, nor are 399 more." in note


@pytest.mark.parametrize(
    ("odd", "more"), [(1, " is not."), (2, " is not, nor is 1 more."), (3, " is not, nor are 2 more.")]
)
def test_how_many_more_is_told_in_whole_sentences(env: Environment, data: Path, odd: int, more: str) -> None:
    [note] = told(env, column(data / "a.csv", *["1"] * 9, *["x"] * odd))
    assert f"'x' in row 10 (line 11){more}" in note


def test_who_says_the_type_is_told_nothing(env: Environment, data: Path) -> None:
    file = column(data / "a.csv", "1", "2", "oops")
    assert told(env, file, columns={"x": "string"}) == []
    assert told(env, file, into="lake/b/u", columns=[{"name": "y", "from": "x", "type": "string"}]) == []
    assert len(told(env, file, into="lake/b/v", columns=[{"name": "y", "from": "x"}])) == 1
    job = Job(env, {"files": [str(file)], "into": "lake/b/t"}, id=2)
    job.run()
    assert job.warnings == []  # the table has the column as text, which the first said


def test_json_that_mixes_kinds_is_told(env: Environment, data: Path) -> None:
    rows = [{"x": 1.5, "s": {"a": [1]}}, {"x": "oops", "s": {"a": [1]}}, {"x": 2, "s": {"a": ["b"]}}]
    (data / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    mixed, nested = told(env, data / "a.jsonl")
    assert mixed == (
        f"Column 'x' of {data}/a.jsonl is text, because it has numbers and texts: "
        'the first value of another kind than those before it is "oops" in row 2 (line 2).'
    )
    assert "The field 's.a' of column 's'" in nested
    assert '"b" in row 3 (line 3)' in nested


def test_files_that_have_a_column_as_different_kinds_are_named(env: Environment, data: Path) -> None:
    files = column(data / "a.csv", "1", "2"), column(data / "b.csv", "cheap", "dear")
    assert told(env, *files) == [f"Column 'x' is text: in {data}/a.csv it is int64, and in {data}/b.csv string."]
    files = column(data / "c.csv", "1", "2"), column(data / "d.csv", "2024-01-01")
    assert told(env, *files, into="lake/b/u") == [
        f"Column 'x' is text: in {data}/c.csv it is int64, and in {data}/d.csv date."
    ]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl"])
def test_lineage_has_the_size_of_the_file(env: Environment, data: Path, name: str) -> None:
    text = '{"id": 1}\n\n{"id": 2}\n' if "json" in name else "id,x\n" + "1,aaaaaaaaaaaaaaaaaaaaaaaaaaaa\n" * 500
    (data / name).write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    job = Job(env, {"files": [str(data / name)] * 2, "into": "lake/b/t"})
    job.run()
    [facts] = [facts for way, _, facts in job.lineage if way == "input"]
    assert facts["bytes"] == 2 * (data / name).stat().st_size  # named twice, read twice


def test_a_chosen_column_that_no_file_has_is_answered_with_the_one_that_was_meant(env: Environment, data: Path) -> None:
    with pytest.raises(SchemaMismatch, match="No file has a column 'idd'") as raised:
        told(env, column(data / "a.csv", "1"), columns=["idd"])
    assert raised.value.hint == "Did you mean 'id'? There are id, x. Run the job again with other `columns`."


def refusals(env: Environment, *files: Path, **params: Any) -> list[tuple[str, str | None]]:
    """What the dry run refuses, and that the job fails by the same."""
    job = Job(env, {"files": [str(file) for file in files], "into": "lake/b/t", **params}, id=2)
    found = job.type().preview(job.new_run("preview", 0, Script())).refusals
    with pytest.raises(SchemaMismatch) as failed:
        job.run()
    assert failed.value.message == found[0].message
    return [(refusal.message, refusal.hint) for refusal in found]


@pytest.mark.parametrize("there", [True, False])
def test_a_key_column_that_no_file_has_is_named(env: Environment, data: Path, there: bool) -> None:
    """Also where the file's column is one that the table has not."""
    (data / "a.csv").write_text("id,at,name\n1,2,a\n")
    (data / "b.csv").write_text("ident,name\n1,a\n")
    if there:
        Job(env, {"files": [str(data / "a.csv")], "into": "lake/b/t"}).run()
    [(message, hint)] = refusals(env, data / "b.csv", mode="upsert", key=["id", "at"])
    assert message == "No file has the key columns 'id', 'at'."
    assert hint == "There are ident, name. Name others as key, or rename a column with `columns`."


def test_parts_are_called_by_their_files(env: Environment, data: Path) -> None:
    lines = [f"{row},{'x' * 50}" for row in range(40_000)]
    (data / "big.csv").write_text("id,x\n" + "\n".join(lines) + "\n")
    for name in ("small.csv", "tiny.csv"):
        (data / name).write_text("id,x\n1,a\n")

    def names(*files: str) -> list[str]:
        job = Job(env, {"files": [str(data / name) for name in files], "into": f"lake/b/{files[0][:3]}"})
        job.run()
        return [part.name.replace(f"{data}/", "") for part in job.results["inspect"]]

    assert names("small.csv") == ["small.csv"]
    assert names("tiny.csv", "small.csv") == ["tiny.csv and 1 more"]
    Import.part_bytes, usual = 500_000, Import.part_bytes
    try:
        first, *_, last = names("big.csv")
    finally:
        Import.part_bytes = usual
    assert first.startswith("big.csv, rows 1-")
    assert last.endswith("-40000")


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_the_place_at_which_a_packed_file_ends_is_told(
    env: Environment, data: Path, pack: Callable[[bytes], bytes]
) -> None:
    """However little of it could be unpacked."""
    content = b"id,x\n" + b"".join(b"%d,%x\n" % (row, hash(row) * 7919**5) for row in range(20_000))
    whole = pack(content)
    ending = "gz" if pack is gzip.compress else "bz2"
    (data / f"a.csv.{ending}").write_bytes(whole[: len(whole) - 20])
    with pytest.raises(FileDamaged, match="ends early") as failed:
        Job(env, {"files": [str(data / f"a.csv.{ending}")], "into": "lake/b/t"}).run()
    [place] = re.findall(r"after (\d+) unpacked bytes", failed.value.message)
    least = len(content) - (900_000 if ending == "bz2" else 1 << 17)
    assert least < int(place) < len(content)
    assert int(place) > 0 or ending == "bz2"


def test_a_file_that_is_gone_says_what_to_do(env: Environment, data: Path) -> None:
    (data / "gone.csv").write_text("id\n1\n")
    job = Job(env, {"files": [str(data / "gone.csv")], "into": "lake/b/t"})
    job.check()
    (data / "gone.csv").unlink()
    with pytest.raises(FileMissing, match=r"There is no file at .*gone.csv") as failed:
        job.call("inspect", "inspect", 0, None, Script())
    assert "put it back and resume the job" in (failed.value.hint or "")
