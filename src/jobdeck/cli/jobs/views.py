"""Looking at jobs: lists, one job, its steps, events, logs and lineage."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, TypeVar

from cyclopts import Parameter

from jobdeck.cli.arguments.ids import Ids, numbers
from jobdeck.cli.arguments.more import More, tell_more
from jobdeck.cli.arguments.options import STDIN, Common, asking
from jobdeck.cli.exits import UsageError, say
from jobdeck.cli.jobs.filters import Which
from jobdeck.cli.jobs.named_steps import require_step
from jobdeck.cli.jobs.show import print_job
from jobdeck.cli.show import text
from jobdeck.cli.show.colours import ERROR, of_state
from jobdeck.cli.show.output import print_all, print_ids, print_json, print_one, print_page, print_value
from jobdeck.cli.show.reasons import why
from jobdeck.cli.show.table import TableColumn, print_table
from jobdeck.cli.show.terminal import is_terminal
from jobdeck.core.output.nearest import closest

if TYPE_CHECKING:
    from pydantic import BaseModel

    from jobdeck.client import Client
    from jobdeck.client.jobs import Filters, JobsResource
    from jobdeck.wire.base import Page
    from jobdeck.wire.events import Event
    from jobdeck.wire.jobs import Attempt, Job, TouchedObject
    from jobdeck.wire.steps import LogLine, Step

M = TypeVar("M", bound="BaseModel")
NO_JOBS = "No job matches. `jobdeck jobs list` without filters shows all, `jobdeck run TYPE` submits one."
OfAttempt = Annotated[int | None, Parameter(help="Of this attempt; the current one when not given.")]

JOB_COLUMNS: list[TableColumn[Job]] = [
    TableColumn("ID", lambda j: j.id, right=True),
    TableColumn("STATE", text.state, style=lambda j: of_state(j.state)),
    TableColumn("TYPE", lambda j: j.type, least=6),
    TableColumn("SUBJECT", lambda j: j.subject or j.description, drop=2, least=12),
    TableColumn("PROJECT", lambda j: j.project, drop=6, least=7),
    TableColumn("DONE", lambda j: text.percent(j.progress.fraction), drop=3, right=True),
    TableColumn("BY", lambda j: j.created_by, drop=7, least=6),
    TableColumn("CREATED", lambda j: j.created_at, drop=4),
    TableColumn("RAN", lambda j: text.duration(j.running_seconds) if j.started_at else "", drop=5, right=True),
    TableColumn("WHY", why, drop=1, least=24, style=lambda j: ERROR if j.error else ""),
]

ATTEMPT_COLUMNS: list[TableColumn[Attempt]] = [
    TableColumn("ATTEMPT", lambda a: a.attempt, right=True),
    TableColumn("STATE", lambda a: a.state, style=lambda a: of_state(a.state)),
    TableColumn("STARTED", lambda a: a.started_at),
    TableColumn("ENDED", lambda a: a.ended_at, drop=2),
    TableColumn("ERROR", lambda a: a.error.message if a.error else a.cause, drop=1, least=10),
]
STEP_COLUMNS: list[TableColumn[Step]] = [
    TableColumn("INDEX", lambda s: s.index, right=True),
    TableColumn("STEP", lambda s: s.name, least=8),
    TableColumn("STATE", lambda s: s.state, style=lambda s: of_state(s.state)),
    TableColumn("DONE", lambda s: text.percent(s.progress.fraction), right=True),
    TableColumn("AMOUNT", lambda s: text.amount(s.progress), drop=2, right=True),
    TableColumn("RATE", lambda s: text.rate(s.progress), drop=3, right=True),
    TableColumn("TASKS", lambda s: s.task_count or len(s.tasks), drop=4, right=True),
    TableColumn("STARTED", lambda s: s.started_at, drop=5),
    TableColumn("ENDED", lambda s: s.ended_at, drop=6),
    TableColumn("ERROR", lambda s: s.error.message if s.error else "", drop=1, least=24, style=lambda _s: ERROR),
]

EVENT_COLUMNS: list[TableColumn[Event]] = [
    TableColumn("AT", lambda e: text.moment(e.at)),
    TableColumn("KIND", lambda e: e.kind, least=10),
    TableColumn("STATE", lambda e: e.data.get("state", ""), drop=2, style=lambda e: of_state(e.data.get("state", ""))),
    TableColumn("BY", lambda e: e.actor, drop=3, least=6),
    TableColumn("MORE", lambda e: text.told(e.data), drop=1, least=10),
]

TOUCHED_COLUMNS: list[TableColumn[TouchedObject]] = [
    TableColumn("OBJECT", lambda t: text.line(t.shown), least=12),
    TableColumn("VERSION", lambda t: t.version, drop=1),
    TableColumn("ROWS", lambda t: text.number(t.rows), drop=2, right=True),
    TableColumn("SIZE", lambda t: text.size(t.bytes), drop=3, right=True),
]


def list_(
    *,
    which: Which | None = None,
    sort: Annotated[
        str | None, Parameter(help="Field to sort by, with - in front for descending.", allow_leading_hyphen=True)
    ] = None,
    limit: Annotated[int | None, Parameter(help="Jobs to show. [default: 50 in a table, else all]")] = None,
    cursor: Annotated[str | None, Parameter(help="Go on where an earlier page ended (its `next`).")] = None,
    all: Annotated[bool, Parameter(help="All that match, however many.", negative=())] = False,
    common: Common | None = None,
) -> None:
    """List jobs, newest first. With -o ids and -o json all that match, unless --limit is given."""
    common = common or Common()
    filters = (which or Which()).filters(common.chosen_project)
    filters["sort"] = sort
    most = None if all else More(limit).of(common.output)
    with common.client() as client:
        if most is None:
            jobs = client.jobs.list(cursor=cursor, **filters)
            print_all(common.output, jobs, JOB_COLUMNS, lambda j: j.id, NO_JOBS)
            return
        page = _filled(client, filters, most, cursor)
        none = NO_JOBS if page.items or common.output != "table" else _none(client, filters)
    print_page(common.output, page, JOB_COLUMNS, lambda j: j.id, none)
    tell_more(page, common.output)


def _none(client: Client, filters: Filters) -> str:
    """What is told where no job matches: that there are none at all, or which type was probably meant."""
    if not any(filters.values()):
        return "There are no jobs yet. `jobdeck run TYPE` submits one, `jobdeck types list` shows what there is."
    wanted = filters.get("type") or []
    known = [info.name for info in client.types.list()] if wanted else []
    slips = [(name, closest(name, known)) for name in wanted if name not in known]
    asked = [f"No job type is called '{name}'; did you mean '{near}'?" for name, near in slips if near]
    return " ".join([*asked, NO_JOBS])


def _filled(client: Client, filters: Filters, limit: int, cursor: str | None) -> Page[Job]:
    """A page of `limit` jobs: what comes piece by piece is put together."""
    from jobdeck.client.http.resource import MAX_PAGE

    page = client.jobs.page(**filters, limit=min(limit, MAX_PAGE), cursor=cursor)
    while page.next is not None and len(page.items) < limit:
        more = client.jobs.page(**filters, limit=min(limit - len(page.items), MAX_PAGE), cursor=page.next)
        page = page.model_copy(update={"items": [*page.items, *more.items], "next": more.next})
    return page


def counts(*, which: Which | None = None, common: Common | None = None) -> None:
    """Count jobs by state."""
    with asking(common) as (client, given):
        found = client.jobs.counts(**(which or Which()).filters(given.chosen_project))
    if given.output == "json":
        print_value(found)
        return
    columns: list[TableColumn[tuple[str, int]]] = [
        TableColumn("STATE", lambda c: c[0], style=lambda c: of_state(c[0])),
        TableColumn("JOBS", lambda c: c[1], right=True),
    ]
    print_table(found.items(), columns)


def show(
    *ids: Ids,
    full: Annotated[bool, Parameter(negative="", help="Cut no long error.")] = False,
    common: Common | None = None,
) -> None:
    """Show jobs: state, progress, why they wait or failed, what can be done with them."""
    with asking(common) as (client, given):
        for id_ in numbers(ids):
            found = client.jobs.get(id_)
            print_one(given.output, found, lambda job: print_job(job, client, whole=full), lambda j: j.id)


def steps(*ids: Ids, attempt: OfAttempt = None, common: Common | None = None) -> None:
    """Show the steps of jobs, with their progress."""
    none = "Job {id} has no steps yet."
    _of_each(ids, common, lambda jobs, id_: jobs.steps(id_, attempt), STEP_COLUMNS, lambda s: s.name, none)


def attempts(*ids: Ids, common: Common | None = None) -> None:
    """Show the attempts of jobs: each restart begins a new one."""
    none = "Job {id} has not been started yet."
    _of_each(ids, common, lambda jobs, id_: jobs.attempts(id_), ATTEMPT_COLUMNS, lambda a: a.attempt, none)


def events(*ids: Ids, common: Common | None = None) -> None:
    """Show what happened to jobs, oldest first."""
    none = "Nothing is recorded of job {id}."
    _of_each(ids, common, lambda jobs, id_: jobs.events(id_), EVENT_COLUMNS, lambda e: e.id, none)


def _of_each(
    ids: tuple[str, ...],
    common: Common | None,
    found: Callable[[JobsResource, int], Iterable[M]],
    columns: Sequence[TableColumn[M]],
    id_of: Callable[[M], object],
    none: str,
) -> None:
    """What is found of each job, one list after another; `none` is told of a job with nothing."""
    with asking(common) as (client, given):
        for id_ in numbers(ids):
            print_all(given.output, found(client.jobs, id_), columns, id_of, none.format(id=id_))


def logs(
    *ids: Ids,
    follow: Annotated[
        bool, Parameter(name=["--follow", "-f"], help="Go on until the job has ended.", negative=())
    ] = False,
    tail: Annotated[int | None, Parameter(help="Begin with the last so many lines.")] = None,
    q: Annotated[str | None, Parameter(name=["--q", "--search"], help="Only lines with this text.")] = None,
    level: Annotated[
        list[str] | None,
        Parameter(
            help="Only lines of this level: debug, info, warning, error, stdout, stderr; may be repeated.",
            negative_iterable=(),
        ),
    ] = None,
    step: Annotated[str | None, Parameter(help="Only lines of this step.")] = None,
    task: Annotated[int | None, Parameter(help="Only lines of this task of each step.")] = None,
    attempt: OfAttempt = None,
    download: Annotated[
        str | None,
        Parameter(
            help="Write the whole log as text to this path instead, or - to standard output.", allow_leading_hyphen=True
        ),
    ] = None,
    common: Common | None = None,
) -> None:
    """Print the log of jobs. With -o json: one object per line."""
    common = common or Common()
    if download is not None:
        _download(common, numbers(ids), download, attempt)
        return
    with common.client() as client:
        for id_ in numbers(ids):
            lines = client.jobs.logs(
                id_, follow=follow, attempt=attempt, tail=tail, q=q, level=level, step=step, task=task
            )
            if not _print_log(common, lines, at_once=follow or is_terminal()):
                if step is not None:
                    require_step(client, id_, step, attempt)
                narrowed = bool(q or level or step or task is not None)
                say(f"Job {id_} has logged nothing{' of this kind' if narrowed else ''} so far.")


def _download(common: Common, ids: list[int], to: str, attempt: int | None) -> None:
    if len(ids) > 1 and to != STDIN:
        raise UsageError("Several logs do not fit into one file.", "Name one job, or - for standard output.")
    with common.client() as client:
        for id_ in ids:
            if to == STDIN:
                for piece in client.jobs.read_log(id_, attempt=attempt):
                    sys.stdout.buffer.write(piece)
                continue
            try:
                client.jobs.download_log(id_, to, attempt=attempt)
            except OSError as error:
                raise UsageError(f"'{to}' cannot be written: {error.strerror or error}.") from error
            say(f"Wrote {to}.")


def lineage(*ids: Ids, common: Common | None = None) -> None:
    """Show what jobs read and wrote, and which jobs that links them to."""
    with asking(common) as (client, given):
        for id_ in numbers(ids):
            found = client.jobs.lineage(id_)
            if given.output == "json":
                print_json(found)
            elif given.output == "ids":
                print_ids([*found.upstream, *found.downstream])
            else:
                _print_lineage(id_, found.inputs, found.outputs, found.upstream, found.downstream)


def _print_lineage(
    job: int, inputs: list[TouchedObject], outputs: list[TouchedObject], upstream: list[int], downstream: list[int]
) -> None:
    for title, objects, jobs in (("read", inputs, upstream), ("wrote", outputs, downstream)):
        print(f"Job {job} {title}:" if objects else f"Job {job} {title} nothing.")
        if objects:
            print_table(objects, TOUCHED_COLUMNS)
        if jobs:
            verb = "written by" if title == "read" else "read by"
            print(f"{verb} job {', '.join(str(j) for j in jobs)}")


def _print_log(common: Common, lines: Iterator[LogLine], *, at_once: bool) -> int:
    """How many lines there were; each is seen `at_once`, or many of them together, which takes less time."""
    count = 0
    for item in lines:
        count += 1
        if common.output == "json":
            print(item.model_dump_json(exclude_unset=True), flush=at_once)
        else:
            print(f"{text.clock(item.at)} {_place(item)}{text.plain(item.text)}", flush=at_once)
    return count


def _place(item: LogLine) -> str:
    level = "" if item.level in ("info", "stdout") else f"{item.level.upper()} "
    task = f"[{item.task}]" if item.task is not None else ""
    return f"{level}{item.step}{task}: " if item.step else level
