"""An import that is killed, paused, resumed, restarted or canceled in its middle leaves exactly the right rows."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pytest
from deltalake import DeltaTable

from jobdeck.core.life.states import State
from tests.faults.history import ask, begun, since_start, until_begun_again
from tests.faults.installation import Installation, Process, installation, until

ROWS = 1_500_000
REF = "lake/in.shop/orders"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV file that takes some seconds to import."""
    path = tmp_path_factory.mktemp("source") / "orders.csv"
    ids = pa.array(range(ROWS), pa.int64())
    pa.csv.write_csv(pa.table({"id": ids, "text": text_of(ids)}), path)
    return path


def text_of(ids: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """`order 5` and the like: follows from the id, and is not in its order."""
    product = pc.multiply(ids, 7919)
    rest = pc.subtract(product, pc.multiply(pc.divide(product, ROWS), ROWS))
    return pc.binary_join_element_wise("order", pc.cast(rest, pa.string()), " ")


on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgres = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
"""What is killed is tried on both. What people ask is recorded alike on both, as tests/engine shows; here the files
matter, so each is tried on one."""


@pytest.fixture
def jobdeck(home: Path, database_url: str, source: Path) -> Iterator[Installation]:
    with installation(home, database_url, allowed_paths=str(source.parent), lease_seconds="4") as made:
        yield made


def submit(jobdeck: Installation, source: Path, mode: str = "append") -> int:
    with jobdeck.client() as client:
        job = client.jobs.submit("import", {"files": [str(source)], "into": REF, "mode": mode})
    return job.id


def table(jobdeck: Installation) -> DeltaTable:
    return DeltaTable((jobdeck.home / "storage/projects/default/lake/in.shop/orders").as_uri())


def assert_exact(jobdeck: Installation, times: int = 1) -> None:
    """Every row of the source is there, `times` times, and nothing else; and no file that no version refers to."""
    data = table(jobdeck).to_pyarrow_table(columns=["id", "text"])
    ids = data.column("id")
    assert data.num_rows == ROWS * times
    assert pc.sum(ids).as_py() == times * ROWS * (ROWS - 1) // 2
    assert pc.count_distinct(ids).as_py() == ROWS
    assert data.column("text").equals(text_of(ids))
    assert leftovers(jobdeck) == set()


def leftovers(jobdeck: Installation) -> set[str]:
    folder = jobdeck.home / "storage/projects/default/lake/in.shop/orders"
    files = {str(p.relative_to(folder)) for p in folder.rglob("*.parquet") if "_delta_log" not in p.parts}
    known = (
        {Path(uri.removeprefix("file://")).relative_to(folder).as_posix() for uri in table(jobdeck).file_uris()}
        if (folder / "_delta_log").exists()
        else set()
    )
    return files - known


def test_kill_of_the_server_in_the_middle(jobdeck: Installation, source: Path) -> None:
    process = jobdeck.up()
    job = submit(jobdeck, source)
    jobdeck.until_loaded(job, ROWS // 5)
    tasks = process.task_processes()
    process.kill()
    began, before = time.monotonic(), begun(jobdeck.database_url, [job])
    until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in tasks), "the task processes died with their worker")
    jobdeck.up()
    until_begun_again(jobdeck.database_url, before, since_start(began))
    ended = jobdeck.until_state(job, "succeeded")
    assert ended.attempt == 1
    assert ended.result is not None
    assert ended.result["rows"] == ROWS
    assert_exact(jobdeck)


