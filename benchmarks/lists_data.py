"""A database as it is after a long time: projects, users and types of very unequal size, most jobs succeeded."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import random
import sqlite3
import time
from collections.abc import Iterator, Sequence
from itertools import accumulate, islice
from typing import Any

from sqlalchemy import insert
from sqlalchemy.engine import make_url

from jobdeck.store.migrate import migrate
from jobdeck.store.schema import configurations, principals, projects
from jobdeck.store.segments.sealing import Sealer
from jobdeck.store.sql.database import Database

PROJECTS, TYPES, USERS, FINGERPRINTS, TAGS = 20, 30, 200, 300, 100
FAMILY = 50
"""Every so many jobs there is a parent with three children behind it."""
DAYS = 60
CHUNK = 20_000
MOST_MADE = 1_000_000
"""Jobs made one by one; more are made on PostgreSQL by repeating them."""
WORDS = ("orders", "customers", "events", "invoices", "returns", "stock", "prices", "visits")
COLUMNS = (
    "id", "run_id", "project_id", "type", "category", "isolation", "state", "description", "subject", "params", "tags",
    "claims", "priority", "order_key", "parent_id", "has_children", "on_child_failure", "configuration_id",
    "created_by", "token_id", "created_at", "attempt", "epoch", "leased", "state_since", "queued_at", "dirty_since",
    "losses", "started_at", "ended_at", "queued_us", "running_us", "paused_us", "fraction", "warnings", "error_code",
    "error_message", "error_fingerprint",
)  # fmt: skip


def fingerprint(number: int) -> str:
    return f"{number:012x}"


def parent_near(job: int) -> int:
    """The id of a job that has children."""
    return job - job % FAMILY


def skewed(count: int, power: float) -> list[float]:
    """Cumulated weights: the first is the largest."""
    return list(accumulate(1 / (rank + 1) ** power for rank in range(count)))


def rows(count: int, pending: int, now: int, below: int = 0) -> Iterator[Sequence[Any]]:
    """The jobs, oldest first, with ids behind `below`; the last ones are open."""
    rng = random.Random(7)
    projects_, types, users, faults = (
        skewed(PROJECTS, 1.5), skewed(TYPES, 1.6), skewed(USERS, 1.3), skewed(FINGERPRINTS, 1.2)
    )  # fmt: skip
    step = DAYS * 86_400_000_000 // count
    last = below + count
    first_open = last - pending
    for job in range(below + 1, last + 1):
        child = job % FAMILY in (1, 2, 3) and job > below + FAMILY
        parent = parent_near(job) if child else None
        type_ = rng.choices(range(TYPES), cum_weights=types)[0]
        user = rng.choices(range(USERS), cum_weights=users)[0] + 1
        created = now - (last - job) * step
        chance = rng.random()
        state = "pending" if job > first_open else "running" if job > first_open - 200 else _end(chance)
        ended = state in ("succeeded", "failed", "canceled")
        started = created + rng.randrange(1, 60_000_000) if state != "pending" else None
        ran = int(rng.lognormvariate(3, 2) * 1_000_000) if ended else 0
        fault = rng.choices(range(FINGERPRINTS), cum_weights=faults)[0] if state == "failed" else None
        word = WORDS[job % 8]
        argv = {"argv": ["python", "-m", f"load_{job % 500}"]}
        params: Any = argv if type_ == 3 else {"files": [f"in/{word}.csv"]}
        tags = [f"tag{min(99, int(rng.expovariate(0.08)))}"] if rng.random() < 0.3 else []
        priority = 5 if chance < 0.9 else rng.choice((0, 1, 2, 3, 4, 6, 7, 8, 9))
        yield (
            job, f"{parent}.{job}" if child else str(job), rng.choices(range(PROJECTS), cum_weights=projects_)[0] + 1,
            "command" if type_ == 3 else f"t{type_}", f"c{type_ % 5}", "thread", state, f"Load {word} batch-{job}x",
            f"lake/in.shop/table_{job % 1000}", json.dumps(params, separators=(",", ":")), json.dumps(tags),
            '[["project:p",1,"shared"]]', priority, created, parent, job % FAMILY == 0, "fail",
            rng.randrange(1, 100) if rng.random() < 0.2 else None, user, user, created, 1, 1, False, created, created,
            0, 0, started, started + ran if ended and started else None, 1000, ran, 0, 1.0 if ended else 0.0, 0,
            None if fault is None else ("timeout", "boom", "bad_row")[fault % 3],
            None if fault is None else f"it went wrong {fault}", None if fault is None else fingerprint(fault),
        )  # fmt: skip


def _end(chance: float) -> str:
    return "failed" if chance < 0.03 else "canceled" if chance < 0.05 else "succeeded"


def fill(url: str, count: int, pending: int) -> None:
    """Make the schema and write `count` jobs, the last `pending` of which wait."""
    asyncio.run(_furnish(url))
    now = time.time_ns() // 1000
    target = make_url(url)
    times = count // MOST_MADE if target.get_backend_name() == "postgresql" and count % MOST_MADE == 0 else 1
    found = rows(count // times, pending, now, count - count // times)
    if target.get_backend_name() == "sqlite":
        _into_sqlite(str(target.database), found)
    else:
        _into_postgresql(url.replace("+psycopg", ""), found, times)


async def _furnish(url: str) -> None:
    database = Database(url)
    await migrate(database)

    async def work(tx: Any) -> None:
        c, at = tx.connection, {"created_at": tx.now}
        await c.execute(insert(projects), [{"id": i + 1, "name": f"p{i}", "title": "", **at} for i in range(PROJECTS)])
        people = [{"id": i + 1, "kind": "person", "name": f"user{i}", **at} for i in range(USERS)]
        await c.execute(insert(principals), people)
        saved = [
            {"id": i, "project_id": 1, "name": f"k{i}", "type": "t0", "params": "{}", "version": 1, **at}
            for i in range(1, 100)
        ]
        await c.execute(insert(configurations), saved)

    await database.transact(work)
    await database.close()


def _into_sqlite(path: str, found: Iterator[Sequence[Any]]) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous=OFF")
    marks = ",".join("?" * len(COLUMNS))
    while chunk := list(islice(found, CHUNK)):
        connection.executemany(f"INSERT INTO jobs ({','.join(COLUMNS)}) VALUES ({marks})", chunk)  # noqa: S608
        connection.commit()
    connection.close()


def _into_postgresql(url: str, found: Iterator[Sequence[Any]], times: int) -> None:
    import psycopg

    with psycopg.connect(url) as connection:
        with connection.cursor().copy(f"COPY jobs ({','.join(COLUMNS)}) FROM STDIN (FORMAT csv)") as copy:
            while chunk := list(islice(found, CHUNK)):
                text = io.StringIO()
                csv.writer(text).writerows(chunk)
                copy.write(text.getvalue())
        for older in range(1, times):
            connection.execute(_once_more(older, (times - 1) * MOST_MADE))
        for table in ("jobs", "projects", "principals", "configurations"):
            query = f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"  # noqa: S608
            connection.execute(query)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def _once_more(older: int, floor: int) -> str:
    """The same jobs again, that many times the days earlier and all ended, with ids before those that are there."""
    less, before = older * MOST_MADE, older * DAYS * 86_400_000_000
    own = f"(id - {less})::text"
    changed = {
        name: f"{name} - {before}" for name in ("created_at", "started_at", "ended_at", "state_since", "queued_at")
    }
    changed |= {
        "id": f"id - {less}", "parent_id": f"parent_id - {less}",
        "run_id": f"CASE WHEN parent_id IS NULL THEN {own} ELSE (parent_id - {less})::text || '.' || {own} END",
        "state": "CASE WHEN state IN ('failed', 'canceled') THEN state ELSE 'succeeded' END",
    }  # fmt: skip
    selected = ", ".join(changed.get(name, name) for name in COLUMNS)
    return f"INSERT INTO jobs ({', '.join(COLUMNS)}) SELECT {selected} FROM jobs WHERE id > {floor} ORDER BY id"  # noqa: S608


def seal(url: str) -> int:
    """What a server does in the background; the number of segments."""

    async def work() -> int:
        database = Database(url)
        sealer, sealed = Sealer(database), 0
        while await sealer():
            sealed += 1
        await database.close()
        return sealed

    return asyncio.run(work())
