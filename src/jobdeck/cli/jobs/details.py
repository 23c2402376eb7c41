"""Looking closely at one job: the tasks of a step, when what happened, how it differs from another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from jobdeck.cli.arguments.completing import job_ids
from jobdeck.cli.arguments.ids import numbers
from jobdeck.cli.arguments.options import Common
from jobdeck.cli.jobs.named_steps import step_index
from jobdeck.cli.jobs.plan import CHANGE_COLUMNS, whose
from jobdeck.cli.show import text
from jobdeck.cli.show.colours import ERROR, of_state
from jobdeck.cli.show.output import print_all, print_parts
from jobdeck.cli.show.table import TableColumn, print_table

if TYPE_CHECKING:
    from jobdeck.wire.plans import JobClaim, JobDiff
    from jobdeck.wire.steps import Task
    from jobdeck.wire.timeline import StepBar, Timeline

Id = Annotated[str, Parameter(name="ID", help="Job id.", completer=job_ids)]
Attempt = Annotated[int | None, Parameter(help="Of this attempt; the current one when not given.")]

TASK_COLUMNS: list[TableColumn[Task]] = [
    TableColumn("TASK", lambda t: t.index, right=True),
    TableColumn("KEY", lambda t: t.key, least=8),
    TableColumn("STATE", lambda t: t.state, style=lambda t: of_state(t.state)),
    TableColumn("TOOK", lambda t: _took(t.started_at, t.ended_at), drop=2, right=True),
    TableColumn("ROWS", lambda t: text.number(t.rows), drop=4, right=True),
    TableColumn("SIZE", lambda t: text.size(t.bytes), drop=5, right=True),
    TableColumn("STARTS", lambda t: t.attempts, drop=6, right=True),
    TableColumn("HOST", lambda t: t.host, drop=3, least=8),
    TableColumn("ERROR", lambda t: t.error.message if t.error else "", drop=1, least=24, style=lambda _t: ERROR),
]


CLAIM_COLUMNS: list[TableColumn[JobClaim]] = [
    TableColumn("RESOURCE", lambda c: c.resource, least=12),
    TableColumn("OF", whose, drop=1),
    TableColumn("HOW", lambda c: "held" if c.held else "free" if c.free else "in the way"),
    TableColumn("MODE", lambda c: c.mode, drop=2),
    TableColumn("UNITS", lambda c: c.units, drop=3, right=True),
    TableColumn(
        "IN USE", lambda c: f"{c.used} of {c.capacity}" if c.capacity is not None else c.used, drop=4, right=True
    ),
    TableColumn("HELD BY", lambda c: ", ".join(map(str, c.holders)), drop=1, least=8),
]


@dataclass(frozen=True)
class _Line:
    """One line of a timeline."""

    at: datetime | None
    to: datetime | None
    what: str
    how: str
    more: str = ""


LINE_COLUMNS: list[TableColumn[_Line]] = [
    TableColumn("FROM", lambda e: text.moment(e.at)),
    TableColumn("TO", lambda e: text.moment(e.to) or "now", drop=2),
    TableColumn("FOR", lambda e: _took(e.at, e.to), right=True),
    TableColumn("WHAT", lambda e: e.what, least=8),
    TableColumn("HOW", lambda e: e.how),
    TableColumn("MORE", lambda e: e.more, drop=1, least=10),
]


def tasks(
    id: Id,
    step: Annotated[
        str, Parameter(name="STEP", help="The step, by its name or its index from 0, as `job steps` shows them.")
    ],
    /,
    *,
    state: Annotated[
        list[str] | None, Parameter(help="Only in this state; may be repeated.", negative_iterable=())
    ] = None,
    slowest: Annotated[bool, Parameter(help="Those that took longest first.", negative=())] = False,
    attempt: Attempt = None,
    common: Common | None = None,
) -> None:
    """Show the tasks of a step."""
    common = common or Common()
    (number,) = numbers((id,))
    with common.client() as client:
        index = step_index(client, number, step, attempt)
        found = client.jobs.tasks(number, index, state=state, slowest_first=slowest, attempt=attempt)
        print_all(
            common.output, found, TASK_COLUMNS, lambda t: t.index, f"Job {number} has no such tasks in step {step}."
        )


def claims(id: Id, /, *, common: Common | None = None) -> None:
    """Show what a job holds or wants, and which jobs are in its way."""
    common = common or Common()
    (number,) = numbers((id,))
    with common.client() as client:
        print_all(
            common.output,
            client.jobs.claims(number),
            CLAIM_COLUMNS,
            lambda c: c.resource,
            f"Job {number} claims nothing.",
        )


def timeline(id: Id, /, *, attempt: Attempt = None, common: Common | None = None) -> None:
    """Show what a job did when: the job, then the steps of an attempt."""
    common = common or Common()
    (number,) = numbers((id,))
    with common.client() as client:
        found = client.jobs.timeline(number, attempt)
    print_parts(
        common.output, found, lambda it: print_table(_lines(it), LINE_COLUMNS), (step.index for step in found.steps)
    )


def _lines(found: Timeline) -> Iterator[_Line]:
    for span in found.spans:
        attempt = f"attempt {span.attempt}" if span.attempt > 1 else ""
        yield _Line(span.start, span.end, f"job {found.job}", span.kind, attempt)
    for step in found.steps:
        yield _Line(step.start, step.end, f"step {step.name}", str(step.state), _tasks(step))


def _tasks(step: StepBar) -> str:
    states = ", ".join(f"{text.number(count)} {state}" for state, count in step.tasks.counts.items())
    return f"tasks: {states}" if states else ""


def diff(
    id: Id,
    /,
    *,
    with_: Annotated[
        int | None, Parameter(name="--with", help="The other job. [default: the one it runs again]")
    ] = None,
    common: Common | None = None,
) -> None:
    """Compare the parameters of two jobs: from the other one's to this one's."""
    common = common or Common()
    (number,) = numbers((id,))
    with common.client() as client:
        found = client.jobs.diff(number, with_)
    print_parts(common.output, found, _show, (change.path for change in found.changes))


def _show(found: JobDiff) -> None:
    if found.same:
        print(f"Job {found.job} has the parameters of job {found.other}.")
        return
    print(f"From job {found.other} to job {found.job}:")
    print_table(found.changes, CHANGE_COLUMNS)


def _took(start: datetime | None, end: datetime | None) -> str:
    if start is None:
        return ""
    return text.duration(((end or datetime.now(start.tzinfo)) - start).total_seconds())
