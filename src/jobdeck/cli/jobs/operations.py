"""`jobdeck bulk …`: operations on many jobs, found again: followed, stopped, accounted for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from jobdeck.cli.arguments.more import More, print_list
from jobdeck.cli.arguments.options import Common, asking, noun
from jobdeck.cli.exits import DETACHED, DONE, REFUSED, say
from jobdeck.cli.jobs.bulk import answer, follow, summary, tell_groups
from jobdeck.cli.show import text
from jobdeck.cli.show.colours import of_state
from jobdeck.cli.show.output import print_one
from jobdeck.cli.show.table import TableColumn, print_facts
from jobdeck.core.life import family
from jobdeck.core.life.bulk import BulkState

if TYPE_CHECKING:
    from jobdeck.wire.bulk import Bulk, BulkItem

COMMANDS = {"bulk": ("Work with jobs", "Operations on many jobs: list, follow and stop them.")}
EXAMPLES = """
jobdeck bulk list
jobdeck bulk watch 3
jobdeck bulk list --everyone
jobdeck bulk show 3
jobdeck bulk items 3 --outcome skipped
jobdeck bulk stop 3
"""

app = noun(COMMANDS)

Id = Annotated[int, Parameter(name="ID", help="Of the operation, as `bulk list` shows it.")]
Outcome = Literal["waiting", "done", "skipped", "failed", "untouched"]

COLUMNS: list[TableColumn[Bulk]] = [
    TableColumn("ID", lambda b: b.id, right=True),
    TableColumn("STATE", lambda b: b.state, style=lambda b: of_state(b.state)),
    TableColumn("OPERATION", lambda b: b.operation),
    TableColumn("JOBS", lambda b: text.number(b.total), right=True),
    TableColumn("DONE", lambda b: text.number(b.done), right=True),
    TableColumn("SKIPPED", lambda b: text.number(b.skipped), drop=2, right=True),
    TableColumn("FAILED", lambda b: text.number(b.failed), drop=3, right=True),
    TableColumn("LEFT", lambda b: text.number(b.left), drop=4, right=True),
    TableColumn("BY", lambda b: b.created_by, drop=5, least=6),
    TableColumn("CREATED", lambda b: b.created_at, drop=1),
]
ITEM_COLUMNS: list[TableColumn[BulkItem]] = [
    TableColumn("JOB", lambda i: i.job, right=True),
    TableColumn("OUTCOME", lambda i: i.outcome, style=lambda i: of_state(i.outcome)),
    TableColumn("WHY", lambda i: i.text, least=12),
]


@app.command(name="list")
def list_(
    *,
    everyone: Annotated[bool, Parameter(help="Those of everybody; for administrators.", negative=())] = False,
    limit: Annotated[int | None, Parameter(help="Operations to show. [default: 50 in a table, else all]")] = None,
    common: Common | None = None,
) -> None:
    """List operations on many jobs, newest first."""
    with asking(common) as (client, given):
        found = client.bulk.list(everyone=everyone)
        print_list(
            given.output,
            found,
            COLUMNS,
            lambda b: b.id,
            More(limit),
            "There are no operations on many jobs. `jobdeck jobs cancel --state …` begins one.",
        )


@app.command
def show(id: Id, /, *, common: Common | None = None) -> None:
    """Show one: what was asked, how far it is, why jobs were left out."""
    with asking(common) as (client, given):
        print_one(given.output, client.bulk.get(id), _show, lambda b: b.id)


@app.command
def items(
    id: Id,
    /,
    *,
    outcome: Annotated[Outcome | None, Parameter(help="Only those of which this became.")] = None,
    limit: Annotated[int | None, Parameter(help="Jobs to show. [default: 100 in a table, else all]")] = None,
    common: Common | None = None,
) -> None:
    """List the jobs of one, and what became of each."""
    with asking(common) as (client, given):
        found = client.bulk.items(id, outcome)
        print_list(given.output, found, ITEM_COLUMNS, lambda i: i.job, More(limit, 100), "It has no jobs of this kind.")


@app.command
def watch(id: Id, /, *, common: Common | None = None) -> int:
    """Follow one until it has ended, and give its account. Ctrl-C leaves it running."""
    with asking(common) as (client, given):
        bulk = client.bulk.get(id)
        try:
            ended = follow(client, bulk) if bulk.state == BulkState.RUNNING else bulk
        except KeyboardInterrupt:
            say(f"\nThe operation {id} goes on. Watch it again with: jobdeck bulk watch {id}")
            return DETACHED
        answer(client, ended, given)
    return REFUSED if ended.skipped or ended.failed or ended.left else DONE


@app.command
def stop(id: Id, /, *, common: Common | None = None) -> None:
    """Touch no more jobs; what was done stays done."""
    with asking(common) as (client, given):
        answer(client, client.bulk.stop(id), given)


def selected(selection: dict[str, Any]) -> str:
    """The filter as people read it; of jobs that were named, how many."""
    found = selection.get("filter")
    if found is None:
        return f"{selection.get('ids', 'some')} ids"
    parts = [f"{name} {_values(value)}" for name, value in found.items()]
    return "; ".join(parts) or "all jobs"


def _values(value: object) -> str:
    return ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)


def _show(bulk: Bulk) -> None:
    print(f"Operation {bulk.id} ({bulk.state}): {summary(bulk)}")
    print_facts(
        [
            ("operation", bulk.operation),
            ("reason", bulk.reason),
            ("selection", selected(bulk.selection)),
            ("by", bulk.created_by),
            ("created", bulk.created_at),
            ("started", bulk.started_at),
            ("ended", bulk.ended_at),
            ("jobs", text.number(bulk.total)),
            ("allowed it", text.number(bulk.allowed)),
            ("children", family.words(bulk.children) if bulk.children else None),
        ]
    )
    tell_groups(bulk.account or bulk.refused)
