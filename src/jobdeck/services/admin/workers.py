"""Workers: who runs jobs, and telling one to take no more."""

from __future__ import annotations

from collections.abc import Sequence

from jobdeck.access.caller import Caller, Permission
from jobdeck.core.errors import Conflict, InvalidInput, NotFound
from jobdeck.services import cursors
from jobdeck.services.core import OfCore
from jobdeck.store.running import workers
from jobdeck.store.views import worker_views
from jobdeck.store.views.worker_views import WorkerView
from jobdeck.wire.admin import Worker
from jobdeck.wire.base import Page, instant

MOST_MEANT = 50
"""Workers that are looked at when a name is looked up."""
SHOWN_MEANT = 5
_REACHED = {workers.DRAINING: (workers.DRAINING, workers.LEAVING), workers.ACTIVE: (workers.ACTIVE,)}
"""The states that are as good as what was asked for."""


class AmbiguousWorker(InvalidInput, code="ambiguous_worker"):
    """A name, or a beginning of a name or an id, that several workers have."""


class WorkerGone(Conflict, code="worker_gone"):
    """The worker has ended, or is about to; nothing can be asked of it."""


class Workers(OfCore):
    """The use cases of workers. Each may be named by its id, its name, or a beginning of one that no other has."""

    async def page(self, caller: Caller, cursor: str | None, limit: int) -> Page[Worker]:
        """Workers, by id; of the jobs that they hold, those that the caller may see."""
        caller.require(Permission.WORKER_READ)
        after = str(cursors.decode(cursor, "workers", str)[0]) if cursor else ""
        async with self._core.database.read() as connection:
            now = await self._core.database.clock.now(connection)
            found = await worker_views.page(connection, now, after, limit + 1)
        last = cursors.following("workers", found, limit, lambda one: one.id)
        return Page[Worker](items=[self._view(w, caller, now) for w in found[:limit]], next=last)

    async def get(self, caller: Caller, word: str) -> Worker:
        """The worker that `word` means; raises NotFound and AmbiguousWorker."""
        caller.require(Permission.WORKER_READ)
        return self._view(await self._meant(word), caller, await self._core.database.now())

    async def drain(self, caller: Caller, word: str) -> Worker:
        """Let a worker finish what it has and take nothing more; raises NotFound, and WorkerGone of one that ended."""
        caller.require(Permission.WORKER_DRAIN)
        return await self._set(caller, await self._meant(word), workers.DRAINING)

    async def undrain(self, caller: Caller, word: str) -> Worker:
        """Let a drained worker take jobs again; raises NotFound, and WorkerGone of one that ends or ended."""
        caller.require(Permission.WORKER_DRAIN)
        return await self._set(caller, await self._meant(word), workers.ACTIVE)

    async def _set(self, caller: Caller, worker: WorkerView, state: str) -> Worker:
        await workers.set_state(self._core.database, worker.id, state, caller.name)
        async with self._core.database.read() as connection:
            now = await self._core.database.clock.now(connection)
            found = await worker_views.get(connection, worker.id)
        if found is None or self._shown_state(found, now) == "gone" or found.state not in _REACHED[state]:
            raise _ended(worker)
        return self._view(found, caller, now)

    async def _meant(self, word: str) -> WorkerView:
        """The worker with this id; else the one with this name; else the one whose id or name begins so. Of several,
        those that are not gone count."""
        if not word.strip() or "\0" in word:
            raise _unknown(word)
        async with self._core.database.read() as connection:
            now = await self._core.database.clock.now(connection)
            exact = await worker_views.get(connection, word)
            found = [exact] if exact else await worker_views.called(connection, word, MOST_MEANT)
        named = [worker for worker in found if worker.name == word] or found
        there = [worker for worker in named if self._shown_state(worker, now) != "gone"] or named[:1]
        if len(there) > 1:
            raise _ambiguous(word, there)
        if not there:
            raise _unknown(word)
        return there[0]

    def _shown_state(self, worker: WorkerView, now: int) -> str:
        return _state(worker, now - int(self._core.installation.worker_silence * 1_000_000))

    def _view(self, worker: WorkerView, caller: Caller, now: int) -> Worker:
        return Worker(
            id=worker.id,
            name=worker.name,
            host=worker.host,
            state=self._shown_state(worker, now),
            version=worker.version,
            slots=worker.slots,
            light_slots=worker.light_slots,
            running=[job for job, project_id in worker.running if caller.sees(project_id)],
            types=list(worker.types),
            shortage=worker.shortage if caller.project is None else None,
            started_at=instant(worker.started_at),
            seen_at=instant(worker.heartbeat_at),
        )


def _state(worker: WorkerView, silent_since: int) -> str:
    """`live`, `draining` or `gone`; one that has been silent for long counts as gone before it is written off."""
    if worker.state == workers.GONE or worker.heartbeat_at < silent_since:
        return "gone"
    return "live" if worker.state == workers.ACTIVE else "draining"


def _unknown(word: str) -> NotFound:
    return NotFound(f"There is no worker '{word[:100]}'.", field="id", hint="GET /api/v1/workers lists them.")


def _ended(worker: WorkerView) -> WorkerGone:
    what = "has ended" if worker.state == workers.GONE else "is about to end, or gives no sign of life"
    return WorkerGone(
        f"The worker '{worker.name}' ({worker.id}) {what}.",
        field="id",
        hint="Start it again; it then joins as a new worker that takes jobs.",
    )


def _ambiguous(word: str, found: Sequence[WorkerView]) -> AmbiguousWorker:
    names = ", ".join(f"{worker.id} ({worker.name})" for worker in found[:SHOWN_MEANT])
    more = " and more" if len(found) > SHOWN_MEANT else ""
    return AmbiguousWorker(
        f"'{word[:100]}' means more than one worker: {names}{more}.", field="id", hint="Write more of the id."
    )
