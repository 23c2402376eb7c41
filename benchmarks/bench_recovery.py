"""How long a job stands still when something is killed with `kill -9`: a worker, the server, the leader, a task.

    python benchmarks/bench_recovery.py [--rounds 5] [--only NAME …]

Measured from the kill to the moment at which the job's task is begun again (for the leader: a job submitted then is
begun), by the database. Leases are the default, 10 s. What dies as a whole is started anew at once."""

from __future__ import annotations

import argparse
import os
import re
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import measuring
import psutil
import psycopg

from jobdeck import Client

LONG = 600
_BEGUN = "SELECT count(*) FROM tasks WHERE job_id = {job} AND state = 'running' AND attempts > {more_than}"
_PID = "SELECT w.pid FROM leases l JOIN workers w ON w.id = l.worker_id WHERE l.job_id = {job}"


class Site:
    """Processes of one installation, each in a home of its own; `database_url` empty is SQLite."""

    def __init__(self, folder: Path, database_url: str, stack: ExitStack) -> None:
        self._folder = folder
        self._database_url = database_url
        self._stack = stack
        self._count = 0
        self.home = folder / "home"
        self.home.mkdir()
        self.url = ""

    def serve(self, verb: str) -> subprocess.Popen[bytes]:
        """Start `server` or `up`; `url` is its address once it answers."""
        started, log = self._start(verb, "--port", "0", JOBDECK_HOME=str(self.home))
        measuring.until(lambda: "Jobdeck serves" in log.read_text(), "the server serves")
        found = re.search(r"Jobdeck serves (\S+)", log.read_text())
        assert found
        self.url = found[1]
        return started

    def worker(self) -> subprocess.Popen[bytes]:
        name = f"w{self._count}"
        started, log = self._start("worker", JOBDECK_HOME=str(self._folder / name), JOBDECK_WORKER_NAME=name)
        measuring.until(lambda: "is ready" in log.read_text(), "the worker is ready")
        return started

    def submit(self) -> int:
        """A long job."""
        with Client(url=self.url, home=self.home) as client:
            return client.jobs.submit("sleep", {"seconds": LONG}).id

    def ask(self, query: str) -> int | None:
        """One number from the database."""
        if self._database_url:
            with psycopg.connect(self._database_url, autocommit=True) as connection:
                row = connection.execute(query).fetchone()
        else:
            with closing(
                sqlite3.connect(f"file:{self.home / 'jobdeck.db'}?mode=ro", uri=True, timeout=5)
            ) as connection:
                row = connection.execute(query).fetchone()
        return None if row is None else int(row[0])

    def begun(self, job: int, more_than: int = 0) -> Callable[[], bool]:
        """Whether the job's task runs and was begun more often than that."""
        return lambda: bool(self.ask(_BEGUN.format(job=job, more_than=more_than)))

    def pid_of_worker(self, job: int) -> int | None:
        return self.ask(_PID.format(job=job))

    def _start(self, *words: str, **settings: str) -> tuple[subprocess.Popen[bytes], Path]:
        self._count += 1
        log = self._folder / f"log{self._count}"
        settings["JOBDECK_DATABASE_URL"] = self._database_url.replace("postgresql:", "postgresql+psycopg:")
        settings["JOBDECK_STORAGE_URL"] = f"file://{self._folder / 'storage'}"
        started = self._stack.enter_context(measuring.process(measuring.jobdeck(*words), log, **settings))
        return started, log


@contextmanager
def site(database_url: str) -> Iterator[Site]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, ExitStack() as stack:
        yield Site(Path(folder), database_url, stack)


def worker_killed(postgres: str) -> float:
    with site(measuring.fresh_database(postgres)) as made:
        made.serve("server")
        made.worker(), made.worker()
        job = made.submit()
        measuring.until(made.begun(job), "the job runs")
        pid = made.pid_of_worker(job)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        return measuring.until(made.begun(job, 1), "the job goes on")


def leader_killed(postgres: str) -> float:
    with site(measuring.fresh_database(postgres)) as made:
        leader = made.serve("server")
        measuring.until(lambda: bool(made.ask("SELECT count(*) FROM leadership")), "it leads")
        made.serve("server")  # requests go to this one
        made.worker()
        measuring.until(made.begun(made.submit()), "the job runs")
        leader.kill()
        began = time.monotonic()
        measuring.until(made.begun(made.submit()), "a job is begun")
        return time.monotonic() - began


def server_killed(postgres: str, *, sqlite: bool) -> float:
    """`jobdeck up`: API, scheduler and worker in one process."""
    with site("" if sqlite else measuring.fresh_database(postgres)) as made:
        up = made.serve("up")
        job = made.submit()
        measuring.until(made.begun(job), "the job runs")
        up.kill()
        began = time.monotonic()
        up.wait()
        made.serve("up")
        measuring.until(made.begun(job, 1), "the job goes on")
        return time.monotonic() - began


def task_killed(_postgres: str) -> float:
    with site("") as made:
        up = made.serve("up")
        job = made.submit()
        measuring.until(made.begun(job), "the job runs")
        children = [c for c in psutil.Process(up.pid).children() if "jobdeck.executors.child" in " ".join(c.cmdline())]
        for child in children:
            child.kill()
        return measuring.until(made.begun(job, 1), "the job goes on")


RUNS: dict[str, Callable[[str], float]] = {
    "worker (PostgreSQL, another one is there)": worker_killed,
    "leading server of two": leader_killed,
    "server with worker inside, PostgreSQL": lambda postgres: server_killed(postgres, sqlite=False),
    "server with worker inside, SQLite": lambda postgres: server_killed(postgres, sqlite=True),
    "task process": task_killed,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=[])
    options = parser.parse_args()
    figures: dict[str, dict[str, float]] = {}
    with measuring.postgres() as postgres:
        for name, run in RUNS.items():
            if options.only and not any(word in name for word in options.only):
                continue
            seconds = [run(postgres) for _ in range(options.rounds)]
            figures[name] = {"median": measuring.median(seconds), "worst": max(seconds), "rounds": options.rounds}
            print(name, figures[name], flush=True)
    measuring.table(["killed", "median s", "worst s"], [[n, f["median"], f["worst"]] for n, f in figures.items()])
    measuring.save("recovery", figures)


if __name__ == "__main__":
    main()
