"""A job type that breaks: its job is refused or fails, and nothing else notices."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from jobdeck.core.errors import BrokenJobType, InvalidInput, Unavailable
from jobdeck.core.life.operations import Operation
from jobdeck.core.registry import TypeRegistry
from jobdeck.engine.hooks import HookProcesses
from jobdeck.jobs import trial
from jobdeck.jobs.registry import GROUP, load_types
from tests.engine.harness import Engine, at_gate, registered, running
from tests.engine.scripted import TYPES
from tests.engine.strange import Large, Strange


@pytest.fixture(params=["here", "in processes"])
async def engine(url: str, home: Path, request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    hooks = HookProcesses() if request.param == "in processes" else None
    async with running(url, home, types=[Strange, Large], hooks=hooks) as engine:
        yield engine


REFUSED = ["check", "claims", "claims: negative", "claims: text", "subject", "description", "description: none"]
FAILED = {
    "plan": "unexpected_error", "plan: exit": "unexpected_error", "plan: text": "bad_answer",
    "plan: no method": "bad_answer", "plan: unknown step": "bad_answer", "parts": "unexpected_error",
    "parts: many": "too_many_tasks", "parts: strange": "bad_answer", "parts: surrogate": "invalid_input",
    "work: exit": "unexpected_error", "work: text": "unexpected_error", "work: result": "result_not_storable",
    "work: large": "result_not_storable",
}  # fmt: skip


async def test_refused_where_it_is_looked_at(engine: Engine) -> None:
    for place in REFUSED:
        with pytest.raises(InvalidInput) as refused:
            await engine.submit_all(engine.submission("scripted", {}), engine.submission("strange", {"place": place}))
        assert refused.value.field == "jobs[1].type"
        assert "strange" in refused.value.message
    assert await engine.events(job=1) == []


async def test_fails_where_it_is_run(engine: Engine) -> None:
    jobs = {place: await engine.submit("strange", place=place) for place in FAILED}
    beside = await engine.submit()
    for place, job in jobs.items():
        row = await engine.until(job, "failed")
        assert (place, row["error_code"]) == (place, FAILED[place])
        assert "\0" not in row["error_message"]
    await engine.until(beside, "succeeded")
    assert await engine.leased() == set()


async def test_strange_keys_are_kept_readable(engine: Engine) -> None:
    job = await engine.submit("strange")
    await engine.until(job, "succeeded")
    (task,) = await engine.tasks(job)
    assert task["key"].startswith("a␀a␀")
    assert len(task["key"]) == 200


async def test_a_result_too_large_is_left_with_its_tasks(engine: Engine) -> None:
    job = await engine.submit("large")
    row = await engine.until(job, "succeeded")
    assert row["result"] is None
    assert [len(t["result"]) for t in await engine.tasks(job)] == [500_002] * 3
    assert any("too large together" in line for line in await engine.log(job))


async def test_a_plan_that_has_become_another(engine: Engine) -> None:
    job, _, plot = await at_gate(engine, "s1/0/0", steps=3)
    await engine.done(Operation.PAUSE, job)
    await engine.until(job, "paused")
    from sqlalchemy import update

    from jobdeck.store.schema import jobs

    shorter = update(jobs).where(jobs.c.id == job).values(params=f'{{"key": "{plot.key}", "steps": 1}}')
    await engine.database.transact(lambda tx: tx.connection.execute(shorter))
    await engine.done(Operation.RESUME, job)
    row = await engine.until(job, "failed")
    assert row["error_code"] == "plan_changed"
    assert "'s1'" in row["error_message"]


async def test_a_type_that_the_worker_lacks(quiet: Engine) -> None:
    await quiet.hire(types=["scripted", "undoable"], registry=TypeRegistry(registered([TYPES[0]])))
    job = await quiet.submit("undoable")
    row = await quiet.until(job, "failed")
    assert row["error_code"] == "unknown_job_type"
    beside = await quiet.submit("scripted")
    await quiet.until(beside, "succeeded")


async def test_leftovers_of_a_type_that_the_worker_lacks(engine: Engine) -> None:
    job, _, _ = await at_gate(engine, "s0/0/0", "undoable")
    await engine.done(Operation.PAUSE, job)
    await engine.until(job, "paused")
    await engine.fire(engine.hands[0])
    await engine.hire(types=["undoable"], registry=TypeRegistry([]))
    await engine.done(Operation.CANCEL, job)
    row = await engine.until(job, "canceled")
    assert row["warnings"] == 1
    (ended,) = [e for e in await engine.events(job) if e.kind == "canceled"]
    assert "does not know the job type" in ended.data["leftovers"]


async def test_an_environment_beyond_use(engine: Engine) -> None:
    engine.submitter._environments = _good
    engine.environment_error = ValueError("the secrets\0 cannot be read")
    job = await engine.submit()
    row = await engine.until(job, "failed")
    assert "the secrets␀ cannot be read" in row["error_message"]
    assert await engine.leased() == set()


async def test_an_environment_that_is_away_for_a_while(engine: Engine) -> None:
    engine.submitter._environments = _good
    engine.environment_error = Unavailable("The vault does not answer.")
    job = await engine.submit()
    await engine.until(job, "running")
    other = await engine.submit()
    await engine.until(other, "running")
    await engine.done(Operation.CANCEL, other)
    await engine.until(other, "canceled")
    engine.environment_error = None
    await engine.until(job, "succeeded")


async def _good(project: str) -> Any:
    from jobdeck.core.environment import Environment

    return Environment(project=project)


def test_broken_entry_points_are_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "others-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: others\nVersion: 1.0\n")
    modules = {
        "leaves": "import sys\nsys.exit(1)\n",
        "interrupts": "raise KeyboardInterrupt\n",
        "ends": "import os\nos._exit(3)\n",
        "crashes": "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n",
        "hangs": "import threading\nthreading.Event().wait()\n",
        "garbled": "def (:\n",
        "thief": (
            "from jobdeck import JobType\n\nclass Noop(JobType):\n    name = 'noop'\n    may_be_empty = True\n\n"
            "class Odd(JobType):\n    name = 'a/b'\n    may_be_empty = True\n"
        ),
    }
    points = {
        "missing": "no.such.module:Type", "plain": "json:dumps", "good": "tests.engine.strange:Strange",
        "thief": "thief:Noop", "odd": "thief:Odd",
        **{name: f"{name}_when_imported:Type" for name in modules if name != "thief"},
    }  # fmt: skip
    lines = "".join(f"{name} = {value}\n" for name, value in points.items())
    (package / "entry_points.txt").write_text(f"[{GROUP}]\n{lines}")
    for name, text in modules.items():
        (tmp_path / f"{name if name == 'thief' else name + '_when_imported'}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(trial, "PATIENCE", 15.0)
    importlib.invalidate_caches()
    registry = load_types({})
    broken = {b.name: b.reason for b in registry.broken}
    assert set(broken) == set(points) - {"good"}
    assert "taken by jobdeck.jobs.noop:Noop" in broken["thief"]
    assert "ended the process with status 3 (ends_when_imported:Type)" in broken["ends"]
    assert "with signal SIGSEGV" in broken["crashes"]
    assert "did not return within 15 seconds" in broken["hangs"]
    assert "SyntaxError" in broken["garbled"]
    assert "KeyboardInterrupt" in broken["interrupts"]
    assert registry.get("noop").implementation == "jobdeck.jobs.noop:Noop"
    assert registry.get("strange").implementation == "tests.engine.strange:Strange"
    with pytest.raises(BrokenJobType, match="'ends' could not be loaded: its import ended the process"):
        registry.get("ends")
