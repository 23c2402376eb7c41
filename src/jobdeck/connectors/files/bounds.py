"""Bounds that hold for every format."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.types as t

from jobdeck.connectors.columns import MAX_COLUMNS
from jobdeck.connectors.errors import BadHeader, TooManyColumns

CELLS = 8 * 1024 * 1024
"""Values, nulls included, that are held at once: a table is wide or has many rows, not both."""


def leaves(kind: pa.DataType) -> int:
    """Values that one row of the type has at least."""
    if not t.is_nested(kind):
        return 1
    return sum(leaves(kind.field(index).type) for index in range(kind.num_fields)) or 1


def width(schema: pa.Schema) -> int:
    """Values of one row, at least 1."""
    return sum(leaves(field.type) for field in schema) or 1


def inner_width(kind: pa.DataType) -> int:
    """Values of one element of the widest list inside of `kind`, 0 without lists."""
    if not t.is_nested(kind):
        return 0
    fields = [kind.field(index).type for index in range(kind.num_fields)]
    return max([inner_width(field) for field in fields] + ([] if t.is_struct(kind) else [leaves(kind)]), default=0)


def check_columns(schema: pa.Schema, name: str) -> None:
    """Raises TooManyColumns, or BadHeader for a name that is there twice or that no column can have."""
    count = width(schema)
    if count > MAX_COLUMNS:
        raise TooManyColumns(
            f"{name} has {count} columns; {MAX_COLUMNS} are allowed.", hint="Turn columns into rows of name and value."
        )
    _check_names(schema.names, name, "")
    for field in schema:
        _check_type(field.type, name, field.name)


def _check_type(kind: pa.DataType, name: str, place: str) -> None:
    if not t.is_nested(kind):
        return
    fields = [kind.field(index) for index in range(kind.num_fields)]
    if t.is_struct(kind):
        _check_names([field.name for field in fields], name, f" in '{place}'")
    for field in fields:
        _check_type(field.type, name, f"{place}.{field.name}")


def _check_names(names: Sequence[str], name: str, where: str) -> None:
    seen: set[str] = set()
    for column in names:
        if "\0" in column:
            raise BadHeader(
                f"{name}: the name {column[:60]!r}{where} holds a NUL character, which no column can have.",
                hint="Rename it where the file is made.",
            )
        if column in seen:
            raise BadHeader(f"{name} has two columns named '{column}'{where}.", hint="Rename one where it is made.")
        seen.add(column)


def named(names: Sequence[str]) -> list[str]:
    """Columns without a name are called `column_N` after their place, as in CSV; all others keep theirs."""
    return [column or f"column_{place}" for place, column in enumerate(names, 1)]
