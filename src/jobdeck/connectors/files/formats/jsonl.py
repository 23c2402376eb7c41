"""Reads JSON Lines: fast where a block is plain, value by value where it is not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pajson
import pyarrow.types as t

from jobdeck.connectors.base import Reject
from jobdeck.connectors.errors import BadEncoding, TooBigToRead, TooManyColumns
from jobdeck.connectors.files.bounds import CELLS, inner_width
from jobdeck.connectors.files.formats.json_shape import BIG, FLOAT, OBJECT, WIDE, Mixtures, Names, Node
from jobdeck.connectors.files.formats.json_values import MAX_DEPTH, converter, load, settled, text_of
from jobdeck.connectors.files.formats.records import Block
from jobdeck.connectors.files.formats.rows import LONGEST_VALUE, Raw
from jobdeck.connectors.files.formats.types import EXACT_FLOAT
from jobdeck.core.values import clip

Kinds = dict[str, pa.DataType]
_OPENING = np.frombuffer(b"{[", np.uint8)
_CLOSING = np.frombuffer(b"}]", np.uint8)
_LONG_NUMBER = re.compile(rb"[:,\[\s]-?(?:[0-9][0-9.]{17}|[0-9.]+[eE][-+]?[0-9]{3}|[0-9][0-9.]{14,}[eE])")
_BLANK = re.compile(rb"(?m)^[ \t\r]*$")
_NO_OBJECT = re.compile(rb"(?m)^[ \t\r]*(?:[^{ \t\r\n]|\{[^\n]*[^} \t\r\n][ \t\r]*$)")
_LEARN = 64 * 1024
"""Bytes from which the fast reader is told what to expect."""
_LEAST_LINES = 16
MAX_OBJECTS = 1_000_000
"""Objects in one row; each takes far more memory than its text."""


@dataclass(frozen=True, slots=True)
class LearnedColumns:
    """What was learned of a whole file: its columns, what the one with the empty name is called, and whether all of
    its lines are objects; the fast reader, which leaves out what is not wanted, would take some that are none."""

    held: Kinds
    unnamed: str = ""
    whole: bool = True


class ColumnsSoFar:
    """The columns of all objects so far, in the order of their first appearance, with types that hold all values.

    `unnamed`: what the column with the empty name is called; `whole`: whether all lines so far were objects."""

    def __init__(self) -> None:
        self._names = Names()
        self._mixtures = Mixtures()
        self.whole = True
        self._root = Node(self._names)
        self._schema, self._known, self._inner = pa.schema([]), -1, 0

    @property
    def unnamed(self) -> str:
        return next((f"column_{place}" for place, name in enumerate(self._root.fields, 1) if not name), "")

    def feed(self, block: Block, name: str, first_row: int, first_line: int | None) -> tuple[int, list[Reject]]:
        """Learn from a block; how many lines it has that are not blank, and those of them that hold no object.

        Raises TooManyColumns, TooBigToRead. `first_line` is None where the lines are not those of the file."""
        rows, rejects, line = 0, list[Reject](), first_line
        for piece in self._pieces(block):
            found, bad = self._feed(piece, name, first_row + rows, line)
            rows, rejects = rows + found, rejects + bad
            self.whole = self.whole and not bad
            line = None if line is None else line + piece.data.count(b"\n")
        return rows, rejects

    def _pieces(self, block: Block) -> Iterator[Block]:
        """What is learned from the first lines lets the fast reader check the others."""
        if self._root.fields or len(block.data) <= _LEARN:
            yield from pieces(block, self._names.count, self._inner)
            return
        cut = block.data.find(b"\n", _LEARN) + 1 or len(block.data)
        yield Block(block.data[:cut], block.start, block.start + cut)
        if cut < len(block.data):
            rest = Block(block.data[cut:], block.start + cut, block.end)
            yield from pieces(rest, self._names.count, self._inner)

    def _feed(self, block: Block, name: str, first_row: int, first_line: int | None) -> tuple[int, list[Reject]]:
        check_size(block, self._inner, name, first_row, first_line)
        lines = self._root.fields and plain_lines(block.data)
        if lines and self._holds(block, lines):
            return lines, []
        return self._learn(block, name, first_row, first_line)

    def _holds(self, block: Block, lines: int) -> bool:
        """Whether the block has nothing that is not known yet, as the fast reader sees it."""
        if self._known != self._names.changes:
            self._schema = pa.schema([(name, _checked(node)) for name, node in self._root.fields.items()])
            self._known = self._names.changes
            self._inner = max(inner_width(kind) for kind in self._schema.types)
        table = _read(block, self._schema, "error")
        if table is None or table.num_rows != lines:
            return False
        if any(map(_has_float, self._schema.types)) and _LONG_NUMBER.search(block.data):
            return False
        nodes = self._root.fields
        return not any(_inexact(nodes[name], table.column(name)) for name in table.column_names)

    def _learn(self, block: Block, name: str, first_row: int, first_line: int | None) -> tuple[int, list[Reject]]:
        rows, rejects = 0, []
        for row, line, value in objects(block, first_row, first_line):
            rows += 1
            if isinstance(value, Exception):
                rejects.append(_no_object(name, row, line, value))
                continue
            before = self._names.changes
            try:
                self._root.feed(value)
            except TooManyColumns as error:
                _too_many(error, name, row, line)
            if self._names.changes > before:
                self._mixtures.feed(self._root.fields, value, _where(row, line))
        return rows, rejects

    def mixed(self, file: str) -> dict[str, str]:
        """What to tell of columns that are text because they mix kinds, by column."""
        return {name or self.unnamed: told for name, told in self._mixtures.told(file).items()}

    def schema(self) -> pa.Schema:
        """The columns; one with nothing but nulls is of type null."""
        unnamed = self.unnamed
        return pa.schema([(name or unnamed, node.type()) for name, node in self._root.fields.items()])


def _where(row: int, line: int | None) -> str:
    return f"row {row}" + (f" (line {line})" if line is not None else "")


def _too_many(error: TooManyColumns, name: str, row: int, line: int | None) -> NoReturn:
    raise TooManyColumns(
        f"{name} {error.message} in {_where(row, line)}.",
        hint="Where names are data, turn them into rows of name and value before importing.",
    ) from None


def _checked(node: Node) -> pa.DataType:
    """The type that the fast reader checks by: it refuses what is to be learned, and numbers in place of texts."""
    if node.seen & BIG and not node.mixed:
        return pa.string()
    kind = settled(node.type()) if node.seen & WIDE else node.type()
    if t.is_list(kind) and node.items is not None:
        return pa.list_(_checked(node.items))
    if t.is_struct(kind):
        return pa.struct([(name, _checked(field)) for name, field in node.fields.items()])
    return kind


def _inexact(node: Node, column: pa.ChunkedArray) -> bool:
    """Whether there are numbers of which the fast reader, or the node, does not know all: large ones may be rounded."""
    kind = column.type
    if t.is_list(kind) and node.items is not None:
        return _inexact(node.items, pc.list_flatten(column))
    if t.is_struct(kind) and node.seen & OBJECT:
        return any(map(_inexact, node.fields.values(), column.flatten()))
    if t.is_int64(kind):
        return not node.seen & WIDE and _beyond(column)
    return t.is_float64(kind) and bool(node.seen & FLOAT) and _beyond(column)


def _has_float(kind: pa.DataType) -> bool:
    """Whether a number may have been written with more digits than the float that it would be read into has."""
    if t.is_nested(kind):
        return any(_has_float(kind.field(index).type) for index in range(kind.num_fields))
    return bool(t.is_floating(kind))


def _beyond(column: pa.ChunkedArray) -> bool:
    bounds = pc.min_max(column)
    low, high = bounds["min"].as_py(), bounds["max"].as_py()
    return low is not None and (low <= -EXACT_FLOAT or high >= EXACT_FLOAT)


def pieces(block: Block, columns: int, inner: int) -> Iterator[Block]:
    """The block's lines, so many at a time that they unfold to at most about CELLS values, or one.

    A row has `columns` values, an object in a list at most `inner`."""
    count = block.data.count(b"\n")
    most = max(_LEAST_LINES, CELLS // max(1, columns))
    if block.data.count(b"{") * inner > 4 * CELLS:
        most = min(most, max(1, count // 4))
    if count <= most:
        yield block
        return
    ends = (np.flatnonzero(np.frombuffer(block.data, np.uint8) == 10) + 1)[most - 1 :: most].tolist()
    start = 0
    for end in [*ends, len(block.data)]:
        if end > start:
            piece = Block(block.data[start:end], block.start + start, block.start + end)
            yield from pieces(piece, columns, inner)
        start = end


def check_size(block: Block, inner: int, name: str, row: int, line: int | None) -> None:
    """Raises TooBigToRead for a row whose objects, in lists, take or unfold to far more than it has bytes."""
    found = block.data.count(b"{")
    if block.data.count(b"\n", 0, -1) == 0 and (found > MAX_OBJECTS or found * inner > 8 * CELLS):
        raise TooBigToRead(
            f"{name}: {_where(row, line)} has {found} objects, which unfold to {found * max(1, inner)} values.",
            hint="Make rows of the objects in its lists.",
        )


def plain_lines(data: bytes) -> int:
    """How many lines the fast reader may read, each an object from its first to its last character; 0: none of them.

    It would take several objects in a line for several rows, and does not survive some of the lines without any."""
    if too_deep(data) or b"\0" in data:
        return 0
    raw = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(raw == 10)
    starts = np.concatenate(([0], ends + 1))
    if starts[-1] == len(raw):
        starts = starts[:-1]
    else:
        ends = np.append(ends, len(raw))
    if (raw[starts] == 123).all() and (raw[ends - 1] == 125).all():
        return len(starts)
    if _NO_OBJECT.search(data):
        return 0
    return len(starts) - sum(1 for match in _BLANK.finditer(data) if match.start() < len(data))


def too_deep(data: bytes) -> bool:
    """Whether brackets, those in texts included, nest so deep that the fast reader may exhaust its stack and crash."""
    if data.count(b"{") + data.count(b"[") - data.count(b"\n") <= MAX_DEPTH:
        return False
    raw = np.frombuffer(data, np.uint8)
    steps = np.isin(raw, _OPENING).astype(np.int8) - np.isin(raw, _CLOSING).astype(np.int8)
    return int(np.cumsum(steps, dtype=np.int32).max()) > MAX_DEPTH


def _read(block: Block, schema: pa.Schema, unexpected: str) -> pa.Table | None:
    """What the fast reader makes of the block; None if it refuses."""
    options = pajson.ParseOptions(explicit_schema=schema, unexpected_field_behavior=unexpected)
    reading = pajson.ReadOptions(use_threads=False, block_size=len(block.data) + 1)
    try:
        return pajson.read_json(pa.BufferReader(block.data), reading, options).select(schema.names)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowKeyError):
        return None


def objects(
    block: Block, first_row: int, first_line: int | None
) -> Iterator[tuple[int, int | None, dict[str, Any] | Exception]]:
    """(row, line, object) of each line that is not blank; an exception in place of what is no object."""
    row = first_row
    for offset, line in enumerate(block.data.split(b"\n")):
        if not line.strip():
            continue
        yield row, None if first_line is None else first_line + offset, load(line)
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


def parse_block(
    block: Block, wanted: Kinds, known: LearnedColumns, name: str, first_row: int, first_line: int | None
) -> Raw:
    """The block's rows with the columns `wanted`, typed where the fast reader can, else as they are needed."""
    check_size(block, max((inner_width(kind) for kind in wanted.values()), default=0), name, first_row, first_line)
    direct = wanted and known.whole and all(_direct(kind, known.held[column]) for column, kind in wanted.items())
    lines = plain_lines(block.data) if direct else 0
    schema = pa.schema(
        [("" if column == known.unnamed else column, fast_type(kind)) for column, kind in wanted.items()]
    )
    long = any(map(_has_float, wanted.values())) and _LONG_NUMBER.search(block.data)
    table = _read(block, schema, "ignore") if lines and not long else None
    if table is None or table.num_rows != lines or any(_rounded(column) for column in table.columns):
        return _slow(block, wanted, name, first_row, first_line, known.unnamed)
    arrays = [column.combine_chunks() for column in table.columns]
    batch = pa.record_batch(arrays, names=list(wanted))
    return Raw(batch, range(first_row, first_row + lines), lambda place: _line(block, place, first_line))


