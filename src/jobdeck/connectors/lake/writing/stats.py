"""The facts of a staged Parquet file that its Delta entry carries, taken from the file's own footer."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from jobdeck.connectors.base import StagedFile
from jobdeck.storage.folders import Folder

INDEXED = 32
"""Columns with bounds, counted from the left, as Delta writers do by convention."""
LONGEST_BOUND = 64


def add_action(folder: Folder, staged: StagedFile, now: int) -> tuple[AddAction, int]:
    """The entry for `staged`, and the rows its footer says it has; `now` in ms. Raises FileNotFoundError."""
    with folder.open_input(staged.path) as file:
        metadata = pq.read_metadata(file)
    stats = json.dumps(file_stats(metadata))
    return AddAction(staged.path, staged.bytes, {}, now, True, stats), metadata.num_rows


def file_stats(metadata: pq.FileMetaData) -> dict[str, Any]:
    """Delta statistics: record count, and bounds and null counts of the first flat columns."""
    low: dict[str, Any] = {}
    high: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    for index in range(min(metadata.num_columns, INDEXED)):
        column = metadata.schema.column(index)
        if column.max_repetition_level or column.path != column.name:
            continue
        groups = [metadata.row_group(g).column(index).statistics for g in range(metadata.num_row_groups)]
        if any(s is None or not s.has_null_count for s in groups):
            continue
        nulls[column.name] = sum(s.null_count for s in groups)
        bounds = _bounds(groups)
        if bounds is not None:
            low[column.name], high[column.name] = bounds
    return {"numRecords": metadata.num_rows, "minValues": low, "maxValues": high, "nullCount": nulls}


def _bounds(groups: list[Any]) -> tuple[Any, Any] | None:
    """Only exact bounds of types whose text form cannot be misread; a missing bound only costs speed."""
    known = [s for s in groups if s.has_min_max]
    if not known or any(not s.has_min_max and s.num_values for s in groups):
        return None
    low, high = min(s.min for s in known), max(s.max for s in known)
    if isinstance(low, bool | float | dt.datetime):
        return None
    if isinstance(low, int):
        return low, high
    if isinstance(low, dt.date):
        return low.isoformat(), high.isoformat()
    if isinstance(low, str) and max(len(low), len(high)) <= LONGEST_BOUND:
        return low, high
    return None
