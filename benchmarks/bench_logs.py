"""Searches in a large log by one viewer, some of whom hang up, and what everybody else notices of it.

    python benchmarks/bench_logs.py [--mb 100] [--searches 10] [--hang-ups 60] [--seconds 20] [--noops 2000]

A log is written into the storage as workers write it, then a server is started. While a drain of noops goes on, its
health is asked 20 times a second: without searches, with them, and with clients who close their connections at once.
Times are in ms. `search` is a whole search through all of the log, answer by answer, by one client alone."""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import measuring

from jobdeck.engine.logs import LogEntry, chunk_path, pack

OF_A_CHUNK = 1800
EPOCH = 900_000
PROJECT = "/api/v1/projects/default"


def write_log(home: Path, job: int, mb: int) -> int:
    """A log of about `mb` MB, unpacked; its number of lines."""
    number, size = 0, 0
    while size < mb * 1_000_000:
        lines = []
        for _ in range(OF_A_CHUNK):
            lines.append(
                LogEntry(time.time_ns() // 1000, "stdout", "run", 0, f"{number} {'some words ' * 9}").to_json()
            )
            number += 1
        size += sum(map(len, lines)) + len(lines)
        file = home / "storage" / chunk_path(job, 1, EPOCH, number // OF_A_CHUNK)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(pack(lines))
    return number


@contextmanager
def server(home: Path) -> Iterator[str]:
    """`jobdeck up`; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    command = [sys.executable, "-m", "jobdeck.cli.main", "up", f"--port={port}", "--workers=1"]
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, "JOBDECK_HOME": str(home)}, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        measuring.until(lambda: _answers(url), "the server answers", 60.0)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/api/v1/health", timeout=5).status_code == 200
    except httpx2.HTTPError:
        return False


class Measured:
    """One server with a large log, and those who ask."""

    def __init__(self, url: str, token: str, job: int) -> None:
        self.url, self.job = url, job
        self.admin = httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=120)
        self.viewer = self.admin.post("/api/v1/tokens", json={"name": "viewer", "role": "viewer"}).json()["token"]

    def search(self, stop: Callable[[], bool]) -> int:
        """Go through the whole log once, or until `stop`; how many answers that took."""
        answers, after = 0, ""
        with httpx2.Client(headers={"Authorization": f"Bearer {self.viewer}"}, timeout=120) as client:
            while not stop():
                answer = client.get(f"{self.url}/api/v1/jobs/{self.job}/logs?q=zzzz{after}")
                answers += 1
                if answer.status_code == 200:
                    following = answer.json()["next"]
                    if following is None:
                        break
                    after = f"&after={following}"
        return answers

    def hang_up(self) -> None:
        host, port = self.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            path = f"/api/v1/jobs/{self.job}/logs?q=zzzz"
            head = f"GET {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {self.viewer}\r\n\r\n"
            connection.sendall(head.encode())

    def drain(self, stop: threading.Event, noops: int) -> None:
        """Submit noops in batches, as fast as they are taken, until `stop`."""
        while not stop.is_set():
            jobs = {"jobs": [{"type": "noop"}] * (noops // 20)}
            self.admin.post(f"{PROJECT}/jobs/batch", json=jobs)
            stop.wait(0.25)

    def health(self, seconds: float) -> list[float]:
        took, end = [], time.monotonic() + seconds
        with httpx2.Client(base_url=self.url, timeout=60) as client:
            while time.monotonic() < end:
                began = time.perf_counter()
                client.get("/api/v1/health")
                took.append((time.perf_counter() - began) * 1000)
                time.sleep(0.05)
        return sorted(took)


def row(name: str, took: list[float]) -> dict[str, Any]:
    return {
        "while": name, "asked": len(took), "median": round(took[len(took) // 2], 1),
        "p95": round(took[int(len(took) * 0.95)], 1), "worst": round(took[-1], 1),
    }  # fmt: skip


def measure(found: Measured, asked: argparse.Namespace) -> list[dict[str, Any]]:
    stop = threading.Event()
    draining = threading.Thread(target=found.drain, args=(stop, asked.noops))
    draining.start()
    rows = [row("only noops", found.health(asked.seconds))]

    def again() -> None:
        while not stop.is_set():
            found.search(stop.is_set)

    searching = [threading.Thread(target=again) for _ in range(asked.searches)]
    for thread in searching:
        thread.start()
    rows.append(row(f"{asked.searches} searches", found.health(asked.seconds)))
    for _ in range(asked.hang_ups):
        found.hang_up()
    rows.append(row(f"and {asked.hang_ups} hang-ups", found.health(asked.seconds)))
    stop.set()
    for thread in [draining, *searching]:
        thread.join()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mb", type=int, default=100)
    parser.add_argument("--searches", type=int, default=10)
    parser.add_argument("--hang-ups", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--noops", type=int, default=2000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-logs") as folder, server(home := Path(folder)) as url:
        token = (home / "admin.token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        job = httpx2.post(f"{url}{PROJECT}/jobs", json={"type": "noop"}, headers=headers).json()["id"]
        time.sleep(2)
        lines = write_log(home, job, asked.mb)
        found = Measured(url, token, job)
        began = time.perf_counter()
        answers = found.search(lambda: False)
        whole = time.perf_counter() - began
        rows = measure(found, asked)
    print(f"A search through {lines:,} lines ({asked.mb} MB) alone: {whole:.1f} s in {answers} answers")
    print(f"{'health while':24} {'asked':>6} {'median':>8} {'p95':>8} {'worst':>8}")
    for one in rows:
        print(f"{one['while']:24} {one['asked']:6} {one['median']:8} {one['p95']:8} {one['worst']:8}")
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