def fast_type(kind: pa.DataType) -> pa.DataType:
    """The type in which the fast reader takes values that are to become `kind`.

    As text where it would take another number for them; it then refuses numbers, which are read one by one."""
    if t.is_integer(kind):
        return pa.int64()
    if t.is_float64(kind):
        return kind
    return kind if t.is_nested(kind) or t.is_boolean(kind) else pa.string()


def _direct(kind: pa.DataType, held: pa.DataType, inside: bool = False) -> bool:
    """Whether the fast reader gives values of `kind` exactly: inside of lists and structs it knows what JSON has.

    It would drop, unseen, the fields that the file has and the column lacks."""
    if t.is_list(kind):
        return bool(t.is_list(held)) and _direct(kind.value_type, held.value_type, inside=True)
    if t.is_struct(kind):
        fields = {field.name: field.type for field in kind.fields}
        return bool(t.is_struct(held)) and all(
            field.name in fields and _direct(fields[field.name], field.type, inside=True) for field in held.fields
        )
    if t.is_nested(kind):
        return False
    return not inside or kind in (pa.int64(), pa.float64(), pa.string(), pa.bool_())


def _rounded(column: pa.ChunkedArray) -> bool:
    if t.is_list(column.type):
        return _rounded(pc.list_flatten(column))
    if t.is_struct(column.type):
        return any(map(_rounded, column.flatten()))
    return bool(t.is_float64(column.type)) and _beyond(column)


