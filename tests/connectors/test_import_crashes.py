"""A job that dies at any call goes on and ends with exactly the rows of its files, in every format and mode."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from jobdeck.connectors.files.formats import records
from jobdeck.connectors.lake.config import table_folder
from jobdeck.connectors.lake.tables import open_table
from jobdeck.connectors.lake.writing import commit
from jobdeck.connectors.lake.writing.writer import ParquetChunk
from jobdeck.core.environment import Environment
from jobdeck.jobs.import_ import Import
from tests.connectors.harness import Job, Killed, Script, Stopped, files_below, on_s3_too, patched, rows, table

ROWS = 1200
OLD = pa.table(
    {"id": pa.array([1, 2, 5000], pa.int64()), "name": ["old 1", "old 2", "old 5000"], "x": [0.5, None, 1.5]}
)


class Small(Import):
    """Import in chunks and parts so small that a file of a few kilobytes has many."""

    name: ClassVar[str] = "import"
    chunk_rows: ClassVar[int] = 150
    part_bytes: ClassVar[int] = 8000


def source_table() -> pa.Table:
    return pa.table(
        {
            "id": pa.array(range(ROWS), pa.int64()),
            "name": [f'n "{i}",\n é' if i % 7 else None for i in range(ROWS)],
            "x": [i / 4 if i % 3 else None for i in range(ROWS)],
        }
    )


def write(path: Path, kind: str, data: pa.Table) -> None:
    if kind == "parquet":
        pq.write_table(data, path, row_group_size=200)
    elif kind == "csv":
        pacsv.write_csv(data, path)
    elif kind == "json":
        path.write_text(json.dumps(data.to_pylist(), indent=1))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in data.to_pylist()))


def expected(kind: str, mode: str) -> list[dict[str, Any]]:
    fresh = source_table().to_pylist()
    if kind == "csv":
        fresh = [{**row, "name": row["name"] or ""} for row in fresh]
    kept = {"append": OLD.to_pylist(), "replace": [], "new": []}.get(mode)
    if kept is None:
        ids = {row["id"] for row in fresh}
        kept = [row for row in OLD.to_pylist() if row["id"] not in ids]
    return sorted([*fresh, *kept], key=repr)


def prepare(env: Environment, data: Path, kind: str, mode: str) -> Job:
    write(data / f"in.{kind}", kind, source_table())
    if mode != "new":
        pq.write_table(OLD, data / "old.parquet")
        Job(env, {"files": [str(data / "old.parquet")], "into": "lake/b/t"}, id=99).run()
    params: dict[str, Any] = {"files": [str(data / f"in.{kind}")], "into": "lake/b/t"}
    if mode != "new":
        params["mode"] = mode
    if mode == "upsert":
        params["key"] = ["id"]
    return Job(env, params, job_type=Small)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "BLOCK", 4000)
    monkeypatch.setattr("jobdeck.connectors.files.source.MIN_BLOCK", 1)
    # A killed process cleans nothing up: its half-written chunk stays where it is.
    monkeypatch.setattr(ParquetChunk, "abort", lose)


def lose(chunk: ParquetChunk) -> None:
    chunk._writer.is_open = False
    chunk._file.close()


@pytest.mark.parametrize("mode", ["new", "append", "replace", "upsert"])
@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl", "json"])
def test_exact_after_a_kill_at_any_call(tmp_path: Path, kind: str, mode: str) -> None:
    from tests.connectors.harness import environment

    counting = Script()
    (tmp_path / "0").mkdir()
    first = environment(tmp_path / "0")
    prepare(first, tmp_path / "0" / "data", kind, mode).run(counting)
    assert rows(first) == expected(kind, mode)
    assert counting.seen.count("after checkpoint") >= 6, "the file must have many chunks for this test to mean anything"
    points = range(1, counting.calls + 1)
    for at in points if (kind, mode) == ("csv", "replace") else points[:: max(1, len(points) // 4)]:
        (tmp_path / str(at)).mkdir()
        env = environment(tmp_path / str(at))
        job = prepare(env, tmp_path / str(at) / "data", kind, mode)
        job.survive(Script(at, Stopped if at % 2 else Killed))
        assert rows(env) == expected(kind, mode), f"killed at call {at}: {counting.seen[at - 1]}"
        assert staged_and_unused(env) == [], f"killed at call {at}: {counting.seen[at - 1]}"
        assert job.results["publish"].rows == ROWS


def staged_and_unused(env: Environment) -> list[str]:
    """Files of this job in the table's folder that no version names."""
    folder = table_folder(env, ("b", "t"))
    opened = open_table(folder)
    assert opened is not None
    assert folder.path is not None
    live = set(pa.table(opened.get_add_actions(flatten=True)).column("path").to_pylist())
    return [name for name in files_below(folder.path) if name.startswith("jobs/1-1/") and name not in live]


