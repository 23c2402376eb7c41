"""Operations on jobs: cancel, pause, resume, restart, delete, a new priority. Decides by the table, writes at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from typing import TypeAlias

from jobdeck.core.errors import InvalidInput, JobdeckError, NotFound, OperationRefused
from jobdeck.core.life import family, transitions
from jobdeck.core.life.bulk import why_no_priority
from jobdeck.core.life.job import NO_CHILDREN, Job
from jobdeck.core.life.operations import Operation
from jobdeck.core.life.states import ENDED, State
from jobdeck.core.life.transitions import Transition, replace
from jobdeck.core.life.waiting import AGEING, HIGHEST_PRIORITY, LOWEST_PRIORITY
from jobdeck.engine import leftovers
from jobdeck.engine.garbage import GarbageCollector
from jobdeck.store import garbage
from jobdeck.store.jobs import jobs
from jobdeck.store.jobs import removal as job_removal
from jobdeck.store.running import leases, steps
from jobdeck.store.sql.database import Database, Tx
from jobdeck.store.sql.events import NewEvent

Chosen: TypeAlias = Callable[[Tx, Sequence[int]], Awaitable[Sequence[int]]]
"""Of the children that a delete would take along, those that may go."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of an operation on one job; `error` says why it was refused, `before` how the job was found."""

    id: int
    changed: bool
    error: JobdeckError | None = None
    before: Job | None = None
    along: tuple[Job, ...] = ()
    """Children that were deleted with it."""


@dataclass(frozen=True, slots=True)
class OperationCall:
    """What is asked, by whom and why; `resume_at` in µs. `bulk`: the operation on a selection that it is a part of."""

    operation: Operation
    actor: str
    reason: str | None = None
    resume_at: int | None = None
    cause: str = "user"
    bulk: int | None = None


async def none_along(_tx: Tx, _ids: Sequence[int]) -> Sequence[int]:
    """No children are chosen."""
    return ()


async def all_along(_tx: Tx, ids: Sequence[int]) -> Sequence[int]:
    """All children are chosen."""
    return ids


class Control:
    """What people do to jobs."""

    def __init__(self, database: Database, garbage: GarbageCollector) -> None:
        self._database = database
        self._garbage = garbage

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
            return await self.delete(ids, actor=actor)
        request = OperationCall(operation, actor, reason, resume_at)
        return await self._database.transact(lambda tx: operate_in(tx, ids, request))

    async def set_priority(self, job_id: int, priority: int, *, actor: str) -> Result:
        """Change the priority; of a waiting job this changes its place in the queue."""
        if not LOWEST_PRIORITY <= priority <= HIGHEST_PRIORITY:
            raise InvalidInput(f"A priority is {LOWEST_PRIORITY} to {HIGHEST_PRIORITY}.", field="priority")

        (result,) = await self._database.transact(lambda tx: prioritize_in(tx, [job_id], priority, actor))
        return result

    async def delete(self, ids: Sequence[int], *, actor: str, chosen: Chosen = none_along) -> list[Result]:
        """Delete those of `ids` that allow it, all in one transaction, with the children that are `chosen`.

        Rows first; then the content, which nothing refers to any more."""
        results, doomed = await self._database.transact(lambda tx: delete_in(tx, ids, actor, chosen))
        await self.delete_content(doomed)
        return results

    async def delete_content(self, doomed: Sequence[int]) -> None:
        """Delete the content of jobs that were removed, which `delete_in` remembered as garbage of these ids."""
        await self._garbage.collect(doomed)


async def operate_in(tx: Tx, ids: Sequence[int], request: OperationCall) -> list[Result]:
    """As `Control.operate`, within a transaction; not for deleting."""
    locked = await jobs.lock(tx, ids)
    results = {i: Result(i, False, _no_such_job(i)) for i in ids if i not in locked}
    children = await jobs.children_of(tx.connection, (j.id for j in locked.values() if j.has_children))
    changes = []
    for job in locked.values():
        try:
            transition = transitions.operate(
                job, request.operation, tx.now, reason=request.reason, cause=request.cause, resume_at=request.resume_at,
                unfinished_children=children.get(job.id, NO_CHILDREN).unfinished,
            )  # fmt: skip
        except OperationRefused as refused:
            results[job.id] = Result(job.id, False, refused, job)
            continue
        results[job.id] = Result(job.id, transition is not None, None, job)
        if transition is not None:
            changes.append((job, _told(transition, request.bulk)))
    await _carry_out(tx, changes, request)
    return [results[i] for i in ids]


