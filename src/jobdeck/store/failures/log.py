"""Writes down that jobs fail, and that they are failed no longer, in the transaction that makes it so."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, update

from jobdeck.core.errors import ErrorInfo
from jobdeck.core.life.job import Job
from jobdeck.core.life.states import State
from jobdeck.core.life.transitions import Transition
from jobdeck.core.values import clip
from jobdeck.store.schema import failures
from jobdeck.store.sql.among import ids_of
from jobdeck.store.sql.database import Tx
from jobdeck.store.sql.statements import INT, TEXT, cells_of, insert_cells

MAX_TEXT = 2000
"""Characters of a message that are kept; the job has all of it."""
_COLUMNS = {
    "job_id": INT, "attempt": INT, "project_id": INT, "type": TEXT, "fingerprint": TEXT, "code": TEXT, "message": TEXT,
    "hint": TEXT, "place": TEXT, "at": INT,
}  # fmt: skip
_UNTOLD = ErrorInfo("unexpected_error", "It failed, and nothing is known of the reason.")


async def follow(tx: Tx, changes: Sequence[tuple[Job, Transition]]) -> None:
    """Note which of the jobs have failed by these changes, and which are failed no longer."""
    left = [before.id for before, t in changes if before.state is State.FAILED and t.job.state is not State.FAILED]
    if left:
        wanted = ids_of(left)
        mine = (failures.c.job_id.in_(select(wanted.c.id)), failures.c.left_at.is_(None))
        await tx.connection.execute(update(failures).where(*mine).values(left_at=tx.now))
    failed = [t.job for before, t in changes if t.job.state is State.FAILED and before.state is not State.FAILED]
    rows = [_row(job, tx.now) for job in failed]
    await insert_cells(tx.connection, failures, cells_of(rows, _COLUMNS), _COLUMNS)


def _row(job: Job, now: int) -> dict[str, object]:
    error = job.error or _UNTOLD
    return {
        "job_id": job.id,
        "attempt": job.attempt,
        "project_id": job.project_id,
        "type": job.type,
        "fingerprint": error.fingerprint,
        "code": error.code,
        "message": clip(error.message, MAX_TEXT),
        "hint": None if error.hint is None else clip(error.hint, MAX_TEXT),
        "place": error.place,
        "at": now,
    }