def _line(block: Block, place: int, first_line: int | None) -> int | None:
    if first_line is None:
        return None
    filled = (number for number, line in enumerate(block.data.split(b"\n")) if line.strip())
    return next((first_line + number for index, number in enumerate(filled) if index == place), None)


def _slow(block: Block, wanted: Kinds, name: str, first_row: int, first_line: int | None, unnamed: str) -> Raw:
    ways = [(column, "" if column == unnamed else column, converter(kind)) for column, kind in wanted.items()]
    columns: dict[str, list[Any]] = {column: [] for column in wanted}
    numbers: list[int] = []
    lines: list[int | None] = []
    rejects: list[Reject] = []
    for row, line, value in objects(block, first_row, first_line):
        if isinstance(value, Exception):
            rejects.append(_no_object(name, row, line, value))
            continue
        items: list[Any] = []
        try:
            for _, origin, convert in ways:
                items.append(convert(value.get(origin)))
        except ValueError as error:
            column, origin, _ = ways[len(items)]
            rejects.append(Reject(name, row, column, _shown(value.get(origin)), str(error), line))
            continue
        numbers.append(row)
        lines.append(line)
        for held, item in zip(columns.values(), items, strict=True):
            held.append(item)
    return Raw(_batch(columns, wanted, len(numbers)), numbers, lambda place: lines[place], rejects)


def _batch(columns: dict[str, list[Any]], wanted: Kinds, rows: int) -> pa.RecordBatch:
    if not wanted:
        return pa.RecordBatch.from_struct_array(pa.array([{}] * rows, pa.struct([])))
    return pa.record_batch([pa.array(columns[column], kind) for column, kind in wanted.items()], names=list(wanted))


def _shown(value: Any) -> str:
    return clip(value if isinstance(value, str) else text_of(value), LONGEST_VALUE)


def nothing_fits(name: str, first: Reject) -> str:
    """What to tell of a file all of whose rows are rejected, the first of them for this."""
    return f"No row of {name} can be read; row {first.row} is {first.reason}."


def _no_object(name: str, row: int, line: int | None, error: Exception) -> Reject:
    return Reject(name, row, None, None, f"no JSON object: {error}", line)
