"""What people are told of columns that became text though most of their values are something else."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.types as t

from jobdeck.connectors.columns import type_name
from jobdeck.connectors.files.config import FilesConfig
from jobdeck.connectors.files.formats.json_values import settled
from jobdeck.connectors.files.plan import FileFacts, Mapping


def text_remarks(
    files: Sequence[FileFacts], schema: pa.Schema, mappings: Sequence[Mapping], config: FilesConfig
) -> list[str]:
    """A remark for each file and column of text that nobody asked for. `schema`: that of a table that is to be made."""
    asked = {wish.name for wish in config.chosen() or config.adjusted() if wish.type is not None}
    remarks: list[str] = []
    for place, field in enumerate(schema):
        if (t.is_string(field.type) or t.is_nested(field.type)) and field.name not in asked:
            pairs = zip(files, (mapping.sources[place] for mapping in mappings), strict=True)
            having = [(file, source) for file, source in pairs if source is not None]
            remarks += _own(having) or (_apart(field.name, having) if t.is_string(field.type) else [])
    return remarks


def _own(having: Sequence[tuple[FileFacts, str]]) -> list[str]:
    return [file.texts[source] for file, source in having if source in file.texts]


def _apart(name: str, having: Sequence[tuple[FileFacts, str]]) -> list[str]:
    """Files that have the column as text, or as another kind than the others."""
    kinds = [(file, settled(file.held().field(source).type)) for file, source in having if _says(file, source)]
    if any(not file.is_text(source) for file, source in having):
        return []  # Typed files decide, and say so in their schema.
    first = next(((file, kind) for file, kind in kinds if not t.is_string(kind)), None)
    if first is None:
        return []
    other = next(((f, k) for f, k in kinds if t.is_string(k)), None) or next(
        ((f, k) for f, k in kinds if type_name(k) != type_name(first[1])), first
    )
    here = f"in {first[0].located.name} it is {type_name(first[1])}"
    return [f"Column '{name}' is text: {here}, and in {other[0].located.name} {type_name(other[1])}."]


def _says(file: FileFacts, source: str) -> bool:
    return not t.is_null(file.held().field(source).type)
