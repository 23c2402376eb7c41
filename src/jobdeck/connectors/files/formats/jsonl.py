"""Reads JSON Lines: fast where a block is plain, value by value where it is not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pajson
import pyarrow.types as t

from jobdeck.connectors.base import Reject
from jobdeck.connectors.columns import type_name
from jobdeck.connectors.errors import BadEncoding
from jobdeck.connectors.files.formats.json_values import MAX_DEPTH, coerced, kind_of, load, widened
from jobdeck.connectors.files.formats.records import Block
from jobdeck.connectors.files.formats.rows import LONGEST_VALUE, Raw
from jobdeck.connectors.files.formats.types import EXACT_FLOAT, WIDE
from jobdeck.core.values import clip

Kinds = dict[str, pa.DataType]
_OPENING = np.frombuffer(b"{[", np.uint8)
_LONG_NUMBER = re.compile(rb"[:,\[\s]-?(?:[0-9][0-9.]{17}|[0-9.]+[eE][-+]?[0-9]{3}|[0-9][0-9.]{14,}[eE])")
_CLOSING = np.frombuffer(b"}]", np.uint8)


class Shape:
    """The columns of all objects so far, in the order of their first appearance, with types that hold all values."""

    def __init__(self) -> None:
        self.kinds: Kinds = {}

    def feed(self, block: Block, name: str, first_row: int, first_line: int) -> tuple[int, list[Reject]]:
        """Learn from a block; how many lines it has that are not blank, and those of them that hold no object."""
        if too_deep(block.data):
            return self._feed_slowly(block, name, first_row, first_line)
        try:
            table = pajson.read_json(pa.BufferReader(block.data), read_options=_read_options(block))
        except pa.ArrowInvalid:
            return self._feed_slowly(block, name, first_row, first_line)
        if any(_inexact(column) for column in table.columns) or _rounded(block.data, table.schema):
            return self._feed_slowly(block, name, first_row, first_line)
        for column, values in zip(table.column_names, table.columns, strict=True):
            self._widen(column, _plain(values))
        return int(table.num_rows), []

    def _feed_slowly(self, block: Block, name: str, first_row: int, first_line: int) -> tuple[int, list[Reject]]:
        rows, rejects = 0, []
        for row, line, value in objects(block, first_row, first_line):
            rows += 1
            if isinstance(value, Exception):
                rejects.append(_no_object(name, row, line, value))
                continue
            for column, item in value.items():
                self._widen(column, kind_of(item))
        return rows, rejects

    def _widen(self, name: str, kind: pa.DataType) -> None:
        self.kinds[name] = widened(self.kinds.get(name, pa.null()), kind)

    def schema(self) -> pa.Schema:
        """The types as they are before they are settled together with those of other files."""
        return pa.schema(list(self.kinds.items()))


def _read_options(block: Block) -> pajson.ReadOptions:
    return pajson.ReadOptions(use_threads=False, block_size=len(block.data) + 1)


def _inexact(column: pa.ChunkedArray) -> bool:
    """Whether the reader may have rounded: integers beyond 64 bits arrive as floats."""
    if t.is_list(column.type):
        return _inexact(pc.list_flatten(column))
    if t.is_struct(column.type):
        return any(_inexact(child) for child in column.flatten())
    return bool(t.is_float64(column.type)) and _beyond(column)


def _beyond(column: pa.ChunkedArray) -> bool:
    bounds = pc.min_max(column)
    low, high = bounds["min"].as_py(), bounds["max"].as_py()
    return low is not None and (low <= -EXACT_FLOAT or high >= EXACT_FLOAT)


def too_deep(data: bytes) -> bool:
    """Whether brackets, those in texts included, nest so deep that the fast reader may exhaust its stack and crash."""
    if data.count(b"{") + data.count(b"[") - data.count(b"\n") <= MAX_DEPTH:
        return False
    raw = np.frombuffer(data, np.uint8)
    steps = np.isin(raw, _OPENING).astype(np.int8) - np.isin(raw, _CLOSING).astype(np.int8)
    return int(np.cumsum(steps, dtype=np.int32).max()) > MAX_DEPTH


def _rounded(data: bytes, schema: pa.Schema) -> bool:
    """Whether a number may have been written with more digits than the float that it was read into has."""
    return any(_has_float(field.type) for field in schema) and _LONG_NUMBER.search(data) is not None


def _has_float(kind: pa.DataType) -> bool:
    if t.is_nested(kind):
        return any(_has_float(kind.field(index).type) for index in range(kind.num_fields))
    return bool(t.is_floating(kind))


def _plain(values: pa.ChunkedArray) -> pa.DataType:
    """The reader takes texts that look like times for times; in JSON a text is a text."""
    kind = values.type
    if t.is_timestamp(kind):
        return pa.string()
    if t.is_int64(kind):
        return WIDE if _beyond(values) else kind
    if t.is_list(kind):
        return pa.list_(_plain(pc.list_flatten(values)))
    if t.is_struct(kind):
        return pa.struct([(f.name, _plain(child)) for f, child in zip(kind.fields, values.flatten(), strict=True)])
    return kind


def objects(block: Block, first_row: int, first_line: int) -> Iterator[tuple[int, int, dict[str, Any] | Exception]]:
    """(row, line, object) of each line that is not blank; an exception in place of what is no object."""
    row = first_row
    for offset, line in enumerate(block.data.split(b"\n")):
        if not line.strip():
            continue
        yield row, first_line + offset, load(line)
        row += 1


def check_text(block: Block, name: str, first_line: int) -> None:
    """Raise BadEncoding naming the line; the fast reader takes any bytes for text."""
    try:
        block.data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = first_line + block.data.count(b"\n", 0, error.start)
        raise BadEncoding(
            f"{name} is not UTF-8 in line {line}.", hint="JSON is always UTF-8; convert the file."
        ) from error


def parse_block(block: Block, wanted: Kinds, name: str, first_row: int, first_line: int) -> Raw:
    """The block's rows with the columns `wanted`, typed where the fast reader can, else as they are needed."""
    if not wanted or too_deep(block.data):
        return _slow(block, wanted, name, first_row, first_line)
    schema = pa.schema([(column, fast_type(kind)) for column, kind in wanted.items()])
    try:
        options = pajson.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
        table = pajson.read_json(pa.BufferReader(block.data), _read_options(block), options).select(schema.names)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return _slow(block, wanted, name, first_row, first_line)
    if any(_inexact(column) for column in table.columns) or _rounded(block.data, schema):
        return _slow(block, wanted, name, first_row, first_line)
    batches = table.combine_chunks().to_batches()
    batch = batches[0] if batches else pa.RecordBatch.from_pylist([], schema=schema)
    return Raw(batch, range(first_row, first_row + batch.num_rows), lambda place: _line(block, place, first_line))


