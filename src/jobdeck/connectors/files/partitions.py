"""Columns that folders give: of one type over all files, the same value in each row of a file."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from jobdeck.connectors.columns import type_name
from jobdeck.connectors.errors import PartitionConflict
from jobdeck.connectors.files.formats.rows import Raw
from jobdeck.connectors.files.plan import FileFacts, dump_schema
from jobdeck.connectors.words import TextRule, parse

_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def with_partitions(files: Sequence[FileFacts]) -> list[FileFacts]:
    """The files with the columns that their folders give; a column that a file has itself stays the file's."""
    words: dict[str, set[str]] = {}
    for file in files:
        for name, word in file.located.partition.items():
            words.setdefault(name, set()).update([] if word is None else [word])
    kinds = {name: _kind(found) for name, found in words.items()}
    return [_with(file, kinds) for file in files]


def without_partitions(file: FileFacts) -> FileFacts:
    """The file as it is by itself: what its folders give depends on all files that are read with it."""
    if not file.partition:
        return file
    own = pa.schema([field for field in file.held() if field.name not in file.partition])
    return FileFacts.model_validate({**file.model_dump(), "columns": dump_schema(own), "partition": {}})


def _kind(words: set[str]) -> pa.DataType:
    """Whole numbers and days; all else, and numbers with leading zeros, is text."""
    if words and all(_WHOLE.fullmatch(word) for word in words):
        return pa.int64()
    return pa.date32() if words and all(_is_day(word) for word in words) else pa.string()


def _is_day(word: str) -> bool:
    if not _DAY.fullmatch(word):
        return False
    try:
        dt.date.fromisoformat(word)
    except ValueError:
        return False
    return True


def _with(file: FileFacts, kinds: dict[str, pa.DataType]) -> FileFacts:
    schema = file.held()
    given = {name: word for name, word in file.located.partition.items() if name not in schema.names}
    if not given:
        return file
    for name in given:
        schema = schema.append(pa.field(name, kinds[name]))
    update = {"columns": dump_schema(schema), "partition": given}
    return FileFacts.model_validate({**file.model_dump(), **update})


def completed(raw: Raw, file: FileFacts) -> Raw:
    """`raw` with the columns that folders give. Raises PartitionConflict where the file's own say something else."""
    for name, word in file.located.partition.items():
        if name not in file.partition and name in raw.table.schema.names:
            _compare(raw, name, word, file.located.name)
    if not file.partition:
        return raw
    count = raw.table.num_rows
    given = [pa.array([word] * count, pa.string()) for word in file.partition.values()]
    names = [*raw.table.schema.names, *file.partition]
    return Raw(pa.record_batch([*raw.table.columns, *given], names=names), raw.numbers, raw.line_of, raw.rejects)


def _compare(raw: Raw, name: str, word: str | None, file: str) -> None:
    column = raw.table.column(name)
    try:
        wanted = parse(pa.array([word], pa.string()), column.type, TextRule())[0]
        same = column.is_null() if word is None else pc.fill_null(pc.equal(column, wanted), False)
    except pa.ArrowException:
        same = pa.array([False] * len(column), pa.bool_())
    place = pc.index(same, False).as_py()
    if place >= 0:
        said = "null" if word is None else repr(word)
        raise PartitionConflict(
            f"{file}: row {raw.numbers[place]}, column '{name}' ({type_name(column.type)}) is "
            f"{_written(column[place].as_py())}, and the folder says {said}.",
            hint="Rename the folders, or name the file by itself so that its folders give no columns.",
        )


def _written(value: Any) -> str:
    """A value as a file has it, and not as Python writes it."""
    if value is None:
        return "null"
    return repr(value) if isinstance(value, str) else str(value)
