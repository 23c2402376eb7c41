"""Jobs in a project of their own that show what the product is for: one that waits, one that failed, one paused, and
some to try an operation on many jobs with."""

from __future__ import annotations

from pathlib import Path

from jobdeck.client import Client
from jobdeck.core.life.states import ENDED, State
from jobdeck.wire.jobs import Job

PROJECT = "examples"
TABLE = "lake/shop/orders"
TAG = "try-bulk"
PARTS = 5
"""Failed jobs that succeed once they are resumed."""
GOOD = "id,item,price\n1,Lamp,39.90\n2,Desk,249.00\n3,Chair,89.50\n"
BAD = "id,item,price\n4,Shelf,59.00\n5,Rug,a lot\n"


def play(client: Client, folder: Path) -> list[str]:
    """Make the jobs where the project has none yet; what a person is told about them, line by line."""
    if PROJECT not in {project.name for project in client.projects.list()}:
        client.projects.create(PROJECT, title="Examples of the demo")
    if client.jobs.page(project=PROJECT, limit=1).items:
        return [f"The project {PROJECT} has the jobs of the last time; nothing was added."]
    parts = [_part(client, number) for number in range(1, PARTS + 1)]
    good, bad = _upload(client, folder / "orders.csv", GOOD), _upload(client, folder / "orders-broken.csv", BAD)
    first = _settled(client, _import(client, good, mode="replace"))
    failed = _settled(client, _import(client, bad, mode="append"))
    paused = _paused(client)
    runs = client.jobs.submit(
        "sleep", {"seconds": 3600, "write": TABLE}, project=PROJECT, description=f"Nightly rebuild of {TABLE}"
    )
    _until_running(client, runs)
    waits = _import(client, good, mode="append")
    for part in parts:
        _settled(client, part)
    why = failed.error.message if failed.error is not None else failed.state
    return [
        f"Jobs of all kinds are in the project {PROJECT}:",
        f"  job {runs.id} runs for an hour and writes {TABLE}",
        f"  job {waits.id} waits for job {runs.id}, which writes the same table",
        f"  job {failed.id} failed: {why}",
        f"  job {paused.id} is paused and keeps what it did",
        f"  job {first.id} loaded the table",
        f"  {PARTS} more failed, with the tag {TAG}: resumed as one operation, they succeed",
    ]


def _part(client: Client, number: int) -> Job:
    """A job that fails once, as if a source had been away; resumed, it succeeds."""
    return client.jobs.submit(
        "sleep", {"seconds": 0.1, "fail_step": 0, "fail_times": 1}, project=PROJECT, tags=[TAG],
        description=f"Copy part {number} of {PARTS}",
    )  # fmt: skip


def _upload(client: Client, path: Path, content: str) -> str:
    path.write_text(content, encoding="utf-8")
    return f"file:{client.files.upload(path, project=PROJECT).id}"


def _import(client: Client, file: str, *, mode: str) -> Job:
    params = {"files": [file], "into": TABLE, "mode": mode}
    return client.jobs.submit("import", params, project=PROJECT)


def _paused(client: Client) -> Job:
    """A job that was stopped between its steps; it keeps those that it did."""
    job = client.jobs.submit(
        "sleep", {"seconds": 1, "steps": 8}, project=PROJECT, description="Recompute the forecasts"
    )
    for seen in client.jobs.watch(job.id):
        if seen.progress.fraction > 0 or seen.state in ENDED:
            break
    if seen.state in ENDED:
        return seen
    client.jobs.pause(job.id, "The forecasts can wait until the evening.")
    return _settled(client, job)


def _settled(client: Client, job: Job) -> Job:
    """The job once it has ended or is paused."""
    for seen in client.jobs.watch(job.id):
        job = seen
    return job


def _until_running(client: Client, job: Job) -> None:
    """Wait until it holds what it writes."""
    for seen in client.jobs.watch(job.id):
        if seen.state is State.RUNNING or seen.state in ENDED:
            return
