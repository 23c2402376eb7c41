"""One job, told to a person."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from jobdeck.cli.show import text
from jobdeck.cli.show.colours import of_state
from jobdeck.cli.show.reasons import reasons
from jobdeck.cli.show.table import print_facts
from jobdeck.cli.show.terminal import paint, wrapped
from jobdeck.core.life.operations import PAST
from jobdeck.core.life.states import ALIVE, State, StepState

if TYPE_CHECKING:
    from jobdeck.client import Client
    from jobdeck.wire.jobs import Job
    from jobdeck.wire.steps import Step


def print_job(job: Job, client: Client, *, whole: bool = False) -> None:
    """State first, then why (long errors cut unless `whole`), then the facts, then what can be done; the steps are
    asked for what is being counted."""
    state = paint(text.state(job), of_state(job.state))
    print(f"Job {job.id}: {state} – {text.line(job.type)} {text.line(job.subject or '')}".rstrip())
    for sentence in reasons(job, whole=whole):
        print(wrapped(f"  {sentence}", 4))
    steps = list(client.jobs.steps(job.id)) if 0 < job.progress.fraction < 1 or job.state in ALIVE else []
    print_facts(_facts(job, steps))


def _facts(job: Job, steps: list[Step]) -> Iterator[tuple[str, object]]:
    yield "description", job.description
    yield "project", job.project
    yield "progress", _progress(job, steps)
    yield "attempt", job.attempt if job.attempt > 1 else None
    yield "priority", job.priority
    yield "tags", ", ".join(job.tags)
    yield "runs again", f"job {job.copied_from}" if job.copied_from is not None else None
    yield "part of", job.run_id if job.parent is not None else None
    yield "configuration", job.configuration
    yield "by", job.created_by
    yield "created", job.created_at
    yield "started", job.started_at
    yield "ended", job.ended_at
    yield "queued for", text.duration(job.queued_seconds)
    yield "ran for", text.duration(job.running_seconds) if job.started_at else None
    yield "paused for", text.duration(job.paused_seconds) if job.paused_seconds else None
    yield "credits", text.cost(job.credits) if job.credits else None
    yield "worker", job.worker
    yield "read", text.objects(job.inputs)
    yield "wrote", text.objects(job.outputs)
    yield "parameters", json.dumps(job.params, ensure_ascii=False) if job.params else None
    yield "result", json.dumps(job.result, ensure_ascii=False) if job.result is not None else None
    yield "can be", ", ".join(_offers(job))


def _progress(job: Job, steps: list[Step]) -> str:
    """The part of the whole job; what is counted is counted in one step, named where that is not the whole job."""
    left = text.left(job.progress) if job.state is State.RUNNING else ""
    parts = (text.percent(job.progress.fraction), _counted(job, steps), left)
    return ", ".join(part for part in parts if part)


def _counted(job: Job, steps: list[Step]) -> str:
    if not steps:
        return text.amount(job.progress)
    step = next((step for step in reversed(steps) if step.state is not StepState.PENDING), steps[0])
    rate = text.rate(step.progress) if job.state is State.RUNNING and step.state is StepState.RUNNING else ""
    told = ", ".join(part for part in (text.amount(step.progress), rate) if part)
    is_all = len(steps) == 1 and abs(step.progress.fraction - job.progress.fraction) < 0.01
    return told if is_all or not told else f"in step {text.line(step.name)}: {told}"


def _offers(job: Job) -> Iterator[str]:
    for name, action in job.actions.items():
        if action.allowed:
            yield PAST.get(name, name)
