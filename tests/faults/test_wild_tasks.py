"""Tasks that ignore signals, leave processes about, or hog their interpreter, in a real worker: what ends, is dead."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from jobdeck.client import NotFound
from tests.faults.claims_log import claims_log
from tests.faults.installation import Installation, installation, until

LIMITS = {"project:default/type:command": 1}
_FAMILY = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.environ.clear()
        code = "import time; time.sleep(600)  # grandchild " + sys.argv[1]
        os.execv(sys.executable, [sys.executable, "-S", "-c", code])
    time.sleep(600)
while True:
    time.sleep(1)
"""
_HOG = "import re, sys; sys.argv; re.match('(a*)*b', 'a' * 60)"
"""One call that runs for ever in C and lets no other thread of its interpreter run."""


@pytest.fixture
def database_url(sqlite_database_url: str) -> str:
    """One of them: what is alive does not depend on where it is recorded."""
    return sqlite_database_url


@pytest.fixture
def jobdeck(home: Path, database_url: str) -> Iterator[Installation]:
    with installation(home, database_url, allow_commands="true", lease_seconds="4") as made:
        yield made


def alive(mark: str) -> list[int]:
    """Processes with `mark` on their command line."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline", "status"])
        if mark in " ".join(process.info["cmdline"] or ())
        and process.info["status"] != psutil.STATUS_ZOMBIE
        and process.pid != os.getpid()
    ]


def test_what_a_program_started_is_dead_when_its_job_is(jobdeck: Installation, database_url: str) -> None:
    jobdeck.up()
    with jobdeck.client() as client, claims_log(database_url, LIMITS):
        client.limits.set("type:command", 1)
        mark = f"wild-{os.getpid()}-{time.monotonic_ns()}"
        argv = [sys.executable, "-S", "-c", _FAMILY, mark]
        job = client.jobs.submit("command", {"argv": argv}).id
        after = client.jobs.submit("command", {"argv": [sys.executable, "-c", ""]}).id
        until(lambda: len(alive(mark)) >= 3, "the family is there")
        client.jobs.cancel(job)
        jobdeck.until_state(job, "canceled")
        assert alive(mark) == []
        jobdeck.until_state(after, "succeeded")


def test_a_program_that_hogs_does_not_outlive_its_worker(jobdeck: Installation, database_url: str) -> None:
    up = jobdeck.up()
    mark = f"hog-{os.getpid()}"
    with jobdeck.client() as client:
        job = client.jobs.submit("command", {"argv": [sys.executable, "-S", "-c", _HOG, mark]}).id
    until(lambda: alive(mark), "it runs")
    up.kill()
    until(lambda: not alive(mark), "it died with its worker")
    jobdeck.up()
    until(lambda: alive(mark), "it runs again")
    with jobdeck.client() as client:
        client.jobs.cancel(job)
    jobdeck.until_state(job, "canceled")
    assert alive(mark) == []


def test_a_sleep_that_ignores_everything_can_be_canceled(jobdeck: Installation, database_url: str) -> None:
    jobdeck.up()
    with jobdeck.client() as client:
        job = client.jobs.submit("sleep", {"seconds": 600, "tasks": 2, "ignore_signals": True}).id
        jobdeck.until_state(job, "running")

        seen: set[int] = set()

        def both_alive() -> bool:
            """Whether both tasks are told to run, in processes that live. On a busy machine the lease may run out in
            between; then they are killed and begin again."""
            try:
                begun = [task.host or "" for task in client.jobs.tasks(job, 0, state="running")]
            except NotFound:  # it runs, and its first step is being planned
                return False
            pids = {int(host.rpartition(":")[2]) for host in begun}
            seen.update(pids)
            return len(pids) == 2 and all(psutil.pid_exists(pid) for pid in pids)

        until(both_alive, "its tasks run")
        client.jobs.cancel(job)
        jobdeck.until_state(job, "canceled")
        assert not [pid for pid in seen if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]
