"""What Delta asks for before a table may hold a type."""

from __future__ import annotations

import pyarrow as pa
from deltalake import DeltaTable, Schema, TableFeatures

NTZ = TableFeatures.TimestampWithoutTimezone


def lacks_ntz(table: DeltaTable, schema: pa.Schema) -> bool:
    """Whether `schema` has times without a zone and the table has not yet declared that it holds such."""
    if "timestamp_ntz" not in Schema.from_arrow(schema).to_json():
        return False
    return "timestampNtz" not in (table.protocol().writer_features or [])
