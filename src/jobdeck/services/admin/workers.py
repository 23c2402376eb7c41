"""Workers: who runs jobs, and telling one to take no more."""

from __future__ import annotations

from jobdeck.access.caller import Caller
from jobdeck.access.roles import Permission
from jobdeck.core.errors import NotFound
from jobdeck.services import cursors
from jobdeck.services.core import Core
from jobdeck.store.running import workers
from jobdeck.store.views import worker_views
from jobdeck.store.views.worker_views import WorkerView
from jobdeck.wire.admin import Worker
from jobdeck.wire.base import Page, instant


class Workers:
    """The use cases of workers."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def page(self, caller: Caller, cursor: str | None, limit: int) -> Page[Worker]:
        """Workers, by id; of the jobs that they hold, those that the caller may see."""
        caller.require(Permission.WORKER_READ)
        after = str(cursors.decode(cursor, "workers", str)[0]) if cursor else ""
        async with self._core.database.read() as connection:
            now = await self._core.database.clock.now(connection)
            found = await worker_views.page(connection, now, after, limit + 1)
        last = cursors.encode("workers", found[limit - 1].id) if len(found) > limit else None
        return Page[Worker](items=[self._view(w, caller, now) for w in found[:limit]], next=last)

    async def drain(self, caller: Caller, worker_id: str) -> Worker:
        """Let a worker finish what it has and take nothing more; raises NotFound."""
        caller.require(Permission.WORKER_DRAIN)
        await self._get(worker_id)
        await workers.set_state(self._core.database, worker_id, workers.DRAINING, caller.name)
        found = await self._get(worker_id)
        return self._view(found, caller, await self._core.database.now())

    async def _get(self, worker_id: str) -> WorkerView:
        async with self._core.database.read() as connection:
            found = await worker_views.get(connection, worker_id) if "\0" not in worker_id else None
        if found is None:
            raise NotFound(
                f"There is no worker '{worker_id[:100]}'.", field="id", hint="GET /api/v1/workers lists them."
            )
        return found

    def _view(self, worker: WorkerView, caller: Caller, now: int) -> Worker:
        return Worker(
            id=worker.id,
            name=worker.name,
            host=worker.host,
            state=_state(worker, now - int(self._core.installation.worker_silence * 1_000_000)),
            version=worker.version,
            slots=worker.slots,
            light_slots=worker.light_slots,
            running=[job for job, project_id in worker.running if caller.sees(project_id)],
            types=list(worker.types),
            started_at=instant(worker.started_at),
            seen_at=instant(worker.heartbeat_at),
        )


def _state(worker: WorkerView, silent_since: int) -> str:
    """`live`, `draining` or `gone`; one that has been silent for long counts as gone before it is written off."""
    if worker.state == workers.GONE or worker.heartbeat_at < silent_since:
        return "gone"
    return "draining" if worker.state == workers.DRAINING else "live"
