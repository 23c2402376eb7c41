"""What the database itself tells of jobs: how often they were begun, and that they ended once."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from tests.faults.installation import until

RECOVERY_SECONDS = 15.0
"""After any fault, work goes on within this time."""
LEAD_SECONDS = 10.0
"""After a leader is gone, another server leads within this time."""
START_SECONDS = 4.0
"""What it may cost of that to start a process; a machine that is busy with tests takes longer, which says nothing."""


def on_this_machine(seconds: float) -> float:
    """What `seconds` of a machine that keeps up are here: longer by as many processes as wait for each core.

    How fast work goes on is a promise for such a machine. Where tests run beside each other, processes wait, and
    the load as the system tells it lags by a minute; a test that runs alone is held to the promise itself."""
    crowd = float(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return seconds * max(crowd, os.getloadavg()[0] / (os.cpu_count() or 1))


class Begun(NamedTuple):
    """How often a job was given to a worker, how often its tasks were started, and what has become of it."""

    epoch: int
    tasks: int
    state: str


def connect(url: str) -> Any:
    """A connection that only looks, past all of Jobdeck; each statement sees what is committed."""
    if url.startswith("sqlite"):
        path = Path(url.partition("///")[2])
        return sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=1, check_same_thread=False)
    return psycopg.connect(url.replace("+psycopg", ""), autocommit=True, connect_timeout=3,
                           options="-c statement_timeout=3s")  # fmt: skip


def ask(url: str, query: str) -> list[tuple[Any, ...]]:
    """The answer to one query."""
    with contextlib.closing(connect(url)) as connection:
        return [tuple(row) for row in connection.execute(query).fetchall()]


def begun(url: str, jobs: Iterable[int]) -> dict[int, Begun]:
    """Of each of `jobs`."""
    query = f"""SELECT j.id, j.epoch, (SELECT coalesce(sum(t.attempts), 0) FROM tasks t WHERE t.job_id = j.id), j.state
                FROM jobs j WHERE j.id IN ({_listed(jobs)})"""
    return {job: Begun(epoch, int(tasks), state) for job, epoch, tasks, state in ask(url, query)}


def until_begun_again(
    url: str, before: Mapping[int, Begun], since: float, *, same_lease: bool = False, seconds: float = RECOVERY_SECONDS
) -> None:
    """Return when all jobs have been begun anew; fails unless they were within `seconds` of the fault, at `since`.

    The state of a job says nothing about that: it is `running` until somebody has noticed that its worker is dead.
    `before` is how they were at the fault; with `same_lease` they may stay with their worker, and only tasks begin."""

    def look() -> bool:
        return all(again(now, before[job]) for job, now in begun(url, before).items())

    def again(now: Begun, then: Begun) -> bool:
        anew = same_lease or now.epoch > then.epoch
        return anew and (now.tasks > then.tasks or now.state == "succeeded" != then.state)

    assert before, "no job was under way"
    try:
        until(look, "all were begun again", on_this_machine(seconds) - (time.monotonic() - since))
    except AssertionError as error:
        raise AssertionError(f"{error}: {before} became {begun(url, before)}") from None


def since_start(fault: float) -> float:
    """When the fault was, for a test that has just started the process that is to mend it."""
    return max(fault, time.monotonic() - START_SECONDS)


def assert_ended_once(url: str, jobs: Iterable[int]) -> None:
    """All succeeded, once; each was given out once in each epoch, each step succeeded once, and no lease is left."""
    wanted = list(jobs)
    counts: Counter[tuple[Any, ...]] = Counter()
    query = f"""SELECT job_id, kind, data FROM events
                WHERE kind IN ('succeeded', 'started', 'step.succeeded') AND job_id IN ({_listed(wanted)})"""
    for job, kind, text in ask(url, query):
        data = json.loads(text)
        counts[job, kind, data.get("attempt"), data.get("epoch"), data.get("step")] += 1
    assert {what: count for what, count in counts.items() if count != 1} == {}
    of_kind = Counter((job, kind) for job, kind, *_ in counts)
    assert {job: now.state for job, now in begun(url, wanted).items()} == dict.fromkeys(wanted, "succeeded")
    for job, now in begun(url, wanted).items():
        assert (of_kind[job, "succeeded"], of_kind[job, "started"]) == (1, now.epoch), (job, now, of_kind)
        steps = ask(url, f"SELECT count(*) FROM steps WHERE job_id = {job} AND state = 'succeeded'")
        assert steps == [(of_kind[job, "step.succeeded"],)], job
    assert ask(url, "SELECT count(*) FROM leases") == [(0,)]


def recorded(url: str) -> set[tuple[int, int, int]]:
    """The tasks whose success is recorded, as job, step and task: nothing may begin them again."""
    found = ask(url, "SELECT job_id, step_index, \"index\" FROM tasks WHERE state = 'succeeded'")
    return {(job, step, task) for job, step, task in found}


def running_on(url: str, worker: str) -> dict[int, Begun]:
    """The jobs that the database says a worker runs."""
    found = ask(url, f"SELECT id FROM jobs WHERE leased AND worker = '{worker}'")
    return begun(url, (job for (job,) in found)) if found else {}


def leader(url: str) -> str | None:
    """Who leads, or led last: `machine:process:…`."""
    found = ask(url, "SELECT holder FROM leadership")
    return str(found[0][0]) if found else None


def _listed(jobs: Iterable[int]) -> str:
    return ", ".join(str(int(job)) for job in jobs)
