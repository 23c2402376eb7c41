"""Reads segments, and keeps what was read lately: a column never changes under its version."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.store.schema import loose_jobs, segment_columns, segments
from jobdeck.store.segments.layout import FORM_SINCE, LAYOUT, SAYS_COLUMNS, Column, parse
from jobdeck.store.segments.spans import first_id
from jobdeck.store.sql.among import ids_of

KEPT = 128 * 1024 * 1024
"""Bytes of columns kept in memory; a million jobs take about 30 MB without the texts."""


@dataclass(frozen=True, slots=True)
class Segment:
    """What is known of a segment as a whole; bounds are the least and the largest value of a number."""

    number: int
    version: int
    counts: Mapping[str, int]
    bounds: Mapping[str, Sequence[int]]
    types: tuple[str, ...]
    categories: tuple[str, ...]
    columns: frozenset[str]
    """Those that can be read; what a segment lacks is asked of the rows of its jobs."""

    @property
    def first(self) -> int:
        return first_id(self.number)


class Archive:
    """The segments of one database."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._bytes = 0
        self._segments: dict[int, Segment] = {}
        self._columns: OrderedDict[tuple[int, int, str], Column] = OrderedDict()

    @property
    def fullness(self) -> float:
        """How much of what may be kept is in memory, from 0 to 1."""
        return self._bytes / self._kept

    async def sealed(self, connection: AsyncConnection) -> list[Segment]:
        """All segments, newest first."""
        found = (
            await connection.execute(select(segments.c.id, segments.c.version).order_by(segments.c.id.desc()))
        ).all()
        known = self._segments
        fresh = [n for n, version in found if n not in known or known[n].version != version]
        if fresh:
            wanted = ids_of(fresh)
            rows = (await connection.execute(select(segments).join(wanted, wanted.c.id == segments.c.id))).all()
            abouts = {row.id: json.loads(row.about) for row in rows}
            columns = await _columns(connection, abouts)
            for row in rows:
                about = abouts[row.id]
                known[row.id] = Segment(
                    row.id, row.version, about["counts"], about["bounds"], tuple(about.get("types", ())),
                    tuple(about.get("categories", ())), columns[row.id],
                )  # fmt: skip
        return [known[number] for number, _ in found]

    async def loose(self, connection: AsyncConnection) -> list[int]:
        """Ids of which segments do not tell the truth (any more), in order."""
        return sorted(set((await connection.execute(select(loose_jobs.c.job_id))).scalars()))

    async def columns(
        self, connection: AsyncConnection, wanted: Sequence[Segment], names: Iterable[str]
    ) -> dict[int, dict[str, Column]]:
        """The columns called `names` of each of the segments, as far as it has them, by number and name."""
        asked = sorted(set(names))
        found: dict[int, dict[str, Column]] = {segment.number: {} for segment in wanted}
        missing: list[tuple[int, str]] = []
        for segment in wanted:
            for name in segment.columns.intersection(asked):
                key = (segment.number, segment.version, name)
                column = self._columns.get(key)
                if column is None:
                    missing.append((segment.number, name))
                else:
                    self._columns.move_to_end(key)
                    found[segment.number][name] = column
        if missing:
            versions = {segment.number: segment.version for segment in wanted}
            await self._read(connection, missing, versions, found)
        return found

    async def _read(
        self, connection: AsyncConnection, missing: Sequence[tuple[int, str]], versions: Mapping[int, int],
        found: dict[int, dict[str, Column]],
    ) -> None:  # fmt: skip
        table = segment_columns
        query = select(table.c.segment_id, table.c.name, table.c.data)
        query = query.where(tuple_(table.c.segment_id, table.c.name).in_(missing))
        for number, name, data in await connection.execute(query):
            column = parse(name, bytes(data))
            found[number][name] = column
            self._keep((number, versions[number], name), column)

    def _keep(self, key: tuple[int, int, str], column: Column) -> None:
        self._columns[key] = column
        self._bytes += column.nbytes
        while self._bytes > self._kept and len(self._columns) > 1:
            _, dropped = self._columns.popitem(last=False)
            self._bytes -= dropped.nbytes


async def _columns(connection: AsyncConnection, abouts: Mapping[int, Mapping[str, Any]]) -> dict[int, frozenset[str]]:
    """The names of the columns that can be read, by segment: none of a form that is not today's."""
    readable = {n: about for n, about in abouts.items() if FORM_SINCE <= about.get("layout", 0) <= LAYOUT}
    found = {n: set(about["columns"]) for n, about in readable.items() if about.get("layout", 0) >= SAYS_COLUMNS}
    silent = sorted(readable.keys() - found.keys())
    if silent:
        found |= {number: set() for number in silent}
        wanted = ids_of(silent)
        query = select(segment_columns.c.segment_id, segment_columns.c.name)
        for number, name in await connection.execute(query.join(wanted, wanted.c.id == segment_columns.c.segment_id)):
            found[number].add(name)
    return {number: frozenset(found.get(number, ())) for number in abouts}
