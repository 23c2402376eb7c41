"""Places are shared: nobody holds them all, whoever holds least is next, and none is lost."""

from __future__ import annotations

import asyncio
import random

import pytest

from jobdeck.engine.fair_places import FairPlaces


class Holder:
    """One who wants a place, and keeps it until told."""

    def __init__(self, places: FairPlaces, owner: str, order: list[str]) -> None:
        self.owner, self.has, self.done = owner, asyncio.Event(), asyncio.Event()
        self._order = order
        self.task = asyncio.create_task(self._hold(places))

    async def _hold(self, places: FairPlaces) -> None:
        async with places.place(self.owner):
            self._order.append(self.owner)
            self.has.set()
            await self.done.wait()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_one_owner_gets_its_share_and_others_the_rest() -> None:
    places, order = FairPlaces(4, 2), list[str]()
    many = [Holder(places, "a", order) for _ in range(6)]
    await settle()
    assert order == ["a", "a"]
    others = [Holder(places, name, order) for name in ("b", "c", "d")]
    await settle()
    assert order == ["a", "a", "b", "c"]
    many[0].done.set()
    await settle()
    assert order[4:] == ["d"], "who holds nothing goes before who waited longer"
    for holder in (*many, *others):
        holder.done.set()
    await asyncio.gather(*(holder.task for holder in (*many, *others)))
    assert len(order) == 9


async def test_patience_ends_and_the_place_is_not_lost() -> None:
    places, order = FairPlaces(1, 1), list[str]()
    first = Holder(places, "a", order)
    await settle()
    with pytest.raises(TimeoutError):
        async with places.place("b", 0.01):
            raise AssertionError
    first.done.set()
    await first.task
    async with places.place("b", 1):
        pass


async def test_none_is_lost_whoever_goes_away() -> None:
    places, chance = FairPlaces(3, 2), random.Random(1)
    for _ in range(300):
        order = list[str]()
        holders = [Holder(places, chance.choice("abc"), order) for _ in range(8)]
        await settle()
        for holder in chance.sample(holders, 5):
            holder.task.cancel()
            if chance.random() < 0.5:
                await asyncio.sleep(0)
        for holder in holders:
            holder.done.set()
        await asyncio.gather(*(holder.task for holder in holders), return_exceptions=True)
    async with places.place("a", 1), places.place("a", 1), places.place("b", 1):
        pass
