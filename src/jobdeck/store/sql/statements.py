"""Statements of the hot path: built and compiled once, run thousands of times, many over many rows.

Composing a statement anew costs more than the database's work on it, and so does passing it through SQLAlchemy's
layers; so here SQLAlchemy writes the SQL, once for each database, and the driver runs it.

Many rows are given by columns, and written by one statement. A column whose values are all the same travels as that
value alone: of a batch of transitions most columns are, and what is not sent need not be read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
    ClauseElement,
    ColumnElement,
    Float,
    Subquery,
    Table,
    Text,
    Update,
    bindparam,
    cast,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from jobdeck.core.values import clip
from jobdeck.store.sql.driver import DRIVER, Begun, Call, Cells, Columns, Compiled, Driver, Rows

INT: TypeEngine[Any] = BigInteger()
TEXT: TypeEngine[Any] = Text()
FLOAT: TypeEngine[Any] = Float()
BOOL: TypeEngine[Any] = Boolean()
Build = Callable[[Subquery], ClauseElement]
"""Makes a statement over a batch. A function of a module: what it made for one shape of batch is kept."""
_BATCH = "batch"


class Prepared:
    """A statement whose parameters are named by `bindparam`."""

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._compiled: dict[type[Driver], Compiled] = {}

    async def run(self, connection: AsyncConnection, **parameters: Any) -> Rows:
        """The rows that it gives, or none."""
        driver = driver_of(connection)
        compiled = self._compiled.get(type(driver))
        if compiled is None:
            compiled = self._compiled[type(driver)] = driver.compiled(self._statement)
        return await driver.run(connection, Call(compiled, parameters))


class BatchQuery(NamedTuple):
    """A statement over a batch, to be run later."""

    build: Build
    cells: Cells
    columns: Columns


async def begin_with(connection: AsyncConnection, questions: Sequence[BatchQuery]) -> Begun:
    """Begin a transaction; the answers to `questions`, and the time."""
    driver = driver_of(connection)
    return await driver.begin_with(connection, [_call(driver, *question) for question in questions])


async def run_batch(
    connection: AsyncConnection, build: Build, cells: Cells, columns: Columns, key: Collection[str] = (), **also: Any
) -> Rows:
    """Run the statement that `build` makes of a batch with these `cells`; the rows that it gives, or none.

    `key`: the columns by which it finds rows. `also`: what else it names by `bindparam`."""
    driver = driver_of(connection)
    return await driver.run(connection, _call(driver, build, cells, columns, key, **also))


async def insert_cells(connection: AsyncConnection, table: Table, cells: Cells, columns: Columns) -> None:
    """Write new rows, given by columns."""
    if _count(cells):
        await run_batch(connection, _insert(table), cells, columns)


async def update_cells(
    connection: AsyncConnection, table: Table, cells: Cells, columns: Columns, key: Sequence[str]
) -> None:
    """Write all columns besides `key` of the rows that `key` names."""
    if _count(cells) and not cells.keys() <= set(key):
        await run_batch(connection, _update(table, tuple(key)), cells, columns, key)


def cells_of(rows: Sequence[Mapping[str, Any]], columns: Iterable[str]) -> dict[str, list[Any]]:
    """`rows` by columns; a key that a row lacks is NULL."""
    return {name: [row.get(name) for row in rows] for name in columns}


def driver_of(connection: AsyncConnection) -> Driver:
    """The one with which its engine was made."""
    assert connection.sync_connection is not None
    driver: Driver = connection.sync_connection.get_execution_options()[DRIVER]
    return driver


class _Shape(NamedTuple):
    """How the cells of a batch travel. Batches of one shape have the same statement."""

    varying: tuple[str, ...]
    """Columns with a value for each row."""

    values: tuple[str, ...]
    """Columns with one value for all rows."""


def _call(driver: Driver, build: Build, cells: Cells, columns: Columns, key: Collection[str] = (), **also: Any) -> Call:
    shape = _shape_of(cells, key)
    compiled = _compiled(type(driver), build, shape, tuple(columns.items()))
    parameters = {f"{_BATCH}_{name}": _storable(cells[name][0]) for name in shape.values}
    if shape.varying:
        parameters |= driver.sent(cells, shape.varying, columns, _BATCH)
    return Call(compiled, parameters | also, over_many=bool(shape.varying))


def _shape_of(cells: Cells, key: Collection[str]) -> _Shape:
    """Columns of `key` vary where there are several rows, even if they are all the same: the database would look up
    that one value by itself, and go through all the rows that have it. One row travels as values alone."""
    names = tuple(cells)
    rows = len(cells[names[0]])
    varying = tuple(name for name in names if (name in key and rows > 1) or _varies(cells[name]))
    if not varying and rows != 1:
        varying = names[:1]  # something must say how many rows there are
    return _Shape(varying, tuple(name for name in names if name not in varying))


def _varies(values: Sequence[Any]) -> bool:
    return not values or values.count(values[0]) != len(values)


@lru_cache(maxsize=1000)
def _compiled(driver: type[Driver], build: Build, shape: _Shape, columns: tuple[tuple[str, Any], ...]) -> Compiled:
    """The text alone is kept: what SQLAlchemy has of a statement takes six times as much."""
    return driver.compiled(build(_table(driver, shape, dict(columns))))


def _table(driver: type[Driver], shape: _Shape, columns: Columns) -> Subquery:
    """A subquery with the columns of a batch of this shape, its parameters left open."""
    shown: dict[str, ColumnElement[Any]] = {name: _single(name, columns[name]) for name in shape.values}
    if shape.varying:
        shown |= driver.rows(shape.varying, columns, _BATCH)
    return select(*(shown[name].label(name) for name in (*shape.varying, *shape.values))).subquery(_BATCH)


def _single(name: str, kind: TypeEngine[Any]) -> ColumnElement[Any]:
    """PostgreSQL takes NULL for a text unless it is told."""
    value = bindparam(f"{_BATCH}_{name}", type_=kind)
    return cast(value, kind) if isinstance(kind, Float | Boolean) else value


def _storable(value: Any) -> Any:
    """Text that any database takes: of the many, one with a strange text must not stop the others."""
    return clip(value, len(value)) if isinstance(value, str) else value


@cache
def _insert(table: Table) -> Build:
    return lambda batch: insert(table).from_select(list(batch.c.keys()), select(*batch.c))


@cache
def _update(table: Table, key: tuple[str, ...]) -> Build:
    def build(batch: Subquery) -> Update:
        written = {table.c[name]: batch.c[name] for name in batch.c.keys() if name not in key}  # noqa: SIM118  (no dict)
        return update(table).where(*(table.c[name] == batch.c[name] for name in key)).values(written)

    return build


def _count(cells: Cells) -> int:
    return len(next(iter(cells.values()), ()))
