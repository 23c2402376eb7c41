"""Jobdeck's processes as benchmarks start them, and jobs submitted to them."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import measuring

from jobdeck import Client
from jobdeck.core.environment import Environment
from jobdeck.core.registry import RegisteredType, TypeRegistry
from jobdeck.engine.submitting.submit import Submission, Submitter
from jobdeck.jobs.noop import Noop
from jobdeck.jobs.registry import GROUP
from jobdeck.store.sql.database import Database
from jobdeck.wire.jobs import SubmitRequest

PEERS = Path(__file__).with_name("peers")
sys.path.append(str(PEERS))
from jobdeck_types import Tallied  # noqa: E402

AT_A_TIME = 500
"""Jobs that one worker runs at the same time; as many as its peers are given."""
TUNED = {"JOBDECK_PROJECT_LIMIT": "100000", "JOBDECK_LIGHT_SLOTS": str(AT_A_TIME)}
DEFAULTS = dict.fromkeys(TUNED, "")
"""Settings that take away what is tuned; an empty one is not set."""
BATCH = 1000
Send = Callable[[float], Awaitable[object]]
"""Submits one `tallied` job, given the moment (time.monotonic)."""


class Site:
    """What both kinds have in common; `url` is of the database, `address` of the server that answers."""

    def __init__(self, folder: Path, url: str, **settings: str) -> None:
        self.folder = folder
        self.url = url
        self.address = ""
        self.home = folder / "home"
        self._settings = {"JOBDECK_LOG_LEVEL": "warning", **TUNED, **settings, **_with_tallied(folder)}
        self._settings = {name: value for name, value in self._settings.items() if value}

    def client(self) -> Client:
        return Client(url=self.address, home=self.home, timeout=300)

    def submit(self, type_: str, params: dict[str, Any], jobs: int) -> float:
        """Jobs a second, submitted in batches by the Python client over HTTP, as a user does."""
        wanted = [SubmitRequest(type=type_, params=params)] * jobs
        with self.client() as client:
            began = time.monotonic()
            for first in range(0, jobs, BATCH):
                client.jobs.submit_ids(wanted[first : first + BATCH])
            return jobs / (time.monotonic() - began)

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[Send]:
        """By the Python client over HTTP, as a user does."""
        with self.client() as client:

            async def send(at: float) -> None:
                await asyncio.to_thread(client.jobs.submit, "tallied", {"at": at})

            yield send

    @contextmanager
    def _serving(self, *words: str, home: Path) -> Iterator[int]:
        log = self.folder / f"{home.name}.log"
        command = measuring.jobdeck(*words, "--home", str(home), "--port", "0")
        with measuring.process(command, log, **self._settings) as started:
            measuring.until(lambda: "Jobdeck serves" in log.read_text(), "the server serves")
            found = re.search(r"Jobdeck serves (\S+)", log.read_text())
            assert found
            self.address = found[1]
            if (home / "admin.token").exists():  # only the first server of a database makes one
                self.home = home
            yield started.pid


class OnPostgres(Site):
    """As on many machines: a server, some workers, PostgreSQL."""

    def __init__(self, postgres: str, folder: Path, **settings: str) -> None:
        url = measuring.fresh_database(postgres, "jobdeck").replace("postgresql://", "postgresql+psycopg://")
        storage = f"file://{folder / 'storage'}"
        super().__init__(
            folder, url, JOBDECK_DATABASE_URL=url, JOBDECK_STORAGE_URL=storage, JOBDECK_WORKERS="1", **settings
        )

    @contextmanager
    def server(self, name: str = "server") -> Iterator[int]:
        with self._serving("server", home=self.folder / name) as pid:
            yield pid

    @contextmanager
    def worker(self, name: str) -> Iterator[int]:
        home = self.folder / name
        command = measuring.jobdeck("worker", "--home", str(home))
        with measuring.process(command, self.folder / f"{name}.log", **self._settings) as started:
            yield started.pid

    @asynccontextmanager
    async def sending_inside(self) -> AsyncIterator[Send]:
        """Through the engine's own submit, straight into the database: what the engine alone takes, without HTTP."""
        database = Database(self.url)
        submitter = _submitter(database)

        async def send(at: float) -> None:
            job = Submission("tallied", {"at": at}, 1, "default", 1)
            await submitter.submit([job], actor="bench", principal_id=1)

        yield send
        await database.close()


class OnSqlite(Site):
    """As on one machine: one process, SQLite. The database is opened a second time only to fill it and to look."""

    def __init__(self, folder: Path, **settings: str) -> None:
        super().__init__(folder, f"sqlite+aiosqlite:///{folder / 'home' / 'jobdeck.db'}", **settings)

    @contextmanager
    def up(self, workers: int) -> Iterator[int]:
        with self._serving("up", "--workers", str(workers), home=self.folder / "home") as pid:
            yield pid


def _with_tallied(folder: Path) -> dict[str, str]:
    """What a process needs to know the job type `tallied`, which notes in `folder` when its code runs."""
    info = folder / "tallied-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tallied\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\ntallied = jobdeck_types:Tallied\n")
    return {"PYTHONPATH": os.pathsep.join((str(folder), str(PEERS))), "TALLY": str(folder)}


async def submit(url: str, jobs: int) -> float:
    """Noop jobs a second, submitted in batches through the engine's own submit."""
    took = await fill(url, [Submission("noop", {}, 1, "default", 1)] * jobs)
    return jobs / took


async def fill(url: str, jobs: Sequence[Submission]) -> float:
    """Submit in batches; the seconds that it took."""
    database = Database(url)
    submitter = _submitter(database)
    began = time.monotonic()
    for first in range(0, len(jobs), BATCH):
        await submitter.submit(jobs[first : first + BATCH], actor="bench", principal_id=1)
    took = time.monotonic() - began
    await database.close()
    return took


def _submitter(database: Database) -> Submitter:
    async def environments(project: str) -> Environment:
        return Environment(project=project)

    types: dict[str, Any] = {"noop": Noop, "tallied": Tallied}
    registered = [RegisteredType(name, f"{kind.__module__}:{kind.__name__}", kind) for name, kind in types.items()]
    return Submitter(database, TypeRegistry(registered), environments)
