"""Watching jobs until nothing more happens to them by itself."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from jobdeck.client.errors import ApiError, RateLimited, ServerFailed, StillRunning, UnexpectedAnswer, Unreachable
from jobdeck.client.events import QUIET, EventsResource
from jobdeck.client.http.transport import Transport
from jobdeck.core.life.states import ENDED, State
from jobdeck.wire.events import Event
from jobdeck.wire.jobs import Job

SETTLED = ENDED | {State.PAUSED}
"""States in which a job stays until somebody does something."""

CLOSEST = 0.2
"""Seconds between two looks at a job whose progress alone changes."""

LONGEST = 2.0
"""Seconds between two looks where there are no live events."""


class Watch:
    """Looks at jobs when an event says that something happened, and now and then where no events are to be had."""

    def __init__(self, transport: Transport, jobs: Iterable[int], patience: float) -> None:
        self._transport = transport
        self._events = EventsResource(transport)
        self._looked = dict.fromkeys(jobs, 0.0)
        """The jobs that have not settled yet, and when each was looked at (monotonic seconds)."""
        self._stale: set[int] = set()
        self._last: dict[int, Job] = {}
        self._patience = patience
        self._after: int | None = None
        self._streams = True
        self._pause = CLOSEST
        self._heard = time.monotonic()

    def changes(self, deadline: float | None) -> Iterator[Job]:
        """A job each time it differs from before, until all are settled or `deadline` (monotonic) has passed."""
        while True:
            yield from self._look_at(list(self._looked))
            if not self._looked or _left(deadline) <= 0:
                return
            if self._streams and _left(deadline) > 2 * CLOSEST:
                yield from self._live(deadline)
                if not self._looked:
                    return
            time.sleep(max(0.0, min(self._pause, _left(deadline))))
            self._pause = min(LONGEST, self._pause * 2)

    def _live(self, deadline: float | None) -> Iterator[Job]:
        """Changes told by one stream of events, until it ends, all jobs are settled, or the deadline is near."""
        quiet = min(QUIET, _left(deadline) / 2)
        only = next(iter(self._looked)) if len(self._looked) == 1 else None
        try:
            stream = self._events.stream(job=only, after=self._after, quiet=quiet)
            for count, event in enumerate(stream):
                self._heard = time.monotonic()
                if event is not None and event.id:  # progress is told without an id
                    self._after = event.id
                # What happened between the first look and the opening of the stream is in no event.
                yield from self._look_at(list(self._looked) if count == 0 else self._due(event))
                if not self._looked or _left(deadline) < quiet:
                    return
        except (Unreachable, ServerFailed, RateLimited):
            return
        except (ApiError, UnexpectedAnswer):
            # No live events are to be had here; looking at the jobs tells whether something graver is wrong.
            self._streams = False

    def _due(self, event: Event | None) -> list[int]:
        """The jobs that are worth a look now: one with a new state always, one with other news only so often."""
        now = time.monotonic()
        if event is None:
            # Nothing happens: also the job that was not looked at for longest, lest one be forgotten.
            self._stale.add(min(self._looked, key=lambda job: self._looked[job]))
        elif event.job in self._looked:
            self._stale.add(event.job)
            state, last = event.data.get("state"), self._last.get(event.job)
            if state is not None and last is not None and state != last.state:
                return [event.job]
        return [job for job in self._stale if now - self._looked[job] >= CLOSEST]

    def _look_at(self, jobs: Iterable[int]) -> Iterator[Job]:
        """Those of the jobs that changed; nothing while the server is away, as long as patience lasts."""
        for id_ in jobs:
            try:
                job = self._transport.get(Job, f"/jobs/{id_}")
            except (Unreachable, ServerFailed, RateLimited):
                if not self._last or time.monotonic() - self._heard > self._patience:
                    raise
                return
            self._stale.discard(id_)
            self._looked[id_] = self._heard = time.monotonic()
            if job.state in SETTLED:
                del self._looked[id_]
            if job != self._last.get(id_):
                self._last[id_], self._pause = job, CLOSEST
                yield job


def wait(watch: Watch, timeout: float | None) -> Job:
    """The job once it is settled; raises StillRunning after `timeout` seconds."""
    deadline = None if timeout is None else time.monotonic() + timeout
    *_, job = watch.changes(deadline)
    if job.state not in SETTLED:
        raise StillRunning(job, timeout or 0.0)
    return job


def _left(deadline: float | None) -> float:
    return float("inf") if deadline is None else deadline - time.monotonic()
