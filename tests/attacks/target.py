"""A real server to be attacked, as a process of its own, and what attackers have: sockets."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psutil

from jobdeck.client import Client
from jobdeck.core.home import ADMIN_TOKEN
from tests.docs.serving import await_health, free_port

PATIENCE = 60.0


@dataclass
class Target:
    """`jobdeck up` with two workers on loopback; `files`: as many may it have open."""

    home: Path
    files: int | None = None
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    opened: list[socket.socket] = field(default_factory=list)
    """Connections to it, which are closed after each test."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        return (self.home / ADMIN_TOKEN).read_text().strip()

    @property
    def log(self) -> str:
        return (self.home / "server.log").read_text(errors="surrogateescape")

    @property
    def open_files(self) -> int:
        assert self.process is not None
        return int(psutil.Process(self.process.pid).num_fds())

    @property
    def memory(self) -> int:
        """Bytes that it has in memory."""
        assert self.process is not None
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def start(self) -> None:
        """Start it; it answers when this returns."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("JOBDECK_")}
        command = [sys.executable, "-m", "jobdeck.cli.main", "up", f"--port={self.port}", "--workers=2"]
        if self.files is not None:
            # The soft limit is lower still: the server has to raise it.
            command = ["sh", "-c", f'ulimit -Sn 64; ulimit -Hn {self.files}; exec "$@"', "sh", *command]
        with (self.home / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                env={**clean, "JOBDECK_HOME": str(self.home), **self.settings},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        await_health(self.url, self.home, self.process, self.home / "server.log")

    def stop(self) -> int:
        """Stop it in good order; its exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def client(self) -> Client:
        return Client(self.url, home=self.home)

    def ask(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """On a connection of its own, with the administrator's token."""
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        return httpx2.request(method, f"{self.url}{path}", headers=headers, timeout=PATIENCE, **more)

    def stranger(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """On a connection of its own, without a token."""
        return httpx2.request(method, f"{self.url}{path}", timeout=PATIENCE, **more)

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        """A connection from an address of this machine."""
        made = socket.create_connection(("127.0.0.1", self.port), PATIENCE, (source, 0))
        made.settimeout(PATIENCE)
        self.opened.append(made)
        return made

    def close_all(self) -> None:
        """Close what attackers have opened."""
        while self.opened:
            self.opened.pop().close()

    def send(self, *lines: str, body: bytes = b"", known: bool = False) -> socket.socket:
        """A connection on which these lines of a request, an empty one and `body` were sent."""
        more = [f"Authorization: Bearer {self.token}"] if known else []
        made = self.connect()
        made.sendall("\r\n".join([lines[0], "Host: test", *lines[1:], *more, "", ""]).encode("latin-1") + body)
        return made


def all_of(connection: socket.socket) -> bytes:
    """What comes until the other end closes."""
    found = bytearray()
    try:
        while piece := connection.recv(65536):
            found += piece
    except ConnectionResetError:
        pass
    return bytes(found)


def until(look: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Return as soon as `look` says so; fails when that takes too long."""
    end = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < end, f"still not: {what}"
        time.sleep(0.05)


@contextmanager
def target(home: Path, files: int | None = None, **settings: str) -> Iterator[Target]:
    """A server that is stopped at the end. Settings by name."""
    home.mkdir(parents=True, exist_ok=True)
    made = Target(home, files, {f"JOBDECK_{name.upper()}": value for name, value in settings.items()})
    made.start()
    try:
        yield made
    finally:
        made.stop()
