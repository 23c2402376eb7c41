"""Many rows in one statement, given by columns.

On PostgreSQL a column travels as one array, and one whose values are all the same as that value alone: of a batch of
transitions most columns are, and what is not sent need not be read. SQLite reads one JSON parameter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Float,
    Subquery,
    Text,
    bindparam,
    cast,
    column,
    func,
    select,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeEngine

from jobdeck.core.values import clip

INT: TypeEngine[Any] = BigInteger()
TEXT: TypeEngine[Any] = Text()
FLOAT: TypeEngine[Any] = Float()
BOOL: TypeEngine[Any] = Boolean()
Columns = Mapping[str, TypeEngine[Any]]
Cells = Mapping[str, Sequence[Any]]
"""The values of each column, all equally many."""


def cells_of(rows: Sequence[Mapping[str, Any]], columns: Iterable[str]) -> dict[str, list[Any]]:
    """`rows` by columns; a key that a row lacks is NULL."""
    return {name: [row.get(name) for row in rows] for name in columns}


def table_of(rows: Sequence[Mapping[str, Any]], columns: Columns, dialect: str, name: str = "batch") -> Subquery:
    """`rows` as a subquery with `columns`; a key that a row lacks is NULL."""
    return table_of_cells(cells_of(rows, columns), columns, dialect, name)


def table_of_cells(cells: Cells, columns: Columns, dialect: str, name: str = "batch") -> Subquery:
    """`cells` as a subquery with `columns`."""
    return _from_json(cells, columns, name) if dialect == "sqlite" else _from_arrays(cells, columns, name)


def ids_of(ids: Iterable[int], dialect: str, name: str = "ids") -> Subquery:
    """A subquery with the one column `id`."""
    return table_of_cells({"id": list(ids)}, {"id": INT}, dialect, name)


def storable(value: Any) -> Any:
    """Text that any database takes: of the many, one with a strange text must not stop the others."""
    if isinstance(value, str) and not (value.isascii() and "\0" not in value):
        return clip(value, len(value))
    return value


def _from_arrays(cells: Cells, columns: Columns, name: str) -> Subquery:
    varying = [key for key in columns if _varies(cells[key])]
    if not varying and len(cells[next(iter(columns))]) != 1:
        varying = [next(iter(columns))]  # something must say how many rows there are
    shown: dict[str, ColumnElement[Any]] = {
        key: bindparam(f"{name}_{key}", storable(cells[key][0]), kind, unique=True)
        for key, kind in columns.items()
        if key not in varying
    }
    if not varying:
        return select(*(value.label(key) for key, value in shown.items())).subquery(name)
    arrays = [
        cast(bindparam(f"{name}_{key}", _array(cells[key], columns[key]), Text(), unique=True), ARRAY(columns[key]))
        for key in varying
    ]
    source = func.unnest(*arrays).table_valued(*(column(key, columns[key]) for key in varying), name=f"{name}_rows")
    shown |= dict(source.render_derived().c)
    return select(*(shown[key].label(key) for key in columns)).subquery(name)


def _varies(values: Sequence[Any]) -> bool:
    return not values or values.count(values[0]) != len(values)


def _array(values: Sequence[Any], kind: TypeEngine[Any]) -> str:
    """An array as PostgreSQL reads it."""
    if isinstance(kind, Text):
        return _clean("{" + ",".join(["NULL" if v is None else f'"{_escaped(v)}"' for v in values]) + "}")
    if isinstance(kind, Boolean):
        return "{" + ",".join(["NULL" if v is None else "t" if v else "f" for v in values]) + "}"
    return "{" + ",".join(["NULL" if v is None else str(v) for v in values]) + "}"


def _escaped(text: str) -> str:
    if '"' in text or "\\" in text:
        return text.replace("\\", "\\\\").replace('"', '\\"')
    return text


def _clean(text: str) -> str:
    return text if text.isascii() and "\0" not in text else clip(text, len(text))


def _from_json(cells: Cells, columns: Columns, name: str) -> Subquery:
    parameter = bindparam(f"{name}_rows", _payload(list(zip(*cells.values(), strict=True))), type_=Text(), unique=True)
    source = func.json_each(parameter).table_valued("value", name=f"{name}_json")
    places = {key: place for place, key in enumerate(cells)}
    extract = [
        type_coerce(func.json_extract(source.c.value, f"$[{places[key]}]"), kind).label(key)
        for key, kind in columns.items()
    ]
    return select(*extract).subquery(name)


def _payload(rows: Sequence[Sequence[Any]]) -> str:
    try:
        payload = orjson.dumps(rows).decode()
    except TypeError:  # lone surrogates are no characters
        payload = orjson.dumps([[storable(value) for value in row] for row in rows]).decode()
    return _NUL.sub(r"\1\\u2400", payload) if r"\u0000" in payload else payload


_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
"""An escaped NUL; not the same six characters after an escaped backslash, which are JSON within the JSON."""
