"""What the lake holds, for pages and the API: tables, their columns, versions and rows. Plain blocking functions."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
from deltalake import DeltaTable, Schema
from deltalake.exceptions import DeltaError
from pydantic import BaseModel

from jobdeck.connectors.base import DataColumn
from jobdeck.connectors.columns import parse_type, type_name
from jobdeck.connectors.errors import ColumnMissing, TableExists, TableMissing, VersionMissing
from jobdeck.connectors.lake.config import DROPPED, lake_folder, table_folder, table_ref
from jobdeck.connectors.lake.source import LakeSource
from jobdeck.connectors.lake.tables import arrow_schema, open_table, table_errors
from jobdeck.connectors.lake.writing.undo import LOG
from jobdeck.connectors.lake.writing.writer import JOBS
from jobdeck.connectors.plain import plain
from jobdeck.core.environment import Environment
from jobdeck.core.output.nearest import closest
from jobdeck.core.refs import ObjectRef
from jobdeck.storage.folders import Folder
from jobdeck.storage.places import escape, unescape


class ObjectInfo(BaseModel):
    """A table in a list. `rows` and what follows are None where the table cannot be opened."""

    ref: str
    bucket: str
    name: str
    rows: int | None = None
    bytes: int | None = None
    version: int | None = None
    updated_at: int | None = None
    """µs."""


class VersionInfo(BaseModel):
    """One commit."""

    version: int
    at: int
    """µs since 1970."""
    operation: str
    job: int | None = None
    """That made it, if one did."""
    attempt: int | None = None
    rows: int | None = None
    """Rows that the job brought."""


class ObjectDetail(ObjectInfo):
    """A table at one version, with its columns and its latest versions (newest first)."""

    columns: list[DataColumn]
    versions: list[VersionInfo]


def meant(environment: Environment, ref: ObjectRef) -> str | None:
    """The table that was probably meant by `ref`, where there is none: one segment is a slip. Opens no table.

    Names that differ in digits only are of a series, and none of them is a slip for another."""
    top = lake_folder(environment)
    buckets = {unescape(bucket): bucket for bucket in top.folders()}
    near = [name for name in (ref.path[0], closest(ref.path[0], buckets)) if name in buckets]
    for bucket in dict.fromkeys(near):
        tables = [unescape(t) for t in top.sub(buckets[bucket]).folders() if not t.startswith(DROPPED)]
        wanted = ref.path[-1]
        found = wanted if wanted in tables else closest(wanted, tables) if bucket == ref.path[0] else None
        slip = found is not None and [_letters(bucket), _letters(found)] != [_letters(part) for part in ref.path]
        if (bucket, wanted) == ref.path and found == wanted:
            return None
        if found is not None and slip:
            return str(table_ref(bucket, found))
    return None


def _letters(name: str) -> str:
    return "".join(sign for sign in name if not sign.isdigit())


def list_objects(environment: Environment) -> list[ObjectInfo]:
    """All tables of the project, by bucket and name. A table that cannot be opened is listed with its name only."""
    top = lake_folder(environment)
    names = [(bucket, table) for bucket in top.folders() for table in top.sub(bucket).folders()]
    found = [_info(environment, unescape(b), unescape(t)) for b, t in names if not t.startswith(DROPPED)]
    return [info for info in sorted(found, key=lambda i: (i.bucket, i.name)) if info.ref]


def _info(environment: Environment, bucket: str, name: str) -> ObjectInfo:
    """With an empty `ref` where there is no table: only staged files of a job that makes one."""
    ref = str(table_ref(bucket, name))
    try:
        table = open_table(table_folder(environment, (bucket, name)))
    except DeltaError:
        return ObjectInfo(ref=ref, bucket=bucket, name=name)
    if table is None:
        return ObjectInfo(ref="", bucket=bucket, name=name)
    return ObjectInfo(ref=ref, bucket=bucket, name=name, **_facts(table).model_dump())


class _Facts(BaseModel):
    rows: int
    bytes: int
    version: int
    updated_at: int | None


def _facts(table: DeltaTable) -> _Facts:
    sizes = pa.table(table.get_add_actions(flatten=True)).column("size_bytes").to_pylist()
    latest = table.history(1)
    return _Facts(
        rows=table.count(),
        bytes=sum(sizes),
        version=table.version(),
        updated_at=int(latest[0]["timestamp"]) * 1000 if latest else None,
    )


def _open(
    environment: Environment, ref: ObjectRef | str, version: int | None = None
) -> tuple[DeltaTable, tuple[str, str]]:
    """Raises TableMissing, VersionMissing, NotALakeTable."""
    parsed = ref if isinstance(ref, ObjectRef) else ObjectRef.parse(ref)
    folder = table_folder(environment, parsed.path)
    table = open_table(folder)
    if table is None or parsed.connection != "lake":
        near = meant(environment, parsed) if parsed.connection == "lake" else None
        hint = f"Did you mean '{near}'? " if near else ""
        raise TableMissing(
            f"There is no table '{parsed}'.", hint=f"{hint}`jobdeck objects list` shows those there are."
        )
    if version is not None:
        try:
            if not 0 <= version <= table.version():
                raise VersionMissing(f"'{parsed}' has no version {version}; its latest is {table.version()}.")
            table.load_as_version(version)
        except DeltaError as error:
            raise VersionMissing(f"Version {version} of '{parsed}' cannot be read any more.") from error
    bucket, name = parsed.path
    return table, (bucket, name)


def describe(environment: Environment, ref: ObjectRef | str, version: int | None = None) -> ObjectDetail:
    """The table at `version` (None: the latest). Raises TableMissing, VersionMissing."""
    table, (bucket, name) = _open(environment, ref, version)
    return ObjectDetail(
        ref=str(table_ref(bucket, name)),
        bucket=bucket,
        name=name,
        columns=[DataColumn(name=f.name, type=type_name(f.type), nullable=f.nullable) for f in arrow_schema(table)],
        versions=versions(environment, ref),
        **_facts(table).model_dump(),
    )


def versions(environment: Environment, ref: ObjectRef | str, limit: int = 100) -> list[VersionInfo]:
    """The latest `limit` commits, newest first. Raises TableMissing."""
    table, _ = _open(environment, ref)
    return [
        VersionInfo(
            version=entry["version"],
            at=int(entry["timestamp"]) * 1000,
            operation=str(entry.get("mode") or entry.get("operation", "")).lower(),
            job=_number(entry.get("job")),
            attempt=_number(entry.get("attempt")),
            rows=_number(entry.get("rows")),
        )
        for entry in table.history(limit)
    ]


def _number(value: object) -> int | None:
    text = str(value)
    return int(text) if text.isdecimal() else None


def rows(
    environment: Environment, ref: ObjectRef | str, limit: int, version: int | None = None, offset: int = 0
) -> list[dict[str, object]]:
    """`limit` rows behind the first `offset` as JSON values (see `plain`), in an order that a version keeps.

    Raises TableMissing, VersionMissing."""
    found: list[dict[str, object]] = []
    for batch in _batches_from(_source(environment, ref, version), offset):
        found += (plain(row) for row in batch.slice(0, limit - len(found)).to_pylist())
        if len(found) >= limit:
            break
    return found


def batches(
    environment: Environment, ref: ObjectRef | str, version: int | None = None, columns: Sequence[str] = ()
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """All rows in bounded batches, with their schema; of `columns`, if any are named.

    Raises TableMissing, VersionMissing, ColumnMissing."""
    source = _source(environment, ref, version)
    schema = source.schema()
    for name in columns:
        if name not in schema.names:
            raise ColumnMissing(
                f"'{ref}' has no column '{name}'.", field="columns", hint=f"It has {_some(schema.names)}."
            )
    wanted = pa.schema([schema.field(name) for name in columns] or schema)
    return wanted, (read.batch for part in source.parts(1) for read in source.read(part, schema=wanted))


def _source(environment: Environment, ref: ObjectRef | str, version: int | None) -> LakeSource:
    table, path = _open(environment, ref, version)
    return LakeSource(table_folder(environment, path), path, table.version())


def _batches_from(source: LakeSource, offset: int) -> Iterator[pa.RecordBatch]:
    """Without the first `offset` rows; files that hold nothing else are not opened."""
    for part in source.parts(1):
        if part.rows is not None and part.rows <= offset:
            offset -= part.rows
            continue
        for read in source.read(part):
            batch = read.batch.slice(offset)
            offset = max(0, offset - read.batch.num_rows)
            if batch.num_rows:
                yield batch


def _some(names: list[str]) -> str:
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def create(
    environment: Environment, ref: ObjectRef | str, columns: Sequence[DataColumn] | Iterable[tuple[str, str]]
) -> ObjectDetail:
    """An empty table of these columns (types as in `columns.parse_type`). Raises TableExists, UnsupportedType."""
    parsed = ref if isinstance(ref, ObjectRef) else ObjectRef.parse(ref)
    folder = table_folder(environment, parsed.path)
    wanted = [c if isinstance(c, DataColumn) else DataColumn(name=c[0], type=c[1]) for c in columns]
    schema = pa.schema([pa.field(c.name, parse_type(c.type), c.nullable) for c in wanted])
    if open_table(folder) is not None:
        raise TableExists(f"There is a table '{parsed}' already.", hint="Choose another name, or drop it first.")
    if folder.path is not None:
        folder.path.mkdir(parents=True, exist_ok=True)
    with table_errors(folder):
        DeltaTable.create(folder.url, Schema.from_arrow(schema), mode="error", storage_options=folder.table_options())
    return describe(environment, parsed)


def drop(environment: Environment, ref: ObjectRef | str) -> None:
    """Remove the table with all its versions. Raises TableMissing."""
    for prefix in withdraw(environment, ref):
        folder = Folder.of_project(environment).sub(*prefix.split("/"))
        folder.delete([entry.name for entry in folder.entries()])
        folder.tidy()
        folder.tidy_above()


def withdraw(environment: Environment, ref: ObjectRef | str) -> list[str]:
    """Take the table with all its versions out of sight; the prefixes below the project's folder that are left of it.

    None of them is ever a place of another table, so that they may be deleted at any time. Raises TableMissing."""
    _, (bucket, name) = _open(environment, ref)
    folder = table_folder(environment, (bucket, name))
    where = f"lake/{escape(bucket)}"
    if folder.path is not None:
        # A rename is one step: nobody sees half a table.
        aside = folder.path.with_name(f"{DROPPED}{uuid.uuid4().hex}")
        folder.path.rename(aside)
        return [f"{where}/{aside.name}"]
    # The newest entry first: broken off anywhere, it is still a table that can be dropped, until its first entry goes.
    log = folder.sub(LOG)
    for entry in sorted(log.entries(), key=lambda e: e.name, reverse=True):
        log.delete([entry.name])
    staged = folder.sub(JOBS).folders()
    folder.delete([entry.name for entry in folder.entries() if not entry.name.startswith(f"{JOBS}/")])
    return [f"{where}/{escape(name)}/{JOBS}/{attempt}" for attempt in staged]
