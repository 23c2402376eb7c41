"""Every transition of every job is legal, whatever was asked of it and however its work ended."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobdeck.core.errors import ErrorInfo, OperationRefused
from jobdeck.core.life import transitions
from jobdeck.core.life.endings import Broke, Ending, Finished, Halted, HandedBack, RetryLater, WorkerLost
from jobdeck.core.life.job import NO_CHILDREN, ChildPolicy, Children, Job
from jobdeck.core.life.operations import Intent, Operation
from jobdeck.core.life.states import ALIVE, ENDED, FINAL, State
from jobdeck.core.life.transitions import Transition, replace

NOW = 1_000_000
ERROR = ErrorInfo("bad_file", "a.csv has no header", place="import.load")
SETTLED_FROM = [(State.RUNNING, None), (State.PAUSING, None)] + [(State.CANCELING, i) for i in Intent]
times = st.integers(0, NOW)


@st.composite
def jobs(draw: st.DrawFn, *, leased: bool | None = None) -> Job:
    """Any job that can be: what the invariants below allow."""
    if leased:
        state, intent = draw(st.sampled_from(SETTLED_FROM))
    else:
        state = draw(st.sampled_from([s for s in State if s is not State.RUNNING and s is not State.PAUSING]))
        intent = Intent.CANCEL if state is State.CANCELING else None
    last = draw(st.none() | st.sampled_from([str(o) for o in Operation]))
    if state is State.CANCELING:
        last = str(intent)
    attempt = draw(st.integers(1, 5))
    waits = state in (State.PENDING, State.PAUSED) and draw(st.booleans())
    return Job(
        id=1, project_id=1, type="import", parent_id=None, priority=5, state=state, attempt=attempt,
        epoch=draw(st.integers(0, 9)), leased=bool(leased), state_since=draw(times), queued_at=0, order_key=0,
        has_children=draw(st.booleans()), on_child_failure=draw(st.sampled_from(ChildPolicy)), intent=intent,
        last_operation=last, not_before=draw(st.none() | times) if state is State.PENDING else None,
        resume_at=draw(st.none() | times) if state in (State.PAUSING, State.PAUSED) else None, waits_for_children=waits,
        dirty_since=draw(st.integers(0, attempt)), losses=draw(st.integers(0, 3)), started_at=draw(st.none() | times),
        queued_us=draw(times), running_us=draw(times), paused_us=draw(times),
        fraction=1.0 if state is State.SUCCEEDED else draw(st.floats(0, 0.99)), warnings=draw(st.integers(0, 3)),
        error=ERROR if state is State.FAILED else draw(st.none() | st.just(ERROR)),
        cause=draw(st.none() | st.just("user")), result=draw(st.none() | st.just("1")), worker="w",
    )  # fmt: skip


families = st.builds(Children, st.integers(0, 2), st.sampled_from([(), (7,), (7, 8)]))
endings: st.SearchStrategy[Ending] = st.sampled_from([
    Finished("2"), Broke(ERROR), RetryLater(ERROR, NOW + 5), Halted(), Halted(undone=True),
    Halted(undone=True, trouble="locked"), HandedBack(), WorkerLost(),
])  # fmt: skip


def check(before: Job, transition: Transition, children: Children = NO_CHILDREN) -> Job:
    """What holds of every transition."""
    after = transition.job
    assert before.state not in FINAL
    assert after.id == before.id
    assert before.epoch <= after.epoch <= before.epoch + 1
    assert before.attempt <= after.attempt <= before.attempt + 1
    if after.leased:
        assert after.state in ALIVE
    if after.state in (State.RUNNING, State.PAUSING):
        assert after.leased
    assert (after.intent is not None) == (after.state is State.CANCELING)
    assert (after.ended_at is not None) == (after.state in ENDED)
    if after.state in FINAL:
        assert children.unfinished == 0
    if after.state is State.CANCELED:
        assert after.result is None
    if after.waits_for_children:
        assert after.state in (State.PENDING, State.PAUSED, State.CANCELING)
    assert (after.fraction == 1.0) == (after.state is State.SUCCEEDED)
    assert after.fraction >= before.fraction or after.attempt > before.attempt
    assert after.dirty_since <= after.attempt
    check_times(before, after)
    return after


def check_times(before: Job, after: Job) -> None:
    """Time is booked once, on the state that was left; a failed job's rest counts as nothing."""
    booked = sum((j.queued_us + j.running_us + j.paused_us) * s for j, s in ((after, 1), (before, -1)))
    elapsed = 0 if after.state_since == before.state_since else NOW - before.state_since
    assert booked == (0 if before.state is State.FAILED else elapsed)