def _told(transition: Transition, bulk: int | None) -> Transition:
    """With the bulk in the event, so that a job's history says why this happened to it."""
    if bulk is None:
        return transition
    return Transition(transition.job, transition.kind, {**transition.data, "bulk": bulk})


async def _carry_out(tx: Tx, changes: list[jobs.Change], request: OperationCall) -> None:
    if not changes:
        return
    await jobs.apply(tx, changes, actor=request.actor)
    asked = {State.PAUSING: "pause", State.CANCELING: "cancel"}
    for state, word in asked.items():
        await leases.ask(tx, [job.id for job, t in changes if job.leased and t.job.state is state], word)
    if request.operation is Operation.RESUME:
        await steps.forget_tries(tx, [job.id for job, _ in changes])
    if request.operation is Operation.CANCEL:
        await _cancel_children(tx, [job for job, _ in changes if job.has_children], request)


async def _cancel_children(tx: Tx, parents: list[Job], request: OperationCall) -> None:
    """The cascade: every descendant that has not ended is canceled in the same transaction."""
    if not parents:
        return
    ids = await job_removal.unended_children(tx.connection, [p.id for p in parents])
    if ids:
        await operate_in(tx, ids, changed(request, cause="parent"))


async def prioritize_in(
    tx: Tx, ids: Sequence[int], priority: int, actor: str, bulk: int | None = None
) -> list[Result]:  # fmt: skip
    """As `Control.set_priority`, for several jobs, within a transaction."""
    locked = await jobs.lock(tx, ids)
    moved = [j for j in locked.values() if why_no_priority(j.state, same=j.priority == priority) is None]
    changes = [
        (j, replace(j, priority=priority, order_key=j.order_key + (j.priority - priority) * AGEING)) for j in moved
    ]
    if changes:
        await jobs.save(tx, changes)
    more = {} if bulk is None else {"bulk": bulk}
    for job in moved:
        data = {"state": str(job.state), "from": job.priority, "priority": priority, **more}
        tx.emit(NewEvent("reprioritized", job.project_id, job.id, actor, data))
    done = {job.id for job in moved}
    return [Result(i, i in done, None if i in locked else _no_such_job(i), locked.get(i)) for i in ids]


async def delete_in(
    tx: Tx, ids: Sequence[int], actor: str, chosen: Chosen, bulk: int | None = None
) -> tuple[list[Result], list[int]]:
    """As `Control.delete`, within a transaction; and the ids of the garbage that it leaves.

    Children that are not among `ids` go along only where `chosen` names them."""
    families = await job_removal.families(tx, ids)
    asked = set(ids)
    below = {job.id for members in families.values() for job in members[1:]} - asked
    may_go = set(await chosen(tx, sorted(below))) if below else set()
    results: list[Result] = []
    doomed: dict[int, job_removal.DoomedJob] = {}
    for job_id in ids:
        result = _doom(tx, job_id, families.get(job_id, []), asked, may_go)
        # A job may be named twice, or be in the family of another one: it is told of once.
        along = tuple(job for job in result.along if job.id not in doomed)
        results.append(changed(result, along=along))
        if result.changed and result.before is not None and job_id not in doomed:
            counts = family.by_state(job.state for job in along)
            doomed[job_id] = job_removal.DoomedJob(result.before, counts)
            doomed.update({job.id: job_removal.DoomedJob(job, taken_by=job_id) for job in along})
    content = await garbage.add(tx, await leftovers.of_jobs(tx, [one.job for one in doomed.values()]))
    await job_removal.remove(tx, list(doomed.values()), actor, bulk)
    return results, content


def _doom(tx: Tx, job_id: int, members: list[Job], asked: set[int], may_go: set[int]) -> Result:
    """Whether a job, which comes before its descendants, may be deleted, and which of them go along."""
    if not members:
        return Result(job_id, False, _no_such_job(job_id))
    first, *rest = members
    along = tuple(j for j in rest if j.id not in asked)
    try:
        unfinished = sum(j.state not in ENDED for j in rest)
        transitions.operate(first, Operation.DELETE, tx.now, unfinished_children=unfinished)
        if any(j.id not in may_go for j in along):
            raise family.refusal(job_id, first.state, family.by_state(j.state for j in along))
    except OperationRefused as refused:
        return Result(job_id, False, refused, first)
    return Result(job_id, True, None, first, along)


def _no_such_job(job_id: int) -> NotFound:
    return NotFound(
        f"There is no job {job_id}.", field="id", hint="It may have been deleted; list the jobs to see those there are."
    )
