"""The words and figures of a job's page, made from values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobdeck.core.amounts import number
from jobdeck.core.life.states import State, StepState
from jobdeck.services.jobs.details import STALLED_AFTER, JobExtras
from jobdeck.web.pages.job.events.sentences import SYMBOLS, sentence
from jobdeck.web.pages.job.steps.timeline import MOST_LANES, Scale, draw
from jobdeck.web.pages.job.why import KnownOfJob, linked, pieces_of, who_asked, whys
from jobdeck.wire.events import Event
from jobdeck.wire.jobs import Job, WaitReason
from jobdeck.wire.timeline import SpanView, StepBar, TaskBar, TaskOverview, Timeline
from tests.architecture.tree import ROOT

START = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "jobs", "links"),
    [
        ("It needs x for itself, and job 41 holds it.", [41], [41]),
        ("3 of 3 of x are in use, and it needs 1: jobs 3, 4, 5 and 2 more hold it.", [2, 3, 4, 5, 9], [3, 4, 5]),
        ("It waits for job 7, 8 and 9 to end.", [7, 8, 9], [7, 8, 9]),
        ("x is held exclusively by job 12.", [], []),
        ("It can run and waits for its turn. It is number 4 in the queue.", [4], []),
    ],
)
def test_named_jobs_are_links_and_other_numbers_are_not(text: str, jobs: list[int], links: list[int]) -> None:
    pieces = list(linked(text, jobs))
    assert "".join(piece.text for piece in pieces) == text
    assert [piece.job for piece in pieces if piece.job] == links


def waiting(text: str, **more: Any) -> str:
    """What a waiting job's page says; `<…>` is a time."""
    pieces = pieces_of(WaitReason(reason=more.pop("reason", "claim"), text=text, **more))
    return "".join("<…>" if piece.at else piece.text for piece in pieces)


def test_between_two_tries_it_says_what_failed_and_which_try_comes_when() -> None:
    told = "Step 'load' failed: OSError: gone. Try 2 of 4 comes then."
    assert waiting(told, reason="not_before", until=START) == "Step 'load' failed: OSError: gone. Try 2 of 4 comes <…>."
    later = waiting("It is not to start before its time.", reason="not_before", until=START)
    assert later == "It was asked to start later: <…>."


def test_a_waiting_job_says_its_place_in_the_line() -> None:
    needs = "It needs x for itself, and job 41 holds it."
    assert waiting(needs, holders=[41], number=1) == f"{needs} It is next in line."
    assert waiting(needs, holders=[41], number=1200) == f"{needs} It is number {number(1200)} in line."
    assert waiting(needs, holders=[41]) == needs
    turn = "It can run and waits for its turn. It is number 4 in the queue."
    assert waiting(turn, reason="turn", number=4) == turn


def known(quiet: float | None) -> KnownOfJob:
    return KnownOfJob(sides(quiet), None, {}, lambda _: False)


def sides(quiet: float | None) -> JobExtras:
    return JobExtras(
        token=None, configuration=None, configuration_version=None, host=None, on_child_failure="fail",
        not_before=None, resume_at=None, state_since=START, quiet_seconds=quiet, losses=0, restarting=False,
        has_children=False, now=START,
    )  # fmt: skip


def test_a_job_without_progress_stalls() -> None:
    job = Job(id=1, project="p", type="sleep", state=State.RUNNING, created_at=START)
    assert not whys(job, known(STALLED_AFTER - 1))
    (stall,) = whys(job, known(STALLED_AFTER + 60))
    assert stall.title == "It stalls"
    assert "no progress for 6 min 00 s" in stall.pieces[0].text


def test_who_asked_is_told_where_a_worker_carried_it_out() -> None:
    def event(kind: str, actor: str | None) -> Event:
        return Event(id=1, at=START, kind=kind, actor=actor)

    asked, done = event("canceling", "ada"), event("canceled", None)
    assert who_asked([done, asked]) is asked
    assert who_asked([event("canceled", "ben"), asked]) is not asked
    assert who_asked([done, event("paused", "ada")]) is done
    assert who_asked([]) is None