@settings(max_examples=500)
@given(jobs(leased=True), endings, families)
def test_every_stay_ends_legally(job: Job, ending: Ending, children: Children) -> None:
    transition = transitions.settle(job, ending, NOW, children)
    after = check(job, transition, children)
    assert not after.leased
    assert after.state not in (State.RUNNING, State.PAUSING)
    assert after.epoch == job.epoch
    if after.state is State.FAILED:
        assert after.error is not None
        assert children.unfinished == 0
    if after.state is State.CANCELED:
        assert job.intent is Intent.CANCEL
        assert after.dirty_since == 0
    if after.state is State.SUCCEEDED:
        assert isinstance(ending, Finished)
        assert after.result == "2"
        assert after.error is None
    if after.attempt > job.attempt:
        assert job.intent is Intent.RESTART
    check_where_it_goes(job, ending, children, after)


def check_where_it_goes(job: Job, ending: Ending, children: Children, after: Job) -> None:
    match job.state, ending:
        case State.CANCELING, Finished():
            allowed = {State.SUCCEEDED, State.FAILED, State.PENDING, State.CANCELING, State.CANCELED}
        case State.CANCELING, _ if job.intent is Intent.RESTART:
            allowed = {State.PENDING}
        case State.CANCELING, _:
            allowed = {State.CANCELING, State.CANCELED}
        case _, Finished():
            allowed = {State.PENDING} if children.unfinished else {State.SUCCEEDED, State.FAILED}
        case _, Broke():
            allowed = {State.PENDING} if children.unfinished else {State.FAILED}
        case State.PAUSING, _:
            allowed = {State.PAUSED}
        case State.RUNNING, WorkerLost() if job.losses >= 2 and not children.unfinished:
            allowed = {State.FAILED}
        case _:
            allowed = {State.PENDING}
    assert after.state in allowed


@settings(max_examples=500)
@given(st.booleans().flatmap(lambda leased: jobs(leased=leased)), st.sampled_from(Operation), st.integers(0, 2))
def test_every_operation_is_legal_and_repeats_change_nothing(job: Job, operation: Operation, unfinished: int) -> None:
    if operation is Operation.DELETE:
        return
    try:
        transition = transitions.operate(job, operation, NOW, reason="why", unfinished_children=unfinished)
    except OperationRefused:
        return
    if transition is None:
        return
    after = check(job, transition, Children(unfinished))
    assert after.leased == job.leased
    assert after.epoch == job.epoch
    assert (after.state in (State.PAUSING, State.CANCELING)) >= job.leased
    if after.state is State.CANCELED:
        assert not job.dirty_since
    assert transitions.operate(after, operation, NOW, unfinished_children=unfinished) is None


@settings(max_examples=300)
@given(jobs(leased=False), families)
def test_a_parent_ends_last(job: Job, children: Children) -> None:
    transition = transitions.family_settled(job, NOW, children)
    if transition is None:
        return
    assert not children.unfinished
    after = check(job, transition, children)
    match job.state:
        case State.CANCELING:
            assert after.state is State.CANCELED
            assert not job.dirty_since
        case State.PENDING:
            assert job.waits_for_children
            fails = job.error or (children.failed and job.on_child_failure is ChildPolicy.FAIL)
            assert after.state is (State.FAILED if fails else State.SUCCEEDED)
        case _:
            pytest.fail(f"{job.state} does not wait for children")


