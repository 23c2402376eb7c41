"""What the store's hot path asks of a database past SQLAlchemy. docs/driver.md says why, and what it gains.

There are two: `sqlite_driver` and `postgres_driver`. Which it is, is settled where an engine is made (`engines`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, NamedTuple, Protocol

from sqlalchemy import ClauseElement, ColumnElement
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

DRIVER = "driver"
"""The execution option under which an engine, and so each of its connections, has its driver."""

Rows = Sequence[Sequence[Any]]
Columns = Mapping[str, TypeEngine[Any]]
Cells = Mapping[str, Sequence[Any]]
"""The values of each column, all equally many."""


class Compiled(NamedTuple):
    """A statement as the database reads it."""

    text: str
    places: tuple[str, ...]
    """The names of its parameters in the order of their places, where it does not name them itself."""

    own: Mapping[str, Any]
    """The values that the statement itself names."""


class Call(NamedTuple):
    """A statement with its parameters."""

    statement: Compiled
    parameters: Mapping[str, Any]
    over_many: bool = False
    """Whether it is over many rows, so that how best to run it depends on how much there is by now."""


class Begun(NamedTuple):
    """What a transaction knows as it begins."""

    answers: Sequence[Rows]
    now: int
    """The database's time, µs since 1970 UTC."""


class Driver(Protocol):
    """Speaks to one kind of database. Errors are SQLAlchemy's."""

    has_other_writers: ClassVar[bool]
    """Whether other processes write at the same time: they are to be told, and kept in order."""

    @staticmethod
    def compiled(statement: ClauseElement) -> Compiled:
        """Takes as long as the database's work on it, or longer: done once."""
        ...

    @staticmethod
    def rows(names: Sequence[str], columns: Columns, parameter: str) -> dict[str, ColumnElement[Any]]:
        """Columns of a table with a row for each element of what `sent` gives."""
        ...

    @staticmethod
    def sent(cells: Cells, names: Sequence[str], columns: Columns, parameter: str) -> dict[str, Any]:
        """The parameters of `rows`, which are called `parameter` or begin with that and an underscore."""
        ...

    async def run(self, connection: AsyncConnection, call: Call) -> Rows:
        """The rows that it gives, or none."""
        ...

    async def begin_with(self, connection: AsyncConnection, calls: Sequence[Call]) -> Begun:
        """Begin a transaction, run `calls` and learn the time: one trip, where there are any."""
        ...

    def together(self, connection: AsyncConnection, *, commits: bool = False) -> AbstractAsyncContextManager[None]:
        """Around statements that travel together, so that none may need what another gives; an error is told last.

        `commits`: so does the commit, after them, and nothing may follow; where it takes no trip it is left to come."""
        ...

    async def is_idle(self, connection: AsyncConnection) -> bool:
        """Whether no transaction is open on it; true where one more commit at the end costs nothing."""
        ...

    async def now(self, connection: AsyncConnection) -> int:
        """The database's time, µs since 1970 UTC."""
        ...