@on_s3_too
@pytest.mark.parametrize("mode", ["new", "append", "replace", "upsert"])
def test_a_kill_between_commit_and_record_does_not_publish_twice(env: Environment, data: Path, mode: str) -> None:
    job = prepare(env, data, "parquet", mode)
    script = Script()
    job.run(script)
    version = job.results["publish"].version
    assert [f for f in job.lineage if f[0] == "output"] == [
        ("output", "lake/b/t", {"version": version, "rows": ROWS, "bytes": job.lineage[-1][2]["bytes"]})
    ]
    again = Job(env, job.params, job_type=Small, results=job.results, epoch=2)
    repeated = again.call("publish", "publish", 0, None, Script())
    assert (repeated["version"], repeated["rows"]) == (version, ROWS)
    assert rows(env) == expected("parquet", mode)


@on_s3_too
def test_a_stop_between_batches_keeps_the_chunks_before_it(env: Environment, data: Path) -> None:
    job = prepare(env, data, "csv", "new")
    script = Script()
    job.results["inspect"] = job.call("inspect", "inspect", 0, None, script)
    part = job.results["inspect"][0]
    stop = Script(at=script.calls)
    counting = Script()
    probe = Job(env, job.params, job_type=Small, id=77)
    probe.results["inspect"] = probe.call("inspect", "inspect", 0, None, Script())
    probe.call("load", "load", 0, probe.results["inspect"][0], counting)
    stop = Script(at=max(i for i, name in enumerate(counting.seen, 1) if name == "between batches"), kind=Stopped)
    with pytest.raises(Stopped):
        job.call("load", "load", 0, part, stop)
    cursor = job.cursors["load", 0]
    assert cursor["rows"] > 0
    kept = [f["path"] for f in cursor["files"]]
    job.epoch = 2
    loaded = job.call("load", "load", 0, part, Script())
    assert [f["path"] for f in loaded["files"]][: len(kept)] == kept, "chunks before the stop are not made again"
    assert all("-e2-" in f["path"] for f in loaded["files"][len(kept) :])
    assert loaded["rows"] == part["rows"]


def test_nothing_shows_before_publish(env: Environment, data: Path) -> None:
    job = prepare(env, data, "jsonl", "new")
    script = Script()
    script.at = None

    class Look(Script):
        def call(self, name: str) -> None:
            super().call(name)
            if name != "end publish":
                assert table(env) is None, name

    job.run(Look())
    assert table(env) is not None


@on_s3_too
def test_a_replace_shows_the_old_rows_until_its_commit(env: Environment, data: Path) -> None:
    job = prepare(env, data, "csv", "replace")

    class Look(Script):
        def call(self, name: str) -> None:
            super().call(name)
            if name != "end publish":
                assert rows(env) == sorted(OLD.to_pylist(), key=repr), name

    job.run(Look())
    assert rows(env) == expected("csv", "replace")
    assert rows(env, version=0) == sorted(OLD.to_pylist(), key=repr)


@pytest.mark.parametrize("mode", ["new", "append", "replace", "upsert"])
def test_undo_leaves_nothing(env: Environment, data: Path, storage: Path, mode: str) -> None:
    job = prepare(env, data, "csv", mode)
    before = files_below(storage)
    counting = Script()
    Job(env, job.params, id=50, job_type=Small)
    with pytest.raises(Killed):
        job.run(Script(at=_call(env, job, "begin publish"), kind=Killed))
    assert any("/jobs/1-1/" in name for name in files_below(storage))
    for _ in range(2):
        job.undo(counting)
        left = set(files_below(storage)) - set(before)
        assert left == ({"projects/default/lake/b/t/_delta_log/00000000000000000001.json"} if mode != "new" else set())
    if mode == "new":
        assert not (storage / "projects/default/lake/b").exists()
    else:
        assert rows(env) == sorted(OLD.to_pylist(), key=repr)