def fast_type(kind: pa.DataType) -> pa.DataType:
    """The type in which the fast reader takes values that are to become `kind`."""
    if t.is_integer(kind):
        return pa.int64()
    if t.is_floating(kind):
        return pa.float64()
    if t.is_list(kind):
        return pa.list_(fast_type(kind.value_type))
    if t.is_struct(kind):
        return pa.struct([(f.name, fast_type(f.type)) for f in kind.fields])
    return kind if t.is_boolean(kind) or t.is_map(kind) else pa.string()


def _line(block: Block, place: int, first_line: int) -> int | None:
    filled = (number for number, line in enumerate(block.data.split(b"\n")) if line.strip())
    return next((first_line + number for index, number in enumerate(filled) if index == place), None)


def _slow(block: Block, wanted: Kinds, name: str, first_row: int, first_line: int) -> Raw:
    columns: dict[str, list[Any]] = {column: [] for column in wanted}
    numbers: list[int] = []
    lines: list[int] = []
    rejects: list[Reject] = []
    for row, line, value in objects(block, first_row, first_line):
        try:
            if isinstance(value, Exception):
                raise value
            values = _values(value, wanted)
        except _Unfit as error:
            rejects.append(Reject(name, row, error.column, clip(error.text, LONGEST_VALUE), error.reason, line))
        except ValueError as error:
            rejects.append(_no_object(name, row, line, error))
        else:
            numbers.append(row)
            lines.append(line)
            for column, item in values.items():
                columns[column].append(item)
    arrays = [pa.array(columns[column], kind) for column, kind in wanted.items()]
    if not wanted:
        batch = pa.RecordBatch.from_struct_array(pa.array([{}] * len(numbers), pa.struct([])))
    else:
        batch = pa.record_batch(arrays, names=list(wanted))
    return Raw(batch, numbers, lambda place: lines[place], rejects)


def _no_object(name: str, row: int, line: int, error: Exception) -> Reject:
    return Reject(name, row, None, None, f"no JSON object: {error}", line)


class _Unfit(ValueError):
    def __init__(self, column: str, text: str, reason: str) -> None:
        super().__init__(reason)
        self.column, self.text, self.reason = column, text, reason


def _values(value: dict[str, Any], wanted: Kinds) -> dict[str, Any]:
    result = {}
    for column, kind in wanted.items():
        item = value.get(column)
        try:
            result[column] = coerced(item, kind)
        except (ValueError, TypeError, OverflowError, pa.ArrowException):
            text = item if isinstance(item, str) else json.dumps(item, default=str, ensure_ascii=False)
            raise _Unfit(column, text, f"not a {type_name(kind)}") from None
    return result
