"""Reads Parquet: the footer for the plan, then ranges of row groups in batches of bounded size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as t

from jobdeck.connectors.base import MAX_BATCH
from jobdeck.connectors.errors import FileDamaged, TooBigToRead, UnsupportedType
from jobdeck.connectors.files.bounds import check_columns, named
from jobdeck.connectors.files.formats.parquet_texts import decoded, unreadable
from jobdeck.connectors.files.formats.parquet_times import LOST, Int96
from jobdeck.connectors.files.formats.rows import BadValues
from jobdeck.connectors.files.plan import Slice

_BROKEN = (
    *(pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError, pa.ArrowKeyError, pa.ArrowIndexError),
    *(OSError, UnicodeError),
)
_MAX_ROWS = 65_536
_FEW_ROWS = 256
"""Rows of a batch where nobody says how far its texts unfold."""
_MAX_NESTED = 1 << 31
"""Bytes to which the values of a list column may unfold in one row group: how many of them one row has, nobody says."""
_UNKNOWN = 16
"""Bytes of a value whose width the type does not say, at least."""


def footer(stream: IO[bytes], name: str) -> tuple[pq.FileMetaData, pa.Schema]:
    """What the file says of itself. Raises FileDamaged, BadHeader, TooManyColumns, TooBigToRead, UnsupportedType."""
    try:
        parquet = pq.ParquetFile(stream)
        metadata, schema = parquet.metadata, parquet.schema_arrow
        schema = pa.schema(list(zip(named(schema.names), schema.types, strict=True)))
    except UnicodeError as error:
        raise FileDamaged(
            f"{name} has column names that are not UTF-8.", hint="Rename them where the file is made."
        ) from error
    except _BROKEN as error:
        raise _unread(name, error) from error
    check_columns(schema, name)
    _check_nested(metadata, name)
    return metadata, schema


def _unread(name: str, error: Exception) -> FileDamaged | UnsupportedType:
    reason = _first_line(error)
    if "crypt" in reason.lower():
        return UnsupportedType(f"{name} is encrypted Parquet.", hint="Write it without encryption.")
    if isinstance(error, pa.ArrowNotImplementedError):
        return UnsupportedType(f"{name} uses what is not read: {reason}.", hint="Write it without that.")
    return FileDamaged(f"{name} cannot be read as Parquet: {reason}.", hint="It may be truncated; copy it again.")


def _check_nested(metadata: pq.FileMetaData, name: str) -> None:
    """A few bytes can say that a list has a thousand million values."""
    for index in range(metadata.num_columns):
        column = metadata.schema.column(index)
        if not column.max_repetition_level:
            continue
        for number in range(metadata.num_row_groups):
            chunk = metadata.row_group(number).column(index)
            if chunk.num_values * 8 > _MAX_NESTED:
                raise TooBigToRead(
                    f"{name}: '{column.path}' has {chunk.num_values} values in one row group.",
                    hint="Write smaller row groups.",
                )


def row_group_slices(metadata: pq.FileMetaData, size: int) -> list[Slice]:
    """Ranges of row groups of about `size` unpacked bytes."""
    slices: list[Slice] = []
    row = 1
    for index in range(metadata.num_row_groups):
        group = metadata.row_group(index)
        last = slices[-1] if slices else None
        if last is None or last.bytes + group.total_byte_size > size:
            slices.append(Slice(start=index, end=index, first_row=row, rows=0, bytes=0))
        last = slices[-1]
        last.end, last.rows, last.bytes = index + 1, last.rows + group.num_rows, last.bytes + group.total_byte_size
        row += group.num_rows
    return slices


class Reader:
    """One open file, read batch by batch; `columns` are named as in the plan."""

    def __init__(self, stream: IO[bytes], columns: list[str], name: str) -> None:
        self._stream, self._name = stream, name
        plain = pq.ParquetFile(stream)
        self._metadata: pq.FileMetaData = plain.metadata
        names = plain.schema_arrow.names
        places = {column: index for index, column in enumerate(named(names))}
        self._columns, self._places = columns, [places[column] for column in columns]
        # A dotted name would be taken for a path into a struct, and an empty one for none.
        odd = any("." in column for column in names) or "" in names or not columns
        self._wanted = None if odd else columns
        self._times = Int96(self._metadata, names, None if odd else columns)

    def rows(self, group: int) -> int:
        return int(self._metadata.row_group(group).num_rows)

    def batches(self, groups: list[int]) -> Iterator[tuple[pa.RecordBatch, BadValues]]:
        """Rows in bounded batches, and which of their values are none. Raises FileDamaged, TooBigToRead."""
        texts = self._texts()
        nested = [text for text in texts if "." in text]
        # Dictionaries stay apart from their rows until it is known how much a row is. Within lists and structs Arrow
        # does not put those of several row groups together, and sometimes not those of one.
        for some in [[group] for group in groups] if nested else [groups]:
            done = 0
            try:
                for batch, bad in self._batches(some, texts):
                    yield batch, bad
                    done += batch.num_rows
            except pa.ArrowNotImplementedError:
                if not nested:
                    raise
                plain = self._batches(some, [text for text in texts if text not in nested], _FEW_ROWS)
                yield from _behind(plain, done)

    def _batches(
        self, groups: list[int], texts: list[str], most: int = _MAX_ROWS
    ) -> Iterator[tuple[pa.RecordBatch, BadValues]]:
        parquet = pq.ParquetFile(
            self._stream,
            metadata=self._metadata,
            pre_buffer=False,
            buffer_size=1 << 20,
            read_dictionary=texts,
            coerce_int96_timestamp_unit="us",
        )
        size = min(most, batch_rows(self._metadata, parquet.schema_arrow))
        checks = self._times.batches(self._stream, groups, size)
        for batch in parquet.iter_batches(size, row_groups=groups, columns=self._wanted):
            lost = next(checks) if self._times else {}
            for part, first in decoded(self._chosen(batch), self._name):
                bad = unreadable(part)
                for column, places in lost.items():
                    for place in places[(places >= first) & (places < first + part.num_rows)].tolist():
                        bad.setdefault(place - first, (column, None, LOST))
                yield part, bad

    def _chosen(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if self._wanted is not None and self._columns:
            return batch.select(self._columns)
        arrays = [batch.column(place) for place in self._places]
        if not arrays:
            return pa.RecordBatch.from_struct_array(pa.array([{}] * batch.num_rows, pa.struct([])))
        return pa.record_batch(arrays, names=self._columns)

    def _texts(self) -> list[str]:
        schema = self._metadata.schema
        found = (schema.column(index) for index in range(self._metadata.num_columns))
        return [column.path for column in found if column.physical_type == "BYTE_ARRAY" and _is_text(column)]


def _is_text(column: Any) -> bool:
    """Decimals and the like are bytes, too, and have no dictionaries in memory."""
    return str(column.logical_type.type) in ("STRING", "NONE", "JSON", "BSON", "ENUM") and str(
        column.converted_type
    ) in ("UTF8", "NONE", "JSON", "BSON", "ENUM")


def batch_rows(metadata: pq.FileMetaData, schema: pa.Schema) -> int:
    """How many rows of this file make a batch of at most about MAX_BATCH bytes, texts aside."""
    size = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    wide = max(1, 4 * size // max(1, metadata.num_rows), _wide(schema) // 2, _listed(metadata))
    return int(max(1, min(_MAX_ROWS, MAX_BATCH // wide)))


def _wide(schema: pa.Schema) -> int:
    return sum(_bytes(field.type) for field in schema)


def _bytes(kind: pa.DataType) -> int:
    if t.is_nested(kind):
        return sum(_bytes(kind.field(index).type) for index in range(kind.num_fields)) + 4
    try:
        return int(kind.bit_width) // 8 or 1
    except ValueError:
        return 4 if t.is_dictionary(kind) else _UNKNOWN


def _listed(metadata: pq.FileMetaData) -> int:
    """Bytes of the lists of a row, on the average of the row group where they are longest."""
    most = 0
    lists = [index for index in range(metadata.num_columns) if metadata.schema.column(index).max_repetition_level]
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        values = sum(group.column(index).num_values for index in lists)
        most = max(most, 8 * values // max(1, group.num_rows))
    return most


def batches(
    stream: IO[bytes], piece: Slice, columns: list[str], done: int, name: str
) -> Iterator[tuple[pa.RecordBatch, BadValues]]:
    """The slice's rows after the first `done`, and the values that are none. Raises FileDamaged, TooBigToRead."""
    try:
        reader = Reader(stream, columns, name)
        groups = list(range(piece.start, piece.end))
        while groups and done >= reader.rows(groups[0]):
            done -= reader.rows(groups.pop(0))
        missing = sum(map(reader.rows, groups)) - done
        for batch, bad in _behind(reader.batches(groups), done):
            missing -= batch.num_rows
            yield batch, bad
    except _BROKEN as error:
        raise FileDamaged(
            f"{name} cannot be read to its end: {_first_line(error)}.", hint="It is corrupt; copy it again."
        ) from error
    if missing:
        raise FileDamaged(
            f"{name} has {abs(missing)} rows {'less' if missing > 0 else 'more'} than it says.",
            hint="It is corrupt; copy it again.",
        )


def _behind(
    batches: Iterator[tuple[pa.RecordBatch, BadValues]], done: int
) -> Iterator[tuple[pa.RecordBatch, BadValues]]:
    """What comes after the first `done` rows."""
    for batch, bad in batches:
        if done >= batch.num_rows > 0:
            done -= batch.num_rows
            continue
        yield batch.slice(done), {place - done: why for place, why in bad.items() if place >= done}
        done = 0


_REASONS = (
    ("thrift", "its description of itself cannot be understood"),
    ("codec", "a packed piece of it cannot be unpacked"),
    ("bounds", "it refers to words that its dictionary has not"),
    ("decompress", "a packed piece of it cannot be unpacked"),
)
"""What the library names after its parts, in our words."""


def _first_line(error: BaseException) -> str:
    said = str(error).lower()
    ours = next((words for mark, words in _REASONS if mark in said), "")
    return ours or (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
