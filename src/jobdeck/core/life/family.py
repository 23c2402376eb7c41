"""What deleting a job takes along: its children and theirs, counted by state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from jobdeck.core.amounts import number
from jobdeck.core.errors import OperationRefused
from jobdeck.core.life.states import State

FIRST = (State.FAILED, State.CANCELED, State.SUCCEEDED)
"""The order in which states are told: what may still be wanted comes first."""


class HasChildren(OperationRefused, code="has_children"):
    """Deleting the job would delete its children, too, and that was not chosen; `children` counts them by state."""


def by_state(states: Iterable[State]) -> dict[str, int]:
    """How many there are of each state, in the order in which they are told."""
    return _told(Counter(states))


def _told(counted: Mapping[State, int]) -> dict[str, int]:
    return {str(state): counted[state] for state in sorted(counted, key=_place)}


def _place(state: State) -> int:
    return FIRST.index(state) if state in FIRST else len(FIRST)


def merged(*counts: Mapping[str, int]) -> dict[str, int]:
    """Several counts by state as one."""
    total: Counter[State] = Counter()
    for each in counts:
        total.update({State(state): count for state, count in each.items()})
    return _told(total)


def words(counts: Mapping[str, int]) -> str:
    """`3 children (1 failed, 2 succeeded)`."""
    total = sum(counts.values())
    parts = ", ".join(f"{number(count)} {state}" for state, count in counts.items())
    return f"{number(total)} {'child' if total == 1 else 'children'} ({parts})"


def refusal(job_id: int, state: State, counts: Mapping[str, int]) -> HasChildren:
    """The error for a delete that would take children along without having been told to."""
    return HasChildren(
        f"Job {job_id} cannot be deleted by itself: {words(counts)} would be deleted with it.",
        hint="To delete them, too, send `children=true` (on the command line --with-children).",
        state=str(state),
        operation="delete",
        allowed=["delete"],
        children=dict(counts),
    )
