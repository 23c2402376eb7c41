"""The jobs of a soak and the people who submit, cancel, pause and resume them; each says what must come of it."""

from __future__ import annotations

import random
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, LiteralString, TypeVar

import psycopg
import pyarrow as pa
import pyarrow.csv

from jobdeck import Client
from jobdeck.core.errors import JobdeckError
from jobdeck.wire.jobs import SubmitRequest
from tests.faults.soak_site import TABLES, Site

T = TypeVar("T")
MOST_OPEN = 60
ROWS = 20_000
ENDED = {"succeeded", "canceled"}
_ALONE = """
import fcntl, sys, time
with open(sys.argv[1], "a") as lock:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        open(sys.argv[1] + ".overlap", "a").write(sys.argv[2] + chr(10))
    time.sleep(float(sys.argv[3]))
"""
"""Two of these must never run at once, on whatever worker: the claims say so, and this sees it from the outside."""
_PAUSED: LiteralString = "SELECT id FROM jobs WHERE state = 'paused'"
"""With an error or without: a job that was paused between two tries keeps the error of the first."""
_LOST: LiteralString = "SELECT id FROM jobs WHERE state = 'failed' AND error_code = 'worker_lost'"


@dataclass
class Wanted:
    """A job as its submitter knows it. `rows`: the first id and the table of an import."""

    id: int
    type: str
    rows: tuple[int, int] | None = None
    asked: list[str] = field(default_factory=list)


class Load:
    """Two threads: one submits, one operates. Whoever finds a server dead asks the other one, with the same key."""

    def __init__(self, site: Site, seed: int) -> None:
        self._site = site
        self._dice = random.Random(seed + 1)
        self._people = random.Random(seed + 2)
        self._stop = threading.Event()
        self.jobs: dict[int, Wanted] = {}
        self._imports = 0
        self.refused: list[str] = []
        self.broken: list[str] = []
        """Errors that nobody expected in the load itself."""
        self._threads = [threading.Thread(target=self._guarded, args=(work,), daemon=True)
                         for work in (self._submit_one, self._operate_one)]  # fmt: skip

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(120)

    def let_all_end(self) -> None:
        """Resume what is paused."""
        self._resume(_PAUSED)

    def unended(self) -> list[int]:
        """Jobs that have not ended; those that lost too many workers in a row are resumed, as a person would."""
        self._resume(_LOST)
        self._resume(_PAUSED)
        with self._site.rows() as rows:
            found = rows.execute("SELECT id FROM jobs WHERE state NOT IN ('succeeded', 'canceled')").fetchall()
        return [int(str(row[0])) for row in found]

    def _resume(self, jobs: LiteralString) -> None:
        with self._site.rows() as rows:
            ids = [int(str(row[0])) for row in rows.execute(jobs).fetchall()]
        for job in ids:
            self._insist(lambda client, job=job: client.jobs.resume(job))  # type: ignore[misc]

    def _guarded(self, work: Callable[[], None]) -> None:
        while not self._stop.is_set():
            try:
                work()
            except psycopg.OperationalError:
                time.sleep(0.2)  # the database is away, as it is meant to be now and then
            except Exception as error:  # noqa: BLE001  (the account tells of it)
                self.broken.append(f"{type(error).__name__}: {error}")
                time.sleep(0.5)

    def _insist(self, ask: Callable[[Client], T]) -> T | None:
        """Ask until a server answers; None when it refuses for good."""
        for number in range(200):
            with self._site.client(number) as client:
                try:
                    return ask(client)
                except JobdeckError as error:
                    if error.kind != "unavailable" and getattr(error, "status", 503) < 500:
                        self.refused.append(f"{getattr(getattr(error, 'problem', None), 'code', error.code)}")
                        return None
            time.sleep(0.2)
        raise AssertionError("no server answered for a long time")

    def _submit_one(self) -> None:
        if sum(1 for _ in self._open()) >= MOST_OPEN:
            time.sleep(0.2)
        elif self._dice.random() < 0.2:
            self._submit_many(uuid.uuid4().hex)
        else:
            self._submit_job(uuid.uuid4().hex)

    def _submit_job(self, key: str) -> None:
        type_name, params, rows = self._some_job()
        priority = self._dice.randrange(10)
        made = self._insist(lambda client: client.jobs.submit(type_name, params, key=key, priority=priority))
        if made is not None:
            self.jobs[made.id] = Wanted(made.id, type_name, rows)
        time.sleep(self._dice.uniform(0.0, 0.15))

    def _submit_many(self, key: str) -> None:
        batch = [SubmitRequest(type="noop") for _ in range(25)]
        for job in self._insist(lambda client: client.jobs.submit_ids(batch, key=key)) or ():
            self.jobs[job] = Wanted(job, "noop")

    def _open(self) -> list[int]:
        with self._site.rows() as rows:
            return [row[0] for row in rows.execute(  # type: ignore[misc]
                "SELECT id FROM jobs WHERE state NOT IN ('succeeded', 'canceled')").fetchall()]  # fmt: skip

    def _some_job(self) -> tuple[str, Mapping[str, Any], tuple[int, int] | None]:
        dice = self._dice
        (kind,) = dice.choices(["noop", "sleep", "command", "import"], [10, 5, 2, 1])
        if kind == "sleep":
            return "sleep", {
                "seconds": dice.choice([0.1, 0.5, 1.5]), "steps": dice.randint(1, 2), "tasks": dice.randint(1, 2),
                "fail_step": 0, "fail_times": dice.choice([0, 0, 0, 1]), "retries": 2, "backoff": 0.2,
                "ignore_signals": dice.random() < 0.1,
            }, None  # fmt: skip
        if kind == "command":
            lock = str(self._site.folder / "alone")
            return kind, {"argv": [sys.executable, "-S", "-c", _ALONE, lock, "overlap", "0.3"]}, None
        if kind == "import":
            return kind, *self._some_import()
        return kind, {}, None

    def _some_import(self) -> tuple[Mapping[str, Any], tuple[int, int]]:
        number, self._imports = self._imports, self._imports + 1
        first, table = number * ROWS, number % TABLES
        path = self._site.sources / f"{number}.csv"
        ids = pa.array(range(first, first + ROWS), pa.int64())
        pa.csv.write_csv(pa.table({"id": ids, "text": [f"row {i}" for i in range(first, first + ROWS)]}), path)
        return {"files": [str(path)], "into": f"lake/in.soak/t{table}", "mode": "append"}, (first, table)

    def _operate_one(self) -> None:
        time.sleep(self._people.uniform(0.1, 0.6))
        verb = self._people.choice(["cancel", "pause", "pause", "resume", "resume", "priority", "restart"])
        open_jobs = self._open()
        if verb == "resume":
            with self._site.rows() as rows:
                open_jobs = [row[0] for row in rows.execute(  # type: ignore[misc]
                    "SELECT id FROM jobs WHERE state IN ('paused', 'failed')").fetchall()]  # fmt: skip
        if not open_jobs:
            return
        job = self._people.choice(open_jobs)
        if verb == "priority":
            self._insist(lambda client: client.jobs.set_priority(job, self._people.randrange(10)))
        elif self._insist(lambda client: getattr(client.jobs, verb)(job)) is not None and job in self.jobs:
            self.jobs[job].asked.append(verb)
