"""Imports into a lake on a real S3 server: as on local folders, whatever dies in between."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobdeck.connectors.errors import AttemptBuried, DataFailure, FileMissing, SourceChanged, TableMissing
from jobdeck.connectors.files.located import locate
from jobdeck.connectors.lake import catalog
from jobdeck.connectors.lake.config import table_folder
from jobdeck.connectors.lake.sweep import remove_staged, sweep
from jobdeck.connectors.lake.tables import open_table
from jobdeck.core.environment import ConnectionSpec, Environment
from jobdeck.core.errors import JobdeckError
from jobdeck.storage.errors import BucketMissing, EndpointNotAllowed, StorageRefused, StorageUnavailable
from tests.connectors.harness import Job, Killed, Script, Stopped, on, rows, table
from tests.connectors.test_import_crashes import expected, prepare, small_blocks
from tests.connectors.test_import_undo import Killing
from tests.s3 import Bucket, new_bucket

__all__ = ["small_blocks"]


@pytest.fixture
def s3(s3_bucket: Bucket, tmp_path: Path) -> Environment:
    return on(s3_bucket, tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


def left(bucket: Bucket, environment: Environment) -> list[str]:
    """Keys of the job's own files that no version of the table names, and of its plans."""
    opened = open_table(table_folder(environment, ("b", "t")))
    live = set(pa.table(opened.get_add_actions(flatten=True)).column("path").to_pylist()) if opened else set()
    top = f"{environment.storage_url.removeprefix(bucket.url)[1:]}/projects/default"
    below = [key.removeprefix(f"{top}/lake/b/t/") for key in bucket.keys_of_objects(top)]
    return [key for key in below if ("jobs/1-1/" in key and key not in live) or "/plans/1-1/" in key]


