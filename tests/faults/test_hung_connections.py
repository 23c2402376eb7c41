"""Connections that hang without being closed, and databases that answer nothing: worse than those that are gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from jobdeck.core.errors import Unavailable
from jobdeck.store.sql.database import Database, Tx
from tests.faults.claims_log import claims_log
from tests.faults.history import begun, running_on, until_begun_again
from tests.faults.installation import Installation, health_of, installation, until
from tests.faults.own_postgres import OwnPostgres, own_postgres
from tests.faults.proxy import proxy
from tests.faults.test_many_processes import all_succeeded, sleeps

LEASE = 4.0
LIMITS = {"project:default/type:sleep": 4}


@pytest.fixture(scope="module")
def own() -> Iterator[OwnPostgres]:
    with own_postgres() as server:
        yield server


@pytest.fixture
def database(own: OwnPostgres, request: pytest.FixtureRequest) -> str:
    """The name of an empty database there."""
    name = f"hung_{abs(hash(request.node.name)) % 10**9}"
    with psycopg.connect(own.uri, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return name


@pytest.fixture
def url(own: OwnPostgres, database: str) -> str:
    return own.url.replace("/postgres?", f"/{database}?")


@pytest.fixture
def jobdeck(home: Path, url: str) -> Iterator[Installation]:
    with installation(home, url, lease_seconds=str(LEASE), project_limit="50", workers="4") as made:
        yield made


def test_a_worker_whose_connection_hangs_loses_its_jobs_and_writes_nothing(
    jobdeck: Installation, own: OwnPostgres, database: str, url: str
) -> None:
    jobdeck.server()
    with proxy(own.socket) as between, jobdeck.client() as client, claims_log(url, LIMITS):
        client.limits.set("type:sleep", 4)
        cut_off = jobdeck.worker("w1", database_url=between.url(database))
        jobdeck.worker("w2")
        jobs = sleeps(jobdeck, 4, seconds=8.0, steps=1)
        for job in jobs:
            jobdeck.until_state(job, "running")
        jobs += sleeps(jobdeck, 2, seconds=0.2)
        tasks = cut_off.task_processes()
        between.hang()
        began, mine = time.monotonic(), running_on(url, "w1")

        def dead() -> bool:
            given_away = running_on(url, "w1") != mine  # looked at first: what lives after that lives too long
            alive = set(tasks) & set(cut_off.task_processes())
            assert not (given_away and alive), f"{alive} live, and their jobs were given away"
            return not alive

        until(dead, "its tasks are dead")
        until_begun_again(url, mine, began)
        assert not running_on(url, "w1")
        epochs = {job: now.epoch for job, now in begun(url, jobs).items()}
        between.go_on()
        until(lambda: any((w.name, w.state) == ("w1", "live") for w in client.workers.list()), "the first one is back")
        assert {job: now.epoch for job, now in begun(url, jobs).items()} == epochs
        all_succeeded(jobdeck, jobs)
        more = sleeps(jobdeck, 8, seconds=1.0)
        all_succeeded(jobdeck, more)
        assert {jobdeck.job(job).worker for job in more} == {"w1", "w2"}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # what is broken off is closed by no one
async def test_connections_that_are_forgotten_are_given_up_and_made_anew(own: OwnPostgres, database: str) -> None:
    """Those that there were hang for ever, and nothing ever says so."""
    with proxy(own.socket) as between:
        there = Database(between.url(database), patience=1.0)
        await asyncio.gather(*(there.now() for _ in range(5)))
        between.forget()
        began = time.monotonic()
        found = await asyncio.gather(*(there.now() for _ in range(5)), return_exceptions=True)
        assert time.monotonic() - began < 30
        assert all(isinstance(f, Unavailable | int) for f in found), found
        assert await there.now() > 0
        between.hang()
        began = time.monotonic()
        with pytest.raises(Unavailable, match="does not answer"):
            await there.now()
        assert time.monotonic() - began < 30
        await there.close()


async def test_a_session_that_the_server_broke_off_is_no_mistake_of_the_job(url: str) -> None:
    """It does so to who was silent in a transaction, frozen or cut off; what was to be written is tried again."""
    there, silences = Database(url), iter([0.5, 0.5, 0.0])

    async def silent(tx: Tx, seconds: float) -> None:
        await tx.connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = '100ms'"))
        await asyncio.sleep(seconds)  # how long it is silent, which is what is tested
        await tx.connection.execute(text("SELECT 1"))

    await there.transact(lambda tx: silent(tx, next(silences)))
    assert not list(silences)
    with pytest.raises(Unavailable, match="does not answer"):
        await there.transact(lambda tx: silent(tx, 0.5))
    assert await there.now() > 0
    await there.close()


def test_a_server_whose_connection_hangs_is_not_ready_and_heals(
    home: Path, own: OwnPostgres, database: str, url: str
) -> None:
    with (
        proxy(own.socket) as between,
        installation(home, between.url(database), lease_seconds=str(LEASE), project_limit="2") as jobdeck,
    ):
        jobdeck.up()
        until(lambda: health_of(jobdeck.url)["status"] == "ok", "it is well")
        with claims_log(url, {"project:default": 2}):
            jobs = sleeps(jobdeck, 3, seconds=4.0, steps=1)
            for job in jobs[:2]:
                jobdeck.until_state(job, "running")
            between.hang()
            began, before = time.monotonic(), begun(url, jobs[:2])
            until(lambda: health_of(jobdeck.url)["status"] == "unavailable", "it says that its database is away")
            assert time.monotonic() - began < 30
            time.sleep(1.5 * LEASE)  # how long it hangs, which is what is tested
            between.go_on()
            began = time.monotonic()
            until(lambda: health_of(jobdeck.url)["status"] == "ok", "it is well again")
            until_begun_again(url, before, began)
            all_succeeded(jobdeck, jobs)


def test_a_database_that_freezes(jobdeck: Installation, own: OwnPostgres, url: str) -> None:
    jobdeck.server()
    jobdeck.server()
    jobdeck.worker("w1")
    jobdeck.worker("w2")
    with claims_log(url, LIMITS), jobdeck.client() as client:
        client.limits.set("type:sleep", 4)
        jobs = sleeps(jobdeck, 4, seconds=8.0, steps=1)
        for job in jobs:
            jobdeck.until_state(job, "running")
        before = begun(url, jobs)
        jobs += sleeps(jobdeck, 2, seconds=0.2)
        own.freeze()
        time.sleep(1.5 * LEASE)  # how long it is frozen, which is what is tested
        own.thaw()
        until_begun_again(url, before, time.monotonic())
        all_succeeded(jobdeck, jobs)
