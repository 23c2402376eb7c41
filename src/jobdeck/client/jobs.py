"""Jobs: submit, look, follow, operate."""

from __future__ import annotations

import builtins
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypedDict, Unpack

from pydantic import RootModel

from jobdeck.client.http.requests import request
from jobdeck.client.http.resource import MAX_PAGE, Resource, of_project
from jobdeck.client.http.transport import parsed
from jobdeck.client.http.whole import write_whole
from jobdeck.client.settings import named_project
from jobdeck.client.watching import Watch, wait
from jobdeck.core.errors import InvalidInput
from jobdeck.core.life.operations import Operation
from jobdeck.wire.base import Page, Response
from jobdeck.wire.events import Event
from jobdeck.wire.jobs import (
    Attempt,
    BatchRequest,
    ChangeRequest,
    Deleted,
    Job,
    Lineage,
    OnChildFailure,
    OperationRequest,
    PauseRequest,
    RestartRequest,
    RunAgainRequest,
    SubmitRequest,
)
from jobdeck.wire.plans import JobClaim, JobDiff, JobPlan
from jobdeck.wire.steps import MAX_LOG_LINES, LogLine, LogPage, Step, Task
from jobdeck.wire.timeline import Timeline

Many = str | Sequence[str] | None


class Filters(TypedDict, total=False):
    """What a list or count of jobs is narrowed to; sequences mean any of them."""

    project: Many
    state: Many
    type: Many
    category: Many
    subject: str | None
    created_by: str | None
    configuration: int | None
    parent: int | None
    run_id: str | None
    """A prefix."""
    priority: int | Sequence[int] | None
    error: str | None
    """An error code or fingerprint."""
    tag: Many
    worker: Many
    """Names or ids of workers that had the job last."""
    host: Many
    """Hosts of such workers."""
    q: str | None
    """Words that are all found in the description, subject, type, command line, error, tags, creator, parameters, or
    what was read and written; or an id or the beginning of a run id."""
    since: str | datetime | None
    """`12h`, `1d`, `3d`, `7d`, or a time."""
    until: str | datetime | None
    started_since: str | datetime | None
    started_until: str | datetime | None
    ended_since: str | datetime | None
    ended_until: str | datetime | None
    min_duration: str | None
    """`90s`, `5m`, `2h`, `1d`: it ran at least so long."""
    max_duration: str | None
    """It ran for less than this."""
    token: int | None
    top_level: bool | None
    sort: str | None


class Wishes(TypedDict, total=False):
    """What can be said of a job beside its type and parameters; None means not said."""

    priority: int | None
    """0 to 9; higher goes first."""
    not_before: datetime | None
    tags: Sequence[str] | None
    configuration: int | None
    parent: int | None
    deduplicate: bool | None
    on_child_failure: OnChildFailure | None
    description: str | None


class Changed(TypedDict, total=False):
    """What can be different when a job is run again; None means as it was."""

    replace: bool
    """`params` are all there are: what they leave out is not taken over."""
    priority: int | None
    tags: Sequence[str] | None
    description: str | None


class LogFilters(TypedDict, total=False):
    """Which lines of a log."""

    level: Many
    """`debug`, `info`, `warning`, `error`, `stdout`, `stderr`; a sequence means any of them."""
    step: str | None
    """Its name."""
    task: int | None
    """Its index in the step."""
    q: str | None
    """A text in the line, whatever the case."""


class _Items(Response):
    items: list[Job]


class _Id(Response):
    id: int


class _Ids(Response):
    items: list[_Id]


class _Counts(RootModel[dict[str, int]]):
    pass


