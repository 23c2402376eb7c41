"""What a Delta table written by others may have that a plain reader or writer of files would get wrong."""

from __future__ import annotations

import json

import pyarrow as pa
from deltalake import DeltaTable

from jobdeck.connectors.errors import TableNotReadable, TableNotWritable

_KEPT = {
    "appendOnly",
    "invariants",
    "checkConstraints",
    "changeDataFeed",
    "generatedColumns",
    "columnMapping",
    "identityColumns",
    "deletionVectors",
    "timestampNtz",
    "v2Checkpoint",
    "vacuumProtocolCheck",
}
"""Features of the writer protocol that hurt only where they are used, which is looked at here."""
_IN_FIELDS = {
    "delta.generationExpression": "has generated columns",
    "delta.identity": "has identity columns",
    "delta.invariants": "has invariants",
}
_NEXT = "Import into a new table, or rewrite this one without it."


def refuse_writing(table: DeltaTable, mode: str) -> None:
    """Raises TableNotWritable, saying why, when a commit of plain files would damage the table or break its rules."""
    reason = _unreadable(table) or _rules(table, mode)
    if reason is not None:
        raise TableNotWritable(f"The table {reason}, which imports cannot keep to.", hint=_NEXT)


def refuse_reading(table: DeltaTable, name: str) -> None:
    """Raises TableNotReadable when the files do not hold the table's rows as they are."""
    reason = _unreadable(table)
    if reason is not None:
        raise TableNotReadable(f"'{name}' {reason}; such tables cannot be read.", hint="Rewrite the table without it.")


def _unreadable(table: DeltaTable) -> str | None:
    metadata = table.metadata()
    if metadata.partition_columns:
        return f"is partitioned by {', '.join(metadata.partition_columns)}"
    if metadata.configuration.get("delta.columnMapping.mode", "none") != "none":
        return "maps column names"
    features = table.protocol().reader_features or []
    if "deletionVectors" in features and _has_deletion_vectors(table):
        return "marks deleted rows in deletion vectors"
    return None


def _has_deletion_vectors(table: DeltaTable) -> bool:
    return any(batch.num_rows for batch in pa.RecordBatchReader.from_stream(table.deletion_vectors()))


def _rules(table: DeltaTable, mode: str) -> str | None:
    configuration = table.metadata().configuration
    unknown = sorted(set(table.protocol().writer_features or []) - _KEPT)
    if unknown:
        return f"uses the format's feature '{unknown[0]}'"
    if any(name.startswith("delta.constraints.") for name in configuration):
        return "has check constraints"
    if mode != "append" and configuration.get("delta.appendOnly") == "true":
        return f"is append-only (delta.appendOnly; mode {mode} takes rows out)"
    if mode == "upsert" and configuration.get("delta.enableChangeDataFeed") == "true":
        return "keeps a change data feed"
    fields = json.loads(table.schema().to_json())["fields"]
    marks = [mark for field in fields for mark in field.get("metadata", {})]
    return next((text for mark in marks for start, text in _IN_FIELDS.items() if mark.startswith(start)), None)
