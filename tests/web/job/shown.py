"""Jobs that several tests only look at, and logs that are written as workers write them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from functools import cached_property

from jobdeck.client import Client
from jobdeck.engine.logs import LogEntry, chunk_path, pack
from tests.web.deck import Deck
from tests.web.jobs.words import FAILING, LONG, Desk

EPOCH = 9
"""Of the logs that tests write: behind what workers wrote."""
MANY = 10_000


class Shown:
    """Each job is made when the first test asks for it."""

    def __init__(self, deck: Deck, client: Client) -> None:
        self._deck = deck
        self._desk = Desk(deck, client)
        self._client = client

    @property
    def project(self) -> str:
        return self._desk.project

    @cached_property
    def imported(self) -> int:
        """A table from a file."""
        source = self._deck.home / "orders.csv"
        source.write_text("id,name\n" + "".join(f"{i},order {i}\n" for i in range(1500)))
        file = self._client.files.upload(source, project=self.project)
        params = {"files": [f"file:{file.id}"], "into": "lake/in.shop/orders"}
        return self._desk.done("import", params, tags=["orders"]).id

    @cached_property
    def rejected(self) -> int:
        """An import of two files with rows that do not fit."""
        refs = []
        for name in ("orders of march.csv", "orders of april.csv"):
            source = self._deck.home / name
            source.write_text("id,amount\n" + "".join(f"{i},{i if i % 3 else 'none'}\n" for i in range(60)))
            refs.append(f"file:{self._client.files.upload(source, project=self.project).id}")
        columns = {"amount": "int64"}
        params = {"files": refs, "into": "lake/in.shop/amounts", "on_bad_row": "reject", "columns": columns}
        return self._desk.done("import", params).id

    @cached_property
    def failed(self) -> int:
        return self._desk.done("sleep", {**FAILING, "tasks": 3}).id

    @cached_property
    def restarted(self) -> int:
        """Two attempts, both with a failure."""
        job = self._desk.done("sleep", FAILING).id
        self._client.jobs.restart(job)
        self._client.jobs.wait(job, timeout=30)
        return job

    @cached_property
    def family(self) -> dict[str, int]:
        """A parent, a child that failed, another with a child of its own. All of them wait, or have ended."""
        desk = Desk(self._deck, self._client)
        desk.limit(0)
        parent = desk.submit("sleep", LONG, description="Back up the shop").id
        child = desk.submit("sleep", LONG, parent=parent, description="Back up the orders").id
        other = desk.submit("sleep", LONG, parent=parent, description="Back up the customers").id
        below = desk.submit("noop", parent=child, description="Check the orders").id
        self._client.jobs.cancel(other)
        return {"parent": parent, "child": child, "other": other, "below": below}

    @cached_property
    def paused(self) -> int:
        desk = Desk(self._deck, self._client)
        desk.limit(0)
        job = desk.submit("sleep", LONG).id
        self._client.jobs.pause(job, "until the files are there")
        return job

    @cached_property
    def many(self) -> int:
        """A job with ten thousand tasks in its only step, of which three have failed."""
        job = self._desk.done("sleep", {"seconds": 0}).id
        with closing(sqlite3.connect(self._deck.home / "jobdeck.db", timeout=20)) as database, database:
            database.execute("DELETE FROM tasks WHERE job_id = ?", (job,))
            (start, end) = database.execute(
                "SELECT started_at, ended_at FROM steps WHERE job_id = ?", (job,)
            ).fetchone()
            length = max(1, end - start)
            database.executemany(
                'INSERT INTO tasks (job_id, attempt, step_index, "index", key, state, host, attempts, started_at,'
                " ended_at, done, total, unit, rows, bytes, error_code, error_message, error_hint)"
                " VALUES (?, 1, 0, ?, ?, ?, 'node-1', 1, ?, ?, 10, 10, 'rows', 10, 4096, ?, ?, ?)",
                [_task(job, i, start, length) for i in range(MANY)],
            )  # fmt: skip
        return job


def _task(job: int, index: int, start: int, length: int) -> tuple[object, ...]:
    failed = index in (17, 4711, 9999)
    begin = start + length * index // MANY
    error = (
        ("bad_row", f"Row {index} of orders.csv has no id.", "Mend the file and resume the job.")
        if failed
        else (None, None, None)
    )
    state = "failed" if failed else "succeeded"
    return (job, index, f"part {index}", state, begin, begin + length // 50 + index, *error)


def write_log(deck: Deck, job: int, lines: Sequence[tuple[str, str]], chunk: int = 1) -> None:
    """A chunk of the log of a job's first attempt: (level, text) of each line."""
    at = time.time_ns() // 1000
    packed = pack([LogEntry(at + n, level, "sleep-0", n % 2, text).to_json() for n, (level, text) in enumerate(lines)])
    file = deck.home / "storage" / chunk_path(job, 1, EPOCH, chunk)
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.parent.parent / f"{file.name}.new"
    beside.write_bytes(packed)
    beside.rename(file)
