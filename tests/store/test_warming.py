"""What is read ahead is not read again, and no more is read than there is room for."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event

from jobdeck.store.segments.archive import Archive
from jobdeck.store.segments.job_filter import JobFilter, Sort
from jobdeck.store.segments.layout import LATELY
from jobdeck.store.segments.sealing import Sealer
from jobdeck.store.segments.spans import SIZE
from jobdeck.store.segments.warming import SHARE, Warmer
from jobdeck.store.views.job_lists import JobLists
from tests.store.desk import Desk
from tests.store.test_segments import BLANK, Job, counts, every, put

SEGMENTS = 6
QUESTIONS = (
    JobFilter(q="orders"), JobFilter(state=("failed",)), JobFilter(type=("a",), created_by="ann"),
    JobFilter(tag=("x",)), JobFilter(run_id="7"), JobFilter(duration=(1, None)), JobFilter(error="boom"),
)  # fmt: skip


def archive() -> list[Job]:
    """Jobs in so many segments, and one behind them."""
    ids = [number * SIZE + at for number in range(SEGMENTS) for at in (5, 6)] + [SEGMENTS * SIZE + 1]
    return [{**BLANK, "id": job, "run_id": str(job), "description": f"Load the orders of {job}"} for job in ids]


async def sealed(desk: Desk) -> list[Job]:
    rows = archive()
    await put(desk, rows)
    sealer = Sealer(desk.database)
    while await sealer():
        pass
    return rows


async def warm(desk: Desk, lists: JobLists) -> None:
    more = True
    while more:
        async with desk.database.read_one_moment() as connection:
            more = await lists.warm(connection)


async def test_what_was_read_ahead_is_not_read_again(desk: Desk) -> None:
    await sealed(desk)
    lists, reads = JobLists(), []
    await warm(desk, lists)

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "segment_columns" in statement:
            reads.append(statement)

    async with desk.database.read() as connection:
        engine = connection.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        for where in QUESTIONS:
            await every(desk, lists, where, Sort(), 50)
            await counts(desk, lists, where)
        await every(desk, lists, JobFilter(), Sort("duration"), 50)
        assert not reads
        await counts(desk, JobLists(), QUESTIONS[0])  # without, it is seen
        assert reads
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def test_no_more_is_read_ahead_than_there_is_room_for(desk: Desk) -> None:
    await sealed(desk)
    archive = Archive(kept=1_000_000)
    warmer, steps = Warmer(archive), 0
    async with desk.database.read_one_moment() as connection:
        while await warmer.step(connection):
            steps += 1
            assert steps < 100
        assert SHARE <= archive.fullness <= 1
        assert not await warmer.step(connection)


async def test_a_search_asked_again_is_answered_the_same(desk: Desk) -> None:
    """More searches in turn than are remembered, some of them twice."""
    rows, lists = await sealed(desk), JobLists()
    words = [
        "orders",
        "ORDERS",
        '"of 5"',
        "o",
        "nowhere",
        '"load the orders of 16389"',
        "e",
        "16390",
        "x" * 50,
        "s",
        "th",
    ]
    assert len(words) > LATELY
    for word in [*words, *words[:2], *words[:2], *reversed(words)]:
        wanted = [r["id"] for r in rows if word.lower().strip('"') in r["description"].lower() or word == r["run_id"]]
        assert await every(desk, lists, JobFilter(q=word), Sort(), 50) == wanted[::-1], word
