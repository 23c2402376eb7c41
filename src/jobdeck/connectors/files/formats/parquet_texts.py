"""Texts of Parquet: unfolded from their dictionaries a bounded piece at a time, and looked at for being UTF-8."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as t

from jobdeck.connectors.base import MAX_BATCH
from jobdeck.connectors.errors import TooBigToRead
from jobdeck.connectors.files.formats.rows import BadValues

MAX_ROW = 256 * 1024 * 1024
"""Bytes to which the texts of one row may unfold."""
NOT_TEXT = "no text: its bytes are not UTF-8"


def decoded(batch: pa.RecordBatch, name: str) -> Iterator[tuple[pa.RecordBatch, int]]:
    """The batch in pieces without dictionaries, each of about MAX_BATCH bytes, and which row is the first of each."""
    sizes = sum((_sizes(column) for column in batch.columns), np.zeros(batch.num_rows, np.int64))
    if batch.num_rows and int(sizes.max()) > MAX_ROW:
        raise TooBigToRead(
            f"{name}: the texts of one row unfold to {int(sizes.max())} bytes; {MAX_ROW} are allowed.",
            hint="Leave the column out with `columns`.",
        )
    ends = np.cumsum(sizes)
    start = 0
    while start < batch.num_rows:
        before = int(ends[start - 1]) if start else 0
        end = max(start + 1, int(np.searchsorted(ends, before + MAX_BATCH, "right")))
        piece = batch.slice(start, end - start)
        arrays = [_plain(_alone(column, batch.num_rows)) for column in piece.columns]
        if arrays:
            piece = pa.record_batch(arrays, names=batch.schema.names)
        yield piece, start
        start = end


def _sizes(column: pa.Array) -> Any:
    """Bytes of text in each row, as it will be without dictionary."""
    kind = column.type
    if t.is_dictionary(kind):
        lengths = pc.binary_length(column.dictionary.cast(_bytes_of(column.dictionary.type)))
        return pc.take(lengths, column.indices).fill_null(0).cast(pa.int64()).to_numpy(zero_copy_only=False)
    if t.is_struct(kind):
        return sum((_sizes(field) for field in column.flatten()), np.zeros(len(column), np.int64))
    if t.is_list(kind) or t.is_large_list(kind) or t.is_map(kind):
        return _listed(column)
    return np.zeros(len(column), np.int64)


def _listed(column: pa.Array) -> Any:
    inner = (column.keys, column.items) if t.is_map(column.type) else (column.values,)
    each = sum((_sizes(values) for values in inner), np.zeros(len(inner[0]), np.int64))
    sums = np.concatenate(([0], np.cumsum(each)))
    offsets = column.offsets.to_numpy(zero_copy_only=False)
    return sums[offsets[1:]] - sums[offsets[:-1]]


def _bytes_of(kind: pa.DataType) -> pa.DataType:
    return pa.large_binary() if t.is_large_string(kind) or t.is_large_binary(kind) else pa.binary()


def _alone(column: pa.Array, rows: int) -> pa.Array:
    """A piece of a column of lists carries all values of the column along, until it is taken out of it."""
    if len(column) == rows or not t.is_nested(column.type):
        return column
    return column.take(pa.array(np.arange(len(column))))


def _plain(column: pa.Array) -> pa.Array:
    kind = _without_dictionaries(column.type)
    return column if kind == column.type else column.cast(kind)


def _without_dictionaries(kind: pa.DataType) -> pa.DataType:
    if t.is_dictionary(kind):
        return kind.value_type
    if t.is_struct(kind):
        return pa.struct([field.with_type(_without_dictionaries(field.type)) for field in kind.fields])
    if t.is_map(kind):
        return pa.map_(_without_dictionaries(kind.key_type), _without_dictionaries(kind.item_type))
    if t.is_list(kind):
        return pa.list_(kind.value_field.with_type(_without_dictionaries(kind.value_type)))
    if t.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(_without_dictionaries(kind.value_type)))
    return kind


def unreadable(batch: pa.RecordBatch) -> BadValues:
    """The rows with a text that is not UTF-8, with the column and the value."""
    bad: BadValues = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if not _holds_text(column.type) or _valid(column):
            continue
        for place in range(len(column)):
            value = _undecodable(column[place])
            if value is not None:
                bad.setdefault(place, (name, value, NOT_TEXT))
    return bad


def _holds_text(kind: pa.DataType) -> bool:
    if t.is_nested(kind):
        return any(_holds_text(kind.field(index).type) for index in range(kind.num_fields))
    return bool(t.is_string(kind) or t.is_large_string(kind) or t.is_dictionary(kind))


def _valid(column: pa.Array) -> bool:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _undecodable(value: Any) -> str | None:
    try:
        value.as_py()
    except UnicodeDecodeError as error:
        return bytes(error.object).decode("utf-8", "backslashreplace")
    return None
