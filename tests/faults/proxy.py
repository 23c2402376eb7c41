"""What stands between Jobdeck and its database on the network: it forwards, and it can stop doing so without a word."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

CHUNK = 64 * 1024


class Proxy:
    """Listens on a TCP port of this machine and forwards to the Unix socket of a PostgreSQL."""

    def __init__(self, upstream: Path) -> None:
        self._upstream = upstream
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._open.set()
        self._generation = 0
        self._dead: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        ready = threading.Event()
        self._ready = ready
        self._thread.start()
        assert ready.wait(10)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def hang(self) -> None:
        """Take connections and bytes, and pass nothing on."""
        self._do(self._open.clear)

    def go_on(self) -> None:
        """Pass on what piled up, and what comes."""
        self._do(self._open.set)

    def forget(self) -> None:
        """The connections there are hang for ever; new ones work. As a router that lost its table."""

        def forget() -> None:
            self._dead.add(self._generation)
            self._generation += 1
            self._open.set()

        self._do(forget)

    def end(self) -> None:
        async def stop() -> None:
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._loop.stop()

        self._loop.call_soon_threadsafe(lambda: self._loop.create_task(stop()))
        self._thread.join(10)

    def _do(self, what: object) -> None:
        done = threading.Event()

        def run() -> None:
            assert callable(what)
            what()
            done.set()

        self._loop.call_soon_threadsafe(run)
        assert done.wait(10)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        self._loop.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        generation = self._generation
        try:
            await self._open.wait()
            up_reader, up_writer = await asyncio.open_unix_connection(str(self._upstream))
        except (OSError, asyncio.CancelledError):
            writer.close()
            self._tasks.discard(task)
            return
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, up_writer, generation))
                both.create_task(self._pump(up_reader, writer, generation))
        except* (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            for end in (writer, up_writer):
                end.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, generation: int) -> None:
        while data := await source.read(CHUNK):
            await self._open.wait()
            if generation in self._dead:
                await asyncio.Event().wait()  # until the proxy ends
            sink.write(data)
            await sink.drain()
        # One side has ended; where nothing hangs the other one is told.
        await self._open.wait()
        if generation not in self._dead:
            raise ConnectionError


@contextlib.contextmanager
def proxy(upstream: Path) -> Iterator[Proxy]:
    made = Proxy(upstream)
    try:
        yield made
    finally:
        made.end()