class JobsResource(Resource):
    """`client.jobs`."""

    def submit(
        self,
        type: str,
        params: Mapping[str, Any] | None = None,
        *,
        project: str | None = None,
        key: str | None = None,
        **wishes: Unpack[Wishes],
    ) -> Job:
        """Accept a job of `type`; it is queued. The same `key` (an idempotency key) again returns the first job."""
        return self._transport.post(Job, _jobs(project), _wanted(type, params, wishes), key)

    def dry_run(
        self,
        type: str,
        params: Mapping[str, Any] | None = None,
        *,
        project: str | None = None,
        **wishes: Unpack[Wishes],
    ) -> JobPlan:
        """What submitting the same would do. Checks all that `submit` checks, and stores nothing."""
        return self._transport.post(JobPlan, f"{_jobs(project)}?dry_run=true", _wanted(type, params, wishes))

    def submit_all(
        self, jobs: Sequence[SubmitRequest], *, project: str | None = None, key: str | None = None
    ) -> builtins.list[Job]:
        """Accept up to 10,000 jobs, all or none; in the order given."""
        return self._transport.post(_Items, _batch(project), _together(jobs), key).items

    def submit_ids(
        self, jobs: Sequence[SubmitRequest], *, project: str | None = None, key: str | None = None
    ) -> builtins.list[int]:
        """As `submit_all`, answering with the jobs' ids alone, which is much quicker for many."""
        return [
            job.id for job in self._transport.post(_Ids, f"{_batch(project)}?fields=id", _together(jobs), key).items
        ]

    def get(self, id: int) -> Job:
        return self._transport.get(Job, f"/jobs/{id}")

    def page(self, *, limit: int = 100, cursor: str | None = None, **filters: Unpack[Filters]) -> Page[Job]:
        """One page of jobs (at most 500), newest first unless `sort` says otherwise.

        It may be shorter, even empty, and have a `next` all the same: what takes long to find comes piece by piece."""
        return self._transport.get(Page[Job], "/jobs", {"limit": limit, "cursor": cursor, **_within(filters)})

    def list(self, *, cursor: str | None = None, **filters: Unpack[Filters]) -> Iterator[Job]:
        """All jobs that match, page by page as they are asked for; with `cursor`, those behind a page's `next`."""
        return self._every(Page[Job], "/jobs", {"limit": MAX_PAGE, "cursor": cursor, **_within(filters)})

    def counts(self, **filters: Unpack[Filters]) -> dict[str, int]:
        """How many jobs match, by state."""
        return self._transport.get(_Counts, "/jobs/counts", _within(filters)).root

    def steps(self, id: int, attempt: int | None = None) -> builtins.list[Step]:
        return self._all(Page[Step], f"/jobs/{id}/steps", {"attempt": attempt})

    def tasks(
        self,
        id: int,
        step: int,
        *,
        state: Many = None,
        slowest_first: bool = False,
        attempt: int | None = None,
    ) -> Iterator[Task]:
        """All tasks of the step with this index, in order; or those that have begun, the slowest first."""
        states = [state] if isinstance(state, str) else state and builtins.list(state)
        sort = "-duration" if slowest_first else None
        query = {"state": states, "sort": sort, "attempt": attempt, "limit": MAX_PAGE}
        return self._every(Page[Task], f"/jobs/{id}/steps/{step}/tasks", query)

    def timeline(self, id: int, attempt: int | None = None) -> Timeline:
        """What the job, and the steps and tasks of an attempt (default: the present one), did when."""
        return self._transport.get(Timeline, f"/jobs/{id}/timeline", {"attempt": attempt})

    def diff(self, id: int, other: int | None = None) -> JobDiff:
        """From the parameters of `other` (default: the job that it runs again) to those of the job."""
        return self._transport.get(JobDiff, f"/jobs/{id}/diff", {"with": other})

    def attempts(self, id: int) -> builtins.list[Attempt]:
        return self._all(Page[Attempt], f"/jobs/{id}/attempts")

    def claims(self, id: int) -> builtins.list[JobClaim]:
        """The resources that the job holds or wants, those in its way first."""
        return self._all(Page[JobClaim], f"/jobs/{id}/claims")

    def lineage(self, id: int) -> Lineage:
        return self._transport.get(Lineage, f"/jobs/{id}/lineage")

    def events(self, id: int, after: str | None = None) -> Iterator[Event]:
        """What happened to the job so far, oldest first."""
        while True:
            page = self._transport.get(Page[Event], f"/jobs/{id}/events", {"after": after, "limit": MAX_PAGE})
            yield from page.items
            if page.next is None or not page.items:
                return
            after = page.next

    def logs(
        self,
        id: int,
        *,
        follow: bool = False,
        attempt: int | None = None,
        tail: int | None = None,
        after: str | None = None,
        **only: Unpack[LogFilters],
    ) -> Iterator[LogLine]:
        """Log lines, oldest first: those there are, or with `follow` until the job has ended.

        `tail`: begin with the last so many. `attempt`: of that attempt. The rest: only lines that are so."""
        level = only.get("level")
        where = {**only, "level": [level] if isinstance(level, str) else level and builtins.list(level)}
        fixed = {"attempt": attempt, **where}
        if tail is not None and after is None:
            last, after = self._last_lines(id, tail, fixed)
            yield from last
            if after is None:
                return
        pause = 0.2
        while True:
            page = self._log_page(id, {**fixed, "after": after, "limit": MAX_LOG_LINES})
            yield from page.items
            # One answer looks through a part of the log only: that it has no lines says nothing about what follows.
            at_end = page.next == after
            if page.next is None or (at_end and not follow):
                return
            after = page.next
            pause = min(2.0, pause * 1.5) if at_end else 0.2
            if at_end or (follow and not page.items):
                time.sleep(pause)

    def _last_lines(self, id: int, count: int, where: Mapping[str, Any]) -> tuple[Sequence[LogLine], str | None]:
        """The last lines, and the cursor behind the end; None when none will follow."""
        page = self._log_page(id, {**where, "tail": count})
        following, found = page.next, page.items
        while page.earlier is not None and len(found) < count:
            wanted = min(MAX_LOG_LINES, count - len(found))
            page = self._log_page(id, {**where, "before": page.earlier, "limit": wanted})
            found = [*page.items, *found]
        return found, following

    def _log_page(self, id: int, asked: Mapping[str, Any]) -> LogPage:
        return self._transport.get(LogPage, f"/jobs/{id}/logs", asked)

    def download_log(self, id: int, to: str | Path, *, attempt: int | None = None) -> Path:
        """Write the whole log of an attempt (default: the present one) as text to the path `to`, which
        appears whole or not at all."""
        return write_whole(Path(to), self.read_log(id, attempt=attempt))

    def read_log(self, id: int, *, attempt: int | None = None) -> Iterator[bytes]:
        """The whole log of an attempt as text in UTF-8, in pieces."""
        with self._transport.stream(f"/jobs/{id}/logs/download", {"attempt": attempt}) as response:
            yield from response.iter_bytes()

    def watch(self, *ids: int, timeout: float | None = None, patience: float = 60.0) -> Iterator[Job]:
        """Each of the jobs now and each time it changes, until all have ended or are paused, or `timeout` seconds
        are over.

        A server that goes away is waited for, up to `patience` seconds; then Unreachable is raised."""
        deadline = None if timeout is None else time.monotonic() + timeout
        return Watch(self._transport, ids, patience).changes(deadline)

    def wait(self, id: int, timeout: float | None = None, *, patience: float = 60.0) -> Job:
        """The job once it has ended, somehow, or is paused; raises StillRunning after `timeout` seconds."""
        return wait(Watch(self._transport, [id], patience), timeout)

    def cancel(self, id: int, reason: str | None = None) -> Job:
        return self._operate(id, Operation.CANCEL, request(OperationRequest, reason=reason))

    def pause(self, id: int, reason: str | None = None, *, resume_at: datetime | None = None) -> Job:
        return self._operate(id, Operation.PAUSE, request(PauseRequest, reason=reason, resume_at=resume_at))

    def resume(self, id: int, reason: str | None = None) -> Job:
        return self._operate(id, Operation.RESUME, request(OperationRequest, reason=reason))

    def restart(self, id: int, reason: str | None = None) -> Job:
        return self._operate(id, Operation.RESTART, request(RestartRequest, reason=reason))

    def run_again(
        self,
        id: int,
        params: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
        **changed: Unpack[Changed],
    ) -> Job:
        """A new job like this one; `params` are put over the old ones, name by name, or with `replace=True` in their
        place. A secret that is shown masked may be sent so: it means the old one."""
        return self._transport.post(Job, f"/jobs/{id}/run-again", _again(params, changed), key)

    def dry_run_again(self, id: int, params: Mapping[str, Any] | None = None, **changed: Unpack[Changed]) -> JobPlan:
        """What running it again would do; `changes` of the answer tell how the parameters differ."""
        return self._transport.post(JobPlan, f"/jobs/{id}/run-again?dry_run=true", _again(params, changed))

    def delete(self, id: int, *, children: bool = False) -> Deleted:
        """Remove the job and everything recorded about it; only of jobs that have ended.

        One that has children is refused, unless they are to go, too; `children` of the answer counts them by state."""
        if not children:
            self._transport.write("DELETE", f"/jobs/{id}")
            return Deleted(id=id)
        return parsed(Deleted, self._transport.write("DELETE", f"/jobs/{id}?children=true"))

    def set_priority(self, id: int, priority: int) -> Job:
        """0 to 9, higher goes first; for a job that waits."""
        response = self._transport.write("PATCH", f"/jobs/{id}", request(ChangeRequest, priority=priority))
        return parsed(Job, response)

    def _operate(self, id: int, operation: Operation, body: OperationRequest) -> Job:
        return self._transport.post(Job, f"/jobs/{id}/{operation}", body)