@pytest.mark.parametrize("mode", ["new", "append", "replace", "upsert"])
def test_exact_after_a_kill_at_any_call(s3_bucket: Bucket, tmp_path: Path, mode: str) -> None:
    counting = Script()
    (tmp_path / "0").mkdir()
    first = on(s3_bucket, tmp_path / "0", "0")
    prepare(first, tmp_path / "0/data", "csv", mode).run(counting)
    assert rows(first) == expected("csv", mode)
    points = range(2, counting.calls + 1)
    for at in points[:: max(1, len(points) // 3)]:
        (tmp_path / str(at)).mkdir()
        env = on(s3_bucket, tmp_path / str(at), str(at))
        job = prepare(env, tmp_path / str(at) / "data", "csv", mode)
        job.survive(Script(at, Stopped if at % 2 else Killed))
        assert rows(env) == expected("csv", mode), f"killed at call {at}: {counting.seen[at - 1]}"
        assert left(s3_bucket, env) == [], f"killed at call {at}: {counting.seen[at - 1]}"


@pytest.mark.parametrize("mode", ["new", "append", "replace", "upsert"])
@pytest.mark.parametrize("published", [False, True])
def test_undo_leaves_the_table_as_it_was(
    s3: Environment, s3_bucket: Bucket, folder: Path, mode: str, published: bool
) -> None:
    job = prepare(s3, folder, "parquet", mode)
    before = rows(s3) if mode != "new" else None
    if published:
        job.run()
    else:
        with pytest.raises(Killed):
            job.run(Killing("begin publish", Script()))
        assert any("/jobs/1-1/" in key for key in s3_bucket.keys_of_objects())
    for _ in range(2):
        job.undo()
        assert (rows(s3) if mode != "new" else table(s3)) == before
        assert left(s3_bucket, s3) == []
    if published:
        return
    job.epoch = 2
    with pytest.raises(AttemptBuried):
        job.run()
    assert (rows(s3) if mode != "new" else table(s3)) == before


def test_rejects_are_written_there(s3: Environment, s3_bucket: Bucket, folder: Path) -> None:
    (folder / "in.csv").write_text("a,b\n1,x\nno,y\n3,z\n")
    job = Job(s3, {
        "files": [str(folder / "in.csv")], "into": "lake/b/t", "columns": {"a": "int64"}, "on_bad_row": "reject",
    })  # fmt: skip
    done = job.run()
    assert done.rejected == 1
    found = s3_bucket.keys_of_objects("inst/projects/default/rejects/1-1")
    keys = [key for key in found if key.endswith(".jsonl")]
    assert len(keys) == 1
    job.attempt = 1
    job.undo()
    assert s3_bucket.keys_of_objects("inst/projects/default/rejects/1-1") == []


def test_project_files_are_read_from_there(s3: Environment, s3_bucket: Bucket) -> None:
    s3_bucket.put("inst/projects/default/files/7/in%20put.csv", b"a\n1\n2\n")
    assert Job(s3, {"files": ["file:7"], "into": "lake/b/t"}).run().rows == 2
    with pytest.raises(FileMissing, match="no project file 77"):
        locate("file:77", s3)


def test_the_sweep_and_the_deletion_of_one_attempt(s3: Environment, s3_bucket: Bucket, folder: Path) -> None:
    job = prepare(s3, folder, "csv", "append")
    with pytest.raises(Killed):
        job.run(Killing("begin publish", Script()))
    before = s3_bucket.keys_of_objects()
    later = time.time_ns() // 1000 + 2 * 86_400_000_000
    assert sweep(s3, {(1, 1)}, now=later) == []
    assert s3_bucket.keys_of_objects() == before
    remove_staged(s3, "projects/default/lake/b/t/jobs/99-1")
    assert s3_bucket.keys_of_objects() == before, "what the table shows stays"
    remove_staged(s3, "projects/default/lake/b/t/jobs/1-1")
    assert not [key for key in s3_bucket.keys_of_objects() if "/jobs/1-1/" in key]
    removed = sweep(s3, set(), now=later)
    assert [name for name in removed if not name.startswith("plans/1-1/")] == []
    assert removed
    assert len(rows(s3)) == 3


def test_a_dropped_table_is_gone_and_its_name_is_free(s3: Environment, s3_bucket: Bucket, folder: Path) -> None:
    prepare(s3, folder, "csv", "append").run()
    assert [o.ref for o in catalog.list_objects(s3)] == ["lake/b/t"]
    leftovers = catalog.withdraw(s3, "lake/b/t")
    assert leftovers == ["lake/b/t/jobs/1-1", "lake/b/t/jobs/99-1"]
    assert catalog.list_objects(s3) == []
    with pytest.raises(TableMissing):
        catalog.withdraw(s3, "lake/b/t")
    Job(s3, {"files": [str(folder / "in.csv")], "into": "lake/b/t"}, id=2).run()
    for prefix in leftovers:
        assert s3_bucket.keys_of_objects(f"inst/projects/default/{prefix}") != []
    catalog.drop(s3, "lake/b/t")
    assert s3_bucket.keys_of_objects("inst/projects/default/lake") == []


def test_commits_at_the_same_time_all_land_once(s3: Environment, folder: Path) -> None:
    """The server makes puts conditional, as commits need it."""
    jobs = []
    for number in range(8):
        pq.write_table(pa.table({"id": [number]}), folder / f"{number}.parquet")
        jobs.append(Job(s3, {"files": [str(folder / f"{number}.parquet")], "into": "lake/b/t"}, id=10 + number))
    jobs[0].run()
    for job in jobs[1:]:
        with pytest.raises(Killed):
            job.run(Killing("begin publish", Script()))
    errors: list[BaseException] = []

    def publish(job: Job) -> None:
        try:
            job.run()
        except BaseException as error:  # noqa: BLE001  (told by the test)
            errors.append(error)

    threads = [threading.Thread(target=publish, args=(job,)) for job in jobs[1:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [row["id"] for row in rows(s3)] == list(range(8))


def bucket_connection(source: Bucket, keys: bool = True, **more: Any) -> ConnectionSpec:
    plain = ("aws_access_key_id", "aws_secret_access_key") if keys else ()
    named = (*plain, "aws_endpoint", "aws_allow_http")
    options = {name: source.options[name] for name in named}
    return ConnectionSpec(name="c", kind="files", options={"url": f"{source.url}/in", "options": {**options, **more}})


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ("a.csv", 1), ("*.csv", 2), ("", 4), ("sub", 2), ("sub/", 2), ("**/*.csv", 4), ("sub/*.csv", 1),
        ("s*/*.csv", 1), ("sub/deep/d.csv", 1), ("sub/deep/*", 1), ("?.csv", 2),
    ],
)  # fmt: skip
def test_files_of_a_connection(s3_bucket: Bucket, s3_endpoint: str, tmp_path: Path, entry: str, found: int) -> None:
    source = new_bucket(s3_endpoint)
    for name in ("a.csv", "b.csv", "sub/c.csv", "sub/deep/d.csv"):
        source.put(f"in/{name}", b"x\n1\n")
    source.put("inside/e.csv", b"x\n1\n")
    env = on(s3_bucket, tmp_path, c=bucket_connection(source))
    done = Job(env, {"files": [f"{source.url}/in/{entry}"], "into": "lake/b/t"}).run()
    assert done.rows == found


def test_one_file_of_a_large_bucket_is_found_without_listing_it(
    s3_bucket: Bucket, s3_endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = new_bucket(s3_endpoint)
    source.put("in/a.csv", b"x\n1\n")
    env = on(s3_bucket, tmp_path, c=bucket_connection(source))
    listed: list[object] = []

    def refuse(*arguments: object, **_: object) -> None:
        listed.append(arguments)
        raise AssertionError("nothing is to be listed")

    monkeypatch.setattr("jobdeck.storage.folders.obstore.list", refuse)
    assert [f.size for f in locate(f"{source.url}/in/a.csv", env)] == [4]
    assert listed == []


def test_a_file_of_a_connection_that_changed_meanwhile(s3_bucket: Bucket, s3_endpoint: str, tmp_path: Path) -> None:
    source = new_bucket(s3_endpoint)
    source.put("in/a.csv", b"x\n1\n")
    env = on(s3_bucket, tmp_path, c=bucket_connection(source))
    job = Job(env, {"files": [f"{source.url}/in/a.csv"], "into": "lake/b/t"})
    with pytest.raises(Killed):
        job.run(Killing("begin load", Script()))
    source.put("in/a.csv", b"x\n2\n3\n")
    with pytest.raises(SourceChanged):
        job.run()


def test_a_public_bucket_needs_no_keys(s3_bucket: Bucket, s3_endpoint: str, tmp_path: Path) -> None:
    public = new_bucket(s3_endpoint, "public")
    public.put("in/a.csv", b"x\n1\n")
    env = on(s3_bucket, tmp_path, c=bucket_connection(public, keys=False))
    assert Job(env, {"files": ["s3://public/in/a.csv"], "into": "lake/b/t"}).run().rows == 1


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"aws_secret_access_key": "wrong"}, StorageRefused, r"The storage at 127\.0\.0\.1:\d+ refused the keys"),
        ({"aws_endpoint": "http://127.0.0.1:1"}, StorageUnavailable, r"The storage at 127\.0\.0\.1:1 does not answer"),
        ({"aws_endpoint": "http://[::1]:1"}, EndpointNotAllowed, "may not reach"),
        ({"proxy_url": "http://127.0.0.1:1"}, JobdeckError, "not allowed in a connection"),
    ],
)
def test_a_connection_that_cannot_work(
    s3_bucket: Bucket, tmp_path: Path, change: dict[str, str], kind: type[JobdeckError], words: str
) -> None:
    env = on(s3_bucket, tmp_path, c=bucket_connection(s3_bucket, True, **change))
    with pytest.raises(kind, match=words) as refused:
        Job(env, {"files": [f"{s3_bucket.url}/in/a.csv"], "into": "lake/b/t"}).run()
    assert "testsecret" not in repr(refused.value)


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"aws_secret_access_key": "wrong"}, StorageRefused, "The object storage refused the keys"),
        ({"aws_access_key_id": "readkey", "aws_secret_access_key": "readsecret"}, StorageRefused, "refused the keys"),
        ({"aws_endpoint": "http://127.0.0.1:1"}, StorageUnavailable, "The object storage does not answer"),
        ({}, BucketMissing, "The object storage has no bucket 'no-such-bucket'"),
    ],
)
@pytest.mark.parametrize("step", ["inspect", "load", "publish", "undo"])
def test_a_storage_that_fails_is_told_in_every_step(
    s3_bucket: Bucket, tmp_path: Path, step: str, change: dict[str, str], kind: type[JobdeckError], words: str
) -> None:
    """Never with what the server said, and never as something else, such as a table that is missing."""
    (tmp_path / "good").mkdir()
    good = on(s3_bucket, tmp_path / "good")
    job = prepare(good, tmp_path / "good" / "data", "csv", "append")
    if step != "inspect":
        with pytest.raises(Killed):
            job.run(Killing("begin load" if step == "load" else "begin publish", Script()))
    url = good.storage_url if change else "s3://no-such-bucket/inst"
    options = {**good.storage_options, **change, "max_retries": "1"}
    job.environment = good.model_copy(update={"storage_url": url, "storage_options": options})
    work = job.type()._work(job.new_run(step, 0, Script()))
    with pytest.raises(kind, match=words) as refused:
        {
            "inspect": work.inspect,
            "load": lambda: work.load(job.results["inspect"][0]),
            "publish": lambda: work.publish(list(job.results["load"])),
            "undo": work.undo,
        }[step]()
    assert not isinstance(refused.value, DataFailure)
    assert "Debug" not in refused.value.message


def test_what_a_job_takes_with_it_is_plain_data(s3: Environment) -> None:
    """The options of the storage go to the task as they are, and into no text."""
    assert "testsecret" not in repr(s3)
    assert json.loads(s3.model_dump_json())["storage_options"]["aws_secret_access_key"] == "testsecret"
