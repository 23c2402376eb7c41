"""A real Jobdeck: processes started from the command line, that tests kill, stop, continue and start again."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import psutil

from jobdeck import Client
from jobdeck.core.life.states import ENDED
from jobdeck.wire.jobs import Job

T = TypeVar("T")
PATIENCE = 120.0
"""Seconds that nothing takes unless it hangs, however busy the machine is."""
KEY = base64.b64encode(bytes(range(32))).decode()
"""Of all processes of an installation, whatever their homes."""
_URL = re.compile(r"Jobdeck serves (http://\S+)")


def until(look: Callable[[], T | None], what: str, seconds: float = PATIENCE) -> T:
    """What `look` finds, as soon as it is something; fails when that takes too long.

    Looks cost what is looked at its time: what takes long is looked at less often."""
    began = time.monotonic()
    while (waited := time.monotonic() - began) < seconds:
        found = look()
        if found:
            return found
        time.sleep(min(max(0.02, waited / 20), 0.25))
    raise AssertionError(f"after {seconds} s still not: {what}")


class Process:
    """One `jobdeck …` process; what it prints goes to a file."""

    def __init__(self, arguments: list[str], home: Path, environment: dict[str, str]) -> None:
        self.log = home / f"{arguments[0]}-{time.monotonic_ns()}.log"
        with self.log.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jobdeck.cli.main", *arguments],
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def says(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        assert self._process.poll() is None, self.log.read_text()
        return pattern.search(self.log.read_text())

    def task_processes(self) -> list[int]:
        """The processes in which tasks of this one run."""
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.pid).children()
            return [c.pid for c in children if "jobdeck.executors.child" in " ".join(c.cmdline())]
        return []

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        """As `kill -9` does."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(PATIENCE)

    def stop(self) -> int:
        """As Ctrl-C and `systemctl stop` do; the exit status."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait(PATIENCE)


def health_of(url: str) -> dict[str, Any]:
    """What the server at `url` says of itself; `status` is `silent` when it says nothing within 10 s."""
    try:
        found: dict[str, Any] = httpx2.get(f"{url}/api/v1/health", timeout=10, verify=False).json()
    except httpx2.TransportError:
        return {"status": "silent"}
    return found


class Installation:
    """A home, a database, and the processes that work on them."""

    def __init__(self, home: Path, database_url: str, settings: dict[str, str]) -> None:
        self.home = home
        self.database_url = database_url
        own = {
            "JOBDECK_HOME": str(home), "JOBDECK_DATABASE_URL": database_url, "JOBDECK_SECRET_KEY": KEY,
            "JOBDECK_STORAGE_URL": (home / "storage").as_uri(),
        }  # fmt: skip
        self._settings = {**own, **settings}
        self._started: list[Process] = []
        self.url = ""

    def up(self) -> Process:
        """Everything in one process."""
        return self._serve("up")

    def server(self, port: int = 0) -> Process:
        """API and scheduler."""
        return self._serve("server", port)

    def worker(self, name: str, **settings: str) -> Process:
        """A worker with a home of its own; `settings` differ from those of the others."""
        own = {f"JOBDECK_{k.upper()}": v for k, v in settings.items()}
        process = self._start(["worker"], {"JOBDECK_WORKER_NAME": name, "JOBDECK_HOME": str(self.home / name), **own})
        until(lambda: process.says(re.compile("is ready")), f"worker {name} is ready")
        return process

    def _serve(self, verb: str, port: int = 0) -> Process:
        process = self._start([verb, "--port", str(port)], {})
        self.url = until(lambda: process.says(_URL), "the server serves")[1]
        return process

    def _start(self, arguments: list[str], extra: dict[str, str]) -> Process:
        process = Process(arguments, self.home, {**self._settings, **extra})
        self._started.append(process)
        return process

    def client(self) -> Client:
        return Client(url=self.url, home=self.home)

    def job(self, job_id: int) -> Job:
        with self.client() as client:
            return client.jobs.get(job_id)

    def until_state(self, job_id: int, *states: str, seconds: float = PATIENCE) -> Job:
        def look() -> Job | None:
            job = self.job(job_id)
            if job.state in ENDED and job.state not in states:
                raise AssertionError(f"job {job_id} is {job.state}: {job.error}")
            return job if job.state in states else None

        try:
            return until(look, f"job {job_id} is {' or '.join(states)}", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.job(job_id)!r}") from None

    def until_loaded(self, job_id: int, rows: int) -> int:
        """Return when an import has loaded at least so many rows; how many it has."""

        def look() -> int | None:
            with self.client() as client:
                steps = {s.name: s for s in client.jobs.steps(job_id)}
            loaded = steps["load"].progress.done or 0 if "load" in steps else 0
            return loaded if loaded >= rows else None

        return int(until(look, f"{rows} rows are loaded"))

    def end(self) -> None:
        for process in self._started:
            process.kill()


@contextlib.contextmanager
def installation(home: Path, database_url: str, **settings: str) -> Iterator[Installation]:
    """An installation whose processes are all dead at the end. Settings by name, as in the environment."""
    made = Installation(home, database_url, {f"JOBDECK_{k.upper()}": v for k, v in settings.items()})
    try:
        yield made
    finally:
        made.end()
