"""A server on SQLite that was killed: the next one waits for no lease, and for what the first one left to be dead."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.faults.history import begun, until_begun_again
from tests.faults.installation import PATIENCE, Installation, Process, installation, until
from tests.faults.test_default_lease import under_way

LEASE = 10 * PATIENCE


@pytest.fixture
def jobdeck(home: Path, sqlite_database_url: str) -> Iterator[Installation]:
    """Leases that last longer than any test."""
    with installation(home, sqlite_database_url, workers="2", lease_seconds=str(LEASE)) as made:
        yield made


def guardians(up: Process) -> list[psutil.Process]:
    return [c for c in psutil.Process(up.pid).children() if "jobdeck.executors.guardian" in c.cmdline()]


def lives(pid: int) -> bool:
    return psutil.pid_exists(pid) and bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)


def test_the_next_start_waits_for_no_lease(jobdeck: Installation) -> None:
    up = jobdeck.up()
    before, tasks = under_way(jobdeck), up.task_processes()
    up.kill()
    jobdeck.up()
    assert tasks
    assert not [pid for pid in tasks if lives(pid)], "what the first one left is dead before the next one begins"
    until_begun_again(jobdeck.database_url, before, time.monotonic(), seconds=PATIENCE)
    with jobdeck.client() as client:
        assert [worker.state for worker in client.workers.list() if worker.slots].count("gone") == 1


def test_nobody_starts_before_the_guardian_of_the_killed_one_has_ended_its_tasks(jobdeck: Installation) -> None:
    up = jobdeck.up()
    before, guarding = under_way(jobdeck), guardians(up)
    assert guarding
    for guardian in guarding:
        guardian.send_signal(signal.SIGSTOP)
    try:
        up.kill()
        refused = jobdeck._start(["up", "--port", "0"], {})
        assert refused._process.wait(PATIENCE) != 0
        assert "is running in" in refused.log.read_text()
        assert begun(jobdeck.database_url, before) == before
    finally:
        for guardian in guarding:
            os.kill(guardian.pid, signal.SIGCONT)
    until(lambda: not any(lives(guardian.pid) for guardian in guarding), "the guardians have ended")
    jobdeck.up()
    until_begun_again(jobdeck.database_url, before, time.monotonic(), seconds=PATIENCE)