@given(jobs(leased=False))
def test_starting_makes_a_lease_and_an_epoch(job: Job) -> None:
    pending = replace(job, state=State.PENDING, intent=None, waits_for_children=False, fraction=0.5)
    after = check(pending, transitions.start(pending, "w2", NOW))
    assert (after.state, after.leased, after.epoch, after.worker) == (State.RUNNING, True, job.epoch + 1, "w2")
    assert after.not_before is None
    assert after.started_at == (job.started_at or NOW)


def make(state: State, *, intent: Intent | None = None, leased: bool = False, **more: object) -> Job:
    job = Job(
        id=1, project_id=1, type="import", parent_id=None, priority=5, state=state, attempt=1, epoch=1, leased=leased,
        state_since=0, queued_at=0, order_key=0, intent=intent, worker="w",
    )  # fmt: skip
    return replace(job, **more)


def test_a_job_that_broke_while_its_children_run_does_not_succeed_by_being_resumed() -> None:
    """It waits for its children only to fail; paused and resumed meanwhile, it has to run again."""
    broken = transitions.settle(make(State.RUNNING, leased=True), Broke(ERROR), 1, Children(1)).job
    assert (broken.state, broken.waits_for_children) == (State.PENDING, True)
    paused = transitions.operate(broken, Operation.PAUSE, 2)
    assert paused is not None
    resumed = transitions.operate(paused.job, Operation.RESUME, 3)
    assert resumed is not None
    assert not resumed.job.waits_for_children
    assert transitions.family_settled(resumed.job, 4, NO_CHILDREN) is None


def test_a_job_that_only_waits_for_children_still_does_after_pause_and_resume() -> None:
    waiting = transitions.settle(make(State.RUNNING, leased=True), Finished("1"), 1, Children(1)).job
    paused = transitions.operate(waiting, Operation.PAUSE, 2)
    assert paused is not None
    resumed = transitions.operate(paused.job, Operation.RESUME, 3)
    assert resumed is not None
    done = transitions.family_settled(resumed.job, 4, NO_CHILDREN)
    assert done is not None
    assert (done.job.state, done.job.result) == (State.SUCCEEDED, "1")


def test_cancel_wins_over_the_restart_before_it() -> None:
    restarting = transitions.operate(make(State.RUNNING, leased=True), Operation.RESTART, 1)
    assert restarting is not None
    canceling = transitions.operate(restarting.job, Operation.CANCEL, 2)
    assert canceling is not None
    assert canceling.job.intent is Intent.CANCEL
    assert transitions.settle(canceling.job, Halted(undone=True), 3).job.state is State.CANCELED


def test_a_result_that_is_there_survives_a_late_cancel() -> None:
    job = make(State.CANCELING, intent=Intent.CANCEL, leased=True, cause="user", reason="no")
    after = transitions.settle(job, Finished("1"), 1).job
    assert (after.state, after.result, after.cause, after.reason) == (State.SUCCEEDED, "1", None, None)


@pytest.mark.parametrize(
    ("policy", "children", "state"),
    [
        (ChildPolicy.FAIL, Children(1), State.CANCELING),
        (ChildPolicy.FAIL, Children(0, (2,)), State.CANCELED),
        (ChildPolicy.IGNORE, Children(0, (2,)), State.SUCCEEDED),
        (ChildPolicy.FAIL, Children(), State.SUCCEEDED),
    ],
)
def test_a_canceled_family_does_not_end_failed(policy: ChildPolicy, children: Children, state: State) -> None:
    """Its children were canceled with it; that they have no result must not read as its failure."""
    job = make(State.CANCELING, intent=Intent.CANCEL, leased=True, on_child_failure=policy)
    assert transitions.settle(job, Finished("1"), 1, children).job.state is state


