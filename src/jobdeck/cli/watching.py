"""Shows a job's progress until it settles: bars on a terminal, else a line per change."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from typing import TextIO

from jobdeck.cli import text
from jobdeck.cli.exits import DONE, JOB_FAILED, say
from jobdeck.cli.reasons import reasons
from jobdeck.client import Client
from jobdeck.core.states import ALIVE, State
from jobdeck.wire.jobs import Job
from jobdeck.wire.steps import Step


def follow(client: Client, id: int, out: TextIO) -> Job:
    """The job `id` once it has settled; its progress until then is written to `out`."""
    changes = client.jobs.watch(id)
    return _draw(client, changes, out) if out.isatty() else _tell_lines(client, changes, out)


def follow_json(client: Client, id: int) -> Job:
    """As `follow`, with the job as a line of JSON on standard output for each change."""
    changes = client.jobs.watch(id)
    last = next(changes)
    for job in chain([last], changes):
        print(job.model_dump_json(exclude_unset=True), flush=True)
        last = job
    return last


def verdict(job: Job) -> int:
    """The exit code for a job that was waited for; why it did not succeed goes to standard error."""
    if job.state is State.SUCCEEDED:
        return DONE
    say(f"Job {job.id} is {job.state}.")
    for reason in reasons(job):
        say(f"  {reason}")
    return JOB_FAILED


def _tell_lines(client: Client, changes: Iterator[Job], out: TextIO) -> Job:
    last, said = next(changes), ""
    for job in chain([last], changes):
        steps = client.jobs.steps(job.id) if job.state in ALIVE else []
        if (words := summary(job, steps)) != said:
            said = words
            print(f"{datetime.now().astimezone():%H:%M:%S} job {job.id} {words}", file=out, flush=True)
        last = job
    return last


def _draw(client: Client, changes: Iterator[Job], out: TextIO) -> Job:
    from jobdeck.cli.bars import Bars

    last = next(changes)
    with Bars(out) as bars:
        for job in chain([last], changes):
            bars.show(job, client.jobs.steps(job.id))
            last = job
    return last


def summary(job: Job, steps: list[Step]) -> str:
    """State, progress, the step that runs, rate and time left, in one line."""
    running = next((step for step in steps if step.state == "running"), None)
    parts = [
        text.state(job),
        text.percent(job.progress.fraction) if job.started_at else "",
        f"{running.name} {text.amount(running.progress)}".rstrip() if running else "",
        text.rate(job.progress),
        text.left(job.progress) if job.state is State.RUNNING else "",
        text.line(job.wait[0].text) if job.wait else "",
    ]
    return ", ".join(part for part in parts if part)
