"""Tables in the steps of job types: read as a stream of Arrow batches, written so that a repeat writes nothing twice.

@step
def totals(self, run: Run) -> int:
    orders = read_table(run, "lake/shop/orders").read_all()
    write_table(run, "lake/shop/totals", orders.group_by("day").aggregate([("price", "sum")]), mode="replace")
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import pyarrow as pa
from deltalake import Schema

from jobdeck.connectors.base import ChunkWriter, Published, Read, Source, Stamp
from jobdeck.connectors.lake.sink import LakeSink
from jobdeck.connectors.lake.source import fitted
from jobdeck.connectors.registry import connection, connector
from jobdeck.core.errors import InvalidInput, JobdeckError
from jobdeck.core.refs import ObjectRef
from jobdeck.core.tasks import Run

PART_BYTES = 256 * 1024 * 1024
MODES = ("append", "replace", "upsert")
_WRITES = "_jobdeck_writes"
"""Where a run counts its writes since its last checkpoint."""


def read_table(run: Run, ref: str | ObjectRef) -> pa.RecordBatchReader:
    """The table `ref` (`lake/<bucket>/<table>`, or an object of another connection), as it is now, batch by batch.

    `read_all()` gives an Arrow table, `read_pandas()` a frame. It is recorded among what the job has read."""
    place = _ref(ref)
    source: Source = _connector(run, place).source(run.environment, _options(run, place), place.path)
    told = source.describe()
    version = told.fingerprint.rpartition(":")[2] if place.connection == "lake" else None
    run.reads(place, version=version, rows=told.rows, bytes=told.bytes)
    schema = source.schema()
    reads = (read for part in source.parts(PART_BYTES) for read in source.read(part, None, schema))
    return pa.RecordBatchReader.from_batches(schema, _batches(run, reads))


def write_table(
    run: Run,
    ref: str | ObjectRef,
    data: Any,
    *,
    mode: Literal["append", "replace", "upsert"] = "append",
    key: Sequence[str] = (),
) -> Published:
    """Write `data` into the table `lake/<bucket>/<table>` in one commit, and make the table if there is none.

    `data`: an Arrow table, batch, reader or iterator of batches, a frame of pandas or polars, or a list of dicts.
    `upsert` takes the place of rows with the same `key`. A task that is killed and runs again from its checkpoint
    writes nothing twice: the write is known by its step, task, checkpoint and number. Gives version and rows."""
    place = _ref(ref)
    if mode not in MODES:
        raise InvalidInput(f"The mode '{mode}' is none of {', '.join(MODES)}.")
    if (mode == "upsert") != bool(key):
        raise InvalidInput("`key` names the columns of an upsert, and only of that.")
    sink = _connector(run, place).sink(run.environment, _options(run, place), place.path)
    if not isinstance(sink, LakeSink):
        raise InvalidInput(f"'{place}' is no table of the lake.", hint="Write lake/<bucket>/<table>.")
    stamp = Stamp(run.job, run.attempt, run.epoch, run.task, getattr(run, "origin", ""), _part(run, place))
    done = sink.published_by([stamp])
    if done is None:
        sink.fresh(stamp)
        reader = _reader(data)
        schema = _schema(sink, reader.schema, mode, place)
        if mode == "upsert" and (unknown := sorted(set(key) - set(schema.names))):
            raise InvalidInput(f"There is no column '{unknown[0]}' to be a key.")
        published = sink.publish(stamp, [_staged(run, sink, stamp, reader, schema)], schema, mode, list(key))
    else:
        published = done[1]
    run.writes(place, version=published.version, rows=published.rows)
    return published


def _staged(run: Run, sink: LakeSink, stamp: Stamp, reader: pa.RecordBatchReader, schema: pa.Schema) -> Any:
    writer: ChunkWriter = sink.stage(stamp, 0, schema)
    try:
        for batch in reader:
            run.stop_here()
            writer.write(_fitted(batch, schema))
        return writer.close()
    except BaseException:
        writer.abort()
        raise


def _fitted(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch in the table's columns; an error names the column that does not fit."""
    try:
        return fitted(batch, schema)
    except (JobdeckError, pa.ArrowException, ValueError, TypeError):
        for field in schema:
            try:
                fitted(batch, pa.schema([field]))
            except (JobdeckError, pa.ArrowException, ValueError, TypeError) as error:
                text = f"Column '{field.name}' does not fit the table, where it is {field.type}: {error}."
                raise InvalidInput(text, hint="Write values of that type.") from error
        raise


def _batches(run: Run, reads: Iterable[Read]) -> Iterator[pa.RecordBatch]:
    for read in reads:
        run.stop_here()
        yield read.batch


def _schema(sink: LakeSink, given: pa.Schema, mode: str, place: ObjectRef) -> pa.Schema:
    """The columns to write: those of the table, which what is given must fit, or those given where there is none."""
    there = sink.schema(mode)
    if there is None or mode == "replace":
        plain = pa.schema(Schema.from_arrow(given).to_arrow())
        sink.check_new(plain)
        return plain
    more = [name for name in given.names if name not in there.names]
    if more:
        raise InvalidInput(
            f"The table '{place}' has no column '{more[0]}'; it has {', '.join(there.names)}.",
            hint='Leave the column out, or write with mode="replace".',
        )
    return there


def _reader(data: Any) -> pa.RecordBatchReader:
    """What was given, as a stream of batches."""
    if isinstance(data, list) and all(isinstance(row, dict) for row in data):
        data = pa.Table.from_pylist(data)
    if isinstance(data, pa.RecordBatch):
        data = pa.Table.from_batches([data])
    if hasattr(data, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(data)
    if isinstance(data, Iterable):
        batches = iter(data)
        first = next(batches, None)
        if isinstance(first, pa.RecordBatch):
            return pa.RecordBatchReader.from_batches(first.schema, _chained(first, batches))
    raise InvalidInput(
        f"A {type(data).__name__} cannot be written as a table.",
        hint="Give an Arrow table, record batches, a frame of pandas or polars, or a list of dicts.",
    )


def _chained(first: pa.RecordBatch, rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield first
    yield from rest


def _part(run: Run, place: ObjectRef) -> str:
    """By which this write is known again when the task is: where it stands in the job, counted from its checkpoint."""
    here = json.dumps([run.step, run.task, run.cursor], sort_keys=True)
    counted: tuple[str, int] = getattr(run, _WRITES, ("", 0))
    number = counted[1] + 1 if counted[0] == here else 1
    setattr(run, _WRITES, (here, number))
    return hashlib.sha256(f"{here}|{number}|{place}".encode()).hexdigest()[:16]


def _ref(ref: str | ObjectRef) -> ObjectRef:
    return ref if isinstance(ref, ObjectRef) else ObjectRef.parse(ref)


def _connector(run: Run, place: ObjectRef) -> Any:
    return connector(connection(run.environment, place.connection).kind)


def _options(run: Run, place: ObjectRef) -> dict[str, Any]:
    return connection(run.environment, place.connection).options
