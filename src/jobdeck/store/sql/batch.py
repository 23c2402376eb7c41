"""Many rows in one statement, given by columns.

A column whose values are all the same travels as that value alone: of a batch of transitions most columns are, and what
is not sent need not be read. On PostgreSQL each of the others is one array; SQLite reads them from one JSON text."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    BigInteger,
    BindParameter,
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
    shape = shape_of(cells, dialect)
    return shaped_table(shape, columns, name, parameters_of(cells, shape, columns, name))


def ids_of(ids: Iterable[int], dialect: str, name: str = "ids") -> Subquery:
    """A subquery with the one column `id`."""
    return table_of_cells({"id": list(ids)}, {"id": INT}, dialect, name)


def storable(value: Any) -> Any:
    """Text that any database takes: of the many, one with a strange text must not stop the others."""
    if isinstance(value, str) and not (value.isascii() and "\0" not in value):
        return clip(value, len(value))
    return value


class BatchShape(NamedTuple):
    """How the cells of a batch travel."""

    dialect: str
    varying: tuple[str, ...] = ()
    """Columns with a value for each row: arrays, or one JSON text."""

    values: tuple[str, ...] = ()
    """Columns with one value for all rows."""


def shape_of(cells: Cells, dialect: str, key: Collection[str] = ()) -> BatchShape:
    """How these cells travel. Batches of one shape have the same statement.

    Those of `key` vary where there are several rows, even if they are all the same: the database would look up that one
    value by itself, and go through all the rows that have it. One row travels as values alone."""
    names = tuple(cells)
    rows = len(cells[names[0]])
    varying = tuple(name for name in names if (name in key and rows > 1) or _varies(cells[name]))
    if not varying and rows != 1:
        varying = names[:1]  # something must say how many rows there are
    return BatchShape(dialect, varying, tuple(name for name in names if name not in varying))


def _varies(values: Sequence[Any]) -> bool:
    return not values or values.count(values[0]) != len(values)


def parameters_of(cells: Cells, shape: BatchShape, columns: Columns, name: str = "batch") -> dict[str, Any]:
    """What is sent of the cells, by the names that `shaped_table` gives to its parameters."""
    values = {_parameter(name, key): storable(cells[key][0]) for key in shape.values}
    if not shape.varying:
        return values
    if shape.dialect == "sqlite":
        payload = _payload(list(zip(*(cells[key] for key in shape.varying), strict=True)))
        return values | {_text_parameter(name): payload}
    return values | {_parameter(name, key): _array(cells[key], columns[key]) for key in shape.varying}


def _parameter(name: str, column: str) -> str:
    return f"{name}_{column}"


def _text_parameter(name: str) -> str:
    """The JSON text of a batch. No column's parameter has this name, whatever the column is called."""
    return name


def shaped_table(
    shape: BatchShape, columns: Columns, name: str = "batch", values: Mapping[str, Any] | None = None
) -> Subquery:
    """A subquery with the columns of a batch of this shape; without `values`, its parameters are left open."""

    def parameter(full: str, kind: TypeEngine[Any]) -> BindParameter[Any]:
        return bindparam(full, type_=kind) if values is None else bindparam(full, values[full], kind, unique=True)

    def single(key: str) -> ColumnElement[Any]:
        """PostgreSQL takes NULL for a text unless it is told."""
        value, kind = parameter(_parameter(name, key), columns[key]), columns[key]
        return cast(value, kind) if shape.dialect == "postgresql" and isinstance(kind, Float | Boolean) else value

    shown: dict[str, ColumnElement[Any]] = {key: single(key) for key in shape.values}
    if shape.varying and shape.dialect == "sqlite":
        shown |= _from_json(shape.varying, columns, name, parameter(_text_parameter(name), TEXT))
    elif shape.varying:
        arrays = [cast(parameter(_parameter(name, key), TEXT), ARRAY(columns[key])) for key in shape.varying]
        source = func.unnest(*arrays).table_valued(
            *(column(key, columns[key]) for key in shape.varying), name=f"{name}_rows"
        )
        shown |= dict(source.render_derived().c)
    return select(*(shown[key].label(key) for key in (*shape.varying, *shape.values))).subquery(name)


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


def _from_json(
    names: Sequence[str], columns: Columns, name: str, parameter: BindParameter[Any]
) -> dict[str, ColumnElement[Any]]:
    source = func.json_each(parameter).table_valued("value", name=f"{name}_json")
    return {
        key: type_coerce(func.json_extract(source.c.value, f"$[{place}]"), columns[key])
        for place, key in enumerate(names)
    }


def _payload(rows: Sequence[Sequence[Any]]) -> str:
    try:
        payload = orjson.dumps(rows).decode()
    except TypeError:  # lone surrogates are no characters
        payload = orjson.dumps([[storable(value) for value in row] for row in rows]).decode()
    return _NUL.sub(r"\1\\u2400", payload) if r"\u0000" in payload else payload


_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
"""An escaped NUL; not the same six characters after an escaped backslash, which are JSON within the JSON."""
