"""Many processes on PostgreSQL: any of them is killed, frozen, drained or replaced; nothing is lost or done twice."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.faults.claims_log import claims_log
from tests.faults.installation import Installation, health_of, installation, until
from tests.faults.own_postgres import OwnPostgres, own_postgres

TAKE_OVER_SECONDS = 10.0
RECOVERY_SECONDS = 15.0
MOST = 8
"""Jobs of the project that may run at once."""


@pytest.fixture
def jobdeck(home: Path, postgres_database_url: str) -> Iterator[Installation]:
    with (
        installation(home, postgres_database_url, lease_seconds="4", project_limit=str(MOST), workers="4") as made,
        claims_log(postgres_database_url, {"project:default": MOST}),
    ):
        yield made


@pytest.fixture
def rows(postgres_database_url: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A look into the database itself."""
    with psycopg.connect(postgres_database_url.replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


def sleeps(jobdeck: Installation, count: int, **params: object) -> list[int]:
    with jobdeck.client() as client:
        return [client.jobs.submit("sleep", {"seconds": 1.0, "steps": 2, **params}).id for _ in range(count)]


def all_succeeded(jobdeck: Installation, jobs: list[int], seconds: float = 60.0) -> None:
    for job in jobs:
        jobdeck.until_state(job, "succeeded", seconds=seconds)


def assert_each_task_recorded_once(rows: psycopg.Connection[tuple[object, ...]], jobs: list[int]) -> None:
    """Every step succeeded exactly once in its attempt, and no lease is left."""
    found = rows.execute(
        "SELECT job_id, data::json ->> 'step', count(*) FROM events WHERE kind = 'step.succeeded' AND job_id = ANY(%s) "
        "GROUP BY 1, 2 HAVING count(*) <> 1",
        [jobs],
    ).fetchall()
    assert found == []
    assert rows.execute("SELECT count(*) FROM leases").fetchone() == (0,)


def test_the_other_server_takes_over(jobdeck: Installation, rows: psycopg.Connection[tuple[object, ...]]) -> None:
    first = jobdeck.server()
    until(lambda: leader(rows), "the first server leads")
    jobdeck.server()
    jobdeck.worker("w1")
    before = sleeps(jobdeck, 4)
    first.kill()
    began = time.monotonic()
    after = sleeps(jobdeck, 2, seconds=0.2)
    jobdeck.until_state(after[0], "running", "succeeded")
    assert time.monotonic() - began < TAKE_OVER_SECONDS
    all_succeeded(jobdeck, before + after)
    assert_each_task_recorded_once(rows, before + after)


def leader(rows: psycopg.Connection[tuple[object, ...]]) -> str | None:
    found = rows.execute("SELECT holder FROM leadership").fetchone()
    return str(found[0]) if found else None


def test_a_killed_worker_is_replaced_by_the_other(
    jobdeck: Installation, rows: psycopg.Connection[tuple[object, ...]]
) -> None:
    jobdeck.server()
    first, _ = jobdeck.worker("w1"), jobdeck.worker("w2")
    jobs = sleeps(jobdeck, 6, seconds=4.0)
    for job in jobs:
        jobdeck.until_state(job, "running")
    mine = [job for job in jobs if jobdeck.job(job).worker == "w1"]
    assert mine
    first.kill()
    began = time.monotonic()
    until(lambda: all(went_on(jobdeck, job) for job in mine), "they went on elsewhere")
    assert time.monotonic() - began < RECOVERY_SECONDS
    all_succeeded(jobdeck, jobs)
    assert_each_task_recorded_once(rows, jobs)


def went_on(jobdeck: Installation, job: int) -> bool:
    found = jobdeck.job(job)
    return found.worker == "w2" or found.state == "succeeded"


def test_a_frozen_worker_cannot_write_when_it_wakes(
    jobdeck: Installation, rows: psycopg.Connection[tuple[object, ...]]
) -> None:
    jobdeck.server()
    workers = {name: jobdeck.worker(name) for name in ("w1", "w2")}
    (job,) = sleeps(jobdeck, 1, seconds=8.0, steps=1)
    name = jobdeck.until_state(job, "running").worker
    assert name is not None
    frozen = workers.pop(name)
    frozen.signal(signal.SIGSTOP)
    until(lambda: jobdeck.job(job).worker in workers, "the other worker has it", 2 * RECOVERY_SECONDS)
    epoch = rows.execute("SELECT epoch FROM jobs WHERE id = %s", [job]).fetchone()
    frozen.signal(signal.SIGCONT)
    until(lambda: "worker_was_buried" in frozen.log.read_text() or "lease_lost" in frozen.log.read_text(), "it noticed")
    assert rows.execute("SELECT epoch FROM jobs WHERE id = %s", [job]).fetchone() == epoch
    all_succeeded(jobdeck, [job])
    assert_each_task_recorded_once(rows, [job])


def test_rolling_restarts_lose_and_repeat_nothing(
    jobdeck: Installation, rows: psycopg.Connection[tuple[object, ...]]
) -> None:
    servers = [jobdeck.server(), jobdeck.server()]
    workers = [jobdeck.worker("w1"), jobdeck.worker("w2")]
    jobs = sleeps(jobdeck, 12, seconds=1.5, steps=2)
    for number, old in enumerate(workers):
        assert old.stop() == 0
        jobdeck.worker(f"new{number}")
    for old in servers:
        jobdeck.server()
        assert old.stop() == 0
    jobs += sleeps(jobdeck, 2)
    all_succeeded(jobdeck, jobs)
    assert_each_task_recorded_once(rows, jobs)
    lost = rows.execute("SELECT count(*) FROM events WHERE kind = 'worker_lost'").fetchone()
    assert lost == (0,), "a worker that leaves in order hands its jobs back"


def test_a_drained_worker_takes_nothing_more(
    jobdeck: Installation, rows: psycopg.Connection[tuple[object, ...]]
) -> None:
    jobdeck.server()
    jobdeck.worker("w1")
    with jobdeck.client() as client:
        (worker,) = client.workers.list()
        client.workers.drain(worker.id)
        job = client.jobs.submit("sleep", {"seconds": 0.1})
        until(lambda: client.jobs.get(job.id).wait[0].reason == "no_worker", "nobody takes it")
    jobdeck.worker("w2")
    all_succeeded(jobdeck, [job.id])
    assert jobdeck.job(job.id).worker == "w2"


@pytest.fixture
def own() -> Iterator[OwnPostgres]:
    with own_postgres() as server:
        yield server


def test_the_database_is_stopped_and_started(home: Path, own: OwnPostgres) -> None:
    limit = {"project:default": MOST}
    with installation(home, own.url, lease_seconds="4", project_limit=str(MOST)) as jobdeck, claims_log(own.url, limit):
        up = jobdeck.up()
        jobs = sleeps(jobdeck, 4, seconds=5.0, steps=2)
        for job in jobs:
            jobdeck.until_state(job, "running")
        own.crash()
        until(lambda: health_of(jobdeck.url)["status"] == "unavailable", "the server says that its database is away")
        own.start()
        began = time.monotonic()
        jobdeck.until_state(jobs[0], "running", "succeeded")
        assert time.monotonic() - began < RECOVERY_SECONDS
        all_succeeded(jobdeck, jobs)
        assert up.stop() == 0
