"""Events of a job in readable words: one sentence for each kind (docs/events.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jobdeck.core.life.operations import BECAUSE
from jobdeck.wire.events import Event

_SENTENCES = {
    "submitted": "Accepted",
    "succeeded": "Succeeded",
    "pausing": "Asked to pause; its work is still alive",
    "paused": "Paused; it holds nothing any more",
    "resumed": "Asked to go on; it is in the queue",
    "canceling": "Asked to stop; its work is still alive, or leftovers must be removed",
    "stopped": "Its work is dead; leftovers or children remain",
    "undoing": "A worker removes what it half made",
    "canceled": "Canceled",
    "handed_back": "Its worker is leaving; it is in the queue again",
}
SYMBOLS = {
    "submitted": "plus", "started": "play", "succeeded": "succeeded", "failed": "failed", "retrying": "again",
    "waiting_for_children": "tree", "worker_lost": "warning", "handed_back": "restart", "pausing": "pausing",
    "paused": "paused", "resumed": "play", "canceling": "canceling", "stopped": "stop", "undoing": "trash",
    "canceled": "canceled", "restarted": "restart", "step.succeeded": "check", "step.failed": "failed",
    "step.skipped": "skipped", "step.canceled": "canceled", "task.failed": "failed", "task.warned": "warning",
    "reprioritized": "edit", "deleted": "trash",
}  # fmt: skip
TONES = {
    "succeeded": "success", "failed": "error", "step.failed": "error", "task.failed": "error", "worker_lost": "warning",
    "retrying": "warning", "task.warned": "warning", "paused": "warning", "canceled": "info",
}  # fmt: skip


def sentence(event: Event, steps: Mapping[int, str]) -> str:
    """What happened, in words; `steps` has the names of the job's steps by index."""
    data = dict(event.data)
    if data.get("step") in steps:
        data["step"] = steps[data["step"]]
    words = _WORDS.get(event.kind)
    if words is not None:
        return words(data)
    if event.kind.startswith("step."):
        return _step(event.kind.removeprefix("step."), data)
    return f"{_SENTENCES.get(event.kind, event.kind)}{_because(data)}"


def _step(end: str, data: dict[str, Any]) -> str:
    error = _error(data)
    return f"Step {data.get('step', '?')} {end}{f': {error}' if error else ''}"


def _error(data: dict[str, Any]) -> str:
    return str(data.get("message") or data.get("code") or "")


def _attempt(data: dict[str, Any]) -> str:
    attempt = data.get("attempt")
    return f", attempt {attempt}" if isinstance(attempt, int) and attempt > 1 else ""


def _times(count: Any) -> str:
    return "the first time" if count in (None, 1) else f"{count} times in a row"


def _place(data: dict[str, Any]) -> str:
    return f"Task {data.get('task', '?')} of step {data.get('step', '?')}"


def _warnings(data: dict[str, Any]) -> str:
    count = data.get("warnings", 1)
    return f"{count} {'warning' if count == 1 else 'warnings'}"


def _because(data: dict[str, Any]) -> str:
    """Who or what else, and why, as far as the event tells."""
    told = []
    if data.get("warnings"):
        told.append(f"with {_warnings(data)}")
    if data.get("cause") and data["cause"] != "user":
        told.append(BECAUSE.get(str(data["cause"]), f"cause: {data['cause']}"))
    if data.get("bulk"):
        told.append(f"with bulk operation {data['bulk']}")
    text = f" {', '.join(told)}" if told else ""
    return f"{text}: {data['reason']}" if data.get("reason") else text


_WORDS: dict[str, Callable[[dict[str, Any]], str]] = {
    "started": lambda data: f"Started on worker {data.get('worker', '?')}{_attempt(data)}",
    "failed": lambda data: f"Failed: {_error(data) or 'nothing is known about why'}",
    "retrying": lambda data: f"A step failed and will be tried again: {_error(data)}",
    "waiting_for_children": lambda data: (
        f"Its own steps have ended; {data.get('unfinished', 'some')} of its children have not"
    ),
    "worker_lost": lambda data: (
        f"Worker {data.get('worker', '?')} was lost ({_times(data.get('losses'))}); it is in the queue again"
    ),
    "restarted": lambda data: f"In the queue again from its first step, as attempt {data.get('attempt', '?')}",
    "reprioritized": lambda data: f"Priority changed to {data.get('priority', '?')}",
    "task.failed": lambda data: f"{_place(data)} failed: {_error(data)}",
    "task.warned": lambda data: f"{_place(data)} ended with {_warnings(data)}",
}
"""Kinds whose sentence tells what is in their data."""
