"""Steps of a job as people name them: by name, or by index."""

from __future__ import annotations

from collections.abc import Sequence

from jobdeck.cli.exits import UsageError
from jobdeck.cli.show import text
from jobdeck.client import Client
from jobdeck.core.output.nearest import nearest


def step_index(client: Client, job: int, step: str, attempt: int | None) -> int:
    """The index of the step that is called so, or that was named by its index. A name goes first."""
    steps = list(client.jobs.steps(job, attempt))
    named = next((found.index for found in steps if found.name == step), None)
    if named is not None:
        return named
    if step.isascii() and step.isdigit() and len(step) < 10:
        return int(step)
    raise _no_step(job, step, [found.name for found in steps])


def require_step(client: Client, job: int, step: str, attempt: int | None) -> None:
    """Raises UsageError where the job has steps, and none that is called so."""
    names = [found.name for found in client.jobs.steps(job, attempt)]
    if names and step not in names:
        raise _no_step(job, step, names)


def _no_step(job: int, step: str, names: Sequence[str]) -> UsageError:
    there = f"Its steps: {', '.join(names)}." if names else "It has no steps yet."
    return UsageError(f"Job {job} has no step '{text.line(step)}'.", f"{nearest(step, names)}{there}")
