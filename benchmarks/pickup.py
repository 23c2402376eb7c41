"""The pick-up: how long a job waits on a system that could run it at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import measuring
from sites import OnPostgres, OnSqlite
from sqlalchemy import text

from jobdeck.store.sql.database import Database

import tally  # isort: skip  (found once `sites` has said where)


class Waits(NamedTuple):
    """Milliseconds of each job."""

    to_code: Sequence[float] = ()
    to_start: Sequence[float] = ()
    """By the database's clock, from the submitting transaction to the one in which the scheduler gives it away."""

    def figures(self) -> dict[str, float]:
        """Percentiles of what there is."""
        return {
            f"{name}{label}_ms": measuring.percentile(found, share)
            for name, found in (("", self.to_code), ("start_", self.to_start))
            if found
            for label, share in (("p50", 0.5), ("p99", 0.99))
        }


async def pick_up(made: OnPostgres | OnSqlite, count: int, *, inside: bool = False) -> Waits:
    """One job after another: from the call that submits it to its own code, measured as with the peers. `inside` leaves
    HTTP out, where a database may be opened beside its server."""
    tally.FOLDER = made.folder
    direct = inside and isinstance(made, OnPostgres)
    async with made.sending_inside() if direct else made.sending() as send:
        to_code = await tally.latencies(count, send)
    newest = text(
        "SELECT (started_at - created_at) / 1000.0 FROM jobs WHERE type = 'tallied' ORDER BY id DESC LIMIT :n"
    )
    database = Database(made.url)
    async with database.read() as connection:
        to_start = [float(ms) for ms in (await connection.execute(newest, {"n": count})).scalars()]
    await database.close()
    return Waits(to_code, to_start)
