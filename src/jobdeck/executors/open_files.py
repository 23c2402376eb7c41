"""The limit of open files of this process: raised as far as the system allows, with a part kept for jobs."""

from __future__ import annotations

import contextlib
import resource

_ALWAYS = 256
"""Files that a process has open anyway or needs at any moment: the database, logs, storage, the listening socket."""
_EACH_PROCESS = 16
"""Files that a task's process takes of its worker: pipes, its log, what is opened while it starts."""


def raise_limit() -> int:
    """Raise the soft limit to the hard one; the limit that holds from now on.

    A shell's usual soft limit (1024) is for programs that call `select`, and so few files are soon used up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):  # some systems refuse what they give as the hard limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    return soft if soft != resource.RLIM_INFINITY else 2**31 - 1


def left_for_others(limit: int, processes: int) -> int:
    """Files that all else may have open when `limit` holds and so many task processes must find what they need."""
    return max(0, limit - _ALWAYS - _EACH_PROCESS * processes)
