"""The table of operations of the design, cell by cell."""

from __future__ import annotations

import pytest

from jobdeck.core.errors import OperationRefused
from jobdeck.core.life.operations import (
    PAST,
    Already,
    Intent,
    Operation,
    OperationEffect,
    Subject,
    decide,
    is_already,
    is_offered,
    why_not,
)
from jobdeck.core.life.states import State

OPERATIONS = (Operation.CANCEL, Operation.PAUSE, Operation.RESUME, Operation.RESTART, Operation.DELETE)
AGAIN = OperationEffect(State.PENDING, new_attempt=True)
CANCELING = OperationEffect(State.CANCELING, Intent.CANCEL)
RESTARTING = OperationEffect(State.CANCELING, Intent.RESTART)
NO = None
"""Refused."""

#               cancel                  pause                   resume                 restart     delete
TABLE: dict[State, tuple[OperationEffect | Already | None, ...]] = {
    State.PENDING: (OperationEffect(State.CANCELED), OperationEffect(State.PAUSED), NO, NO, NO),
    State.RUNNING: (CANCELING, OperationEffect(State.PAUSING), NO, RESTARTING, NO),
    State.PAUSING: (CANCELING, Already(), NO, NO, NO),
    State.PAUSED: (OperationEffect(State.CANCELED), Already(), OperationEffect(State.PENDING), AGAIN, NO),
    State.CANCELING: (Already(), NO, NO, NO, NO),
    State.FAILED: (
        OperationEffect(State.CANCELED),
        NO,
        OperationEffect(State.PENDING),
        AGAIN,
        OperationEffect(State.FAILED),
    ),
    State.SUCCEEDED: (NO, NO, NO, NO, OperationEffect(State.SUCCEEDED)),
    State.CANCELED: (Already(), NO, NO, NO, OperationEffect(State.CANCELED)),
}
CELLS = [
    pytest.param(state, operation, outcome, id=f"{state}-{operation}")
    for state, outcomes in TABLE.items()
    for operation, outcome in zip(OPERATIONS, outcomes, strict=True)
]
LEASED = {State.RUNNING, State.PAUSING, State.CANCELING}


def subject(
    state: State, *, leftovers: bool = False, unfinished: int = 0, last: str | None = None, leased: bool | None = None
) -> Subject:
    return Subject(7, state, state in LEASED if leased is None else leased, leftovers, unfinished, last)


def outcome_of(operation: Operation, job: Subject) -> OperationEffect | Already | None:
    try:
        return decide(operation, job)
    except OperationRefused:
        return None


def test_the_table_has_every_cell() -> None:
    assert set(TABLE) == set(State)
    assert set(OPERATIONS) == set(Operation)


@pytest.mark.parametrize(("state", "operation", "outcome"), CELLS)
def test_cell(state: State, operation: Operation, outcome: OperationEffect | Already | None) -> None:
    assert outcome_of(operation, subject(state)) == outcome


@pytest.mark.parametrize(("state", "operation", "outcome"), CELLS)
def test_what_is_offered_is_what_changes_something(
    state: State, operation: Operation, outcome: OperationEffect | Already | None
) -> None:
    assert is_offered(operation, subject(state)) == isinstance(outcome, OperationEffect)
    assert is_already(operation, subject(state)) == isinstance(outcome, Already)


@pytest.mark.parametrize(("state", "operation", "outcome"), CELLS)
def test_a_refusal_names_state_operation_and_what_is_allowed(
    state: State, operation: Operation, outcome: OperationEffect | Already | None
) -> None:
    if outcome is not None:
        assert decide(operation, subject(state)) == outcome
        return
    with pytest.raises(OperationRefused) as refused:
        decide(operation, subject(state))
    allowed = sorted(
        str(o) for o, cell in zip(OPERATIONS, TABLE[state], strict=True) if isinstance(cell, OperationEffect)
    )
    assert refused.value.facts == {"state": str(state), "operation": str(operation), "allowed": allowed}
    assert "Job 7" in refused.value.message
    assert f"cannot be {PAST[operation]}: it " in refused.value.message
    assert str(state) in refused.value.message
    assert all(PAST[o] in (refused.value.hint or "") for o in allowed)


@pytest.mark.parametrize(
    ("state", "operation", "message", "hint"),
    [
        (State.SUCCEEDED, Operation.CANCEL, "Job 7 cannot be canceled: it has succeeded.", "It can be deleted."),
        (State.CANCELED, Operation.PAUSE, "Job 7 cannot be paused: it was canceled.", "It can be deleted."),
        (State.FAILED, Operation.PAUSE, "Job 7 cannot be paused: it has failed.",
         "It can be canceled, deleted, restarted or resumed."),
        (State.PENDING, Operation.RESTART, "Job 7 cannot be restarted: it is pending.",
         "It can be canceled or paused."),
        (State.RUNNING, Operation.DELETE,
         "Job 7 cannot be deleted: it is running and may still run; cancel it first.",
         "It can be canceled, paused or restarted."),
        (State.CANCELING, Operation.PAUSE, "Job 7 cannot be paused: it is canceling.",
         "Nothing can be done with it now."),
        (State.SUCCEEDED, Operation.RESTART, "Job 7 cannot be restarted: it has succeeded.",
         "It can be deleted. To have its work done once more, run it again as a new job."),
    ],
)  # fmt: skip
def test_a_refusal_is_a_sentence(state: State, operation: Operation, message: str, hint: str) -> None:
    with pytest.raises(OperationRefused) as refused:
        decide(operation, subject(state))
    assert (refused.value.message, refused.value.hint) == (message, hint)


@pytest.mark.parametrize(
    ("operation", "state"),
    [
        (Operation.RESUME, State.PENDING),
        (Operation.RESUME, State.RUNNING),
        (Operation.RESTART, State.PENDING),
        (Operation.RESTART, State.CANCELING),
    ],
)
def test_a_repeat_whose_effect_is_there_changes_nothing(operation: Operation, state: State) -> None:
    repeated = subject(state, last=str(operation))
    assert decide(operation, repeated) == Already()
    for other in set(Operation) - {operation}:
        assert outcome_of(operation, subject(state, last=str(other))) != Already()


def test_cancel_ends_a_restart_under_way() -> None:
    """A restart waits for the work to die; who cancels meanwhile must not see it start again."""
    restarting = subject(State.CANCELING, last="restart")
    assert decide(Operation.CANCEL, restarting) == CANCELING
    assert is_offered(Operation.CANCEL, restarting)
    assert not is_already(Operation.CANCEL, restarting)


@pytest.mark.parametrize("state", [State.PENDING, State.PAUSED, State.FAILED])
def test_leftovers_and_children_are_removed_before_a_job_is_canceled(state: State) -> None:
    assert decide(Operation.CANCEL, subject(state, leftovers=True)) == CANCELING
    assert decide(Operation.CANCEL, subject(state, unfinished=1)) == CANCELING


@pytest.mark.parametrize("state", [State.FAILED, State.SUCCEEDED, State.CANCELED])
def test_a_job_is_not_deleted_from_over_its_children(state: State) -> None:
    job = subject(state, unfinished=2)
    assert outcome_of(Operation.DELETE, job) is None
    assert not is_offered(Operation.DELETE, job)
    assert why_not(Operation.DELETE, job) == "2 of its children have not ended"
    with pytest.raises(OperationRefused) as refused:
        decide(Operation.DELETE, job)
    assert "delete" not in str(refused.value.facts["allowed"])
