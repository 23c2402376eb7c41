"""Writes segments: of ids whose jobs have ended, but for a few, and anew where many jobs have become loose.

Nothing waits for it and nothing is locked while a segment is made. What it reads is made safe by order: loose ids
first, then rows; when it is written only the loose ids that were seen go. Jobs that change meanwhile are noted anew."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Integer, case, delete, func, insert, literal_column, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.life.states import ENDED, State
from jobdeck.store.schema import OPEN_JOBS, jobs, lineage, loose_jobs, segment_columns, segments
from jobdeck.store.segments.layout import READ, Builder, Built, is_of_today
from jobdeck.store.segments.searched import Parts
from jobdeck.store.segments.settled import settled
from jobdeck.store.segments.spans import SHIFT, SIZE, first_id, segment_of
from jobdeck.store.sql.among import ids_of
from jobdeck.store.sql.database import Database, Tx

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
PIECE = 1024
"""Ids whose rows are read at once: all of a segment take 20 MB and more, which the process would not give back."""
PATIENT_TRIES = 20
"""Looks in a row at which the ids were being taken; then they are waited for."""


@dataclass(frozen=True, slots=True)
class _Read:
    """What a segment is made from, and what became of it."""

    version: int | None
    loose: list[int]
    """Ids of rows of loose_jobs."""
    open: list[int]
    built: Built


class Sealer:
    """Seals the segments of one database, one at each call."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._settled = 0
        self._tries = 0
        self._looks = 0
        self._all_of_today = False

    async def __call__(self) -> bool:
        """Seal the one most in need, if any; whether there was one."""
        number = await self._next()
        number = await self._outdated() if number is None else number
        if number is None:
            return False
        read = await _read(self._database, number)
        await self._database.transact(lambda tx: _write(tx, number, read))
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

    async def _outdated(self) -> int | None:
        """The newest segment of another layout, or with other columns than those of today."""
        if self._all_of_today:
            return None
        of_today = segments.c.about.contains(is_of_today(), autoescape=True)
        query = select(segments.c.id).where(~of_today).order_by(segments.c.id.desc()).limit(1)
        async with self._database.read() as connection:
            found = (await connection.execute(query)).scalar()
        self._all_of_today = found is None
        return found

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
        most = MOST_OPEN if len(waiting) <= MANY_UNSEALED else SIZE // 2
        quiet = await self._database.clock.now(connection) - QUIET
        for candidate in await _nearly_ended(connection, waiting, most):
            if len(waiting) > BUSY_UNSEALED or await _newest_at(connection, candidate) < quiet:
                return candidate
        return None


async def _nearly_ended(connection: AsyncConnection, numbers: Sequence[int], most: int) -> list[int]:
    """Those of the segments with at most `most` open jobs, in order. No more than that is looked at of each: very
    many jobs may wait for long."""
    wanted = ids_of(numbers)
    low = wanted.c.id * literal_column(str(SIZE))
    mine = (jobs.c.state.in_(_OPEN), jobs.c.id >= low, jobs.c.id < low + literal_column(str(SIZE)))
    one_more = select(jobs.c.id).where(text(OPEN_JOBS), *mine).offset(most).limit(1).scalar_subquery()
    query = select(wanted.c.id).where(one_more.is_(None)).order_by(wanted.c.id)
    return list((await connection.execute(query)).scalars())


_OPEN = [str(state) for state in State if state not in ENDED]


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


async def _read(database: Database, number: int) -> _Read:
    low, high = first_id(number), first_id(number + 1)
    async with database.read() as connection:
        version = (await connection.execute(select(segments.c.version).where(segments.c.id == number))).scalar()
        mine = (loose_jobs.c.job_id >= low, loose_jobs.c.job_id < high)
        loose = list((await connection.execute(select(loose_jobs.c.id).where(*mine))).scalars())
    builder, still_open = Builder(low), []
    columns, state = [jobs.c[name] for name in READ], READ.index("state")
    for begin in range(low, high, PIECE):
        piece = select(*columns).where(jobs.c.id >= begin, jobs.c.id < begin + PIECE).order_by(jobs.c.id)
        async with database.read() as connection:
            rows = (await connection.execute(piece)).all()
            touched = await _touched(connection, begin, begin + PIECE) if rows else {}
        still_open += [row[0] for row in rows if row[state] not in ENDED]
        await asyncio.to_thread(builder.add, [row for row in rows if row[state] in ENDED], touched)
    return _Read(version, loose, still_open, await asyncio.to_thread(builder.built))


async def _touched(connection: AsyncConnection, low: int, high: int) -> dict[int, Parts]:
    """What the jobs of these ids read and wrote: references and names, each once."""
    mine = (lineage.c.job_id >= low, lineage.c.job_id < high)
    query = select(lineage.c.job_id, lineage.c.object, lineage.c.name).where(*mine).order_by(lineage.c.id)
    found: dict[int, dict[str, None]] = {}
    for job_id, reference, name in await connection.execute(query):
        found.setdefault(job_id, {}).update(dict.fromkeys(text for text in (reference, name) if text))
    return {job_id: tuple(texts) for job_id, texts in found.items()}


async def _write(tx: Tx, number: int, read: _Read) -> bool:
    """Whether it was written; not when another one came first."""
    connection = tx.connection
    if read.version is None:
        if (await connection.execute(select(segments.c.id).where(segments.c.id == number))).first() is not None:
            return False
        await connection.execute(insert(segments).values(id=number, version=1, about=read.built.about))
    else:
        as_read = (segments.c.id == number, segments.c.version == read.version)
        change = update(segments).where(*as_read).values(version=read.version + 1, about=read.built.about)
        if (await connection.execute(change)).rowcount == 0:
            return False
    await connection.execute(delete(segment_columns).where(segment_columns.c.segment_id == number))
    columns = [{"segment_id": number, "name": name, "data": data} for name, data in read.built.columns.items()]
    await connection.execute(insert(segment_columns), columns)
    gone = ids_of(read.loose)
    await connection.execute(delete(loose_jobs).where(loose_jobs.c.id.in_(select(gone.c.id))))
    if read.open:
        await connection.execute(insert(loose_jobs), [{"job_id": job_id} for job_id in read.open])
    return True
