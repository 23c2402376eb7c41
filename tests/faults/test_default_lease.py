"""With the lease that nobody has changed, of ten seconds: whatever is killed, its work goes on within 15 s."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.history import Begun, begun, running_on, since_start, until_begun_again
from tests.faults.installation import Installation, installation, until
from tests.faults.test_many_processes import sleeps


@pytest.fixture
def jobdeck(home: Path, database_url: str) -> Iterator[Installation]:
    with installation(home, database_url, workers="2") as made:
        yield made


def under_way(jobdeck: Installation) -> dict[int, Begun]:
    """A job whose task runs longer than any test."""
    jobs = sleeps(jobdeck, 1, seconds=600.0, steps=1)

    def look() -> dict[int, Begun] | None:
        now = begun(jobdeck.database_url, jobs)
        return now if now[jobs[0]].tasks else None

    return until(look, "its task is begun")


def test_a_killed_task_process_then_all_of_a_server(jobdeck: Installation) -> None:
    url, up = jobdeck.database_url, jobdeck.up()
    before = under_way(jobdeck)
    killed = time.monotonic()
    for pid in up.task_processes():
        os.kill(pid, signal.SIGKILL)
    until_begun_again(url, before, killed, same_lease=True)
    up.kill()
    killed, before = time.monotonic(), begun(url, before)
    jobdeck.up()
    until_begun_again(url, before, since_start(killed))


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_a_killed_worker(jobdeck: Installation, database_url: str) -> None:
    jobdeck.server()
    dying = jobdeck.worker("w1")
    under_way(jobdeck)
    jobdeck.worker("w2")
    dying.kill()
    until_begun_again(database_url, running_on(database_url, "w1"), time.monotonic())
    assert running_on(database_url, "w2")
