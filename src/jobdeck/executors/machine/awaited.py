"""Steps that are `async def`: each runs in an event loop of its own, which ends with it."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable
from typing import Any


def awaited(result: Any) -> Any:
    """What a step returned, once it is there: a coroutine is run, an asynchronous generator becomes a list."""
    if not (inspect.isasyncgen(result) or inspect.isawaitable(result)):
        return result
    import asyncio  # a child process whose steps are plain starts without it

    return asyncio.run(_gathered(result) if inspect.isasyncgen(result) else _waited(result))


async def _waited(result: Awaitable[Any]) -> Any:
    return await result


async def _gathered(items: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in items]
