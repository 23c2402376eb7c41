"""Operations on selections of jobs: look at a plan, run it, follow it."""

from __future__ import annotations

import builtins
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Unpack

from jobdeck.client.errors import ClientError, RateLimited, ServerFailed, Unreachable
from jobdeck.client.http.requests import request
from jobdeck.client.http.resource import MAX_PAGE, Resource
from jobdeck.client.jobs import Filters, plain
from jobdeck.core.life.bulk import BulkState
from jobdeck.wire.base import Page
from jobdeck.wire.bulk import Bulk, BulkItem, BulkOutcome, BulkPlan, BulkRequest, BulkRunRequest

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 1.0
"""Seconds between two looks at one that runs."""


class BulkStillRunning(ClientError, TimeoutError, code="still_running", kind="unavailable"):
    """The bulk had not ended when the time to wait was over; `bulk` is as last seen, and goes on."""

    def __init__(self, bulk: Bulk, seconds: float) -> None:
        super().__init__(f"Bulk operation {bulk.id} still has {bulk.left} jobs to do after {seconds:g} s; it goes on.")
        self.bulk = bulk


class BulkOperationsResource(Resource):
    """`client.bulk`."""

    def preview(
        self,
        operation: str,
        *,
        ids: Sequence[int] | None = None,
        reason: str | None = None,
        resume_at: datetime | None = None,
        new_priority: int | None = None,
        children: bool = False,
        **filters: Unpack[Filters],
    ) -> BulkPlan:
        """What `cancel`, `pause`, `resume`, `restart`, `delete` or `priority` would do to the jobs with these `ids`, or
        to all that match the filters now. Nothing is done yet; `run` does it, within 15 minutes.

        `resume_at` is for `pause`, `new_priority` for `priority`. `children`, for `delete`, takes children along that
        are not among the jobs: `children` of the plan counts them, and without it their parents are left out."""
        given = plain({name: value for name, value in filters.items() if value is not None})
        select = {"ids": ids if ids is None else builtins.list(ids), "filter": given or None}
        body = request(
            BulkRequest[dict[str, Any]],
            operation=operation,
            select={name: value for name, value in select.items() if value is not None},
            reason=reason,
            resume_at=resume_at,
            priority=new_priority,
            children=children or None,
        )
        return self._transport.post(BulkPlan, "/bulk", body)

    def run(self, plan: BulkPlan) -> Bulk:
        """Let the server carry out a plan; the same plan again changes nothing."""
        return self._transport.post(Bulk, f"/bulk/{plan.id}/run", request(BulkRunRequest, token=plan.token))

    def get(self, id: int) -> Bulk:
        """How far it is."""
        return self._transport.get(Bulk, f"/bulk/{id}")

    def list(self, *, everyone: bool = False) -> Iterator[Bulk]:
        """Those that you asked for, newest first; with `everyone`, for administrators, those of all."""
        return self._every(Page[Bulk], "/bulk", {"everyone": everyone or None, "limit": MAX_PAGE})

    def items(self, id: int, outcome: BulkOutcome | None = None) -> Iterator[BulkItem]:
        """Its jobs by id and what became of each; of one outcome, or all."""
        return self._every(Page[BulkItem], f"/bulk/{id}/items", {"outcome": outcome, "limit": MAX_PAGE})

    def stop(self, id: int) -> Bulk:
        """Touch no more jobs; what was done stays done."""
        return self._transport.post(Bulk, f"/bulk/{id}/stop")

    def watch(self, id: int, timeout: float | None = None, *, patience: float = 60.0) -> Iterator[Bulk]:
        """The bulk now and each time it has got further, until it has ended or `timeout` seconds are over.

        A server that goes away is waited for, up to `patience` seconds; then Unreachable is raised."""
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        last: Bulk | None = None
        pause, heard = FIRST_PAUSE, time.monotonic()
        while True:
            try:
                bulk = self.get(id)
                heard = time.monotonic()
            except (Unreachable, ServerFailed, RateLimited):
                if last is None or time.monotonic() - heard > patience:
                    raise
                bulk = last
            if bulk != last:
                last, pause = bulk, FIRST_PAUSE
                yield bulk
            if bulk.state != BulkState.RUNNING or time.monotonic() >= deadline:
                return
            time.sleep(max(0.0, min(pause, deadline - time.monotonic())))
            pause = min(LONGEST_PAUSE, pause * 1.5)

    def wait(self, id: int, timeout: float | None = None) -> Bulk:
        """The bulk once it has ended; raises BulkStillRunning after `timeout` seconds."""
        *_, bulk = self.watch(id, timeout)
        if bulk.state == BulkState.RUNNING:
            raise BulkStillRunning(bulk, timeout or 0.0)
        return bulk
