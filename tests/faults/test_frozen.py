"""Processes that freeze for longer than their leases, and wake: what was done stays done, and nothing late lands."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import psutil

from jobdeck.engine.scheduling.scheduler import LEAD_SECONDS as LEAD
from tests.faults.claims_log import claims_log
from tests.faults.history import ask, begun, recorded, running_on, until_begun_again
from tests.faults.installation import Process, installation, until
from tests.faults.other_types import begun_units, units_of
from tests.faults.test_many_processes import all_succeeded

MOST = 3


def signal_all(process: Process, number: int) -> None:
    """To the process and all that it started."""
    for one in (psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)):
        one.send_signal(number)


def test_all_of_an_installation_freezes_and_wakes(
    home: Path, sqlite_database_url: str, tmp_path: Path, other_types: None
) -> None:
    """On SQLite, where one process leads and works, as a paused container: its lead and its leases have run out.

    Who wakes first decides: a lease that is renewed before anybody takes it away goes on, else its job begins anew."""
    url, file = sqlite_database_url, tmp_path / "units"
    with (
        installation(home, url, lease_seconds="2", project_limit=str(MOST), workers="4", worker_name="w") as jobdeck,
        claims_log(url, {"project:default": MOST}),
    ):
        up = jobdeck.up()
        with jobdeck.client() as client:
            jobs = [client.jobs.submit("units", {"file": str(file), "seconds": 0.8}).id for _ in range(MOST + 1)]
        until(lambda: len(running_on(url, "w")) == MOST and len(recorded(url)) >= MOST, "all run and some is done")
        signal_all(up, signal.SIGSTOP)
        done, before = recorded(url), running_on(url, "w")
        time.sleep(LEAD + 1.0)  # how long it is frozen, which is what is tested
        signal_all(up, signal.SIGCONT)
        until_begun_again(url, before, time.monotonic(), same_lease=True)
        all_succeeded(jobdeck, jobs)
        units = begun_units(file)
        assert units.keys() == units_of(jobs).keys()
        assert {unit: units[unit] for unit in done} == dict.fromkeys(done, 1)
        assert up.stop() == 0


def test_a_light_task_in_a_frozen_worker_writes_in_vain(
    home: Path, postgres_database_url: str, tmp_path: Path, other_types: None
) -> None:
    """No guardian can kill a thread: when the worker wakes, it goes on and ends, as if nothing had happened."""
    url = postgres_database_url
    with installation(home, url, lease_seconds="2") as jobdeck:
        jobdeck.server()
        frozen = jobdeck.worker("w1")
        with jobdeck.client() as client:
            job = client.jobs.submit("late", {"folder": str(tmp_path)}).id
        until(lambda: begun(url, [job])[job].tasks, "its task is begun")
        other = jobdeck.worker("w2")
        frozen.signal(signal.SIGSTOP)
        until_begun_again(url, begun(url, [job]), time.monotonic())
        there = rows_of(url, job)
        (tmp_path / str(frozen.pid)).touch()
        frozen.signal(signal.SIGCONT)
        until(lambda: "lease_lost" in frozen.log.read_text(), "it was told")
        assert rows_of(url, job) == there
        (tmp_path / str(other.pid)).touch()
        all_succeeded(jobdeck, [job])
        ended = jobdeck.job(job)
        assert (ended.result, ended.warnings, ended.worker) == (other.pid, 1, "w2")


def rows_of(url: str, job: int) -> list[list[tuple[object, ...]]]:
    """All that there is about the job."""
    tables = {"jobs": "id", "steps": "job_id", "tasks": "job_id", "events": "job_id", "lineage": "job_id"}
    return [ask(url, f"SELECT * FROM {table} WHERE {key} = {job}") for table, key in tables.items()]
