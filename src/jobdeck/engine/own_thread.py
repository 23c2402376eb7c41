"""A loop in a thread with an event loop of its own, which no work of the main loop can hold up, nor hold up that."""

from __future__ import annotations

import asyncio
import contextlib
import threading

from jobdeck.engine.loops import Loop


class OwnThread:
    """A loop that runs another one in a thread with an event loop of its own."""

    def __init__(self, inner: Loop) -> None:
        self.name = inner.name
        self._inner = inner

    async def run(self, stop: asyncio.Event) -> None:
        """Ends when the inner service has ended, which takes one turn of it at most."""
        hosted = _Hosted(self._inner)
        hosted.thread.start()
        try:
            await stop.wait()
        finally:
            await asyncio.to_thread(hosted.end)


class _Hosted:
    """The thread, and the way to tell its loop to stop."""

    def __init__(self, inner: Loop) -> None:
        self._inner = inner
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self.thread = threading.Thread(target=self._main, name=inner.name, daemon=True)

    def end(self) -> None:
        self._ready.wait()
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):  # it ended by itself, and its loop is closed
                self._loop.call_soon_threadsafe(self._stop.set)
        self.thread.join()

    def _main(self) -> None:
        try:
            asyncio.run(self._run())
        finally:
            self._ready.set()

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        await self._inner.run(self._stop)
