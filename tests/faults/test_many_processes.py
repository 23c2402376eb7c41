"""Many processes on PostgreSQL: any of them is killed, frozen, drained or replaced; nothing is lost or done twice."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from jobdeck.engine.worker.worker import LEAVE_SECONDS
from tests.faults.claims_log import claims_log
from tests.faults.history import (
    LEAD_SECONDS,
    ask,
    assert_ended_once,
    begun,
    leader,
    running_on,
    until_begun_again,
)
from tests.faults.installation import Installation, health_of, installation, until
from tests.faults.other_types import begun_units, units_of
from tests.faults.own_postgres import OwnPostgres, own_postgres

LEASE = 4.0
MOST = 3
"""Jobs of the project that may run at once: fewer than each test submits."""


@pytest.fixture
def url(postgres_database_url: str) -> str:
    return postgres_database_url


@pytest.fixture
def jobdeck(home: Path, url: str) -> Iterator[Installation]:
    with (
        installation(home, url, lease_seconds=str(LEASE), project_limit=str(MOST), workers="4") as made,
        claims_log(url, {"project:default": MOST}),
    ):
        yield made


def sleeps(jobdeck: Installation, count: int, **params: object) -> list[int]:
    with jobdeck.client() as client:
        return [client.jobs.submit("sleep", {"seconds": 1.0, "steps": 2, **params}).id for _ in range(count)]


def all_succeeded(jobdeck: Installation, jobs: list[int]) -> None:
    """Each of them, once."""
    for job in jobs:
        jobdeck.until_state(job, "succeeded")
    assert_ended_once(jobdeck.database_url, jobs)


def test_the_other_server_takes_over(jobdeck: Installation, url: str) -> None:
    first = jobdeck.server()
    until(lambda: leader(url), "the first server leads")
    jobdeck.server()
    jobdeck.worker("w1")
    before = sleeps(jobdeck, 4)
    first.kill()
    began = time.monotonic()
    after = sleeps(jobdeck, 2, seconds=0.2)
    with jobdeck.client() as client:
        client.jobs.set_priority(after[0], 9)
    until_begun_again(url, begun(url, after[:1]), began, seconds=LEAD_SECONDS)
    all_succeeded(jobdeck, before + after)


def test_a_killed_worker_is_replaced_by_the_other(jobdeck: Installation, url: str) -> None:
    jobdeck.server()
    first, _ = jobdeck.worker("w1"), jobdeck.worker("w2")
    jobs = sleeps(jobdeck, 4, seconds=4.0, steps=1)
    until(lambda: running_on(url, "w1") and running_on(url, "w2"), "both have some")
    first.kill()
    until_begun_again(url, running_on(url, "w1"), time.monotonic())
    assert not running_on(url, "w1")
    all_succeeded(jobdeck, jobs)


def test_a_frozen_worker_cannot_write_when_it_wakes(jobdeck: Installation, url: str) -> None:
    jobdeck.server()
    workers = {name: jobdeck.worker(name) for name in ("w1", "w2")}
    job, *others = sleeps(jobdeck, 4, seconds=8.0, steps=1)
    name = jobdeck.until_state(job, "running").worker
    assert name is not None
    frozen = workers.pop(name)
    frozen.signal(signal.SIGSTOP)
    until_begun_again(url, begun(url, [job]), time.monotonic())
    epoch = begun(url, [job])[job].epoch
    assert jobdeck.job(job).worker in workers
    frozen.signal(signal.SIGCONT)
    signs = ("worker_was_marked_dead", "lease_lost")
    until(lambda: any(sign in frozen.log.read_text() for sign in signs), "it noticed")
    assert begun(url, [job])[job].epoch == epoch
    all_succeeded(jobdeck, [job, *others])


@pytest.fixture
def patient(home: Path, url: str) -> Iterator[Installation]:
    """Its workers keep their leases however busy the machine is: what is handed back, is so in order."""
    with (
        installation(home, url, lease_seconds="30", project_limit=str(MOST), workers="4") as made,
        claims_log(url, {"project:default": MOST}),
    ):
        yield made


def test_rolling_restarts_lose_and_repeat_nothing(
    patient: Installation, url: str, tmp_path: Path, other_types: None
) -> None:
    """A unit under way is waited for, and none is begun twice, as the outside world sees it."""
    servers = [patient.server(), patient.server()]
    workers = [patient.worker("w1"), patient.worker("w2")]
    file = tmp_path / "units"
    with patient.client() as client:
        jobs = [client.jobs.submit("units", {"file": str(file), "seconds": 0.5}).id for _ in range(10)]
    until(lambda: running_on(url, "w1") and running_on(url, "w2"), "both are at work")
    for number, old in enumerate(workers):
        assert old.stop() == 0
        patient.worker(f"new{number}")
    for old in servers:
        patient.server()
        assert old.stop() == 0
    all_succeeded(patient, jobs)
    kinds = Counter(kind for (kind,) in ask(url, "SELECT kind FROM events"))
    assert kinds["worker_lost"] == 0, "a worker that leaves in order hands its jobs back"
    assert kinds["handed_back"] > 0
    assert begun_units(file) == units_of(jobs)


def test_a_worker_whose_task_ignores_everything_leaves_in_its_grace_period(jobdeck: Installation, url: str) -> None:
    jobdeck.server()
    leaving = jobdeck.worker("w1")
    jobs = sleeps(jobdeck, MOST, seconds=3600.0, steps=1, tasks=2, ignore_signals=True)
    under_way = "SELECT job_id FROM tasks WHERE done > 0"
    until(lambda: len(ask(url, under_way)) == 4, "each process is at work")
    tasks, began = leaving.task_processes(), time.monotonic()
    assert leaving.stop() == 0
    assert time.monotonic() - began < LEAVE_SECONDS, "it waits for a task for 8 s, and then kills it"
    assert not [pid for pid in tasks if psutil.pid_exists(pid)]
    assert "leaving_in_haste" not in leaving.log.read_text()
    assert {now.state for now in begun(url, jobs).values()} == {"pending"}, "it handed them back itself"


def test_a_drained_worker_takes_nothing_more(jobdeck: Installation, url: str) -> None:
    jobdeck.server()
    jobdeck.worker("w1")
    with jobdeck.client() as client:
        (worker,) = client.workers.list()
        client.workers.drain(worker.id)
        jobs = sleeps(jobdeck, MOST + 1, seconds=0.5, steps=1)
        until(lambda: client.jobs.get(jobs[-1]).wait[0].reason == "no_worker", "nobody takes it")
    jobdeck.worker("w2")
    all_succeeded(jobdeck, jobs)
    assert {jobdeck.job(job).worker for job in jobs} == {"w2"}


@pytest.fixture
def own() -> Iterator[OwnPostgres]:
    with own_postgres() as server:
        yield server


def test_the_database_is_stopped_and_started(home: Path, own: OwnPostgres) -> None:
    limit = {"project:default": MOST}
    with (
        installation(home, own.url, lease_seconds=str(LEASE), project_limit=str(MOST)) as jobdeck,
        claims_log(own.url, limit),
    ):
        up = jobdeck.up()
        jobs = sleeps(jobdeck, MOST, seconds=10.0, steps=1) + sleeps(jobdeck, 1, steps=1)
        for job in jobs[:MOST]:
            jobdeck.until_state(job, "running")
        before = {job: now for job, now in begun(own.url, jobs[:MOST]).items() if now.state == "running"}
        own.crash()
        until(lambda: health_of(jobdeck.url)["status"] == "unavailable", "the server says that its database is away")
        time.sleep(LEASE)  # how long it is away, which is what is tested: what ran has to begin anew
        own.start()
        until_begun_again(own.url, before, time.monotonic())
        all_succeeded(jobdeck, jobs)
        assert up.stop() == 0