def test_every_kind_of_event_about_a_job_has_words_and_a_symbol() -> None:
    text = (ROOT / "docs" / "events.md").read_text().partition("## Around the jobs")[0]
    kinds = {
        word.strip("`") for row in text.splitlines() if row.startswith("| `") for word in row.split("|")[1].split(", ")
    }
    kinds = {kind.strip(" `") for kind in kinds}
    assert len(kinds) > 20
    assert kinds <= SYMBOLS.keys()
    for kind in kinds - {"deleted"}:
        said = sentence(Event(id=1, at=START, kind=kind, data={"step": 0, "task": 1, "code": "bad"}), {0: "load"})
        assert said != kind
        assert "_" not in said.replace("bad_row", "")


def test_a_task_shows_the_time_in_which_it_waited_and_was_paused() -> None:
    """A bar drawn through a pause would say that the task had worked on."""
    tasks = [
        TaskBar(index=0, state=StepState.SUCCEEDED, lane=0, start=at(10), end=at(50), seconds=40),
        TaskBar(index=1, state=StepState.SUCCEEDED, lane=1, start=at(45), end=at(50), seconds=5, host="h:1"),
    ]
    spans = [
        SpanView(kind="running", start=at(10), end=at(20)),
        SpanView(kind="paused", start=at(20), end=at(35)),
        SpanView(kind="waiting", start=at(35), end=at(40)),
        SpanView(kind="running", start=at(40), end=at(50)),
    ]
    step = StepBar(
        index=0, name="load", state=StepState.SUCCEEDED, start=at(10), end=at(50), spans=spans,
        tasks=TaskOverview(count=2, counts={StepState.SUCCEEDED: 2}, lanes=2, items=tasks),
    )  # fmt: skip
    drawing = draw(
        Timeline(job=1, state=State.SUCCEEDED, attempt=1, now=at(60), start=at(10), spans=spans, steps=[step])
    )
    _, load = drawing.rows
    assert [mark.kind for mark in load.marks] == ["succeeded", "paused", "waiting", "succeeded"]
    assert "15 s of it paused, 5.0 s of it waiting" in load.text
    first = [mark for mark in load.tasks if mark.y == 0]
    assert [mark.kind for mark in first] == ["succeeded", "paused", "waiting"]
    assert [mark.title for mark in first] == [
        "Task 0: succeeded, 40 s, 15 s of it paused, 5.0 s of it waiting",
        "Task 0: paused, 15 s", "Task 0: waiting, 5.0 s",
    ]  # fmt: skip
    assert first[1].x == load.marks[1].x
    second = [mark.title for mark in load.tasks if mark.y]
    assert second == ["Task 1: succeeded, 5.0 s, after 35 s on h:1"]


def test_long_waits_are_drawn_short() -> None:
    scale = Scale(at(0), at(10_100), [(at(10_000), at(10_100))])
    assert scale.at(at(0)) == 0
    assert 5 < scale.at(at(10_000)) < 15
    assert scale.at(at(10_100)) == 100
    assert len(scale.folds) == 1


def test_time_without_any_work_keeps_its_proportions() -> None:
    scale = Scale(at(0), at(100), [])
    assert scale.at(at(25)) == 25
    assert not scale.folds


def test_drawing_stays_inside_and_packs_lanes() -> None:
    tasks = [
        TaskBar(index=i, state=StepState.SUCCEEDED, lane=i, start=at(10), end=at(20), seconds=10) for i in range(90)
    ]
    step = StepBar(
        index=0, name="load", state=StepState.SUCCEEDED, start=at(10), end=at(20),
        spans=[SpanView(kind="running", start=at(10), end=at(20))],
        tasks=TaskOverview(count=90, counts={StepState.SUCCEEDED: 90}, lanes=90, items=tasks),
    )  # fmt: skip
    spans = [
        SpanView(kind="waiting", start=at(0), end=at(10)),
        SpanView(kind="running", start=at(10), end=at(20)),
        SpanView(kind="failed", start=at(20)),
    ]
    drawing = draw(
        Timeline(job=1, state=State.FAILED, attempt=1, now=at(90_000), start=at(0), spans=spans, steps=[step])
    )
    assert drawing.end == at(20)  # a failure that lasts is no work
    _, load = drawing.rows
    assert load.tasks_height <= MOST_LANES * 9
    for mark in (*load.marks, *load.tasks):
        assert float(mark.x.rstrip("%")) + float(mark.width.rstrip("%")) <= 100.2
    assert "90 succeeded" in load.text