def _jobs(project: str | None) -> str:
    return f"{of_project(project)}/jobs"


def _batch(project: str | None) -> str:
    return f"{_jobs(project)}/batch"


def _wanted(type: str, params: Mapping[str, Any] | None, wishes: Wishes) -> SubmitRequest:
    tags = wishes.get("tags")
    more: dict[str, Any] = {**wishes, "tags": tags and builtins.list(tags)}
    return request(SubmitRequest, type=type, params=_named(params or {}), **more)


def _again(params: Mapping[str, Any] | None, changed: Changed) -> RunAgainRequest:
    tags = changed.get("tags")
    more: dict[str, Any] = {
        **changed,
        "tags": None if tags is None else builtins.list(tags),
        "replace": changed.get("replace") or None,
    }
    return request(RunAgainRequest, params=None if params is None else _named(params), **more)


def _together(jobs: Sequence[SubmitRequest]) -> BatchRequest:
    return request(BatchRequest, jobs=builtins.list(jobs))


def plain(filters: Mapping[str, Any]) -> dict[str, Any]:
    """The filters as query parameters."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in filters.items()}


def _within(filters: Mapping[str, Any]) -> dict[str, Any]:
    """The filters of a list: of the project that the environment names, unless they say one."""
    return {**plain(filters), "project": filters.get("project") or named_project()}


def _named(params: object) -> dict[str, Any]:
    if not isinstance(params, Mapping):
        raise InvalidInput(
            f"params are names with values, not {params!r:.60}.", field="params", hint='Write {"seconds": 1}.'
        )
    return dict(params)
