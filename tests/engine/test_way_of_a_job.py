"""How much of the package one job touches, from its submit over HTTP to its end: what whoever follows it has to read.

A whole server runs in this process, as `run_server` starts it, with a worker and SQLite. A job `noop` is submitted over
a real connection; each call of a function of the package between its request and its end counts, in every thread. What
does not count is what would have been called without the job, or once for all jobs:

- start-up, imports, discovery and what is remembered from a job before: a job of the same type ran before this one;
- loops that tick: the duties, who leads, the heartbeat of the worker, wake-ups, and the shipping of logs;
- an environment of a project, which is looked up at most twice a second for all of its jobs;
- comprehensions and lambdas, which stand in the functions that have them.

Who called is read from the stack, whose outermost frames are the loop in which a call happens. What the scheduler, the
worker and the executors call is the worker's side, all else the server's; a file that both call counts once, on the
server's side.
The test itself asks the database past the package whether the job has ended, and nobody else looks on."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import CodeType, FrameType

import httpx2
import pytest

import jobdeck
from jobdeck import config, wiring

PACKAGE = Path(jobdeck.__file__).parent
BEFORE = f"{PACKAGE}/"
TOLD = Path(__file__).parents[2] / "docs" / "inside.md"
HEADING = "## The files of one job, in their order"
FILES = 45
"""At most so many files: what can be read in one sitting."""
SERVER_FILES, WORKER_FILES = 34, 12
"""What submits: api, access, services, submit and what they ask of the store; what schedules, runs and records it, and
is not on the server's side as well. What both call for other reasons may be seen on one side or the other."""
MAYBE = "core/life/progress.py"
"""Is called where the answer to the submit is made when the job runs already."""
TICKING = {
    ("engine/loops.py", "RepeatedLoop.run"),
    ("engine/scheduling/scheduler.py", "Leadership.run"),
    ("engine/worker/renewal.py", "Renewal.run"),
    ("engine/own_thread.py", "_Hosted._run"),
    ("engine/worker/worker.py", "WorkerService._hear"),
    ("engine/worker/log_writer.py", "LogShipper.run"),
    ("engine/worker/worker.py", "EnvironmentCache._ask"),
    ("engine/worker/worker.py", "_heard"),
    ("engine/bulk_runner.py", "BulkRunner.run"),
    ("api/http/server/serving.py", "_look"),
    ("web/rendering.py", "Templates.prepare"),
}
"""Loops that tick and look-ups for all jobs of a moment; nothing below them counts."""
WORKS = ("engine/scheduling/scheduler.py", "engine/worker/", "executors/")
LONG = 60.0


class Way:
    """A profiler: the functions of the package that are called while it is open, by side and file."""

    def __init__(self) -> None:
        self.is_open = False
        self.server: dict[str, set[str]] = defaultdict(set)
        self.worker: dict[str, set[str]] = defaultdict(set)

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        if not self.is_open or event != "call" or not code.co_filename.startswith(BEFORE) or code.co_name[0] == "<":
            return
        stack = _stack(frame)
        if TICKING.isdisjoint(stack):
            side = self.worker if any(file.startswith(WORKS) for file, _ in stack) else self.server
            side[_file(code)].add(code.co_qualname)

    def only_worker(self) -> dict[str, set[str]]:
        return {file: names for file, names in self.worker.items() if file not in self.server}

    def told(self) -> str:
        sides = {"server": self.server, "worker only": self.only_worker()}
        return "\n".join(
            f"{side}: {len(files)} files\n" + "\n".join(f"  {f}: {' '.join(sorted(files[f]))}" for f in sorted(files))
            for side, files in sides.items()
        )


def listed() -> set[str]:
    """The files that the documentation names, in its table of a job's way."""
    section = TOLD.read_text(encoding="utf-8").partition(HEADING)[2].partition("\n## ")[0]
    table = "\n".join(line for line in section.splitlines() if line.startswith("|"))
    return set(re.findall(r"`([\w/]+\.py)`", table))


def _file(code: CodeType) -> str:
    return code.co_filename.removeprefix(BEFORE)


def _stack(frame: FrameType | None) -> set[tuple[str, str]]:
    """Files and functions of the package from which this one is called."""
    stack = set()
    while frame is not None:
        if frame.f_code.co_filename.startswith(BEFORE):
            stack.add((_file(frame.f_code), frame.f_code.co_qualname))
        frame = frame.f_back
    return stack


@contextmanager
def in_new_threads(way: Way) -> Iterator[None]:
    threading.setprofile(way)
    try:
        yield
    finally:
        threading.setprofile(None)


@contextmanager
def opened(way: Way) -> Iterator[None]:
    """In this thread, too."""
    before, way.is_open = sys.getprofile(), True
    sys.setprofile(way)
    try:
        yield
    finally:
        sys.setprofile(before)
        way.is_open = False


async def run_one(http: httpx2.AsyncClient, database: sqlite3.Connection, type_name: str) -> None:
    """Submit a job and wait until it has succeeded and its worker has left it."""
    answer = await http.post("/api/v1/projects/default/jobs", json={"type": type_name, "params": {}})
    assert answer.status_code == 202, answer.text
    async with asyncio.timeout(LONG):
        while not _is_done(database, answer.json()["id"]):  # noqa: ASYNC110  (nobody tells: whoever looked on would count)
            await asyncio.sleep(0.01)


def _is_done(database: sqlite3.Connection, job: int) -> bool:
    (state,) = database.execute("SELECT state FROM jobs WHERE id = ?", [job]).fetchone()
    (leases,) = database.execute("SELECT count(*) FROM leases WHERE job_id = ?", [job]).fetchone()
    return bool(state == "succeeded" and not leases)


async def way_of(type_name: str, home: Path, way: Way) -> None:
    """Start a server, run two jobs of a type, and write down the way of the second."""
    stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
    settings = config.load(home=home, port=0)
    server = asyncio.create_task(
        wiring.run_server(settings, worker=True, ready=lambda address, _link: ready.set_result(address), stop=stop)
    )
    try:
        async with asyncio.timeout(LONG):
            address = await ready
        token = (home / "admin.token").read_text().strip()
        http = httpx2.AsyncClient(base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=LONG)
        async with http:
            with closing(sqlite3.connect(home / "jobdeck.db")) as database:
                await run_one(http, database, type_name)
                with opened(way):
                    await run_one(http, database, type_name)
    finally:
        stop.set()
        await server


def test_the_way_of_a_job_is_short(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "keep_out", lambda: None)  # it would hold for the whole process of the tests
    way = Way()
    with in_new_threads(way):
        asyncio.run(way_of("noop", home, way))
    print(way.told())
    seen = way.server.keys() | way.worker.keys()
    assert len(seen) <= FILES, way.told()
    assert seen <= listed(), f"docs/inside.md does not tell of {seen - listed()}"
    assert listed() - seen <= {MAYBE}, f"docs/inside.md tells of {listed() - seen}, which nothing called"
    assert len(way.server) <= SERVER_FILES, way.told()
    assert len(way.only_worker()) <= WORKER_FILES, way.told()
    assert {"Execution.execute"} <= way.worker["engine/worker/execute.py"], "nothing was seen of how it ran"
    assert {"Submitter.submit"} <= way.server["engine/submitting/submit.py"], "nothing was seen of its submit"
