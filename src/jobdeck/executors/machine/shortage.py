"""Being out of files, memory, processes or threads: it passes, so whoever needs one waits and says so."""

from __future__ import annotations

import asyncio
import errno

import structlog

log = structlog.get_logger(__name__)

PAUSES = (1.0, 5.0, 30.0)
"""Seconds until it is tried again; the last one for as long as it lasts."""
_PASSING = {errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM, errno.ENOBUFS, errno.ENOSPC}


def is_shortage(error: BaseException) -> bool:
    """Whether the system has none to give just now; a thread that cannot be started is a RuntimeError in Python."""
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno in _PASSING
    return isinstance(error, RuntimeError) and "start new thread" in str(error)


class Shortage:
    """What is short just now, for everyone who waits for it."""

    def __init__(self) -> None:
        self.what: str | None = None
        """For people; None while nothing is short."""
        self._met = 0

    async def wait(self, error: BaseException) -> None:
        """Something could not be had: return when it is time to try again."""
        pause = PAUSES[min(self._met, len(PAUSES) - 1)]
        self._met += 1
        self.what = f"No process or thread for the task can be started now: {error}."
        log.warning("tasks_wait", reason=self.what, again_in=pause)
        await asyncio.sleep(pause)

    def over(self) -> None:
        """It could be had."""
        if self.what is not None:
            log.info("tasks_go_on", after=self.what)
        self.what, self._met = None, 0
