"""Why a job is left out of an operation on many, and the account in groups."""

from __future__ import annotations

import pytest

from jobdeck.core.errors import OperationRefused
from jobdeck.core.life.bulk import (
    EXAMPLES,
    BulkOperation,
    Outcome,
    Treated,
    TreatedGroup,
    Why,
    account,
    left_out,
    merged,
)
from jobdeck.core.life.operations import Already, Operation, Subject, decide
from jobdeck.core.life.states import ENDED, State


def subject(state: State, last: str | None, children: int) -> Subject:
    return Subject(1, state, False, False, children, last)


@pytest.mark.parametrize("asked", [o for o in BulkOperation if o.operation])
@pytest.mark.parametrize("state", State)
def test_a_job_is_left_out_exactly_where_the_operation_would_do_nothing(asked: BulkOperation, state: State) -> None:
    for last in (None, *Operation):
        for children in (0, 2):
            job = subject(state, last, children)
            why = left_out(asked, job)
            assert asked.operation is not None
            try:
                does_something = not isinstance(decide(asked.operation, job), Already)
            except OperationRefused:
                does_something = False
            assert (why is None) == does_something, (job, why)


@pytest.mark.parametrize("state", State)
def test_a_priority_is_for_jobs_that_have_not_ended(state: State) -> None:
    other = left_out(BulkOperation.PRIORITY, subject(state, None, 0))
    same = left_out(BulkOperation.PRIORITY, subject(state, None, 0), same_priority=True)
    assert (other is not None) == (state in ENDED)
    assert same is not None
    assert same.reason == ("state" if state in ENDED else "already")


def test_reasons_are_words_for_programs() -> None:
    told = {
        (BulkOperation.CANCEL, State.SUCCEEDED, 0): "state",
        (BulkOperation.CANCEL, State.CANCELED, 0): "already",
        (BulkOperation.DELETE, State.FAILED, 1): "children",
        (BulkOperation.DELETE, State.RUNNING, 0): "state",
    }
    for (asked, state, children), reason in told.items():
        why = left_out(asked, subject(state, None, children))
        assert why is not None
        assert why.reason == reason


def test_like_reasons_are_counted_together_and_few_are_named() -> None:
    ended, gone = Why("state", "it has ended"), Why("not_found", "it is gone")
    treated = [
        *(Treated(i, Outcome.SKIPPED, gone) for i in range(3)),
        *(Treated(i, Outcome.SKIPPED, ended) for i in range(100, 120)),
        Treated(500, Outcome.DONE),
    ]
    groups = account(treated)
    assert [(g.why, g.count) for g in groups] == [(ended, 20), (gone, 3)]
    assert groups[0].examples == tuple(range(100, 100 + EXAMPLES))
    again = merged([*groups, *groups])
    assert [(g.count, len(g.examples)) for g in again] == [(40, EXAMPLES), (6, EXAMPLES)]
    assert [TreatedGroup.from_json(g.to_json()) for g in again] == again
