"""The installation that a soak works on: two servers, three workers, one database, all replaceable."""

from __future__ import annotations

import base64
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import psycopg

from jobdeck import Client
from tests.faults.claims_log import ClaimsLog, claims_log
from tests.faults.installation import Installation, Process, installation
from tests.faults.own_postgres import OwnPostgres

SERVERS, WORKERS = 2, 3
LEASE_SECONDS = 4.0
LIMITS = {"type:command": 1, "type:sleep": 5, "type:noop": 6}
PROJECT_LIMIT = 10
TABLES = 2


class Site:
    """Servers have fixed ports, so that clients find them again."""

    def __init__(self, folder: Path, database: OwnPostgres) -> None:
        self.folder = folder
        self.database = database
        self.sources = folder / "sources"
        self.sources.mkdir()
        home = folder / "home"
        home.mkdir()
        self._context = installation(
            home, database.url, lease_seconds=str(LEASE_SECONDS), project_limit=str(PROJECT_LIMIT), workers="4",
            allow_commands="true", allowed_paths=str(self.sources), storage_url=self.storage.as_uri(),
            secret_key=base64.b64encode(bytes(32)).decode(), log_level="warning",
        )  # fmt: skip
        self._jobdeck: Installation | None = None
        self._ports = [_free_port() for _ in range(SERVERS)]
        self.servers: list[Process] = []
        self.workers: list[Process] = []
        self._born = 0
        self.logs: list[Path] = []

    @property
    def storage(self) -> Path:
        return self.folder / "storage"

    def __enter__(self) -> Self:
        self._jobdeck = self._context.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._context.__exit__(None, None, None)

    def start(self) -> None:
        self.servers = [self._server(i) for i in range(SERVERS)]
        with self.client(0) as client:
            for resource, capacity in LIMITS.items():
                client.limits.set(resource, capacity)
        self.workers = [self._worker() for _ in range(WORKERS)]

    def client(self, number: int, attempts: int = 2) -> Client:
        """A client of one of the servers, which may be dead just now."""
        assert self._jobdeck is not None
        url = f"http://127.0.0.1:{self._ports[number % SERVERS]}"
        return Client(url=url, home=self._jobdeck.home, timeout=15, attempts=attempts)

    def restart_server(self, number: int) -> None:
        self.servers[number] = self._server(number)

    def restart_worker(self, number: int) -> None:
        self.workers[number] = self._worker()

    def mend(self) -> None:
        """Everything runs again."""
        self.database.thaw()
        self.database.start()

    @contextlib.contextmanager
    def rows(self) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
        with psycopg.connect(self.database.uri, autocommit=True) as connection:
            yield connection

    def claims(self) -> contextlib.AbstractContextManager[ClaimsLog]:
        """A log of held claims over the block."""
        capacities = {f"project:default/{name}": capacity for name, capacity in LIMITS.items()}
        return claims_log(self.database.url, capacities | {"project:default": PROJECT_LIMIT}, judge=False)

    def _server(self, number: int) -> Process:
        assert self._jobdeck is not None
        started = self._jobdeck.server(self._ports[number])
        self.logs.append(started.log)
        return started

    def _worker(self) -> Process:
        assert self._jobdeck is not None
        self._born += 1
        started = self._jobdeck.worker(f"w{self._born}")
        self.logs.append(started.log)
        return started


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
