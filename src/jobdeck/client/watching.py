"""Watching a job until nothing more happens to it by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator

from jobdeck.client.errors import ApiError, RateLimited, ServerFailed, StillRunning, UnexpectedAnswer, Unreachable
from jobdeck.client.events import QUIET, Events
from jobdeck.client.transport import Transport
from jobdeck.core.states import ENDED, State
from jobdeck.wire.jobs import Job

SETTLED = ENDED | {State.PAUSED}
"""States in which a job stays until somebody does something."""

CLOSEST = 0.2
"""Seconds between two looks at a job whose progress alone changes."""

LONGEST = 2.0
"""Seconds between two looks where there are no live events."""


class Watch:
    """Looks at one job when an event says that something happened, and now and then where no events are to be had."""

    def __init__(self, transport: Transport, job: int, patience: float) -> None:
        self._transport = transport
        self._events = Events(transport)
        self._id = job
        self._patience = patience
        self._after: int | None = None
        self._streams = True
        self._pause = CLOSEST
        self._last: Job | None = None
        self._looked = self._heard = time.monotonic()

    def changes(self, deadline: float | None) -> Iterator[Job]:
        """The job each time it differs from before, ending when it is settled or `deadline` (monotonic) has passed."""
        while True:
            yield from self._look()
            if self._settled() or _left(deadline) <= 0:
                return
            if self._streams and _left(deadline) > 2 * CLOSEST:
                yield from self._live(deadline)
                if self._settled():
                    return
            time.sleep(max(0.0, min(self._pause, _left(deadline))))
            self._pause = min(LONGEST, self._pause * 2)

    def _live(self, deadline: float | None) -> Iterator[Job]:
        """Changes told by one stream of events, until it ends, the job is settled, or the deadline is near."""
        quiet = min(QUIET, _left(deadline) / 2)
        try:
            stream = self._events.stream(job=self._id, after=self._after, quiet=quiet)
            for count, event in enumerate(stream):
                self._heard = time.monotonic()
                if event is not None:
                    self._after = event.id
                # What happened between the first look and the opening of the stream is in no event.
                if count == 0 or self._is_due(event.data.get("state") if event else None):
                    yield from self._look()
                if self._settled() or _left(deadline) < quiet:
                    return
        except (Unreachable, ServerFailed, RateLimited):
            return
        except (ApiError, UnexpectedAnswer):
            # No live events are to be had here; looking at the job tells whether something graver is wrong.
            self._streams = False

    def _look(self) -> Iterator[Job]:
        """The job, if it changed; nothing while the server is away, as long as patience lasts."""
        try:
            job = self._transport.get(Job, f"/jobs/{self._id}")
        except (Unreachable, ServerFailed, RateLimited):
            if self._last is None or time.monotonic() - self._heard > self._patience:
                raise
            return
        self._looked = self._heard = time.monotonic()
        if job != self._last:
            self._last, self._pause = job, CLOSEST
            yield job

    def _is_due(self, state: object) -> bool:
        """Whether an event is worth a look now: a new state always, progress only so often."""
        changed = self._last is not None and state is not None and state != self._last.state
        return changed or time.monotonic() - self._looked >= CLOSEST

    def _settled(self) -> bool:
        return self._last is not None and self._last.state in SETTLED


def wait(watch: Watch, timeout: float | None) -> Job:
    """The job once it is settled; raises StillRunning after `timeout` seconds."""
    deadline = None if timeout is None else time.monotonic() + timeout
    *_, job = watch.changes(deadline)
    if job.state not in SETTLED:
        raise StillRunning(job, timeout or 0.0)
    return job


def _left(deadline: float | None) -> float:
    return float("inf") if deadline is None else deadline - time.monotonic()
