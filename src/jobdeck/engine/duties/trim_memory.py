"""Memory that is not used any more goes back to the system.

What stays lies between blocks that went, and glibc keeps such holes; it gives them back when it is asked to."""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Callable
from functools import cache

EVERY = 20.0
"""Seconds."""


async def trim_memory() -> None:
    """Give back what is free. Elsewhere than on glibc: nothing."""
    trim = _trim()
    if trim is not None:
        await asyncio.to_thread(trim, 0)


@cache
def _trim() -> Callable[[int], int] | None:
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
    return found
