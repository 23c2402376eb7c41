"""Lists of jobs over HTTP: every filter, every order, deep pages and counts, on a large database.

    python benchmarks/bench_lists.py [--jobs 1000000] [--database sqlite|postgresql] [--pending 4000] [--repeat 20]

The database is filled directly, then a server is started on it and asked as any client asks. Times are medians and 95th
percentiles in ms, of the whole request; `cpu` is the time that the server and its database computed for one, which
is what counts on a machine that does other work beside. The first request of each kind reads what it needs into memory
and is shown apart. `--pending 100000` shows a long queue."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import lists_data as data
import measuring
import psutil

DATABASE = "bench_lists"
KINDS = ("sqlite", "postgresql")
SORTS = ("created_at", "started_at", "ended_at", "duration", "priority", "state", "type")


def queries(jobs: int) -> dict[str, str]:
    """Query strings by name."""
    middle = jobs // 2
    found = {
        "no filter": "",
        "project, largest": "project=p0",
        "project, smallest": "project=p19",
        "projects, three": "project=p3,p7,p19",
        "type, rarest": "type=t29",
        "category": "category=c4",
        "category that is not": "category=none",
        "state failed": "state=failed",
        "state canceled": "state=canceled",
        "state pending": "state=pending",
        "state running": "state=running",
        "subject": "subject=lake/in.shop/table_123",
        "created_by, rarest": "created_by=user199",
        "token": "token=17",
        "configuration": "configuration=77",
        "parent": f"parent={data.parent_near(middle)}",
        "run_id": f"run_id={data.parent_near(middle)}",
        "priority, rare": "priority=9",
        "error code": "error=timeout",
        "error fingerprint": f"error={data.fingerprint(299)}",
        "tag, rare": "tag=tag99",
        "top level": "top_level=true",
        "created 12h": "since=12h",
        "created a day long ago": "since=40d&until=39d",
        "started range": "started_since=20d&started_until=19d",
        "ended range": "ended_since=20d&ended_until=19d",
        "duration range": "min_duration=2h",
        "q id": f"q={middle}",
        "q word in many": "q=orders",
        "q piece of one": f"q=batch-{middle}x",
        "q nowhere": "q=zebra-crossing",
        "q command": "q=python -m load_77",
        "project+state+type": "project=p2&state=failed&type=t1",
        "never together": "project=p19&created_by=user199&type=t29",
        "all together": "project=p1&type=t0,t1&state=succeeded&since=30d&tag=tag1&top_level=true&priority=5&q=orders",
    }
    for by in SORTS:
        found |= {f"sort {by}": f"sort={by}", f"sort -{by}": f"sort=-{by}"}
    found["project+failed, sort -ended_at"] = "project=p0&state=failed&sort=-ended_at"
    found["pending, sort -priority"] = "state=pending&sort=-priority"
    return found


COUNTED = ("no filter", "project, largest", "projects, three", "type, rarest", "category", "created_by, rarest",
           "tag, rare", "error fingerprint", "created 12h", "created a day long ago", "duration range", "top level",
           "q id", "q word in many", "q nowhere", "project+state+type", "all together")  # fmt: skip


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite+aiosqlite:///{folder / 'jobdeck.db'}"
        return
    with measuring.postgres() as url:
        yield measuring.fresh_database(url, DATABASE).replace("postgresql://", "postgresql+psycopg://")


@contextmanager
def server(home: Path, url: str) -> Iterator[httpx2.Client]:
    """A client of a server on the database, once all is sealed."""
    log = home / "log"
    settings = {"JOBDECK_DATABASE_URL": url, "JOBDECK_LOG_LEVEL": "warning"}
    command = measuring.jobdeck("server", "--home", str(home), "--port", "0")
    with measuring.process(command, log, **settings):
        measuring.until(lambda: "Jobdeck serves" in log.read_text(), "the server serves")
        line = next(line for line in log.read_text().splitlines() if "Jobdeck serves" in line)
        address = next(word for word in line.split() if word.startswith("http")).rstrip(".,")
        token = (home / "admin.token").read_text().strip()
        with httpx2.Client(
            base_url=f"{address}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=120
        ) as client:
            yield client


def computed() -> float:
    """Seconds of CPU that this benchmark's server and database have used so far."""
    me = psutil.Process()
    others = (p for p in psutil.process_iter(["cmdline"]) if _is_database(p.info["cmdline"]))
    seconds = 0.0
    for process in {p.pid: p for p in (*me.children(recursive=True), *others)}.values():
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            seconds += times.user + times.system
    return seconds


