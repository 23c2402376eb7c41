"""How a server ends when it is asked to: in good order, and whatever happens within a time that is known."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from jobdeck.core.errors import JobdeckError

log = structlog.get_logger(__name__)

END_SECONDS = 30.0
"""Seconds after the first signal at which the process ends, though code in a thread of it should not have returned."""
HASTE_SECONDS = 5.0
"""The same after the second signal; the third ends it at once."""
FORCED = 1


@contextmanager
def told_in_log(part: str, stop: asyncio.Event) -> Iterator[None]:
    """A line in the log when the server or worker has stopped: who looks for a gap at night finds its beginning.

    What ends it by an error of ours, as when it could not start, is told by itself."""
    refused = False
    try:
        yield
    except JobdeckError:
        refused = not stop.is_set()
        raise
    finally:
        if not refused:
            log.info("stopped", part=part, asked=stop.is_set())


class Parting:
    """Counts the signals. What is killed this way is as after a crash: its jobs go on once their leases have ended."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self._count = 0
        self._status = FORCED

    def asked(self) -> None:
        """A signal has come."""
        self._count += 1
        self._stop.set()
        log.info("stopping", signals=self._count)
        if self._count == 1:
            self._end_within(END_SECONDS)
        elif self._count == 2:
            print("Ending in haste; jobs that do not stop go on at the next start.", file=sys.stderr, flush=True)
            self._end_within(HASTE_SECONDS)
        else:
            os._exit(FORCED)

    def in_order(self) -> None:
        """All parts have stopped; only a thread can still keep the process, and then it ends as if there were none."""
        self._status = 0

    def _end_within(self, seconds: float) -> None:
        """By a thread, because the loop may be gone, or blocked by then."""
        timer = threading.Timer(seconds, lambda: os._exit(self._status))
        timer.daemon = True
        timer.start()
