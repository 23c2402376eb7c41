"""`jobdeck limits`: how much may be in use at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from jobdeck.cli.arguments.options import Common, asking, noun
from jobdeck.cli.exits import say
from jobdeck.cli.show.output import print_all, print_one
from jobdeck.cli.show.table import TableColumn

if TYPE_CHECKING:
    from jobdeck.wire.admin import Limit

COMMANDS = {"limits": ("Administration", "List, set and clear limits of a project, or of all together.")}
EXAMPLES = """
jobdeck limits list
jobdeck limits set type:import 2
jobdeck limits list --instance
jobdeck limits set instance 50 --instance
jobdeck limits clear type:import
"""

app = noun(COMMANDS)

Instance = Annotated[bool, Parameter(help="Of all projects together, not of one.", negative=())]

COLUMNS: list[TableColumn[Limit]] = [
    TableColumn("RESOURCE", lambda x: x.resource, least=16, last=True),
    TableColumn("CAPACITY", lambda x: "no limit" if x.capacity is None else x.capacity, right=True),
    TableColumn("USED", lambda x: x.used, right=True),
    TableColumn("HELD BY JOBS", lambda x: x.holders, drop=1, least=8),
]


@app.command(name="list")
def list_(*, instance: Instance = False, common: Common | None = None) -> None:
    """List limits: capacity, what is in use, and by which jobs."""
    with asking(common) as (client, given):
        found = client.limits.list(project=given.project_or_default, instance=instance)
    print_all(
        given.output,
        found,
        COLUMNS,
        lambda x: x.resource,
        "No limit is set. `jobdeck limits set type:NAME 2` sets one.",
    )


@app.command(name="set")
def set_(
    resource: Annotated[
        str,
        Parameter(help="project, type:NAME, object:REF, children:ID, …; with --instance: instance, type:NAME."),
    ],
    capacity: Annotated[int, Parameter(help="Units that may be in use at a time.")],
    /,
    *,
    instance: Instance = False,
    as_written: Annotated[bool, Parameter(help="The name is right, though it looks like a slip.", negative=())] = False,
    common: Common | None = None,
) -> None:
    """Set a limit."""
    with asking(common) as (client, given):
        made = client.limits.set(
            resource, capacity, project=given.project_or_default, instance=instance, as_written=as_written
        )
    print_one(
        given.output, made, lambda x: print(f"{x.resource}: {x.used} of {x.capacity} in use."), lambda x: x.resource
    )
    if capacity == 0:
        more = " --instance" if instance else f" --project {given.project}" if given.project else ""
        say(f"0 starts no more jobs that need it. Let them go on with: jobdeck limits clear {resource}{more}")


@app.command(name="clear")
def clear(
    resource: Annotated[str, Parameter(help="As in `limits list`.")],
    /,
    *,
    instance: Instance = False,
    common: Common | None = None,
) -> None:
    """Remove a limit; the default holds again."""
    with asking(common) as (client, given):
        client.limits.clear(resource, project=given.project_or_default, instance=instance)
    say(f"The limit of {resource} is cleared.")
