"""Killed while it recovers from being killed; the leader killed; worker and leader at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.faults.claims_log import claims_log
from tests.faults.installation import Installation, installation, until
from tests.faults.test_many_processes import all_succeeded, assert_each_task_recorded_once, leader, sleeps

LEASE = 2.0
RECOVERY_SECONDS = 15.0
LIMITS = {"project:default": 50, "project:default/type:sleep": 4}


@pytest.fixture
def jobdeck(home: Path, database_url: str) -> Iterator[Installation]:
    with installation(home, database_url, lease_seconds=str(LEASE), project_limit="50", workers="4") as made:
        yield made


@pytest.mark.parametrize("moments", [(0.0, 0.3, 0.8), (0.1, 1.5, 2.5)])
def test_killed_in_the_middle_of_a_recovery(
    jobdeck: Installation, database_url: str, moments: tuple[float, ...]
) -> None:
    """Again and again: as it starts, before and after its leases ran out, and as the jobs are given out anew."""
    up = jobdeck.up()
    with claims_log(database_url, LIMITS):
        with jobdeck.client() as client:
            client.limits.set("type:sleep", 4)
        jobs = sleeps(jobdeck, 8, seconds=0.5, steps=4)
        jobdeck.until_state(jobs[0], "running")
        for moment in moments:
            up.kill()
            up = jobdeck.up()
            time.sleep(moment)  # when it is killed again, which is what is tested
        began = time.monotonic()
        until(lambda: any(jobdeck.job(j).state in ("running", "succeeded") for j in jobs), "work goes on")
        assert time.monotonic() - began < RECOVERY_SECONDS
        all_succeeded(jobdeck, jobs)
        assert {jobdeck.job(j).attempt for j in jobs} == {1}


def test_leader_and_worker_killed_at_once(home: Path, postgres_database_url: str) -> None:
    url = postgres_database_url
    settings = {"lease_seconds": str(LEASE), "project_limit": "50", "workers": "4"}
    with installation(home, url, **settings) as jobdeck, psycopg.connect(
        url.replace("+psycopg", ""), autocommit=True
    ) as rows:  # fmt: skip
        first = jobdeck.server()
        until(lambda: leader(rows), "the first server leads")
        jobdeck.server()
        dying, _ = jobdeck.worker("w1"), jobdeck.worker("w2")
        with claims_log(url, LIMITS), jobdeck.client() as client:
            client.limits.set("type:sleep", 4)
            jobs = sleeps(jobdeck, 4, seconds=2.0, steps=2)
            mine = until(lambda: [j for j in jobs if jobdeck.job(j).worker == "w1"], "the first worker has some")
            before = leader(rows)
            first.kill()
            dying.kill()
            began = time.monotonic()
            until(lambda: leader(rows) != before, "the other server leads", 10.0)
            until(lambda: all(jobdeck.job(j).worker == "w2" for j in mine), "its jobs go on elsewhere")
            assert time.monotonic() - began < RECOVERY_SECONDS
            all_succeeded(jobdeck, jobs)
            assert_each_task_recorded_once(rows, jobs)