def _call(env: Environment, job: Job, name: str) -> int:
    """The number of the call `name` in a run of a job like this."""
    script = Script()
    twin = Job(env, {**job.params, "into": "lake/other/t"}, id=1000, job_type=Small)
    if job.params.get("mode") == "upsert":
        twin.params = {**twin.params}
    twin.run(script)
    from jobdeck.connectors.lake import catalog

    catalog.drop(env, "lake/other/t")
    for folder in sorted(Path(env.storage_url.removeprefix("file://")).rglob("*"), reverse=True):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    return script.seen.index(name) + 1


@on_s3_too
@pytest.mark.parametrize("mode", ["append", "replace", "upsert"])
def test_a_dead_attempts_late_commit_does_not_land(env: Environment, data: Path, mode: str) -> None:
    """The worst case: the commit was prepared, the attempt was undone, then the commit comes."""
    job = prepare(env, data, "parquet", mode)
    with pytest.raises(Killed):
        job.run(Script(at=_call(env, job, "begin publish"), kind=Killed))

    def undo_first(real: Any) -> Any:
        def late(*args: Any, **kwargs: Any) -> Any:
            Job(env, job.params, job_type=Small, epoch=2).undo()
            return real(*args, **kwargs)

        return late

    with patched(commit, "_commit", undo_first), pytest.raises(Exception, match="changed by someone else"):
        job.call("publish", "publish", 0, None, Script())
    assert rows(env) == sorted(OLD.to_pylist(), key=repr)
    with pytest.raises(Exception, match=r"undone|gone"):
        job.call("publish", "publish", 0, None, Script())
    assert rows(env) == sorted(OLD.to_pylist(), key=repr)


def test_a_restart_is_a_new_attempt(env: Environment, data: Path) -> None:
    job = prepare(env, data, "csv", "append")
    with pytest.raises(Killed):
        job.run(Script(at=_call(env, job, "begin publish"), kind=Killed))
    job.undo()
    Job(env, job.params, attempt=2, epoch=2, job_type=Small).run()
    assert rows(env) == expected("csv", "append")


@pytest.mark.parametrize("mode", ["new", "append"])
def test_what_a_checkpoint_names_is_on_the_disk(
    env: Environment, data: Path, storage: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = prepare(env, data, "csv", mode)
    synced: set[str] = set()
    monkeypatch.setattr("os.fsync", lambda handle: synced.add(os.readlink(f"/proc/self/fd/{handle}")))
    job.run()
    top = storage / "projects/default/lake/b/t"
    named = [top / f.path for item in job.results["load"] for f in item.files]
    assert len(named) >= 6
    log = top / f"_delta_log/{job.results['publish'].version:020}.json"
    for path in [*named, log]:
        assert {str(path), str(path.parent)} <= synced
    assert mode != "new" or str(top) in synced
    assert str(storage / "projects/default/plans/1-1/plan.json") in synced


@on_s3_too
def test_lineage_and_progress(env: Environment, data: Path) -> None:
    job = prepare(env, data, "jsonl", "new")
    job.run()
    kind, name, facts = job.lineage[0]
    assert (kind, name, facts["rows"]) == ("input", str(data / "in.jsonl"), ROWS)
    assert facts["bytes"] == (data / "in.jsonl").stat().st_size
    assert job.lineage[-1][:2] == ("output", "lake/b/t")
    for (step, _), told in job.progresses.items():
        if step == "publish":
            continue
        assert told == sorted(told, key=lambda p: p[0])
        assert told[-1][0] == told[-1][1], step


@on_s3_too
def test_a_changed_source_fails_the_job(env: Environment, data: Path) -> None:
    for moment in ("begin load", "begin publish"):
        job = prepare(env, data, "csv", "new")
        with pytest.raises(Killed):
            job.run(Script(at=_call(env, job, moment), kind=Killed))
        with (data / "in.csv").open("a") as file:
            file.write('9,"x",1\n')
        with pytest.raises(Exception, match="has changed since") as failure:
            job.run()
        assert getattr(failure.value, "code", "") == "source_changed"
        assert table(env) is None
        job.undo()


def test_the_staged_rows_are_counted_before_the_commit(env: Environment, data: Path, storage: Path) -> None:
    job = prepare(env, data, "parquet", "new")
    with pytest.raises(Killed):
        job.run(Script(at=_call(env, job, "begin publish"), kind=Killed))
    staged = sorted((storage / "projects/default/lake/b/t/jobs/1-1").iterdir())
    pq.write_table(pq.read_table(staged[0]).slice(1), staged[0])
    with pytest.raises(Exception, match="rows where") as failure:
        job.run()
    assert getattr(failure.value, "code", "") == "count_mismatch"
    assert table(env) is None
