"""Reads NumPy: .npy (structured, one or two dimensions) range by range, .npz of columns of equal length."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
import pyarrow as pa

from jobdeck.connectors.errors import FileDamaged, FormatUnknown, TooBigToRead
from jobdeck.connectors.files.plan import Slice

MAX_ARCHIVE = 512 * 1024 * 1024
"""Bytes that a .npz may unpack to: its columns are packed whole, so all of it is in memory."""
MAX_COLUMNS = 4096
_BATCH = 4 * 1024 * 1024


class Arrays:
    """The columns of one NumPy file; `rows(start, end)` gives them as Arrow. Raises FileDamaged, FormatUnknown."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._stream, self._name = stream, name
        mark = stream.read(2)
        stream.seek(0)
        try:
            self._columns = self._archive() if mark == b"PK" else None
            if self._columns is None:
                self._header()
        except (ValueError, OSError, EOFError, zipfile.BadZipFile, KeyError) as error:
            raise FileDamaged(
                f"{name} cannot be read as NumPy: {error}.", hint="Object arrays and pickles are not read."
            ) from error

    def _archive(self) -> dict[str, Any]:
        with zipfile.ZipFile(self._stream) as archive:
            size = sum(item.file_size for item in archive.infolist())
        if size > MAX_ARCHIVE:
            raise TooBigToRead(f"{self._name} unpacks to {size} bytes; {MAX_ARCHIVE} are allowed.", hint="Use Parquet.")
        self._stream.seek(0)
        columns: dict[str, Any] = {}
        with np.load(self._stream, allow_pickle=False) as found:
            for column in found.files:
                columns[column] = found[column]
        lengths = {len(array) if array.ndim == 1 else -1 for array in columns.values()}
        if len(lengths) != 1 or -1 in lengths:
            raise FormatUnknown(f"{self._name}: its arrays are not all of one dimension and of equal length.")
        self.count, self._item = lengths.pop(), max(1, sum(array.itemsize for array in columns.values()))
        return columns

    def _header(self) -> None:
        version = np.lib.format.read_magic(self._stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, self._dtype = read(self._stream)
        if self._dtype.hasobject or not 1 <= len(shape) <= 2 or (fortran and len(shape) == 2 and 1 not in shape):
            raise FormatUnknown(
                f"{self._name} holds objects, another number of dimensions, or columns in Fortran order."
            )
        if (self._dtype.names and len(shape) == 2) or (len(shape) == 2 and shape[1] > MAX_COLUMNS):
            raise FormatUnknown(f"{self._name} has {shape[1]} columns; {MAX_COLUMNS} plain ones are allowed.")
        self.count, self._shape, self._at = shape[0], shape[1:], self._stream.tell()
        self._item = max(1, self._dtype.itemsize * (shape[1] if len(shape) == 2 else 1))
        self._stream.seek(0, 2)
        if self._stream.tell() < self._at + self.count * self._item:
            raise FileDamaged(f"{self._name} is truncated: it says it has {self.count} rows.", hint="Copy it again.")

    def _named(self, start: int, end: int) -> dict[str, Any]:
        if self._columns is not None:
            return {column: array[start:end] for column, array in self._columns.items()}
        self._stream.seek(self._at + start * self._item)
        data = np.frombuffer(self._stream.read((end - start) * self._item), self._dtype).reshape(
            (end - start, *self._shape)
        )
        if self._dtype.names:
            return {column: data[column] for column in self._dtype.names}
        if data.ndim == 1:
            return {"value": data}
        return {f"column_{index + 1}": data[:, index] for index in range(data.shape[1])}

    def rows(self, start: int, end: int) -> pa.RecordBatch:
        columns = self._named(start, end)
        return pa.record_batch([_arrow(array) for array in columns.values()], names=list(columns))

    def schema(self) -> pa.Schema:
        return self.rows(0, min(1, self.count)).schema

    def slice(self) -> Slice:
        return Slice(start=0, end=self.count, rows=self.count, bytes=self.count * self._item)

    def batches(self, start: int, end: int) -> Iterator[pa.RecordBatch]:
        step = max(1, _BATCH // self._item)
        for at in range(start, end, step):
            yield self.rows(at, min(end, at + step))


def _arrow(array: Any) -> pa.Array:
    if array.dtype.kind in "SU":
        return pa.array(array.tolist(), pa.binary() if array.dtype.kind == "S" else pa.string())
    if array.ndim == 2:
        return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(array).reshape(-1)), array.shape[1])
    native = array.astype(array.dtype.newbyteorder("="), copy=True)
    return pa.array(np.ascontiguousarray(native))
