"""One job, told to a person."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from jobdeck.cli.show import text
from jobdeck.cli.show.reasons import reasons
from jobdeck.cli.show.table import print_facts
from jobdeck.core.life.operations import PAST
from jobdeck.core.life.states import State

if TYPE_CHECKING:
    from jobdeck.wire.jobs import Job, TouchedObject


def print_job(job: Job) -> None:
    """State first, then why, then the facts, then what can be done."""
    print(f"Job {job.id}: {text.state(job)} – {text.line(job.type)} {text.line(job.subject or '')}".rstrip())
    for sentence in reasons(job):
        print(f"  {sentence}")
    print_facts(_facts(job))


def _facts(job: Job) -> Iterator[tuple[str, object]]:
    yield "description", job.description
    yield "project", job.project
    yield "progress", _progress(job)
    yield "attempt", job.attempt if job.attempt > 1 else None
    yield "priority", job.priority
    yield "tags", ", ".join(job.tags)
    yield "runs again", f"job {job.copied_from}" if job.copied_from is not None else None
    yield "part of", job.run_id if job.parent is not None else None
    yield "configuration", job.configuration
    yield "created", f"{text.moment(job.created_at)}{f' by {job.created_by}' if job.created_by else ''}"
    yield "started", text.moment(job.started_at)
    yield "ended", text.moment(job.ended_at)
    yield "queued for", text.duration(job.queued_seconds)
    yield "ran for", text.duration(job.running_seconds) if job.started_at else None
    yield "paused for", text.duration(job.paused_seconds) if job.paused_seconds else None
    yield "credits", f"{job.credits:g}" if job.credits else None
    yield "worker", job.worker
    yield "read", _objects(job.inputs)
    yield "wrote", _objects(job.outputs)
    yield "parameters", json.dumps(job.params, ensure_ascii=False) if job.params else None
    yield "result", json.dumps(job.result, ensure_ascii=False) if job.result is not None else None
    yield "can be", ", ".join(_offers(job))


def _progress(job: Job) -> str:
    left = text.left(job.progress) if job.state is State.RUNNING else ""
    parts = (text.percent(job.progress.fraction), text.amount(job.progress), text.rate(job.progress), left)
    return ", ".join(part for part in parts if part)


def _objects(objects: list[TouchedObject]) -> str:
    return ", ".join(
        f"{text.line(t.shown)}{f' ({text.number(t.rows)} rows)' if t.rows is not None else ''}" for t in objects
    )


def _offers(job: Job) -> Iterator[str]:
    for name, action in job.actions.items():
        if action.allowed:
            yield PAST.get(name, name)
