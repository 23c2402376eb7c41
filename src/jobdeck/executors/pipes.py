"""Keeping the order of what is said on several pipes: wait until the reader has taken what was written before."""

from __future__ import annotations

import array
import fcntl
import select
import termios
import time

PATIENCE = 0.2
"""Seconds to wait for a reader that is busy; after that, order between pipes gives way to getting on."""


def waiting_in(fd: int) -> int:
    """Bytes in the pipe `fd` that nobody has read yet; 0 for what is no pipe."""
    size = array.array("i", [0])
    try:
        fcntl.ioctl(fd, termios.FIONREAD, size)
    except OSError:
        return 0
    return size[0]


def at_end(fd: int) -> bool:
    """Whether the pipe `fd` is empty and nobody is left to write to it."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    events = sum(event for _, event in poll.poll(0))
    return bool(events & select.POLLHUP) and not events & select.POLLIN


def settle(*fds: int) -> None:
    """Return when the pipes are empty, or after `PATIENCE`."""
    if not any(map(waiting_in, fds)):
        return
    until = time.monotonic() + PATIENCE
    while any(map(waiting_in, fds)) and time.monotonic() < until:
        time.sleep(0.0001)
