"""Times of Parquet's old type INT96, which has nanoseconds and years that Arrow's nanoseconds do not reach."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

LOST = "a time that no timestamp of microseconds holds"
_REACH = 9_200_000_000_000_000
"""Microseconds around 1970 that are within the reach of nanoseconds."""


class Int96:
    """Finds the values that reading as microseconds changes: parts of a microsecond, and years beyond all reach."""

    def __init__(self, metadata: pq.FileMetaData, names: list[str], wanted: list[str] | None) -> None:
        found = (metadata.schema.column(index) for index in range(metadata.num_columns))
        columns = [column.path for column in found if column.physical_type == "INT96"]
        self._columns = [name for name in columns if name in names and (wanted is None or name in wanted)]

    def __bool__(self) -> bool:
        return bool(self._columns)

    def batches(self, stream: IO[bytes], groups: list[int], size: int) -> Iterator[dict[str, Any]]:
        """For each batch of `size` rows the places of such values, by column."""
        if not self._columns:
            return
        readers = [
            pq.ParquetFile(stream, pre_buffer=False, coerce_int96_timestamp_unit=unit).iter_batches(
                size, row_groups=groups, columns=self._columns
            )
            for unit in ("us", "ns", "s")
        ]
        for batches in zip(*readers, strict=True):
            yield {name: _changed(*(batch.column(name) for batch in batches)) for name in self._columns}


def _changed(micros: pa.Array, nanos: pa.Array, seconds: pa.Array) -> Any:
    us, ns, s = (_numbers(column) for column in (micros, nanos, seconds))
    near = np.abs(us) < _REACH
    return np.flatnonzero((us // 1_000_000 != s) | (near & (us * 1000 != ns)))


def _numbers(column: pa.Array) -> Any:
    return column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