def test_a_restart_over_leftovers_removes_them_before_it_runs() -> None:
    job = make(State.CANCELING, intent=Intent.RESTART, leased=True, dirty_since=1)
    for ending in (Halted(undone=True, trouble="locked"), Halted(), WorkerLost()):
        after = transitions.settle(job, ending, 1).job
        assert (after.state, after.attempt, after.dirty_since) == (State.PENDING, 2, 1)
    assert transitions.settle(job, Halted(undone=True), 1).job.dirty_since == 0


def test_leftovers_that_cannot_be_removed_are_told_and_do_not_keep_a_job_from_ending() -> None:
    job = make(State.CANCELING, intent=Intent.CANCEL, leased=True, dirty_since=1)
    transition = transitions.settle(job, Halted(undone=True, trouble="locked"), 1)
    assert (transition.job.state, transition.job.warnings) == (State.CANCELED, 1)
    assert transition.data["leftovers"] == "locked"


def test_workers_lost_in_a_row_fail_the_job() -> None:
    job = make(State.RUNNING, leased=True)
    for losses in (1, 2):
        job = transitions.settle(job, WorkerLost(), 1).job
        assert (job.state, job.losses) == (State.PENDING, losses)
        job = transitions.start(job, "w", 1).job
    job = transitions.settle(job, WorkerLost(), 1).job
    assert job.state is State.FAILED
    assert job.error is not None
    assert job.error.code == "worker_lost"
    resumed = transitions.operate(job, Operation.RESUME, 2)
    assert resumed is not None
    assert resumed.job.losses == 0


def test_workers_lost_while_leftovers_are_removed_end_the_job_with_a_warning() -> None:
    job = make(State.CANCELING, intent=Intent.CANCEL, leased=True, dirty_since=1)
    for _ in range(2):
        job = transitions.settle(job, WorkerLost(), 1).job
        assert (job.state, job.dirty_since) == (State.CANCELING, 1)
        job = transitions.start_undo(job, "w").job
    transition = transitions.settle(job, WorkerLost(), 1)
    assert (transition.job.state, transition.job.warnings) == (State.CANCELED, 1)
    assert "leftovers" in transition.data


@pytest.mark.parametrize(
    ("policy", "state", "warnings"),
    [
        (ChildPolicy.FAIL, State.FAILED, 0),
        (ChildPolicy.WARN, State.SUCCEEDED, 2),
        (ChildPolicy.IGNORE, State.SUCCEEDED, 0),
    ],
)
def test_the_policy_decides_what_failed_children_do(policy: ChildPolicy, state: State, warnings: int) -> None:
    job = make(State.RUNNING, leased=True, on_child_failure=policy)
    after = transitions.settle(job, Finished(), 1, Children(0, (5, 6))).job
    assert (after.state, after.warnings) == (state, warnings)
    if state is State.FAILED:
        assert after.error is not None
        assert "5, 6" in after.error.message


def test_durations_of_a_whole_life_add_up() -> None:
    job = make(State.PENDING, epoch=0)
    job = transitions.start(job, "w", 10).job
    pausing = transitions.operate(job, Operation.PAUSE, 30, resume_at=99)
    assert pausing is not None
    job = transitions.settle(pausing.job, Halted(), 35).job
    assert (job.state, job.resume_at) == (State.PAUSED, 99)
    resumed = transitions.operate(job, Operation.RESUME, 135)
    assert resumed is not None
    job = transitions.start(resumed.job, "w", 136).job
    job = transitions.settle(job, Finished(), 150).job
    assert (job.queued_us, job.running_us, job.paused_us) == (11, 39, 100)
    assert job.ended_at == 150


def test_a_clock_that_went_back_books_nothing() -> None:
    job = transitions.start(make(State.PENDING, state_since=50), "w", 10).job
    assert job.queued_us == 0
