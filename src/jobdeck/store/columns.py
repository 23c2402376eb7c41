"""How tables are written: by kinds of columns, each with the names of those that stand together."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

from jobdeck.store.schema_base import Id, metadata

Columns = list[Column[Any]]


def table(name: str, *parts: Columns | SchemaItem, **options: Any) -> Table:
    """A table with these columns, constraints and indexes; `options`: what a dialect knows of it."""
    items = [item for part in parts for item in (part if isinstance(part, list) else [part])]
    numbered = any(isinstance(item, Column) and item.type is Id for item in items)
    return Table(name, metadata, *items, sqlite_autoincrement=numbered, **options)


class _Kind:
    """Makes columns of a type: `texts("name", "title")`. They hold something in every row unless `null`; `key`: they
    are of the primary key; `default` is SQL."""

    def __init__(self, type_: TypeEngine[Any]) -> None:
        self._type = type_

    def __call__(
        self, *names: str, null: bool = False, key: bool = False, default: str | None = None, **more: Any
    ) -> Columns:
        """`more`: what SQLAlchemy's `Column` takes besides."""
        if default is not None:
            more["server_default"] = text(default)
        return [Column(name, self._type, primary_key=key, nullable=null, **more) for name in names]


texts, integers, longs, shorts = _Kind(Text()), _Kind(Integer()), _Kind(BigInteger()), _Kind(SmallInteger())
flags, floats, blobs = _Kind(Boolean()), _Kind(Float()), _Kind(LargeBinary())
times = longs
"""µs since 1970 UTC."""


def counted() -> Columns:
    """The key of rows that are numbered as they come; no number is given twice."""
    return [Column("id", Id, primary_key=True)]


def refs(name: str, to: str, *, null: bool = False, **more: Any) -> Columns:
    """A column that names a row of another table: `refs("project_id", "projects.id")`."""
    return [Column(name, ForeignKey(to, **more), nullable=null)]


def one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    """The column holds one of these."""
    return CheckConstraint(f"{column} IN ({', '.join(repr(v.value) for v in values)})", name=column)


def index_where(name: str, condition: str, *columns: str, unique: bool = False) -> Index:
    """An index of the rows for which `condition` holds."""
    where = text(condition)
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)
