"""The disk fills up under load, for real; then there is room again, and nobody has to do anything."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pytest
from deltalake import DeltaTable

from jobdeck import Client
from jobdeck.client.errors import ServerFailed
from tests.faults.claims_log import claims_log
from tests.faults.history import RECOVERY_SECONDS, on_this_machine
from tests.faults.installation import Installation, Process, installation, until
from tests.faults.own_postgres import own_postgres
from tests.faults.small_disk import SmallDisk, small_disk
from tests.faults.test_many_processes import sleeps

LEASE = 2.0
FULL_SECONDS = 3 * LEASE
LIMITS = {"project:default/type:sleep": 2}
FULL = ("disk is full", "No space left")


def submit_until_refused(jobdeck: Installation, most: int = 4000) -> tuple[list[int], ServerFailed]:
    """Jobs that were accepted before the disk was full, and how the next one was refused."""
    accepted: list[int] = []
    with Client(url=jobdeck.url, home=jobdeck.home, attempts=1) as client:
        for _ in range(most):
            try:
                accepted.append(client.jobs.submit("noop", description="x" * 2000).id)
            except ServerFailed as error:
                return accepted, error
    raise AssertionError("the disk never was full")


def all_end(jobdeck: Installation, jobs: list[int]) -> None:
    """Every accepted job is there and succeeds; the first of those that waited within the bound."""
    until(lambda: jobdeck.job(jobs[-1]).state == "succeeded", "work goes on", on_this_machine(RECOVERY_SECONDS))
    with jobdeck.client() as client:
        until(lambda: client.jobs.counts().get("succeeded") == len(jobs), f"all {len(jobs)} succeeded")
        assert {j.id for j in client.jobs.list()} == set(jobs)


def test_the_disk_of_the_home_is_full() -> None:
    with (
        small_disk(64) as disk,
        installation(disk.folder, f"sqlite:///{disk.folder / 'jobdeck.db'}", lease_seconds=str(LEASE)) as jobdeck,
    ):
        up, refused = full_for_a_while(jobdeck, disk, lambda: None)
        assert (refused.status, refused.problem.code) == (503, "disk_full"), refused
        assert any(words in up.log.read_text() for words in FULL)
        assert up.stop() == 0


def test_the_disk_of_the_tables_of_postgres_is_full(home: Path, tmp_path: Path) -> None:
    """PostgreSQL goes on and says what is wrong: so do the answer and the log."""
    with (
        own_postgres(tmp_path) as own,
        small_disk(64) as disk,
        installation(home, own.database_on(disk.folder), lease_seconds=str(LEASE)) as jobdeck,
    ):
        up, refused = full_for_a_while(jobdeck, disk, lambda: None)
        assert (refused.status, refused.problem.code) == (503, "disk_full"), refused
        assert any(words in up.log.read_text() for words in FULL)
        assert up.stop() == 0


def test_the_disk_of_postgres_is_full(home: Path) -> None:
    """Where it cannot write ahead, it goes down, often before it can say why; what supervises it starts it again."""
    with (
        small_disk(160) as disk,
        own_postgres(disk.folder) as own,
        installation(home, own.url, lease_seconds=str(LEASE)) as jobdeck,
    ):
        up, refused = full_for_a_while(jobdeck, disk, own.start)
        assert refused.status == 503, refused
        assert refused.problem.code in ("disk_full", "unavailable"), refused
        assert refused.problem.detail.rstrip(".") in up.log.read_text(), "the log says more than the answer"
        assert up.stop() == 0


def full_for_a_while(
    jobdeck: Installation, disk: SmallDisk, afterwards: Callable[[], None]
) -> tuple[Process, ServerFailed]:
    """Jobs run and are submitted until there is no room; then there is room, and all that were accepted succeed."""
    up = jobdeck.up()
    with claims_log(jobdeck.database_url, LIMITS):
        with jobdeck.client() as client:
            client.limits.set("type:sleep", 2)
        jobs = sleeps(jobdeck, 3, seconds=2.0, steps=2)
        for job in jobs[:2]:
            jobdeck.until_state(job, "running")
        disk.fill()
        more, refused = submit_until_refused(jobdeck)
        time.sleep(FULL_SECONDS)  # how long it is full, which is what is tested
        disk.make_room()
        afterwards()
        all_end(jobdeck, jobs + more)
    return up, refused


@pytest.mark.parametrize("which", ["home", "storage"])
def test_health_names_the_folder_whose_disk_is_full(home: Path, which: str) -> None:
    with small_disk(64) as disk:
        settings = {"storage_url": (disk.folder / "storage").as_uri()} if which == "storage" else {}
        own = disk.folder / "storage" if which == "storage" else disk.folder
        with installation(home if which == "storage" else own, "", **settings) as jobdeck:
            jobdeck.up()
            with jobdeck.client() as client:
                until(lambda: client.health().status == "ok", "all is well")
                disk.fill()
                until(lambda: "disk" in client.health().parts, "it is told")
                found = client.health()
                assert found.status in ("degraded", "unavailable"), found
                told = found.parts["disk"]
                assert told["status"] == "full"
                assert "Make room" in told["hint"]
                assert which in told["full"][str(own)]
                assert "No space left" in told["full"][str(own)]
                said = subprocess.run(
                    [sys.executable, "-m", "jobdeck.cli.main", "health"],
                    env={**os.environ, "JOBDECK_HOME": str(jobdeck.home)},
                    capture_output=True, text=True, check=False,
                )  # fmt: skip
                assert said.returncode != 0
                assert f"disk: {own}: " in said.stdout
                disk.make_room()
                until(lambda: client.health().status == "ok", "it goes on by itself")


@pytest.mark.parametrize(("ci", "told"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_where_no_disk_can_be_had_that_is_told_and_fails_in_ci(
    monkeypatch: pytest.MonkeyPatch, ci: str, told: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(told, match="A DISK THAT IS FULL WAS NOT TESTED"), small_disk(megabytes=-1):
        pass


def test_the_disk_of_the_lake_is_full(home: Path, tmp_path: Path) -> None:
    """An import says that the disk is full and keeps what it did; resumed, it ends with exactly the data."""
    rows = 400_000
    source = tmp_path / "sources" / "ids.csv"
    source.parent.mkdir()
    pa.csv.write_csv(pa.table({"id": pa.array(range(rows), pa.int64()), "text": ["some words"] * rows}), source)
    with small_disk(24) as disk:
        settings = {"storage_url": (disk.folder / "storage").as_uri(), "allowed_paths": str(source.parent)}
        with installation(home, "", lease_seconds=str(LEASE), **settings) as jobdeck:
            jobdeck.up()
            with jobdeck.client() as client:
                disk.fill()
                job = client.jobs.submit("import", {"files": [str(source)], "into": "lake/in.shop/ids"}).id
                failed = jobdeck.until_state(job, "failed")
                assert failed.error is not None
                assert failed.error.code == "disk_full", failed.error
                disk.make_room()
                client.jobs.resume(job)
                jobdeck.until_state(job, "succeeded")
        assert_ids(disk, rows)


def assert_ids(disk: SmallDisk, rows: int) -> None:
    table = DeltaTable((disk.folder / "storage/projects/default/lake/in.shop/ids").as_uri())
    assert sorted(table.to_pyarrow_table(columns=["id"]).column("id").to_pylist()) == list(range(rows))
