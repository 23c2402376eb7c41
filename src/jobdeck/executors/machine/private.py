"""Keep others out of a process. Imports next to nothing: the guardian does it, too."""

from __future__ import annotations

import ctypes

PR_SET_DUMPABLE = 4


def keep_out() -> None:
    """Let no process of the same user read this one's memory or environment, which hold keys; on Linux."""
    try:
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    except (OSError, AttributeError):
        return
