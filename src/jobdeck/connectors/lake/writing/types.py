"""What Delta asks for before a table may hold a type."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as t
from deltalake import DeltaTable, Schema, TableFeatures

from jobdeck.connectors.errors import UnsupportedType

NTZ = TableFeatures.TimestampWithoutTimezone


def lacks_ntz(table: DeltaTable, schema: pa.Schema) -> bool:
    """Whether `schema` has times without a zone and the table has not yet declared that it holds such."""
    if "timestamp_ntz" not in Schema.from_arrow(schema).to_json():
        return False
    return "timestampNtz" not in (table.protocol().writer_features or [])


def refuse_new(schema: pa.Schema) -> None:
    """Raises UnsupportedType for times without a zone in a map, unless others are there: no new table can have them.

    The library declares such times for columns, lists and structs only, and refuses a table of undeclared ones."""
    in_maps = [field.name for field in schema if _has_ntz(field.type, in_map=True)]
    if in_maps and not any(_has_ntz(field.type, in_map=False) for field in schema):
        raise UnsupportedType(
            f"Column '{in_maps[0]}' has times without a zone in a map, and no new table can be made with these.",
            hint="Give it a type with `columns` in which they are in UTC, such as map<string, timestamp>.",
        )


def _has_ntz(kind: pa.DataType, *, in_map: bool, inside: bool = False) -> bool:
    """Whether times without a zone are in a map (`in_map`), or outside of maps."""
    if t.is_timestamp(kind):
        return kind.tz is None and inside == in_map
    inside = inside or t.is_map(kind)
    fields = (kind.field(place) for place in range(kind.num_fields))
    return any(_has_ntz(field.type, in_map=in_map, inside=inside) for field in fields)
