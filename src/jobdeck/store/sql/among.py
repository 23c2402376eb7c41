"""Rows whose key is among those of a batch, found by the index of that key whatever the planner takes for cheaper.

Joined to a batch, PostgreSQL may as well read all of a table that it takes for small, and compare. Of one whose rows
come and go, like leases, it would walk through all that ever were."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import NullType


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
