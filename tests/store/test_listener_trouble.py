"""An outage of the database is two lines in the log, however long it takes: its begin and its end."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import make_url
from structlog.testing import capture_logs

from jobdeck.store.sql import listen
from jobdeck.store.sql.listen import Listener
from jobdeck.store.sql.wakeups import Wakeups


async def test_an_outage_is_told_when_it_begins_and_when_it_ends(
    postgres_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listen, "AGAIN_SECONDS", 0.02)
    tries, enough = 0, asyncio.Event()

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        tries += 1
        if tries >= 4:
            enough.set()
        writer.close()

    away = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    good = make_url(postgres_database_url).set(drivername="postgresql")
    port = away.sockets[0].getsockname()[1]
    listener = Listener(make_url(f"postgresql://x@127.0.0.1:{port}/x?sslmode=disable&gssencmode=disable"), Wakeups())
    stop = asyncio.Event()
    with capture_logs() as told:
        running = asyncio.create_task(listener.run(stop))
        async with asyncio.timeout(30):
            await enough.wait()
            listener._url = good.render_as_string(hide_password=False)
            while not any(line["event"] == "listener_recovered" for line in told):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        stop.set()
        await running
    away.close()
    assert [line["event"] for line in told] == ["listener_trouble", "listener_recovered"]
    assert told[1]["after"] >= 3
