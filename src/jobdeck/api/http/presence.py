"""Work that is of use only while the one who asked for it is there: it is given up when the connection is closed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from starlette.requests import ClientDisconnect

T = TypeVar("T")


class Presence:
    """Whether the client of one request, whose body was read, is still there."""

    def __init__(self, request: Request) -> None:
        self._request = request

    async def whilst(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` gives; raises ClientDisconnect, with the work canceled, when the client goes before."""
        working = asyncio.ensure_future(work)
        leaving = asyncio.ensure_future(self._gone())
        try:
            await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                working.cancel()
                await asyncio.wait({working})
            if working.cancelled():
                raise ClientDisconnect
            return working.result()
        except asyncio.CancelledError:
            working.cancel()
            await asyncio.wait({working})
            raise
        finally:
            leaving.cancel()

    async def _gone(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass


async def _presence(request: Request) -> Presence:
    return Presence(request)


PresentDep = Annotated[Presence, Depends(_presence)]
