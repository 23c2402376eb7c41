"""The live feed: every event once and in order, from where a reader left off, whatever the other readers do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine as Engine_

from jobdeck.engine import feed as feed_module
from jobdeck.engine.feed import Feed, FeedItem
from jobdeck.engine.worker.progress import TELL_SECONDS
from tests.engine.harness import Engine, reached, script
from tests.engine.scripted import LONG
from tests.engine.test_operations import FAR


async def taken(stream: AsyncIterator[FeedItem], last: Any, seconds: float = LONG) -> list[FeedItem]:
    """Items up to the first one that `last` says is the last."""
    found = []
    async with asyncio.timeout(seconds), aclosing(stream) as items:  # type: ignore[type-var]
        async for item in items:
            found.append(item)
            if last(item):
                break
    return found


async def test_in_order_and_from_an_id(engine: Engine) -> None:
    ids = [await engine.submit() for _ in range(5)]
    for job in ids:
        await engine.until(job, "succeeded")
    stored = await engine.events()
    newest = stored[-1].id
    got = await taken(engine.feed.subscribe(after=0), lambda i: i.id == newest)
    assert [(i.id, i.at, i.kind, i.job_id, i.actor, i.data) for i in got if i.id] == [
        (e.id, e.at, e.kind, e.job_id, e.actor, e.data) for e in stored
    ]
    middle = stored[len(stored) // 2].id
    got = await taken(engine.feed.subscribe(after=middle), lambda i: i.id == newest)
    assert [i.id for i in got if i.id] == [e.id for e in stored if e.id > middle]


async def test_only_what_was_asked_for(engine: Engine) -> None:
    await engine.add_project("other")
    listening = {
        "mine": engine.feed.subscribe(after=0, project_ids=[engine.project_id]),
        "theirs": engine.feed.subscribe(after=0, project_ids=[engine.other_projects["other"]]),
    }
    here, there = await engine.submit(), await engine.submit("scripted", "other")
    await engine.until(here, "succeeded")
    await engine.until(there, "succeeded")
    listening["job"] = engine.feed.subscribe(after=0, job=here)
    got = {name: await taken(stream, lambda i: i.kind == "succeeded") for name, stream in listening.items()}
    assert {i.project_id for i in got["mine"]} == {engine.project_id}
    assert {i.project_id for i in got["theirs"]} == {engine.other_projects["other"]}
    assert {i.job_id for i in got["job"]} == {here}
    nobody = asyncio.create_task(taken(engine.feed.subscribe(after=0, project_ids=[]), lambda _: True))
    await asyncio.wait([nobody], timeout=0.3)
    assert not nobody.done()
    nobody.cancel()


async def test_progress_between_events(engine: Engine) -> None:
    plot = script()
    gates = [plot.hold(f"s0/0/{unit}") for unit in (1, 3)]
    job = await engine.submit(key=plot.key, units=4)
    await reached(gates[0])
    streams = [engine.feed.subscribe(after=0, job=job) for _ in range(2)]
    for stream in streams:
        await anext(stream)  # it listens now
    listening = asyncio.create_task(taken(streams[0], lambda i: i.kind == "succeeded"))
    moved = asyncio.create_task(taken(streams[1], lambda i: i.kind == "progress"))
    # Progress is told at most once in so long, and that of the first unit was.
    await asyncio.sleep(2 * TELL_SECONDS)
    gates[0].opened.set()
    item = (await moved)[-1]
    assert item.id is None
    assert item.data["unit"] == "units"
    assert item.data["total"] == 4
    assert item.data["fraction"] > 0
    gates[1].opened.set()
    heard = await listening
    assert heard[-1].kind == "succeeded"
    assert [i.data["fraction"] for i in heard if i.id is None] == sorted(
        i.data["fraction"] for i in heard if i.id is None
    )


async def test_a_slow_reader_blocks_nobody(engine: Engine) -> None:
    slow = engine.feed.subscribe(after=0)
    await anext(slow)  # and then it takes nothing more
    jobs = [await engine.submit() for _ in range(20)]
    await engine.until(jobs[-1], "succeeded")
    last = await engine.feed.last_id()
    quick = await taken(engine.feed.subscribe(after=0), lambda i: i.id == last)
    rest = await taken(slow, lambda i: i.id == last)
    assert [i.id for i in quick if i.id][1:] == [i.id for i in rest if i.id]


async def test_more_than_a_batch(engine: Engine) -> None:
    wanted = [engine.submission("scripted", {}, not_before=4_000_000_000_000_000)] * (feed_module.BATCH + 20)
    await engine.submit_all(*wanted)
    last = await engine.feed.last_id()
    got = await taken(engine.feed.subscribe(after=0), lambda i: i.id == last)
    numbers = [i.id for i in got if i.id]
    assert numbers == list(range(1, last + 1))


async def test_what_happens_is_read_once_for_all_readers(engine: Engine) -> None:
    """Also a quiet job's reader does not look through a busy neighbour's events again and again."""
    quiet = await engine.submit_with("scripted", {}, not_before=FAR)
    feed, readers, rounds = Feed(engine.database), 20, 10
    asked_alone: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "FROM events" in statement and "job_id =" in statement:
            asked_alone.append(statement)

    event.listen(Engine_, "before_cursor_execute", note)
    listening = [
        asyncio.create_task(taken(feed.subscribe(after=0, job=quiet), lambda i: i.kind == "reprioritized"))
        for _ in range(readers)
    ]
    for _ in range(rounds):
        number = feed._number
        await engine.submit_all(*[engine.submission("scripted", {}, not_before=FAR)] * 20)
        async with asyncio.timeout(LONG):
            while feed._number == number:
                await feed._more.wait()
    await engine.control.set_priority(quiet, 9, actor="me")
    heard = await asyncio.gather(*listening)
    event.remove(Engine_, "before_cursor_execute", note)
    await feed.close()
    assert [[i.kind for i in items] for items in heard] == [["submitted", "reprioritized"]] * readers
    assert len(asked_alone) <= 2 * readers, "readers went on to ask by themselves"


async def test_a_reader_that_falls_behind_goes_on_from_the_table(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "KEPT", 30)
    monkeypatch.setattr(feed_module, "SLICE", 10)
    slow = engine.feed.subscribe(after=0)
    await anext(slow)
    quick = asyncio.create_task(taken(engine.feed.subscribe(), lambda i: i.kind == "reprioritized"))
    for _ in range(20):
        await engine.submit_all(*[engine.submission("scripted", {}, not_before=FAR)] * 10)
    (job,) = await engine.submit_all(engine.submission("scripted", {}, not_before=FAR))
    await engine.control.set_priority(job, 9, actor="me")
    heard = await quick
    assert heard[-1].job_id == job
    assert sum(len(piece.items) for piece in engine.feed._slices) <= 40
    rest = await taken(slow, lambda i: i.kind == "reprioritized")
    numbers = [i.id for i in rest if i.id is not None]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert numbers[-1] == heard[-1].id


async def test_readers_that_come_at_any_moment_miss_nothing(engine: Engine) -> None:
    """They begin at any event, while others happen, and each hears each event behind it once and in order."""
    await engine.submit_all(*[engine.submission("scripted", {}, not_before=FAR)] * 40)
    begun = await engine.feed.last_id()
    streams = []
    for i in range(30):
        streams.append(asyncio.create_task(taken(engine.feed.subscribe(after=i), lambda e: e.kind == "reprioritized")))
        if i % 3 == 0:
            await engine.submit_with("scripted", {}, not_before=FAR)
    (job,) = await engine.submit_all(engine.submission("scripted", {}, not_before=FAR))
    await engine.control.set_priority(job, 9, actor="me")
    for after, heard in enumerate(await asyncio.gather(*streams)):
        numbers = [i.id for i in heard if i.id is not None]
        assert numbers == list(range(after + 1, numbers[-1] + 1))
        assert numbers[-1] > begun
