"""Knowing that a child process has ended, without reaping it: its number stays its own until its tree is dead."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable


def when_ended(pid: int, loop: asyncio.AbstractEventLoop, then: Callable[[], None]) -> None:
    """Call `then` in `loop` once the child `pid` has ended; it is left as a zombie, to be reaped by its owner."""

    def wait() -> None:
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        with contextlib.suppress(RuntimeError):  # the loop may be closed by now
            loop.call_soon_threadsafe(then)

    threading.Thread(target=wait, name=f"jobdeck-wait-{pid}", daemon=True).start()
