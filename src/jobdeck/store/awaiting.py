"""Waiting at the start for a PostgreSQL that is not there yet: machines come up in any order."""

from __future__ import annotations

import asyncio
import re
import time

import structlog
from sqlalchemy.exc import DBAPIError

from jobdeck.core.errors import InvalidInput, Unavailable
from jobdeck.store.sql.database import Database, shown

log = structlog.get_logger(__name__)

PAUSES = (0.5, 1.0, 2.0)
"""Seconds between two tries; the last one for as long as it lasts."""
TOLD_EVERY = 30.0
_THEN = "it goes on as soon as the database answers"
_FOR_GOOD = (
    "password authentication failed",
    "no password supplied",
    "authentication method",
    "no pg_hba.conf entry",
    "does not exist",
    "permission denied for database",
    "invalid connection option",
    "invalid sslmode",
)
"""What PostgreSQL says where waiting does not help. Whatever else it says may pass."""
_NO_DATABASE = re.compile(r'database "([^"]+)" does not exist')


class DatabaseRefuses(InvalidInput, code="database_refuses"):
    """PostgreSQL is there and does not let this user into this database."""


async def await_database(database: Database, stop: asyncio.Event | None = None) -> None:
    """Return once the database answers. Raises DatabaseRefuses where it never will, and Unavailable once `stop` is set.

    SQLite is a file: it is there, or something is wrong with it."""
    if database.dialect == "sqlite":
        return
    began, told, tries = time.monotonic(), 0.0, 0
    while True:
        try:
            await database.now()
            break
        except DBAPIError as error:
            raise _refused(database, str(error.orig).partition("\n")[0]) from error
        except Unavailable as error:
            if any(text in error.message for text in _FOR_GOOD):
                raise _refused(database, error.message) from error
            if stop is not None and stop.is_set():
                raise
            if not tries or time.monotonic() - told > TOLD_EVERY:
                told = time.monotonic()
                log.warning("waits_for_database", database=_where(database), reason=error.message, then=_THEN)
        await _pause(stop, PAUSES[min(tries, len(PAUSES) - 1)])
        tries += 1
    if tries:
        log.info("database_answers", database=_where(database), after=f"{time.monotonic() - began:.0f} s")


async def refuse_unusable(database: Database, field: str) -> None:
    """Raises DatabaseRefuses, naming `field`, where waiting for the database would not help; asks it once."""
    try:
        await database.now()
    except DBAPIError as error:
        raise _refused(database, str(error.orig).partition("\n")[0], field) from error
    except Unavailable as error:
        if any(text in error.message for text in _FOR_GOOD):
            raise _refused(database, error.message, field) from error
        raise


async def _pause(stop: asyncio.Event | None, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await (stop or asyncio.Event()).wait()
    except TimeoutError:
        return


def _refused(database: Database, reason: str, field: str = "database_url") -> DatabaseRefuses:
    place = "JOBDECK_DATABASE_URL" if field == "database_url" else f"--{field}"
    hint = f"Correct user, password or database in {place}, or make them in PostgreSQL."
    if missing := _NO_DATABASE.search(reason):
        make = f"Make it (`createdb {missing[1]}`, with -h, -p and -U as in the address)"
        hint = f"{make}, or correct its name in {place}."
    return DatabaseRefuses(f"The database {_where(database)} cannot be used: {reason}", field=field, hint=hint)


def _where(database: Database) -> str:
    return shown(database.url)
