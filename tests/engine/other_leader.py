"""Another process of the one who leads: `python -m tests.engine.other_leader URL`.

It says that it is there, and ends when it has given jobs away whose leases ran out; or else after a while."""

from __future__ import annotations

import asyncio
import sys

from sqlalchemy import select

from jobdeck.store.running import leases
from jobdeck.store.scheduling.leadership import Leader
from jobdeck.store.schema import leadership
from jobdeck.store.sql.database import Database
from tests.engine.scripted import LONG


async def main(url: str) -> None:
    database = Database(url)
    async with database.read() as connection:
        found = (await connection.execute(select(leadership.c.holder, leadership.c.epoch))).one()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    async with asyncio.timeout(LONG / 2):
        while not await leases.expire(database, Leader(*found)):  # noqa: ASYNC110  (leases run out silently)
            await asyncio.sleep(0.05)
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
