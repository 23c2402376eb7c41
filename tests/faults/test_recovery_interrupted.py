"""Killed while it recovers from being killed; the leader killed; worker and leader at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.claims_log import claims_log
from tests.faults.history import (
    LEAD_SECONDS,
    Begun,
    begun,
    leader,
    on_this_machine,
    running_on,
    since_start,
    until_begun_again,
)
from tests.faults.installation import Installation, installation, until
from tests.faults.test_many_processes import all_succeeded, sleeps

LEASE = 2.0
LIMITS = {"project:default/type:sleep": 4}


@pytest.fixture
def jobdeck(home: Path, database_url: str) -> Iterator[Installation]:
    with installation(home, database_url, lease_seconds=str(LEASE), project_limit="50", workers="4") as made:
        yield made


MOMENTS = {"as it starts": (0.0, 0.3), "before": (0.8, 1.5), "after": (1.5, 2.5)}
"""Two kills and no third: three times without progress, and a job fails by design. A slow machine makes none."""


@pytest.mark.parametrize(
    ("database_url", "moments"),
    [
        ("sqlite", MOMENTS["as it starts"]),
        ("sqlite", MOMENTS["after"]),
        ("postgres", MOMENTS["before"]),
        ("postgres", MOMENTS["after"]),
    ],
    indirect=["database_url"],
)
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
        began, left = 0.0, begun(database_url, jobs)
        for moment in moments:
            up.kill()
            fault, left = time.monotonic(), begun(database_url, jobs)
            up = jobdeck.up()
            began = since_start(fault)
            time.sleep(moment)  # when it is killed again, which is what is tested
        until_begun_again(database_url, next_in_line(left), began)
        all_succeeded(jobdeck, jobs)
        assert {jobdeck.job(j).attempt for j in jobs} == {1}


def next_in_line(left: dict[int, Begun]) -> dict[int, Begun]:
    """Those that somebody who is dead still holds; if there are none, the first that waits."""
    held = {job: now for job, now in left.items() if now.state == "running"}
    return held or dict([next((job, now) for job, now in left.items() if now.state == "pending")])


def test_leader_and_worker_killed_at_once(home: Path, postgres_database_url: str) -> None:
    url = postgres_database_url
    settings = {"lease_seconds": str(LEASE), "project_limit": "50", "workers": "4"}
    with installation(home, url, **settings) as jobdeck:
        first = jobdeck.server()
        until(lambda: leader(url), "the first server leads")
        jobdeck.server()
        dying, _ = jobdeck.worker("w1"), jobdeck.worker("w2")
        with claims_log(url, LIMITS), jobdeck.client() as client:
            client.limits.set("type:sleep", 4)
            jobs = sleeps(jobdeck, 5, seconds=3.0, steps=1)
            until(lambda: running_on(url, "w1"), "the first worker has some")
            before = leader(url)
            first.kill()
            dying.kill()
            began, mine = time.monotonic(), running_on(url, "w1")
            until(lambda: leader(url) != before, "the other server leads", on_this_machine(LEAD_SECONDS))
            until_begun_again(url, mine, began)
            assert not running_on(url, "w1")
            all_succeeded(jobdeck, jobs)
