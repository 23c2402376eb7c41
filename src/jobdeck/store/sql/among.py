"""Many keys in one query: ids that travel as one parameter, and rows whose key is among those of a batch, found by the
index of that key whatever the planner takes for cheaper.

Joined to a batch, PostgreSQL may as well read all of a table that it takes for small, and compare. Of one whose rows
come and go, like leases, it would walk through all that ever were."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Dialect,
    Select,
    Subquery,
    Text,
    TypeDecorator,
    bindparam,
    column,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType, TypeEngine


class among(ColumnElement[Any]):  # noqa: N801  (a function of SQL)
    """`column IN (keys)`; on PostgreSQL the keys are read first, into an array."""

    inherit_cache = False
    type = NullType()  # a Boolean would be compared to 1 on SQLite

    def __init__(self, column: ColumnElement[Any], keys: Select[Any]) -> None:
        """`keys`: selects one column."""
        self.column = column
        self.keys = keys


@compiles(among)
def _in(element: among, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.column.in_(element.keys), **options)


@compiles(among, "postgresql")
def _in_array(element: among, compiler: SQLCompiler, **options: Any) -> str:
    keys = compiler.process(element.keys.scalar_subquery(), **options)
    return f"{compiler.process(element.column, **options)} = ANY (ARRAY {keys})"


def ids_of(ids: Iterable[int], name: str = "ids") -> Subquery:
    """A subquery with the one column `id`. One id travels as that value, by which a plan that is kept finds it."""
    several = list(ids)
    if len(several) == 1:
        return select(bindparam(None, several[0], BigInteger(), unique=True).label("id")).subquery(name)
    each = _each(bindparam(None, several, _ManyIds(), unique=True))
    rows = each.table_valued(column("value", BigInteger()), name="value")
    return select(rows.c.value.label("id")).subquery(name)


class _ManyIds(TypeDecorator[list[int]]):
    """A list of integers: an array on PostgreSQL, a JSON text on SQLite."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(ARRAY(BigInteger()) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: list[int] | None, dialect: Dialect) -> Any:
        return value if dialect.name == "postgresql" else orjson.dumps(value).decode()


class _each(FunctionElement[Any]):  # noqa: N801  (a function of SQL)
    """Rows of the one column `value`, one for each."""

    name = "each"
    inherit_cache = True


@compiles(_each)
def _each_of_json(element: _each, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(_each, "postgresql")
def _each_of_array(element: _each, compiler: SQLCompiler, **options: Any) -> str:
    """The column of a function that gives single values is called as the function's alias."""
    return f"unnest({compiler.process(element.clauses, **options)})"
