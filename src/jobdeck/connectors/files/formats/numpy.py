"""Reads NumPy: .npy (structured, one or two dimensions) range by range, .npz of columns of equal length."""

from __future__ import annotations

import math
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
import pyarrow as pa

from jobdeck.connectors.errors import FileDamaged, FormatUnknown, TooBigToRead, UnsupportedType
from jobdeck.connectors.files.bounds import named
from jobdeck.connectors.files.plan import Slice
from jobdeck.core.values import clip

MAX_ARCHIVE = 512 * 1024 * 1024
"""Bytes that a .npz may unpack to: its columns are packed whole, so all of it is in memory."""
MAX_COLUMNS = 4096
_LAST_CHARACTER = 0x10FFFF
_BATCH = 4 * 1024 * 1024
_BROKEN = (
    ValueError, OSError, EOFError, KeyError, RuntimeError, NotImplementedError, SyntaxError, tokenize.TokenError,
)  # fmt: skip
_PACKED = (zipfile.BadZipFile, zlib.error)
_ARRAYS = "A .npz holds arrays of one dimension and equal length, one a column: np.savez(file, a=…, b=…)."


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
        except (*_BROKEN, *_PACKED) as error:
            raise FileDamaged(
                f"{name} cannot be read as NumPy: {_reason(error)}.", hint="It may be truncated; copy it again."
            ) from error

    def _archive(self) -> dict[str, Any]:
        with zipfile.ZipFile(self._stream) as archive:
            infos = archive.infolist()
            others = [item.filename for item in infos if not item.filename.endswith(".npy")]
            if others or not infos:
                what = f"it holds {clip(others[0], 60)!r}" if others else "it is empty"
                raise FormatUnknown(f"{self._name} is a ZIP archive of something else: {what}.", hint=_ARRAYS)
            if any(item.flag_bits & 1 for item in infos):
                raise FormatUnknown(f"{self._name} is encrypted.", hint="Save it without a password.")
            size = sum(item.file_size for item in infos)
            if size > MAX_ARCHIVE:
                raise TooBigToRead(
                    f"{self._name} unpacks to {size} bytes; {MAX_ARCHIVE} are allowed.", hint="Use Parquet."
                )
            columns = {item.filename.removesuffix(".npy"): self._array(archive, item) for item in infos}
        lengths = {len(array) if array.ndim == 1 and not array.dtype.names else -1 for array in columns.values()}
        if len(lengths) != 1 or -1 in lengths or len(columns) != len(infos):
            raise FormatUnknown(
                f"{self._name}: its arrays are not all of one dimension and of equal length.", hint=_ARRAYS
            )
        self.count, self._item = lengths.pop(), max(1, sum(array.itemsize for array in columns.values()))
        return columns

    def _array(self, archive: zipfile.ZipFile, item: zipfile.ZipInfo) -> Any:
        with archive.open(item) as stream:
            mark = stream.read(6)
        with archive.open(item) as stream:
            if mark != b"\x93NUMPY":
                raise FormatUnknown(f"{self._name}: '{item.filename}' in it is no NumPy array.", hint=_ARRAYS)
            version = np.lib.format.read_magic(stream)
            shape, _, kind = _read_header(stream, version)
            self._check_kind(kind, item.filename)
            if math.prod(shape) * kind.itemsize > item.file_size:
                raise FileDamaged(f"{self._name}: '{item.filename}' in it is truncated.", hint="Copy it again.")
        with archive.open(item) as stream:
            return np.lib.format.read_array(stream, allow_pickle=False)

    def _check_kind(self, kind: Any, what: str) -> None:
        if kind.hasobject:
            raise FormatUnknown(f"{self._name}: {what} holds Python objects.", hint="Save plain arrays, or Parquet.")
        if kind.itemsize == 0:
            raise FormatUnknown(f"{self._name}: the values of {what} have no bytes.", hint="Leave it out.")

    def _header(self) -> None:
        version = np.lib.format.read_magic(self._stream)
        shape, fortran, self._dtype = _read_header(self._stream, version)
        self._check_kind(self._dtype, "its array")
        if not 1 <= len(shape) <= 2 or (fortran and len(shape) == 2 and 1 not in shape):
            raise FormatUnknown(
                f"{self._name} has {len(shape)} dimensions{', in Fortran order' if fortran else ''}.",
                hint="One dimension, or two in C order, are read: np.save(file, np.ascontiguousarray(array)).",
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
        arrays = []
        for column, array in columns.items():
            self._check_texts(array, column, start)
            try:
                arrays.append(_arrow(array))
            except (pa.ArrowException, TypeError, ValueError, UnicodeError) as error:
                raise UnsupportedType(
                    f"{self._name}: '{column}' holds values of the type {array.dtype}, which tables cannot hold.",
                    hint="Save it as numbers, texts, dates or truth values.",
                ) from error
        return pa.record_batch(arrays, names=named(list(columns)))

    def _check_texts(self, array: Any, column: str, start: int) -> None:
        """Texts are stored as numbers of characters, and any number may stand there."""
        if array.dtype.kind != "U" or not array.size:
            return
        codes = (
            np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="))).view(np.uint32).reshape(len(array), -1)
        )
        wrong = ((codes > _LAST_CHARACTER) | ((codes >= 0xD800) & (codes <= 0xDFFF))).any(axis=1)
        if wrong.any():
            row = start + int(np.flatnonzero(wrong)[0]) + 1
            raise FileDamaged(
                f"{self._name}: row {row}, column '{column}' has a character that does not exist.",
                hint="It is corrupt, or no text; copy or save it again.",
            )

    def schema(self) -> pa.Schema:
        return self.rows(0, min(1, self.count)).schema

    def slice(self) -> Slice:
        return Slice(start=0, end=self.count, rows=self.count, bytes=self.count * self._item)

    def batches(self, start: int, end: int) -> Iterator[pa.RecordBatch]:
        step = max(1, _BATCH // self._item)
        for at in range(start, end, step):
            yield self.rows(at, min(end, at + step))


def _read_header(stream: IO[bytes], version: tuple[int, int]) -> tuple[tuple[int, ...], bool, Any]:
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of headers that Python 2 wrote, which are read all the same
        try:
            shape, fortran, kind = read(stream)
        except (TypeError, RecursionError, OverflowError, IndexError, AttributeError) as error:
            raise ValueError("NumPy cannot read this header") from error  # it takes its keys and types as they come
    if any(type(length) is not int or length < 0 for length in shape):
        raise ValueError(f"no array has the shape {shape}")  # NumPy lets any whole number and bool through
    return shape, fortran, kind


def _reason(error: Exception) -> str:
    if isinstance(error, zipfile.BadZipFile | zlib.error | RuntimeError):
        return "its archive is damaged, or packed in a way that is not read"
    return "it ends early" if isinstance(error, EOFError) else "its header is none of NumPy's, or it ends early"


def _arrow(array: Any) -> pa.Array:
    if array.dtype.kind in "SU":
        return pa.array(array.tolist(), pa.binary() if array.dtype.kind == "S" else pa.string())
    if array.ndim == 2:
        return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(array).reshape(-1)), array.shape[1])
    native = array.astype(array.dtype.newbyteorder("="), copy=True)
    if native.dtype == np.dtype("M8[D]"):
        # Arrow has 32 bits for days and drops the others; days beyond them are no dates in any case, and stay so.
        days = np.clip(native.view(np.int64), -(2**31) + 1, 2**31 - 1).astype(np.int32)
        return pa.array(days, mask=np.isnat(native)).cast(pa.date32())
    return pa.array(np.ascontiguousarray(native))
