"""What a project holds is asked for once for many jobs, never older than promised, and nobody waits for it twice."""

from __future__ import annotations

import asyncio

import pytest

from jobdeck.core.environment import Environment
from jobdeck.core.errors import Unavailable
from jobdeck.engine.worker import worker
from jobdeck.engine.worker.worker import EnvironmentCache


class Shelf:
    """Gives out environments one by one, when it may; each is named by its number."""

    def __init__(self) -> None:
        self.asked = 0
        self.open = asyncio.Event()
        self.open.set()
        self.error: Exception | None = None

    async def look_up(self, project: str) -> Environment:
        self.asked += 1
        number = self.asked
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return Environment(project=f"{project}{number}")


async def test_jobs_of_one_moment_share_one_look() -> None:
    shelf = Shelf()
    found = EnvironmentCache(shelf.look_up)
    answers = await asyncio.gather(*(found.of("p") for _ in range(50)), found.of("q"))
    assert {a.project for a in answers} == {"p1", "q2"}
    assert (await found.of("p")).project == "p1"
    assert shelf.asked == 2


async def test_what_is_known_serves_while_it_is_looked_up_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf()
    found = EnvironmentCache(shelf.look_up)
    await found.of("p")
    monkeypatch.setattr(worker, "ANEW_SECONDS", -1.0)
    shelf.open.clear()
    assert [(await found.of("p")).project for _ in range(3)] == ["p1"] * 3
    await asyncio.sleep(0)
    assert shelf.asked == 2
    monkeypatch.setattr(worker, "FRESH_SECONDS", -1.0)
    late = asyncio.create_task(found.of("p"))
    await asyncio.sleep(0)
    assert not late.done()
    shelf.open.set()
    assert (await late).project == "p2"


async def test_a_look_that_fails_is_told_to_all_and_asked_again() -> None:
    shelf = Shelf()
    found = EnvironmentCache(shelf.look_up)
    shelf.error = Unavailable("The database does not answer.")
    told = await asyncio.gather(*(found.of("p") for _ in range(3)), return_exceptions=True)
    assert [type(t) for t in told] == [Unavailable] * 3
    assert shelf.asked == 1
    shelf.error = None
    assert (await found.of("p")).project == "p2"


async def test_who_gives_up_does_not_take_it_from_the_others() -> None:
    shelf = Shelf()
    shelf.open.clear()
    found = EnvironmentCache(shelf.look_up)
    first, second = asyncio.create_task(found.of("p")), asyncio.create_task(found.of("p"))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    shelf.open.set()
    assert (await second).project == "p1"
    assert first.cancelled()
