"""Jobdeck's reading of a file, in this process: survey, unify, read, cast, as the steps of an import do it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from jobdeck.connectors.columns import type_name
from jobdeck.connectors.errors import DataFailure
from jobdeck.connectors.files.formats import records
from jobdeck.connectors.files.source import FilesSource
from jobdeck.core.environment import Environment
from jobdeck.core.errors import InvalidInput
from jobdeck.jobs.import_checks import files_config
from jobdeck.jobs.import_models import ImportParams
from tests.connectors.readers.canon import canon
from tests.connectors.readers.made import Refused, Table

PYTHON = re.compile(
    r"codec can't|invalid literal for|out of range\b.*list|list index|has no attribute|NoneType|Errno|"
    r"unsupported operand|positional argument|<class|object at 0x|Traceback|\bpa\.|Arrow(?:Invalid|TypeError|"
    r"NotImplemented)|(?:Key|Value|Type|Index|Unicode|Attribute|Overflow|Struct|Decode|Encode)\w*Error|\(char \d+\)|"
    r"^'.*'$|expected str instance|not subscriptable|C\+\+|not implemented|pydantic|newline=|universal-newline"
)
"""What words of a Python exception look like; a person is told without them."""


class Broken(AssertionError):
    """What Jobdeck did is wrong, whatever anybody else reads."""


def read(path: Path, *, params: dict[str, Any] | None = None, block: int = 0, part: int = 0) -> Table | Refused:
    """The rows, or the error that a person would see. `block` and `part`: bytes of text read together; parts."""
    try:
        return _read(path, params or {}, block, part)
    except (DataFailure, InvalidInput) as error:
        told = f"{error.message} {error.hint or ''}".replace(str(path), path.name)
        if PYTHON.search(told):
            raise Broken(f"a Python message reaches a person: {told}") from error
        if path.name not in told and error.code not in ("schema_mismatch", "unsupported_type", "bad_header"):
            raise Broken(f"the message does not name the file: {told}") from error
        return Refused(error.code, told)
    except (KeyboardInterrupt, Broken):
        raise
    except BaseException as error:
        raise Broken(f"{type(error).__module__}.{type(error).__name__}: {error}") from error


def _read(path: Path, params: dict[str, Any], block: int, part: int) -> Table:
    environment = Environment(allowed_paths=(str(path.parent),), storage_url="file:///nowhere")
    asked = ImportParams.model_validate({"files": [str(path)], "into": "lake/a/b", **params})
    source = FilesSource(files_config(asked), environment)
    if part:
        source.part_bytes = part
    with _blocks_of(block):
        plan = source.plan()
        schema = plan.result()
        counted = sum(file.rows for file in plan.files)
        rejected, consumed = 0, 0
        batches = []
        for piece in source.parts():
            for got in source.read(piece):
                batches.append(got.batch)
                rejected += len(got.rejects)
                consumed += got.rows
    table = pa.Table.from_batches(batches, schema)
    if (consumed, table.num_rows + rejected) != (counted, counted):
        raise Broken(f"{counted} rows counted, {consumed} consumed, {table.num_rows} read, {rejected} rejected")
    table.validate(full=True)
    columns = [[canon(value) for value in column.to_pylist()] for column in table.columns]
    return Table(schema.names, columns, [type_name(field.type) for field in schema], plan.files[0].dialect)


@contextmanager
def _blocks_of(size: int) -> Iterator[None]:
    before = records.BLOCK
    records.BLOCK = size or before
    try:
        yield
    finally:
        records.BLOCK = before
