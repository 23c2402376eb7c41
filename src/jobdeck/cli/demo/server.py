"""The demo's server: the one that serves the demo's home already, or one of its own, as a child process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from jobdeck.client import Client, ClientError
from jobdeck.core.errors import Unavailable
from jobdeck.core.home import ADDRESS, ADMIN_TOKEN, HOME_VARIABLE

LOG = "demo-server.log"
PATIENCE = 120.0
"""Seconds the server may take to answer."""
DEFAULT_PORT = 8380
PORTS_TRIED = 20


class PortTaken(Unavailable, code="port_taken"):
    """Something else listens at the address that was asked for."""


class ServerDidNotStart(Unavailable, code="server_did_not_start"):
    """The server ended, or said nothing, before it answered."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers."""

    url: str
    home: Path
    process: subprocess.Popen[bytes] | None
    """None: it was there before."""

    @property
    def storage(self) -> Path:
        """Where it keeps files and tables, since its settings are the defaults."""
        return self.home / "storage"

    def client(self) -> Client:
        """A client with the administrator's token of this home."""
        return Client(self.url, home=self.home)

    def serve(self) -> int:
        """Wait until it ends by itself; its exit status."""
        return 0 if self.process is None else self.process.wait()


@contextmanager
def demo_server(home: Path, host: str, port: int | None) -> Iterator[Server]:
    """The server of `home`; one that was started here is stopped at the end of the block.

    `port`: None takes the first free one from 8380. Raises PortTaken or ServerDidNotStart."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    running = _running(home)
    if running is not None:
        yield running
        return
    server = _started(home, host, _free_port(host, port))
    try:
        _await_answer(server)
        yield server
    finally:
        _stop(server)


def _running(home: Path) -> Server | None:
    """The server that serves this very home: it knows the home's token."""
    try:
        url = (home / ADDRESS).read_text().strip()
    except OSError:
        return None
    server = Server(url, home, None)
    return server if _answers(server) else None


def _started(home: Path, host: str, port: int) -> Server:
    command = [sys.executable, "-P", "-m", "jobdeck.cli.main", "up"]
    options = [f"--home={home}", f"--host={host}", f"--port={port}"]
    # Settings of another installation must not lead the demo to its database.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JOBDECK_")}
    with _log(home) as log:
        process = subprocess.Popen(
            [*command, *options],
            env={**environment, HOME_VARIABLE: str(home)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the demo, which then stops the server in good order
        )
    url = _url(host, port)
    (home / ADDRESS).write_text(f"{url}\n")
    return Server(url, home, process)


def _log(home: Path) -> BinaryIO:
    """The server's log, for its owner alone: it has a link that logs in."""
    path = home / LOG
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _url(host: str, port: int) -> str:
    """The address at which this machine reaches a server that listens on `host`."""
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
    address = everywhere.get(host, host)
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"


def _await_answer(server: Server) -> None:
    deadline = time.monotonic() + PATIENCE
    while not _answers(server):
        ended = server.process is not None and server.process.poll() is not None
        if ended or time.monotonic() > deadline:
            said = (server.home / LOG).read_text(errors="replace").strip()[-2000:]
            what = "ended at once" if ended else f"did not answer within {PATIENCE:.0f} s"
            raise ServerDidNotStart(f"The server {what}. It said:\n{said}", hint=f"Its log: {server.home / LOG}")
        time.sleep(0.1)


def _answers(server: Server) -> bool:
    if not (server.home / ADMIN_TOKEN).exists():
        return False
    try:
        with Client(server.url, home=server.home, timeout=5.0, attempts=1) as client:
            client.me()
    except ClientError:
        return False
    return True


def _stop(server: Server) -> None:
    process = server.process
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port(host: str, port: int | None) -> int:
    first = DEFAULT_PORT if port is None else port
    last = first + (PORTS_TRIED if port is None else 1)
    for candidate in range(first, last):
        if _is_free(host, candidate):
            return candidate
    raise PortTaken(
        f"Something else listens on {host}, port {first}." if port else f"No port from {first} to {last - 1} is free.",
        hint="Choose another port with --port.",
    )


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def interrupted(_signal: int, _frame: FrameType | None) -> None:
    """A signal handler that ends the demo as Ctrl-C does, so that its server is stopped."""
    raise KeyboardInterrupt
