"""What a job type is asked at submit runs in processes that are killed: nobody else waits for it, or suffers."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from jobdeck.core.errors import Conflict, InvalidInput, JobdeckError
from jobdeck.engine.hooks import HookProcesses
from tests.engine.harness import Engine, running
from tests.engine.wayward import Plain, Wayward

SECONDS = 3.0
LONG = 120.0
PLACES = ["params", "check", "claims", "writes", "subject", "description"]
HANGING = ["sleep", "busy", "deaf"]
BROKEN = {
    "exit": "status 7", "quit": "SystemExit: 3", "interrupt": "KeyboardInterrupt", "allocate": "ran out of memory",
    "other": "RuntimeError: other",
}  # fmt: skip


@pytest.fixture
async def site(sqlite_url: str, home: Path) -> AsyncIterator[Engine]:
    hooks = HookProcesses(4, check_seconds=SECONDS, memory_limit=200 * 1024 * 1024)
    async with running(sqlite_url, home, types=[Wayward, Plain], hooks=hooks, workers=0) as engine:
        yield engine


@pytest.fixture
async def patient(sqlite_url: str, home: Path) -> AsyncIterator[Engine]:
    """Its checks may take so long that nobody could wait for one to be killed."""
    hooks = HookProcesses(4, check_seconds=LONG)
    async with running(sqlite_url, home, types=[Wayward, Plain], hooks=hooks, workers=0) as engine:
        await engine.add_project("other")
        yield engine


async def refused(site: Engine, place: str, how: str, **facts: str) -> JobdeckError:
    with pytest.raises(JobdeckError) as found:
        await site.submit("wayward", place=place, how=how, **facts)
    return found.value


def alive(mark: Path) -> list[int]:
    pids = [int(line) for line in mark.read_text().split()] if mark.exists() else []
    return [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]


async def until_marked(mark: Path, count: int = 1) -> None:
    async with asyncio.timeout(60):
        while not mark.exists() or len(mark.read_text().split()) < count:  # noqa: ASYNC110  (another process does it)
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("place", PLACES)
async def test_what_hangs_is_killed_and_told(site: Engine, tmp_path: Path, place: str) -> None:
    for how in HANGING if place == "check" else HANGING[:1]:
        mark = tmp_path / how
        began = time.monotonic()
        error = await refused(site, place, how, mark=str(mark))
        assert (error.code, error.kind, error.field) == ("check_timed_out", "invalid", "type")
        assert "'wayward'" in error.message
        assert error.hint is not None
        assert time.monotonic() - began < SECONDS + 20
        assert alive(mark) == []
    assert await site.events(job=1) == []


@pytest.mark.parametrize("place", ["params", "check", "description"])
@pytest.mark.parametrize("how", BROKEN)
async def test_what_breaks_is_told(site: Engine, place: str, how: str) -> None:
    error = await refused(site, place, how)
    assert isinstance(error, InvalidInput)
    assert "'wayward'" in error.message
    assert BROKEN[how] in error.message
    assert await site.submit("wayward") > 0


async def test_what_leaves_traces_harms_nobody(site: Engine, tmp_path: Path) -> None:
    where = os.getcwd()
    for how in ("fork", "print", "move"):
        mark = tmp_path / how
        assert await site.submit("wayward", place="check", how=how, mark=str(mark)) > 0
        assert how != "fork" or alive(mark) == []
    assert (os.getcwd(), "LEFT" in os.environ) == (where, False)


async def test_it_runs_elsewhere_and_all_that_it_says_arrives(site: Engine) -> None:
    row = await site.job(await site.submit("wayward"))
    assert row["subject"] == "lake/x/y"
    assert row["description"].startswith("Goes astray in ")
    assert row["description"] != f"Goes astray in {os.getpid()}"
    assert '["project:default/wayward",2,"s"]' in row["claims"]


async def test_its_refusals_are_its_own(site: Engine) -> None:
    error = await refused(site, "check", "refuse")
    assert (error.code, error.field, error.hint) == ("invalid_input", "params.place", "Wait a week.")
    assert error.facts == {"moon": 1}
    other = await refused(site, "claims", "conflict")
    assert (other.code, other.kind) == (Conflict.code, Conflict.kind)
    with pytest.raises(InvalidInput) as wrong:
        await site.submit("wayward", place=5, how=[])
    assert wrong.value.code == "invalid_params"
    assert [e["field"] for e in wrong.value.facts["errors"]] == ["params.place", "params.how"]  # type: ignore[attr-defined]


async def test_a_batch_says_which_one_is_at_fault(site: Engine) -> None:
    good = site.submission("wayward", {})
    for how, code in (("refuse", "invalid_input"), ("other", "invalid_input")):
        bad = site.submission("wayward", {"place": "check", "how": how})
        with pytest.raises(InvalidInput) as found:
            await site.submit_all(good, site.submission("plain", {}), good, bad, good)
        assert found.value.code == code
        assert str(found.value.field).startswith("jobs[3].")
    assert len(await site.submit_all(*[good] * 200)) == 200


async def test_slow_checks_of_one_project_keep_nobody_else_waiting(patient: Engine, tmp_path: Path) -> None:
    mark = tmp_path / "slow"
    slow = [asyncio.create_task(patient.submit("wayward", place="check", how="gate", mark=str(mark))) for _ in range(8)]
    await until_marked(mark, 2)
    async with asyncio.timeout(LONG / 2):  # while none of the slow ones has ended
        assert await patient.submit("plain") > 0
        assert await patient.submit("wayward", project="other") > 0
    (tmp_path / "slow.open").touch()
    ended = await asyncio.gather(*slow, return_exceptions=True)
    assert all(isinstance(job, int) for job in ended)


async def test_one_who_goes_away_frees_the_place(patient: Engine, tmp_path: Path) -> None:
    mark = tmp_path / "gone"
    hanging = [
        asyncio.create_task(patient.submit("wayward", place="check", how="sleep", mark=str(mark))) for _ in range(2)
    ]
    await until_marked(mark, 2)
    began = time.monotonic()
    for task in hanging:
        task.cancel()
    assert await patient.submit("wayward") > 0
    assert time.monotonic() - began < LONG / 2
    await asyncio.gather(*hanging, return_exceptions=True)
    assert alive(mark) == []


async def test_what_brings_no_code_of_its_own_starts_no_process(site: Engine) -> None:
    assert len(await site.submit_all(*[site.submission("plain", {})] * 50)) == 50
    assert site.hooks is not None
    assert site.hooks._executor._idle == []  # type: ignore[attr-defined]
