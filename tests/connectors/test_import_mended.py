"""An import whose files were mended is resumed: it loads what changed anew, and nothing else, on folders and on S3."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from jobdeck.connectors.errors import BadRow, DataFailure, FileMissing, SourceChanged
from jobdeck.connectors.files.formats import records
from jobdeck.core.environment import Environment
from jobdeck.jobs.import_ import Import
from jobdeck.storage.folders import Folder
from tests.connectors.harness import Job, Killed, Script, environment, on_s3_too, rows
from tests.connectors.test_import_undo import Killing

Params = dict[str, Any]


class Small(Import):
    name: ClassVar[str] = "import"
    chunk_rows: ClassVar[int] = 50
    part_bytes: ClassVar[int] = 600


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "BLOCK", 600)
    monkeypatch.setattr("jobdeck.connectors.files.source.MIN_BLOCK", 1)


def write(path: Path, first: int, count: int, bad: int | None = None, extra: str = "") -> None:
    """Ids from `first` on; the row `bad`, if any, has text where a number belongs."""
    lines = (f"{first + i},{'oops' if i == bad else first + i}{extra}\n" for i in range(count))
    path.write_text("id,n\n" + "".join(lines))
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))


def prepare(env: Environment, data: Path, **more: Any) -> Job:
    write(data / "a.csv", 0, 300)
    write(data / "b.csv", 1000, 300, bad=290)
    write(data / "c.csv", 2000, 300)
    return Job(
        env, {"files": [str(data / "*.csv")], "into": "lake/b/t", "columns": {"n": "int64"}, **more}, job_type=Small
    )


def ids(env: Environment) -> list[int]:
    return [row["id"] for row in rows(env)]


ALL = [*range(300), *range(1000, 1300), *range(2000, 2300)]


def loads(job: Job) -> Callable[[], list[int]]:
    """Which load tasks ran since, in order."""
    seen: list[int] = []
    call = job.call

    def noted(method: str, step: str, index: int, part: Any, script: Script) -> Any:
        if step == "load":
            seen.append(index)
        return call(method, step, index, part, script)

    job.call = noted  # type: ignore[method-assign]
    return lambda: seen


@on_s3_too
def test_a_mended_file_is_loaded_and_the_others_are_not_loaded_again(env: Environment, data: Path) -> None:
    job = prepare(env, data)
    with pytest.raises(BadRow):
        job.run()
    done = {index for step, index in job.done if step == "load"}
    assert len(done) >= 6, "several parts of a.csv and of b.csv were loaded before the row that does not fit"
    write(data / "b.csv", 1000, 300)
    ran = loads(job)
    result = job.resume()
    assert sorted(ids(env)) == ALL
    assert result.rows == 900
    again = [index for index in ran() if index in done]
    assert again, "parts of b.csv that were loaded are loaded anew"
    assert len(done) - len(again) >= 3, "parts of a.csv are not"


def test_without_a_change_nothing_is_loaded_again(env: Environment, data: Path) -> None:
    job = prepare(env, data)
    with pytest.raises(BadRow):
        job.run()
    done = {index for step, index in job.done if step == "load"}
    ran = loads(job)
    with pytest.raises(BadRow):
        job.resume()
    assert not done & set(ran())
    looked = job.progresses["inspect", 0][-1]
    assert looked[0] == looked[1] == sum(file.stat().st_size for file in data.iterdir()), "known ones too"


@pytest.mark.parametrize("count", [10, 299, 301, 1500])
def test_the_mended_file_may_be_shorter_or_longer(env: Environment, data: Path, count: int) -> None:
    job = prepare(env, data)
    with pytest.raises(BadRow):
        job.run()
    write(data / "b.csv", 5000, count)
    assert job.resume().rows == 600 + count
    assert sorted(ids(env)) == sorted([*range(300), *range(2000, 2300), *range(5000, 5000 + count)])


def test_a_kill_at_any_call_after_the_mending_leaves_the_right_rows(tmp_path: Path) -> None:
    def failed(name: str) -> tuple[Environment, Job]:
        (tmp_path / name).mkdir()
        made = environment(tmp_path / name)
        job = prepare(made, tmp_path / name / "data")
        with pytest.raises(BadRow):
            job.run()
        write(tmp_path / name / "data/b.csv", 1000, 301)
        return made, job

    counting = Script()
    _, job = failed("0")
    job.resume(counting)
    points = range(1, counting.calls + 1)
    assert len(points) > 20
    for at in points[:: max(1, len(points) // 5)]:
        env, job = failed(str(at))
        with pytest.raises(Killed):
            job.resume(Script(at))
        job.resume()
        assert sorted(ids(env)) == sorted([*ALL, 1300]), f"killed at call {at}: {counting.seen[at - 1]}"


@on_s3_too
def test_mended_twice_with_a_kill_while_the_second_version_loads(env: Environment, data: Path) -> None:
    job = prepare(env, data)
    with pytest.raises(BadRow):
        job.run()
    write(data / "b.csv", 1000, 250, bad=240)
    with pytest.raises(BadRow):
        job.resume()
    write(data / "b.csv", 1000, 280)
    with pytest.raises(Killed):
        job.resume(Killing("after checkpoint", Script()))
    write(data / "b.csv", 1000, 300)
    job.resume()
    assert sorted(ids(env)) == ALL


def test_the_last_row_of_a_key_wins_in_the_order_of_the_files(env: Environment, data: Path) -> None:
    """Also where the mended file's parts stand in places behind those of later files."""
    (data / "old.csv").write_text("id,n\n7,1\n")
    Job(env, {"files": [str(data / "old.csv")], "into": "lake/b/t"}, id=99).run()
    (data / "old.csv").unlink()
    job = prepare(env, data, mode="upsert", key=["id"])
    (data / "c.csv").write_text("id,n\n" + "".join(f"{1000 + i},{-i}\n" for i in range(300)))
    with pytest.raises(BadRow):
        job.run()
    write(data / "b.csv", 1000, 900)
    job.resume()
    found = {row["id"]: row["n"] for row in rows(env)}
    assert [found[1000 + i] for i in range(300)] == [-i for i in range(300)]
    assert [found[1000 + i] for i in range(300, 900)] == [1000 + i for i in range(300, 900)]
    assert found[7] == 7


