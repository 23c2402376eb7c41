"""Operations on selections of jobs: what can be asked, why a job is left out, and the account of what was done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from jobdeck.core.life.operations import Operation, Subject, how_it_is, is_already, is_offered, why_not
from jobdeck.core.life.states import ENDED, State

EXAMPLES = 5
"""Jobs that are named of each group, at most."""


class BulkOperation(StrEnum):
    """What can be asked of a selection: the operations on a job, and a new priority."""

    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    RESTART = "restart"
    DELETE = "delete"
    PRIORITY = "priority"

    @property
    def operation(self) -> Operation | None:
        """The operation on each job; None for a new priority, which no state of a job depends on."""
        return None if self is BulkOperation.PRIORITY else Operation(self)


class BulkState(StrEnum):
    """`planned`: shown and not yet run. A plan that was stopped before it ran is `stopped`, too."""

    PLANNED = "planned"
    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"


class Outcome(StrEnum):
    """What became of a job of the selection."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Why:
    """Why a job is left out: a word for programs, and the end of a sentence about the job for people."""

    reason: str
    text: str


NOT_FOUND = Why("not_found", "there is no such job")
WITH_CHILDREN = Why("children", "some of its children have not ended")
TAKES_CHILDREN = Why("takes_children", "it has children, which would be deleted with it")
WENT_ALONG = Why("with_parent", "it was deleted with its parent")


def left_out(asked: BulkOperation, job: Subject, *, same_priority: bool = False) -> Why | None:
    """Why `asked` would do nothing to `job` now; None when it would do something."""
    operation = asked.operation
    if operation is None:
        return why_no_priority(job.state, same=same_priority)
    if is_already(operation, job):
        return Why("already", f"it is {job.state} already")
    if is_offered(operation, job):
        return None
    if operation is Operation.DELETE and job.state in ENDED:
        return WITH_CHILDREN
    return Why("state", why_not(operation, job))


def why_no_priority(state: State, *, same: bool) -> Why | None:
    """Why a priority would change nothing: the job has ended, or has it."""
    if state in ENDED:
        return Why("state", how_it_is(state))
    return Why("already", "it has this priority already") if same else None


@dataclass(frozen=True, slots=True)
class Treated:
    """A job of the selection and what became of it."""

    job: int
    outcome: Outcome
    why: Why | None = None


@dataclass(frozen=True, slots=True)
class TreatedGroup:
    """Jobs with which the same happened for the same reason; a few of them are named."""

    outcome: Outcome
    why: Why
    count: int
    examples: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "outcome": str(self.outcome), "reason": self.why.reason, "text": self.why.text, "count": self.count,
            "examples": list(self.examples),
        }  # fmt: skip

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> TreatedGroup:
        why = Why(value["reason"], value["text"])
        return cls(Outcome(value["outcome"]), why, value["count"], tuple(value["examples"]))


def merged(groups: Iterable[TreatedGroup]) -> list[TreatedGroup]:
    """The groups with those of one outcome and reason put together, the largest first."""
    found: dict[tuple[Outcome, Why], TreatedGroup] = {}
    for group in groups:
        key = (group.outcome, group.why)
        before = found.get(key, TreatedGroup(*key, 0, ()))
        examples = (before.examples + group.examples)[:EXAMPLES]
        found[key] = TreatedGroup(*key, before.count + group.count, examples)
    return sorted(found.values(), key=lambda g: -g.count)


def account(treated: Sequence[Treated]) -> list[TreatedGroup]:
    """Why jobs were skipped or failed, in groups."""
    return merged(TreatedGroup(t.outcome, t.why, 1, (t.job,)) for t in treated if t.why is not None)