def _is_database(command: list[str] | None) -> bool:
    """One of the processes of the PostgreSQL of this benchmark, which are not below it."""
    return bool(command) and f"postgres: postgres {DATABASE}" in " ".join(command or ())


def timed(client: httpx2.Client, path: str, repeat: int) -> dict[str, Any]:
    """Ms of the first request and of the others, the jobs in the answer, and how many requests a page took."""
    took = []
    response = None
    used = 0.0
    for number in range(repeat + 1):
        if number == 1:
            used = computed()
        began = time.perf_counter()
        response = client.get(path)
        took.append((time.perf_counter() - began) * 1000)
        response.raise_for_status()
    used = (computed() - used) * 1000 / repeat
    assert response is not None
    answer = response.json()
    size = len(answer["items"]) if "items" in answer else sum(answer.values())
    short = "items" in answer and answer["next"] is not None and size < 50
    return {
        "first": took[0], "median": measuring.median(took[1:]), "p95": measuring.percentile(took[1:], 0.95),
        "cpu": used, "jobs": size, "short": short,
    }  # fmt: skip


def behind(client: httpx2.Client, path: str, half: str) -> str:
    """The path of a page in the middle of the list: a cursor of the list's second half serves for the whole list."""
    cursor = client.get(f"{path}&{half}").json()["next"]
    return f"{path}&cursor={cursor}"


def measure(client: httpx2.Client, jobs: int, repeat: int) -> list[dict[str, Any]]:
    named = queries(jobs)
    figures = [{"what": name, **timed(client, f"/jobs?{query}", repeat)} for name, query in named.items()]
    middle = (
        (f"page {jobs // 100:,}", "/jobs?sort=-created_at", f"until={data.DAYS // 2}d"),
        ("page in the middle, sort -duration", "/jobs?sort=-duration", "max_duration=20s"),
        ("page in the middle, sort type", "/jobs?sort=type", "type=t1"),
    )
    for name, path, half in middle:
        figures.append({"what": name, **timed(client, behind(client, path, half), repeat)})
    figures.append({"what": "limit 500, id only", **timed(client, "/jobs?limit=500&fields=id", repeat)})
    figures += [{"what": f"counts, {name}", **timed(client, f"/jobs/counts?{named[name]}", repeat)} for name in COUNTED]
    return figures


def run(kind: str, jobs: int, pending: int, repeat: int) -> None:
    """Fill a database of this kind, ask a server on it, print and save the figures."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-lists")))
        url = stack.enter_context(database(kind, home))
        began = time.monotonic()
        data.fill(url, jobs, pending)
        filled = time.monotonic()
        segments = data.seal(url)
        print(f"filled in {filled - began:.0f} s, {segments} segments sealed in {time.monotonic() - filled:.0f} s")
        client = stack.enter_context(server(home, url))
        figures = measure(client, jobs, repeat)
    shown = ("what", "first", "median", "p95", "cpu", "jobs")
    rows = [[*(f[name] for name in shown), "short" if f["short"] else ""] for f in figures]
    measuring.table([f"request, {kind}", "first ms", "median ms", "p95 ms", "cpu ms", "jobs", ""], rows)
    measuring.save(f"lists-{kind}-{jobs}", figures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--database", choices=KINDS, default=None, help="only one of the two")
    parser.add_argument("--pending", type=int, default=4000)
    parser.add_argument("--repeat", type=int, default=20)
    asked = parser.parse_args()
    for kind in [asked.database] if asked.database else KINDS:
        run(kind, asked.jobs, asked.pending, asked.repeat)


if __name__ == "__main__":
    main()
