"""The conformance kit: what every connector must do, as checks that any test runner can call.

    check_source(source, expected)                      # a pa.Table with the object's rows, in any order
    check_sink(lambda: sink, read, batches)             # `read()` gives the visible rows, or None where nothing is
    check_source(source, expected, gaps={"resume": "the server has no cursors"})

A gap is strict: a check named in `gaps` that passes raises GapClosed, so that the mark goes when the gap does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from jobdeck.connectors.base import MAX_BATCH, Sink, Source, SourcePart, StagedFile, Stamp
from jobdeck.connectors.errors import AlreadyPublished

SLACK = 4
"""A batch may be this many times larger than MAX_BATCH before the check fails: sizes are estimated before reading."""


class NotConforming(AssertionError):
    """A connector does not do what the kit asks for; the text says what it did instead."""


class GapClosed(AssertionError):
    """A check that was marked as a gap passes: remove the mark."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold; `run` raises NotConforming (or anything else) when it does not."""

    name: str
    run: Callable[[], None]


def check_source(source: Source, expected: pa.Table, *, size: int = 1, gaps: Mapping[str, str] | None = None) -> None:
    """Run all checks of a source whose object holds exactly the rows of `expected`. `size`: bytes for `parts`."""
    kit = _SourceKit(source, expected, source.parts(size))
    _run([Check("describe", kit.describe), Check("parts", kit.parts), Check("batches", kit.batches)], gaps or {})
    _run([Check("resume", kit.resume), Check("schema", kit.schema)], gaps or {})


def check_sink(
    make: Callable[[], Sink],
    read: Callable[[], pa.Table | None],
    batches: list[pa.RecordBatch],
    *,
    gaps: Mapping[str, str] | None = None,
) -> None:
    """Run all checks of a sink. `make` gives the sink on an object that is not there; `read` what is visible of it."""
    kit = _SinkKit(make, read, batches)
    checks = [
        Check("hidden", kit.hidden),
        Check("discard", kit.discard),
        Check("publish", kit.publish),
        Check("repeat", kit.repeat),
        Check("late", kit.late),
    ]
    _run(checks, gaps or {})


def _run(checks: list[Check], gaps: Mapping[str, str]) -> None:
    for check in checks:
        try:
            check.run()
        except Exception:
            if check.name not in gaps:
                raise
        else:
            if check.name in gaps:
                raise GapClosed(f"'{check.name}' passes now; remove the gap ({gaps[check.name]}).")


def _need(condition: bool, text: str) -> None:
    if not condition:
        raise NotConforming(text)


def _rows(batches: Iterator[pa.RecordBatch] | list[pa.RecordBatch]) -> list[str]:
    """Rows as texts, sorted: for comparing without an order."""
    return sorted(repr(row) for batch in batches for row in batch.to_pylist())


@dataclass(frozen=True, slots=True)
class _SourceKit:
    source: Source
    expected: pa.Table
    pieces: list[SourcePart]

    def describe(self) -> None:
        told = self.source.describe()
        _need([c.name for c in told.columns] == self.expected.column_names, f"describe names {told.columns}")
        _need(told.rows in (None, self.expected.num_rows), f"describe says {told.rows} rows")
        _need(told.fingerprint == self.source.describe().fingerprint, "the fingerprint of the same content changes")

    def parts(self) -> None:
        for piece in self.pieces:
            json.dumps(piece.model_dump())
        found = _rows([read.batch for piece in self.pieces for read in self.source.read(piece)])
        _need(
            found == _rows(self.expected.to_batches()), "the parts together are not the rows of the object, each once"
        )

    def batches(self) -> None:
        for piece in self.pieces:
            reads = list(self.source.read(piece))
            _need(all(r.batch.nbytes <= SLACK * MAX_BATCH for r in reads), "a batch is larger than MAX_BATCH")
            total = sum(r.rows for r in reads)
            _need(piece.rows in (None, total), f"part {piece.index} says {piece.rows} rows and gives {total}")

    def resume(self) -> None:
        for piece in self.pieces:
            reads = list(self.source.read(piece))
            for index, read in enumerate(reads):
                cursor = json.loads(json.dumps(read.cursor))
                rest = [r.batch for r in self.source.read(piece, cursor)]
                _need(_rows(rest) == _rows([r.batch for r in reads[index + 1 :]]), f"reading on from {cursor} differs")

    def schema(self) -> None:
        schema = self.source.schema()
        wanted = pa.schema([schema.field(i) for i in reversed(range(len(schema)))])
        for piece in self.pieces:
            for read in self.source.read(piece, None, wanted):
                _need(read.batch.schema.equals(wanted), "batches are not in the schema asked for")


@dataclass(frozen=True, slots=True)
class _SinkKit:
    make: Callable[[], Sink]
    read: Callable[[], pa.Table | None]
    batches: list[pa.RecordBatch]

    def _visible(self) -> list[str]:
        found = self.read()
        return [] if found is None else _rows(found.to_batches())

    def _stage(self, stamp: Stamp) -> list[StagedFile]:
        sink = self.make()
        staged = []
        for number, batch in enumerate(self.batches):
            writer = sink.stage(stamp, number, batch.schema)
            writer.write(batch)
            staged.append(writer.close())
        return staged

    def _publish(self, stamp: Stamp, staged: list[StagedFile], mode: str = "append") -> Any:
        return self.make().publish(stamp, staged, self.batches[0].schema, mode, [])

    def hidden(self) -> None:
        self._stage(Stamp(1, 1, 1))
        _need(self._visible() == [], "what is staged is visible before it is published")

    def discard(self) -> None:
        for _ in range(2):
            self.make().discard(Stamp(1, 1, 1))
        _need(self._visible() == [], "discard made something visible")

    def publish(self) -> None:
        stamp = Stamp(2, 1, 1)
        result = self._publish(stamp, self._stage(stamp))
        _need(self._visible() == _rows(self.batches), "what is visible is not what was staged")
        _need(result.rows == sum(b.num_rows for b in self.batches), f"publish says {result.rows} rows")
        try:
            self.make().discard(stamp)
        except AlreadyPublished:
            _need(self._visible() == _rows(self.batches), "a refused discard changed what is visible")
        else:
            _need(self._visible() == [], "discard left what was published, and did not say so")

    def repeat(self) -> None:
        stamp = Stamp(3, 1, 1)
        staged = self._stage(stamp)
        self._publish(stamp, staged)
        once = self._visible()
        _need(self._publish(stamp, staged).repeated, "a repeated publish does not say so")
        _need(self._visible() == once, "a repeated publish changed what is visible")

    def late(self) -> None:
        stamp = Stamp(4, 1, 1)
        staged = self._stage(stamp)
        before = self._visible()
        self.make().discard(stamp)
        try:
            self._publish(stamp, staged)
        except Exception:  # noqa: BLE001  (whichever way it refuses)
            _need(self._visible() == before, "a refused publish changed what is visible")
        else:
            raise NotConforming("an attempt that was discarded could still publish")
