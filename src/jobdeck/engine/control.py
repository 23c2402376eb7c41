"""Operations on jobs: cancel, pause, resume, restart, delete, a new priority. Decides by the table, writes at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as changed

from jobdeck.core import transitions as becoming
from jobdeck.core.errors import InvalidInput, JobdeckError, NotFound, OperationRefused
from jobdeck.core.job import NO_CHILDREN, Job, replace
from jobdeck.core.operations import Operation
from jobdeck.core.order import AGEING, HIGHEST_PRIORITY, LOWEST_PRIORITY
from jobdeck.core.states import ENDED, State
from jobdeck.engine.logs import LogStore
from jobdeck.store import job_removal, jobs, leases, steps, transitions
from jobdeck.store.database import Database, Tx
from jobdeck.store.events import NewEvent


@dataclass(frozen=True, slots=True)
class Result:
    """What became of an operation on one job; `error` says why it was refused."""

    id: int
    changed: bool
    error: JobdeckError | None = None


class Control:
    """What people do to jobs."""

    def __init__(self, database: Database, logs: LogStore) -> None:
        self._database = database
        self._logs = logs

    async def operate(
        self,
        ids: Sequence[int],
        operation: Operation,
        *,
        actor: str,
        reason: str | None = None,
        resume_at: int | None = None,
    ) -> list[Result]:
        """Do `operation` to each of `ids` that allows it, all in one transaction; one result per id, in order."""
        if operation is Operation.DELETE:
            return await self._delete(ids, actor)
        request = _Request(operation, actor, reason, resume_at)
        return await self._database.transact(lambda tx: _operate(tx, ids, request))

    async def set_priority(self, job_id: int, priority: int, *, actor: str) -> Result:
        """Change the priority; of a waiting job this changes its place in the queue."""
        if not LOWEST_PRIORITY <= priority <= HIGHEST_PRIORITY:
            raise InvalidInput(f"A priority is {LOWEST_PRIORITY} to {HIGHEST_PRIORITY}.", field="priority")

        async def work(tx: Tx) -> Result:
            job = (await jobs.lock(tx, [job_id])).get(job_id)
            if job is None:
                return Result(job_id, False, _no_such_job(job_id))
            if job.state in ENDED or job.priority == priority:
                return Result(job_id, False)
            order_key = job.order_key + (job.priority - priority) * AGEING
            await jobs.save(tx, [(job, replace(job, priority=priority, order_key=order_key))])
            data = {"state": str(job.state), "from": job.priority, "priority": priority}
            tx.emit(NewEvent("reprioritized", job.project_id, job_id, actor, data))
            return Result(job_id, True)

        return await self._database.transact(work)

    async def _delete(self, ids: Sequence[int], actor: str) -> list[Result]:
        """Rows first, in one transaction; then the logs, which nothing refers to any more."""

        async def work(tx: Tx) -> tuple[list[Result], list[int]]:
            results: list[Result] = []
            doomed: dict[int, Job] = {}
            for job_id in ids:
                result, family = await _doom(tx, job_id)
                results.append(result)
                # A job may be named twice, or be in the family of another one.
                doomed |= {job.id: job for job in family}
            await job_removal.remove(tx, list(doomed.values()), actor)
            return results, list(doomed)

        results, removed = await self._database.transact(work)
        for job_id in removed:
            await self._logs.delete(job_id)
        return results


@dataclass(frozen=True, slots=True)
class _Request:
    operation: Operation
    actor: str
    reason: str | None
    resume_at: int | None
    cause: str = "user"


async def _operate(tx: Tx, ids: Sequence[int], request: _Request) -> list[Result]:
    locked = await jobs.lock(tx, ids)
    results = {i: Result(i, False, _no_such_job(i)) for i in ids if i not in locked}
    children = await jobs.children_of(tx.connection, (j.id for j in locked.values() if j.has_children))
    changes = []
    for job in locked.values():
        try:
            transition = becoming.operate(
                job, request.operation, tx.now, reason=request.reason, cause=request.cause, resume_at=request.resume_at,
                unfinished_children=children.get(job.id, NO_CHILDREN).unfinished,
            )  # fmt: skip
        except OperationRefused as refused:
            results[job.id] = Result(job.id, False, refused)
            continue
        results[job.id] = Result(job.id, transition is not None)
        if transition is not None:
            changes.append((job, transition))
    await _carry_out(tx, changes, request)
    return [results[i] for i in ids]


async def _carry_out(tx: Tx, changes: list[transitions.Change], request: _Request) -> None:
    if not changes:
        return
    await transitions.apply(tx, changes, actor=request.actor)
    asked = {State.PAUSING: "pause", State.CANCELING: "cancel"}
    for state, word in asked.items():
        await leases.ask(tx, [job.id for job, t in changes if job.leased and t.job.state is state], word)
    if request.operation is Operation.RESUME:
        await steps.forget_tries(tx, [job.id for job, _ in changes])
    if request.operation is Operation.CANCEL:
        await _cancel_children(tx, [job for job, _ in changes if job.has_children], request)


async def _cancel_children(tx: Tx, parents: list[Job], request: _Request) -> None:
    """The cascade: every descendant that has not ended is canceled in the same transaction."""
    if not parents:
        return
    ids = await job_removal.unended_children(tx.connection, [p.id for p in parents])
    if ids:
        await _operate(tx, ids, changed(request, cause="parent"))


async def _doom(tx: Tx, job_id: int) -> tuple[Result, list[Job]]:
    """A job that may be deleted, with its descendants."""
    family = await job_removal.family(tx, job_id)
    if not family:
        return Result(job_id, False, _no_such_job(job_id)), []
    try:
        for job in family:
            becoming.operate(
                job, Operation.DELETE, tx.now, unfinished_children=sum(j.state not in ENDED for j in family[1:])
            )
    except OperationRefused as refused:
        return Result(job_id, False, refused), []
    return Result(job_id, True), family


def _no_such_job(job_id: int) -> NotFound:
    return NotFound(
        f"There is no job {job_id}.", field="id", hint="It may have been deleted; list the jobs to see those there are."
    )
