"""Reads Parquet: the footer for the plan, then ranges of row groups in batches of bounded size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from jobdeck.connectors.base import batch_rows
from jobdeck.connectors.errors import BadHeader, FileDamaged
from jobdeck.connectors.files.plan import Slice

_BROKEN = (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError, OSError)


def footer(stream: IO[bytes], name: str) -> tuple[pq.FileMetaData, pa.Schema]:
    """What the file says of itself. Raises FileDamaged, BadHeader."""
    try:
        parquet = pq.ParquetFile(stream)
        metadata, schema = parquet.metadata, parquet.schema_arrow
    except _BROKEN as error:
        raise FileDamaged(
            f"{name} cannot be read as Parquet: {_first_line(error)}.", hint="It may be truncated; copy it again."
        ) from error
    if len(set(schema.names)) != len(schema.names):
        twice = next(column for column in schema.names if schema.names.count(column) > 1)
        raise BadHeader(f"{name} has two columns named '{twice}'.", hint="Rename one where the file is made.")
    return metadata, schema


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


def batches(stream: IO[bytes], piece: Slice, columns: list[str], done: int, name: str) -> Iterator[pa.RecordBatch]:
    """The slice's rows after the first `done`, memory bounded by pages and not by row groups. Raises FileDamaged."""
    try:
        parquet = pq.ParquetFile(stream, pre_buffer=False, buffer_size=1 << 20)
        groups = list(range(piece.start, piece.end))
        while groups and done >= parquet.metadata.row_group(groups[0]).num_rows:
            done -= parquet.metadata.row_group(groups.pop(0)).num_rows
        # A dotted name would be taken for a path into a struct.
        wanted = None if any("." in column for column in columns) else columns
        for batch in parquet.iter_batches(batch_rows(parquet.metadata), row_groups=groups, columns=wanted):
            if done >= batch.num_rows:
                done -= batch.num_rows
                continue
            yield batch.slice(done)
            done = 0
    except _BROKEN as error:
        raise FileDamaged(
            f"{name} cannot be read to its end: {_first_line(error)}.", hint="It is corrupt; copy it again."
        ) from error


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