def test_a_file_that_makes_the_columns_others_is_loaded_with_all(env: Environment, data: Path) -> None:
    """A column becomes text by the mended file: what was staged as numbers cannot stay."""
    write(data / "a.csv", 0, 300)
    (data / "b.jsonl").write_text('{"id": 1000, "n": 5}\n{"id": 1001}\n{"id": 1002, "n": {}}x\n')
    job = Job(env, {"files": [str(data / "a.csv"), str(data / "b.jsonl")], "into": "lake/b/t"}, job_type=Small)
    with pytest.raises(DataFailure, match=r"b\.jsonl"):
        job.run()
    (data / "b.jsonl").write_text('{"id": 1000, "n": "five"}\n')
    job.resume()
    assert {row["n"] for row in rows(env)} == {*(str(i) for i in range(300)), "five"}


@on_s3_too
def test_what_changed_after_all_was_loaded_is_taken_by_the_next_resume(env: Environment, data: Path) -> None:
    job = prepare(env, data)
    write(data / "b.csv", 1000, 300)
    with pytest.raises(Killed):
        job.run(Killing("begin publish", Script()))
    write(data / "c.csv", 2000, 310)
    with pytest.raises(SourceChanged, match="has changed since the job looked at it") as changed:
        job.run()
    assert "Resume the job" in str(changed.value.hint)
    assert job.resume().rows == 910
    assert sorted(ids(env)) == [*ALL, *range(2300, 2310)]


def test_files_that_came_or_went_since(env: Environment, data: Path) -> None:
    """The result is what the entry means when the job is resumed."""
    job = prepare(env, data)
    with pytest.raises(BadRow):
        job.run()
    (data / "a.csv").unlink()
    write(data / "b.csv", 1000, 300)
    write(data / "aa.csv", 9000, 5)
    job.resume()
    assert sorted(ids(env)) == [*range(1000, 1300), *range(2000, 2300), *range(9000, 9005)]


def test_columns_of_folders_are_of_one_type_over_all_files_that_are_there_now(env: Environment, data: Path) -> None:
    """A folder that came since makes the column text, for the files that were looked at before, too."""
    for day, bad in (("1", None), ("2", 5)):
        (data / f"day={day}").mkdir()
        write(data / f"day={day}/a.csv", 100 * int(day), 10, bad=bad)
    job = Job(env, {"files": [str(data)], "into": "lake/b/t", "columns": {"n": "int64"}}, job_type=Small)
    with pytest.raises(BadRow):
        job.run()
    write(data / "day=2/a.csv", 200, 10)
    (data / "day=late").mkdir()
    write(data / "day=late/a.csv", 300, 2)
    job.resume()
    assert {(row["id"], row["day"]) for row in rows(env)} == {
        *((100 + i, "1") for i in range(10)), *((200 + i, "2") for i in range(10)), (300, "late"), (301, "late"),
    }  # fmt: skip


def test_a_file_that_is_named_and_gone_is_missed(env: Environment, data: Path) -> None:
    job = prepare(env, data)
    job.params["files"] = [str(data / f"{name}.csv") for name in "abc"]
    with pytest.raises(BadRow):
        job.run()
    (data / "a.csv").unlink()
    work = job.type()._work(job.new_run("inspect", 0, Script()))
    with pytest.raises(FileMissing, match=r"a\.csv"):
        work.inspect()


@on_s3_too
def test_rejects_of_the_earlier_content_are_gone(env: Environment, data: Path) -> None:
    job = prepare(env, data, on_bad_row="reject")
    with pytest.raises(Killed):
        job.run(Killing("begin publish", Script()))
    write(data / "b.csv", 1000, 300)
    assert job.resume().rejected == 0
    left = [entry.name for entry in Folder.of_project(env).sub("rejects", "1-1").entries()]
    assert left == []


@on_s3_too
def test_once_published_a_change_is_of_no_matter(env: Environment, data: Path) -> None:
    """Killed after the commit and before it was told: what is in the table stays, and is not added again."""
    job = prepare(env, data)
    write(data / "b.csv", 1000, 300)
    with pytest.raises(Killed):
        job.run(Killing("end publish", Script()))
    write(data / "b.csv", 1000, 400)
    result = job.resume()
    assert (result.rows, sorted(ids(env))) == (900, ALL)
    json.dumps(result.model_dump())
