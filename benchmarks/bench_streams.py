"""What watching costs: the same jobs with no reader of live events, with 20 and with 200, in turns in one run.

    python benchmarks/bench_streams.py [--jobs 2000] [--rounds 5] [--streams 0 20 200]

A job counts from the first one's creation to the last one's end, by the database's clock. The readers are sockets of
another process that read as fast as they can; each must have heard of the last job's end before the next turn."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from statistics import median
from typing import Any

READERS = """
import asyncio, sys
async def read(host, port, token, ready, ids):
    reader, writer = await asyncio.open_connection(host, port, limit=1 << 20)
    head = f"Host: {host}\\r\\nAuthorization: Bearer {token}"
    writer.write(f"GET /api/v1/events HTTP/1.1\\r\\n{head}\\r\\n\\r\\n".encode())
    await reader.readuntil(b"retry: 2000")
    ready.release()
    heard, kept = 0, b""
    while heard < ids:
        data = await reader.read(1 << 20)
        if not data:
            raise SystemExit("a stream ended")
        kept += data
        heard += kept.count(b"\\nevent: succeeded\\n")
        kept = kept[-20:] if kept.endswith(b"\\n") else kept[kept.rfind(b"\\n") :]
    writer.close()
async def main():
    host, port, token, count, ids = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
    ready = asyncio.Semaphore(0)
    tasks = [asyncio.create_task(read(host, port, token, ready, ids)) for _ in range(count)]
    for _ in range(count):
        await ready.acquire()
    print("ready", flush=True)
    await asyncio.gather(*tasks)
asyncio.run(main())
"""


class Site:
    """A server of its own, in a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        command = [sys.executable, "-m", "jobdeck.cli.main", "up", "--home", str(home), "--port", "0"]
        settings = {"JOBDECK_PROJECT_LIMIT": "2000", "JOBDECK_LIGHT_SLOTS": "2000", "JOBDECK_LOG_LEVEL": "error",
                    "JOBDECK_MAX_CONNECTIONS_PER_ADDRESS": "1000"}  # fmt: skip
        self.server = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, **settings}, start_new_session=True
        )
        assert self.server.stdout is not None
        for line in self.server.stdout:
            if line.startswith("Jobdeck serves "):
                self.url = line.split()[-1]
            if line.startswith("Ctrl-C"):
                break
        self.token = (home / "admin.token").read_text().strip()

    def submit(self, jobs: int) -> list[int]:
        ids: list[int] = []
        for at in range(0, jobs, 500):
            body = {"jobs": [{"type": "noop"}] * min(500, jobs - at)}
            ids += self.post("projects/default/jobs/batch", body)
        return ids

    def post(self, path: str, body: Any) -> list[int]:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/api/v1/{path}", json.dumps(body).encode(), headers)  # noqa: S310
        with urllib.request.urlopen(request) as answer:  # noqa: S310  (our own server)
            found = json.load(answer)
        return [job if isinstance(job, int) else job["id"] for job in found.get("ids", found.get("items", []))]

    async def took(self, ids: list[int]) -> float:
        """Seconds from the first one's creation to the last one's end."""
        while True:
            with sqlite3.connect(f"file:{self.home}/jobdeck.db?mode=ro", uri=True) as connection:
                done, first, last = connection.execute(
                    "SELECT count(*) FILTER (WHERE state = 'succeeded'), min(created_at), max(ended_at) FROM jobs"
                    " WHERE id BETWEEN ? AND ?",
                    (ids[0], ids[-1]),
                ).fetchone()
            if done == len(ids):
                return (last - first) / 1e6
            await asyncio.sleep(0.2)

    def readers(self, count: int, jobs: int) -> subprocess.Popen[str] | None:
        if not count:
            return None
        host, _, port = self.url.removeprefix("http://").partition(":")
        command = [sys.executable, "-c", READERS, host, port, self.token, str(count), str(jobs)]
        reading = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert reading.stdout is not None
        assert reading.stdout.readline() == "ready\n"
        return reading

    def stop(self) -> None:
        self.server.terminate()
        self.server.wait(30)


async def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--jobs", type=int, default=2000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--streams", type=int, nargs="+", default=[0, 20, 200])
    chosen = options.parse_args()
    found: dict[int, list[float]] = {count: [] for count in chosen.streams}
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder))
        try:
            await site.took(site.submit(chosen.jobs))  # warm
            for _ in range(chosen.rounds):
                for count in chosen.streams:
                    reading = site.readers(count, chosen.jobs)
                    found[count].append(await site.took(site.submit(chosen.jobs)))
                    if reading is not None and reading.wait(60) != 0:
                        raise SystemExit("the readers did not hear of all jobs")
                    await asyncio.sleep(1.0)
        finally:
            site.stop()
    alone = median(found[chosen.streams[0]])
    print(f"{chosen.jobs} noop jobs, SQLite, median of {chosen.rounds} rounds")
    for count, seconds in found.items():
        low, high = min(seconds), max(seconds)
        print(f"{count:>4} streams: {median(seconds):6.2f} s ({low:.2f}-{high:.2f})  {median(seconds) / alone:5.2f} x")


if __name__ == "__main__":
    asyncio.run(main())