def test_kill_of_the_task_process_in_the_middle(jobdeck: Installation, source: Path) -> None:
    process = jobdeck.up()
    job = submit(jobdeck, source)
    jobdeck.until_loaded(job, ROWS // 5)
    began, before = time.monotonic(), begun(jobdeck.database_url, [job])
    for pid in process.task_processes():
        os.kill(pid, signal.SIGKILL)
    until_begun_again(jobdeck.database_url, before, began, same_lease=True)
    jobdeck.until_state(job, "succeeded")
    assert_exact(jobdeck)


@on_postgres
def test_pause_frees_everything_and_resume_goes_on(jobdeck: Installation, source: Path) -> None:
    process = jobdeck.up()
    job = submit(jobdeck, source)
    jobdeck.until_loaded(job, ROWS // 5)
    with jobdeck.client() as client:
        client.jobs.pause(job, "maintenance")
        paused = jobdeck.until_state(job, "paused")
        assert paused.reason == "maintenance"
        assert limits_held(jobdeck) == {}
        assert not (jobdeck.home / "storage/projects/default/lake/in.shop/orders/_delta_log").exists()
        rows_before = next(s for s in client.jobs.steps(job) if s.name == "load").progress.done
        client.jobs.resume(job)
    done = jobdeck.until_state(job, "succeeded")
    assert rows_before >= ROWS // 5
    assert done.paused_seconds > 0
    assert_exact(jobdeck)
    assert process.stop() == 0


def limits_held(jobdeck: Installation) -> dict[str, int]:
    with jobdeck.client() as client:
        return {limit.resource: limit.used for limit in client.limits.list() if limit.used}


@on_sqlite
def test_restart_in_the_middle(jobdeck: Installation, source: Path) -> None:
    jobdeck.up()
    job = submit(jobdeck, source)
    jobdeck.until_loaded(job, ROWS // 5)
    with jobdeck.client() as client:
        client.jobs.restart(job)
    ended = jobdeck.until_state(job, "succeeded")
    assert ended.attempt == 2
    assert_exact(jobdeck)
    with jobdeck.client() as client:
        assert [s.name for s in client.jobs.steps(job, attempt=1)] == ["inspect", "load"]


@on_postgres
def test_cancel_in_the_middle_leaves_nothing(jobdeck: Installation, source: Path) -> None:
    jobdeck.up()
    job = submit(jobdeck, source)
    jobdeck.until_loaded(job, ROWS // 5)
    with jobdeck.client() as client:
        client.jobs.cancel(job)
    ended = jobdeck.until_state(job, "canceled")
    assert ended.cause == "user"
    assert leftovers(jobdeck) == set()
    assert not (jobdeck.home / "storage/projects/default/lake/in.shop/orders/_delta_log").exists()


@on_sqlite
def test_cancel_of_an_append_leaves_the_table_as_it_was(jobdeck: Installation, source: Path) -> None:
    jobdeck.up()
    jobdeck.until_state(submit(jobdeck, source), "succeeded")
    job = submit(jobdeck, source)
    jobdeck.until_loaded(job, ROWS // 5)
    with jobdeck.client() as client:
        client.jobs.cancel(job)
    jobdeck.until_state(job, "canceled")
    assert_exact(jobdeck)


@on_postgres
def test_a_terminated_server_hands_back_and_goes_on(jobdeck: Installation, source: Path) -> None:
    process = jobdeck.up()
    job = submit(jobdeck, source)
    jobdeck.until_loaded(job, ROWS // 5)
    assert process.stop() == 0
    jobdeck.up()
    ended = jobdeck.until_state(job, "succeeded")
    assert ended.state is State.SUCCEEDED
    assert_exact(jobdeck)


@on_sqlite
def test_killed_again_and_again(jobdeck: Installation, source: Path) -> None:
    url = jobdeck.database_url
    process: Process = jobdeck.up()
    job = submit(jobdeck, source)
    jobdeck.until_loaded(job, 1)
    for _ in range(3):
        process.kill()
        began, before = time.monotonic(), begun(url, [job])
        process = jobdeck.up()
        until_begun_again(url, before, since_start(began))
        # Without progress in between, the third loss would end it.
        until(lambda: ask(url, f"SELECT id FROM jobs WHERE id = {job} AND losses = 0"), "it got on")
    jobdeck.until_state(job, "succeeded")
    assert_exact(jobdeck)
