"""Who leads: one lease row with an epoch. What a leader decides lands only while its epoch is the newest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, Subquery, bindparam, insert, select, update

from jobdeck.core.errors import NotLeader
from jobdeck.store.schema import leadership
from jobdeck.store.sql.database import Database, Tx
from jobdeck.store.sql.driver import Rows
from jobdeck.store.sql.statements import INT, TEXT, BatchQuery, Prepared, run_batch

SCHEDULER = "scheduler"


@dataclass(frozen=True, slots=True)
class Leader:
    """A holder and the epoch in which it leads."""

    holder: str
    epoch: int


async def try_lead(database: Database, holder: str, seconds: float) -> Leader | None:
    """Become or stay the leader for `seconds`; None while another one's lease lives."""
    return await database.transact(lambda tx: _try_lead(tx, holder, int(seconds * 1_000_000)), often=True)


async def _try_lead(tx: Tx, holder: str, duration: int) -> Leader | None:
    rows = await _LEADS.run(tx.connection)
    expires_at = tx.now + duration
    if not rows:
        row_values = {"name": SCHEDULER, "holder": holder, "epoch": 1, "expires_at": expires_at}
        await tx.connection.execute(insert(leadership).values(row_values))
        return Leader(holder, 1)
    leads, newest, until = rows[0]
    if leads != holder and until > tx.now:
        return None
    epoch = newest if leads == holder and until > tx.now else newest + 1
    await _LEAD.run(tx.connection, who=holder, newest=epoch, until=expires_at)
    return Leader(holder, epoch)


_LEADS = Prepared(
    select(leadership.c.holder, leadership.c.epoch, leadership.c.expires_at)
    .where(leadership.c.name == SCHEDULER)
    .with_for_update()
)
_LEAD = Prepared(
    update(leadership)
    .where(leadership.c.name == SCHEDULER)
    .values(
        holder=bindparam("who", type_=TEXT),
        epoch=bindparam("newest", type_=INT),
        expires_at=bindparam("until", type_=INT),
    )
)


async def step_down(database: Database, leader: Leader) -> None:
    """Let another one lead at once; nothing if this one leads no more."""

    async def work(tx: Tx) -> None:
        mine = (
            leadership.c.name == SCHEDULER,
            leadership.c.holder == leader.holder,
            leadership.c.epoch == leader.epoch,
        )
        await tx.connection.execute(update(leadership).where(*mine).values(expires_at=tx.now))

    await database.transact(work)


def requiring() -> BatchQuery:
    """What `require` asks, for opening a transaction with it; `confirm` reads the answer."""
    return BatchQuery(_leading, {"name": [SCHEDULER]}, {"name": TEXT})


def _leading(wanted: Subquery) -> Select[Any]:
    query = select(leadership.c.epoch, leadership.c.holder).join(wanted, wanted.c.name == leadership.c.name)
    return query.with_for_update(read=True, of=leadership)


async def require(tx: Tx, leader: Leader) -> None:
    """Hold the leadership row for the rest of the transaction; raises NotLeader if `leader` leads no more.

    A successor waits for this transaction, and then sees what it wrote; afterwards this can only fail."""
    confirm(await run_batch(tx.connection, *requiring()), leader)


def confirm(rows: Rows, leader: Leader) -> None:
    """Raises NotLeader unless `rows`, the answer to `requiring`, say that `leader` still leads."""
    if [tuple(row) for row in rows] != [(leader.epoch, leader.holder)]:
        raise NotLeader(f"'{leader.holder}' no longer leads (its epoch was {leader.epoch}).")
