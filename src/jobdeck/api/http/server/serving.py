"""Serve the application on a socket, until told to stop; signals are the command's business, not the server's."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
from collections.abc import Callable, Iterator

import uvicorn
from fastapi import FastAPI

from jobdeck.api.http.server.connections import IDLE_SECONDS, MAX_HEAD, Bounds, ConnectionCounts, protocol_of
from jobdeck.core.errors import Conflict

GOODBYE_SECONDS = 3
BACKLOG = 128
"""Connections that wait to be taken in. All of them are taken in at once, before the first can be refused, so they
count among the open files."""
_LOOK_EVERY = 1.0
"""Seconds between two looks at whether a connection has taken too long."""


_ANOTHER = "Choose another --port."
_OTHER_HOST = "Choose another --host, such as 127.0.0.1, or 0.0.0.0 for all addresses of this machine."
_HOW = {
    errno.EADDRINUSE: "Another program listens there, perhaps another Jobdeck. Stop it, or choose another --port.",
    errno.EACCES: "Ports below 1024 are for root. Choose another --port.",
    errno.EADDRNOTAVAIL: "It is no address of this machine. Choose another --host.",
}


class AddressTaken(Conflict, code="address_taken"):
    """The address to listen on is in use, or not of this machine."""


def listen(host: str, port: int) -> socket.socket:
    """Take the address; raises AddressTaken."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        hint = _OTHER_HOST if isinstance(error, socket.gaierror) else _HOW.get(error.errno or 0, _ANOTHER)
        raise AddressTaken(f"Cannot listen on {host}:{port}: {error.strerror}.", hint=hint) from error
    return listening


def address_of(listening: socket.socket) -> str:
    """The address that it answers at, as a URL."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    def __init__(self, settings: uvicorn.Config) -> None:
        super().__init__(settings)
        self.answers = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.answers.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def is_of_this_machine_only(listening: socket.socket) -> bool:
    """Whether only programs of this machine can reach it."""
    return ipaddress.ip_address(listening.getsockname()[0].partition("%")[0]).is_loopback


async def serve(
    app: FastAPI,
    listening: socket.socket,
    ready: Callable[[], None],
    stop: asyncio.Event,
    allowed: Bounds | None = None,
) -> None:
    """Answer on `listening` until `stop` is set, then let requests end; `ready` is called once it answers."""
    connections = ConnectionCounts(allowed or Bounds())
    looking = asyncio.create_task(_look(connections), name="connections")
    try:
        await _serve(app, listening, ready, stop, connections)
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def _look(connections: ConnectionCounts) -> None:
    clock = asyncio.get_running_loop().time
    while True:
        await asyncio.sleep(_LOOK_EVERY)
        connections.look(clock())


async def _serve(
    app: FastAPI,
    listening: socket.socket,
    ready: Callable[[], None],
    stop: asyncio.Event,
    connections: ConnectionCounts,
) -> None:
    settings = uvicorn.Config(
        app,
        http=protocol_of(connections),
        ws="none",
        proxy_headers=False,  # `proxies.py` knows whom to believe; this would believe this machine
        backlog=BACKLOG,
        timeout_keep_alive=IDLE_SECONDS,
        h11_max_incomplete_event_size=MAX_HEAD,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=GOODBYE_SECONDS,
    )
    server = _Server(settings)
    serving = asyncio.create_task(server.serve([listening]), name="http")
    answering = asyncio.create_task(server.answers.wait())
    await asyncio.wait({serving, answering}, return_when=asyncio.FIRST_COMPLETED)
    answering.cancel()
    if not serving.done():
        ready()
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    app.state.closing.set()
    server.should_exit = True
    await serving
