"""A database with jobs of very many ids, which a server looks through piece by piece."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from jobdeck.store.migrate import migrate
from jobdeck.store.schema import jobs, principals, projects
from jobdeck.store.segments.sealing import Sealer
from jobdeck.store.segments.spans import first_id
from jobdeck.store.sql.database import Database, Tx

SEGMENTS = 12
EACH = 8
"""Jobs of each segment."""
PROJECT = "archive"
IMPATIENT = """
from jobdeck.store.segments import asking
from jobdeck.web.pages.jobs import list as jobs_list
asking.PATIENCE = jobs_list.PATIENCE = -1.0
"""
"""Makes a server answer as one does whose every look takes too long: with what the first look has found."""
_BLANK: dict[str, Any] = {
    "isolation": "thread", "claims": "[]", "order_key": 0, "on_child_failure": "fail", "attempt": 1, "epoch": 0,
    "leased": False, "queued_at": 0, "dirty_since": 0, "losses": 0, "queued_us": 0, "paused_us": 0, "fraction": 1.0,
    "warnings": 0, "created_by": 1, "project_id": 1, "type": "noop", "category": "test", "params": "{}", "tags": "[]",
    "priority": 5, "state_since": 1, "created_at": 1_700_000_000_000_000, "running_us": 0, "state": "succeeded",
}  # fmt: skip


def ids() -> list[int]:
    """The ids of all jobs, newest first."""
    return [first_id(number) + 100 + at for number in range(SEGMENTS) for at in range(EACH)][::-1]


def fill(home: Path) -> None:
    """The jobs and their segments, in the database that a server in `home` opens."""
    home.mkdir(parents=True)
    asyncio.run(_fill(f"sqlite+aiosqlite:///{home / 'jobdeck.db'}"))


async def _fill(url: str) -> None:
    database = Database(url)
    await migrate(database)
    rows = [
        {**_BLANK, "id": job, "run_id": str(job), "description": "needle rare" if job < EACH + 100 else "needle"}
        for job in ids()
    ]

    async def write(tx: Tx) -> None:
        at = {"created_at": tx.now}
        await tx.connection.execute(insert(projects).values(id=1, name=PROJECT, title="", **at))
        await tx.connection.execute(insert(principals).values(id=1, kind="person", name="ann", **at))
        await tx.connection.execute(insert(jobs), rows)
        # Only what lies before the segment of the newest id is sealed.
        newest = {**_BLANK, "id": first_id(SEGMENTS), "run_id": str(first_id(SEGMENTS)), "description": "hay"}
        await tx.connection.execute(insert(jobs).values(newest))

    await database.transact(write)
    sealer = Sealer(database)
    while await sealer():
        pass
    await database.close()
