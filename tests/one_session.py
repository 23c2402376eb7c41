"""Finds code that takes a second session of the database while it holds one. As many callers as there are sessions
would wait for each other until they time out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from jobdeck.store.sql.database import Database

Holder = tuple[Database, "asyncio.Task[Any] | None"]


class SecondSession(AssertionError):
    """A task that reads or writes began to read or write beside that."""


@contextmanager
def refused() -> Iterator[None]:
    """Within it, a task that takes a second session of one database gets SecondSession."""
    holding: set[Holder] = set()

    @contextmanager
    def held(database: Database) -> Iterator[None]:
        holder = (database, asyncio.current_task())
        if holder in holding:
            raise SecondSession("This task already has a session of this database; pass its connection on.")
        holding.add(holder)
        try:
            yield
        finally:
            holding.discard(holder)

    read, transact = Database.read, Database.transact

    @asynccontextmanager
    async def read_alone(self: Database, *, often: bool = False) -> AsyncIterator[Any]:
        with held(self):
            async with read(self, often=often) as connection:
                yield connection

    async def transact_alone(self: Database, *arguments: Any, **options: Any) -> Any:
        with held(self):
            return await transact(self, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "read", read_alone)
        patch.setattr(Database, "transact", transact_alone)
        yield
