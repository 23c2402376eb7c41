"""What is told late is told until the end and not after it, and a telling that fails is not lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from jobdeck.core.errors import LeaseLost
from jobdeck.engine.worker.progress import DelayedFlush


async def test_nothing_is_told_after_the_end() -> None:
    told: list[int] = []
    under_way, go_on = asyncio.Event(), asyncio.Event()

    async def tell() -> float:
        told.append(1)
        under_way.set()
        await go_on.wait()
        return 0.0

    flush = DelayedFlush(tell, lambda: None)
    flush.within(0.0)
    await under_way.wait()
    closing = asyncio.create_task(flush.close())
    await asyncio.sleep(0)
    go_on.set()
    await closing
    flush.within(0.0)
    for _ in range(5):
        await asyncio.sleep(0)
    assert told == [1]


async def test_what_comes_during_a_telling_is_told_after_it() -> None:
    """A telling that writes has looked already: what comes then would stay untold until something else is."""
    under_way, go_on, again = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def tell() -> None:
        if under_way.is_set():
            again.set()
        under_way.set()
        await go_on.wait()

    flush = DelayedFlush(tell, lambda: None)
    flush.within(0.0)
    await under_way.wait()
    flush.within(3600.0)
    flush.within(0.0)
    go_on.set()
    async with asyncio.timeout(60):
        await again.wait()
    await flush.close()


async def test_a_telling_that_fails_is_told_at_once_and_raised_at_the_end() -> None:
    failed = asyncio.Event()

    async def tell() -> None:
        raise LeaseLost("it is gone")

    flush = DelayedFlush(tell, failed.set)
    flush.within(0.0)
    await failed.wait()
    with pytest.raises(LeaseLost):
        await flush.close()


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_what_is_due_sooner_is_told_sooner(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """On the loop that workers have, too: a timer that is due at once is another thing there."""

    async def tells() -> None:
        told = asyncio.Event()

        async def tell() -> None:
            told.set()

        flush = DelayedFlush(tell, lambda: None)
        for seconds in (3600.0, 0.0, 3600.0, -1.0, 0.0):
            flush.within(seconds)
        async with asyncio.timeout(60):
            await told.wait()
        await flush.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(tells())
