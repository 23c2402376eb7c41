"""Writes segments: of ids whose jobs have ended, but for a few, and anew where many jobs have become loose.

Nothing waits for it and nothing is locked while a segment is made. What it reads is made safe by order: loose ids
first, then rows; when it is written only the loose ids that were seen go. Jobs that change meanwhile are noted anew."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Integer, case, delete, func, insert, literal_column, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.states import ENDED
from jobdeck.store.batch import ids_of
from jobdeck.store.database import Database, Tx
from jobdeck.store.schema import OPEN_JOBS, jobs, loose_jobs, segment_columns, segments
from jobdeck.store.segments.layout import READ, Built, build
from jobdeck.store.segments.settled import settled
from jobdeck.store.segments.spans import SHIFT, SIZE, first_id, segment_of

MOST_OPEN = SIZE // 20
"""Jobs of a segment that may be open when it is sealed. They would all be loose."""
MANY_UNSEALED = 8
"""So many segments' ids may wait for their jobs to end; then those with fewer open jobs than half are sealed too."""
MANY_LOOSE = 256
"""Loose jobs of a segment that have ended meanwhile, or gone, for which it is made anew."""
FORGET_EVERY = 15
"""Looks, of which one finds segments with a single job that is gone, too."""
QUIET = 20_000_000
"""µs without a new id of the segment after which it is sealed at once; before that, only when others wait as well."""
BUSY_UNSEALED = 3
PATIENT_TRIES = 20
"""Looks in a row at which the ids were being taken; then they are waited for."""


@dataclass(frozen=True, slots=True)
class _Read:
    """What a segment is made from."""

    version: int | None
    loose: list[int]
    """Ids of rows of loose_jobs."""
    open: list[int]
    ended: Sequence[Sequence[Any]]


class Sealer:
    """Seals the segments of one database, one at each call."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._settled = 0
        self._tries = 0
        self._looks = 0

    async def __call__(self) -> bool:
        """Seal the one most in need, if any; whether there was one."""
        number = await self._next()
        if number is None:
            return False
        async with self._database.read() as connection:
            read = await _read(connection, number)
        built = await asyncio.to_thread(build, read.ended, first_id(number))
        await self._database.transact(lambda tx: _write(tx, number, read, built))
        return True

    async def _next(self) -> int | None:
        self._looks += 1
        async with self._database.read() as connection:
            newest = (await connection.execute(select(func.max(jobs.c.id)))).scalar() or 0
            sealed = set((await connection.execute(select(segments.c.id))).scalars())
            worn = await _most_worn(connection, forget=self._looks % FORGET_EVERY == 0)
        waiting = [n for n in range(segment_of(newest + 1)) if n not in sealed]
        if not waiting:
            return worn
        await self._learn_settled(first_id(waiting[-1] + 1))
        waiting = [n for n in waiting if first_id(n + 1) <= self._settled + 1]
        async with self._database.read() as connection:
            ready = await self._ready(connection, waiting)
        return worn if ready is None else ready

    async def _learn_settled(self, up_to: int) -> None:
        if self._settled + 1 >= up_to:
            return
        found = await self._database.transact(lambda tx: settled(tx, wait=self._tries >= PATIENT_TRIES))
        self._tries = self._tries + 1 if found is None else 0
        self._settled = self._settled if found is None else found

    async def _ready(self, connection: AsyncConnection, waiting: Sequence[int]) -> int | None:
        """The oldest of the segments not sealed yet that is to be."""
        if not waiting:
            return None
        number = _number(jobs.c.id)
        query = select(number, func.count()).where(text(OPEN_JOBS)).group_by(number)
        open_jobs = Counter(dict((await connection.execute(query)).all()))
        most = MOST_OPEN if len(waiting) <= MANY_UNSEALED else SIZE // 2
        quiet = await self._database.clock.now(connection) - QUIET
        for candidate in waiting:
            if open_jobs[candidate] > most:
                continue
            if len(waiting) > BUSY_UNSEALED or await _newest_at(connection, candidate) < quiet:
                return candidate
        return None


def _number(job_id: ColumnElement[int]) -> ColumnElement[int]:
    """The segment of an id, as SQL."""
    return job_id.op(">>", return_type=Integer())(literal_column(str(SHIFT)))


async def _newest_at(connection: AsyncConnection, number: int) -> int:
    """When the last job of these ids was created."""
    query = select(jobs.c.created_at).where(jobs.c.id < first_id(number + 1)).order_by(jobs.c.id.desc()).limit(1)
    return (await connection.execute(query)).scalar() or 0


async def _most_worn(connection: AsyncConnection, *, forget: bool) -> int | None:
    """The segment with the most loose jobs that need not be loose, if they are many.

    With `forget` also for a single job that is gone: nothing recorded about it is to stay."""
    number = _number(loose_jobs.c.job_id)
    gone = jobs.c.state.is_(None)
    done = func.sum(case((gone | jobs.c.state.in_([str(s) for s in ENDED]), 1), else_=0))
    enough = done >= MANY_LOOSE
    query = (
        select(number)
        .select_from(loose_jobs.outerjoin(jobs, jobs.c.id == loose_jobs.c.job_id))
        .where(number.in_(select(segments.c.id)))
        .group_by(number)
        .having(enough | (func.sum(case((gone, 1), else_=0)) > 0) if forget else enough)
        .order_by(done.desc())
        .limit(1)
    )
    return (await connection.execute(query)).scalar()


async def _read(connection: AsyncConnection, number: int) -> _Read:
    low, high = first_id(number), first_id(number + 1)
    version = (await connection.execute(select(segments.c.version).where(segments.c.id == number))).scalar()
    mine = (loose_jobs.c.job_id >= low, loose_jobs.c.job_id < high)
    loose = list((await connection.execute(select(loose_jobs.c.id).where(*mine))).scalars())
    query = select(*(jobs.c[name] for name in READ)).where(jobs.c.id >= low, jobs.c.id < high).order_by(jobs.c.id)
    rows = (await connection.execute(query)).all()
    state = READ.index("state")
    ended = [row for row in rows if row[state] in ENDED]
    return _Read(version, loose, [row[0] for row in rows if row[state] not in ENDED], ended)


async def _write(tx: Tx, number: int, read: _Read, built: Built) -> bool:
    """Whether it was written; not when another one came first."""
    connection = tx.connection
    if read.version is None:
        if (await connection.execute(select(segments.c.id).where(segments.c.id == number))).first() is not None:
            return False
        await connection.execute(insert(segments).values(id=number, version=1, about=built.about))
    else:
        as_read = (segments.c.id == number, segments.c.version == read.version)
        change = update(segments).where(*as_read).values(version=read.version + 1, about=built.about)
        if (await connection.execute(change)).rowcount == 0:
            return False
    await connection.execute(delete(segment_columns).where(segment_columns.c.segment_id == number))
    columns = [{"segment_id": number, "name": name, "data": data} for name, data in built.columns.items()]
    await connection.execute(insert(segment_columns), columns)
    gone = ids_of(read.loose, tx.dialect)
    await connection.execute(delete(loose_jobs).where(loose_jobs.c.id.in_(select(gone.c.id))))
    if read.open:
        await connection.execute(insert(loose_jobs), [{"job_id": job_id} for job_id in read.open])
    return True
