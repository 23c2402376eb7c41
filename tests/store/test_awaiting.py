"""A start waits for a PostgreSQL that is not there, says so, and goes on; what waiting cannot help ends it at once."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog
from sqlalchemy import make_url
from structlog.testing import capture_logs

from jobdeck.api.http.problem import of_error
from jobdeck.core.errors import Unavailable
from jobdeck.store import awaiting
from jobdeck.store.awaiting import DatabaseRefuses, await_database
from jobdeck.store.sql.database import Database, shown
from jobdeck.store.sql.engines import MissingDriver


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(awaiting, "PAUSES", (0.05,))
    monkeypatch.setattr(awaiting, "log", structlog.get_logger())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def forwarded(port: int, upstream: Path) -> AsyncIterator[None]:
    """What listens on the port is the PostgreSQL at this Unix socket."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    running: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to = await asyncio.open_unix_connection(str(upstream))
        await asyncio.gather(pass_on(reader, to), pass_on(there, writer), return_exceptions=True)
        for end in (to, writer):
            end.close()
        await asyncio.gather(to.wait_closed(), writer.wait_closed(), return_exceptions=True)

    def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        running.add(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(take, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
        await asyncio.gather(*running)


async def test_it_goes_on_once_the_database_is_there(
    postgres_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    port = free_port()
    address, _, options = postgres_database_url.partition("?")
    user, name = address.partition("://")[2].partition("@")[0], address.rpartition("/")[2]
    database = Database(f"postgresql+psycopg://{user}:hidden-word@127.0.0.1:{port}/{name}")
    socket_of = Path(options.partition("host=")[2].partition("&")[0]) / ".s.PGSQL.5432"
    refused, real = asyncio.Event(), awaiting._pause

    async def pause(stop: asyncio.Event | None, seconds: float) -> None:
        refused.set()
        await real(stop, seconds)

    monkeypatch.setattr(awaiting, "_pause", pause)
    with capture_logs() as lines:
        waiting = asyncio.create_task(await_database(database))
        async with asyncio.timeout(30):
            await refused.wait()
        assert not waiting.done()
        async with forwarded(port, socket_of), asyncio.timeout(30):
            await waiting
            await database.close()
    first, last = lines[0], lines[-1]
    assert (first["event"], last["event"]) == ("waits_for_database", "database_answers")
    assert "refused" in first["reason"]
    assert len(lines) == 2, "it does not repeat itself every time"
    assert "hidden-word" not in str(lines)


async def test_a_database_that_there_is_not_is_not_waited_for(postgres_database_url: str) -> None:
    address, _, options = postgres_database_url.partition("?")
    database = Database(f"{address.rpartition('/')[0]}/no_such?{options}")
    async with asyncio.timeout(30):
        with pytest.raises(DatabaseRefuses, match="no_such") as refused:
            await await_database(database)
    assert "JOBDECK_DATABASE_URL" in str(refused.value.hint)
    await database.close()


@pytest.mark.parametrize(
    ("said", "waits"),
    [
        ("Connection refused", True), ("the database system is starting up", True), ("timeout expired", True),
        ("sorry, too many clients already", True), ("could not translate host name", True),
        ('FATAL:  password authentication failed for user "u"', False), ('role "u" does not exist', False),
        ("no pg_hba.conf entry for host", False), ("fe_sendauth: no password supplied", False),
    ],
)  # fmt: skip
async def test_what_may_pass_and_what_does_not(said: str, waits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database("postgresql+psycopg://u:p@h/x")
    tries = 0

    async def now(self: Database) -> int:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise Unavailable(f"The database does not answer: {said}.")
        return 1

    monkeypatch.setattr(Database, "now", now)
    if waits:
        await await_database(database)
    else:
        with pytest.raises(DatabaseRefuses):
            await await_database(database)
    assert tries == (3 if waits else 1)
    await database.close()


async def test_who_is_told_to_stop_stops_waiting() -> None:
    database, stop = Database(f"postgresql+psycopg://u:p@127.0.0.1:{free_port()}/x"), asyncio.Event()
    asyncio.get_running_loop().call_later(0.2, stop.set)
    async with asyncio.timeout(30):
        with pytest.raises(Unavailable):
            await await_database(database, stop)
    await database.close()


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingDriver, match="PostgreSQL") as missing:
        Database("postgresql+psycopg://u@h/x")
    assert "pip install '.[postgres]'" in str(missing.value.hint)


async def test_strangers_are_not_told_where_the_database_is() -> None:
    port = free_port()
    database = Database(f"postgresql+psycopg://keeper:p@127.0.0.1:{port}/x")
    with pytest.raises(Unavailable) as away:
        await database.now()
    assert str(port) in away.value.message
    assert of_error(away.value).detail == "The database does not answer."
    await database.close()


def test_an_address_is_shown_as_it_is_written() -> None:
    assert shown(make_url("postgresql+psycopg://u:secret@h:5433/x")) == "postgresql://u:***@h:5433/x"
    assert shown(make_url("sqlite+aiosqlite:////srv/jobdeck.db")) == "sqlite:////srv/jobdeck.db"
