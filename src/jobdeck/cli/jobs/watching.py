"""Shows a job's progress until it settles: bars on a terminal, else a line per change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import TextIO

from jobdeck.cli.exits import DONE, JOB_FAILED, say
from jobdeck.cli.show import text
from jobdeck.cli.show.reasons import reasons, waits
from jobdeck.client import Client
from jobdeck.core.life.states import ALIVE, State
from jobdeck.wire.jobs import Job
from jobdeck.wire.steps import Step


def follow(client: Client, id: int, out: TextIO) -> Job:
    """The job `id` once it has settled; its progress until then is written to `out`."""
    last: dict[int, Job] = {}
    follow_all(client, [id], last, out)
    return last[id]


def follow_all(client: Client, ids: Sequence[int], last: dict[int, Job], out: TextIO) -> None:
    """Write the progress of the jobs to `out` until all have settled; `last` keeps each as it was last seen."""
    changes = client.jobs.watch(*ids)
    # The first look tells whether the job is there at all, before anything is drawn.
    changes = chain([next(changes)], changes)
    show = _draw if out.isatty() else _tell_lines
    show(client, changes, last, out, len(ids) == 1)


def follow_json(client: Client, ids: Sequence[int], last: dict[int, Job]) -> None:
    """As `follow_all`, with a line of JSON on standard output for each change of a job."""
    for job in client.jobs.watch(*ids):
        print(job.model_dump_json(exclude_unset=True), flush=True)
        last[job.id] = job


def verdict(job: Job) -> int:
    """The exit code for a job that was waited for; what it wrote, why it failed, or where its warnings are, goes to
    standard error."""
    if job.state is not State.SUCCEEDED or job.warnings:
        say(f"Job {job.id} is {job.state}.")
    if job.state is State.SUCCEEDED and job.outputs:
        say(f"Job {job.id} wrote {text.objects(job.outputs)}.")
    for reason in reasons(job):
        say(f"  {reason}")
    return DONE if job.state is State.SUCCEEDED else JOB_FAILED


def _tell_lines(client: Client, changes: Iterator[Job], last: dict[int, Job], out: TextIO, _alone: bool) -> None:
    said: dict[int, str] = {}
    for job in changes:
        steps = client.jobs.steps(job.id) if job.state in ALIVE else []
        if (words := summary(job, steps)) != said.get(job.id):
            said[job.id] = words
            print(f"{datetime.now().astimezone():%H:%M:%S} job {job.id} {words}", file=out, flush=True)
        last[job.id] = job


def _draw(client: Client, changes: Iterator[Job], last: dict[int, Job], out: TextIO, alone: bool) -> None:
    from jobdeck.cli.show.bars import Bars

    with Bars(out) as bars:
        for job in changes:
            bars.show(job, client.jobs.steps(job.id) if alone or job.state in ALIVE else [], alone=alone)
            last[job.id] = job


def summary(job: Job, steps: list[Step]) -> str:
    """State, progress, the step that runs, rate and time left, in one line."""
    running = next((step for step in steps if step.state == "running"), None)
    parts = [
        text.state(job),
        text.percent(job.progress.fraction) if job.started_at else "",
        f"{running.name} {text.amount(running.progress)}".rstrip() if running else "",
        text.rate(running.progress if running else job.progress),
        text.left(job.progress) if job.state is State.RUNNING else "",
        waits(job.wait[0]) if job.wait else "",
    ]
    return ", ".join(part for part in parts if part)
