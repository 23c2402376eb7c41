"""`jobdeck limits …` and `jobdeck pauses …`: what holds jobs back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from jobdeck.cli.arguments.options import Common, noun
from jobdeck.cli.exits import say
from jobdeck.cli.show.output import print_all, print_one
from jobdeck.cli.show.table import Column

if TYPE_CHECKING:
    from jobdeck.wire.admin import Limit
    from jobdeck.wire.pauses import PausedScope

limits = noun("limits", "List, set and clear limits of a project, or with --instance of all together.")
pauses = noun("pauses", "List, set and clear paused scopes, in which no jobs are started.")

Instance = Annotated[bool, Parameter(help="Of all projects together, not of one.", negative=())]
Scope = Annotated[str, Parameter(name="SCOPE", help="instance, project:NAME or type:NAME.")]

LIMIT_COLUMNS: list[Column[Limit]] = [
    Column("RESOURCE", lambda x: x.resource, least=16, last=True),
    Column("CAPACITY", lambda x: "no limit" if x.capacity is None else x.capacity, right=True),
    Column("USED", lambda x: x.used, right=True),
    Column("HELD BY JOBS", lambda x: x.holders, drop=1, least=8),
]
PAUSE_COLUMNS: list[Column[PausedScope]] = [
    Column("SCOPE", lambda p: p.scope, least=16, last=True),
    Column("BY", lambda p: p.by, least=6),
    Column("SINCE", lambda p: p.at, drop=1),
    Column("REASON", lambda p: p.reason, drop=2, least=10),
]


@limits.command(name="list")
def limits_list(*, instance: Instance = False, common: Common | None = None) -> None:
    """List limits: capacity, what is in use, and by which jobs."""
    common = common or Common()
    with common.client() as client:
        found = client.limits.list(project=common.project_or_default, instance=instance)
    print_all(
        common.output,
        found,
        LIMIT_COLUMNS,
        lambda x: x.resource,
        "No limit is set. `jobdeck limits set type:NAME 2` sets one.",
    )


@limits.command(name="set")
def limits_set(
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
    common = common or Common()
    with common.client() as client:
        made = client.limits.set(
            resource, capacity, project=common.project_or_default, instance=instance, as_written=as_written
        )
    print_one(
        common.output, made, lambda x: print(f"{x.resource}: {x.used} of {x.capacity} in use."), lambda x: x.resource
    )
    if capacity == 0:
        more = " --instance" if instance else f" --project {common.project}" if common.project else ""
        say(f"0 starts no more jobs that need it. Let them go on with: jobdeck limits clear {resource}{more}")


@limits.command(name="clear")
def limits_clear(
    resource: Annotated[str, Parameter(help="As in `limits list`.")],
    /,
    *,
    instance: Instance = False,
    common: Common | None = None,
) -> None:
    """Remove a limit; the default holds again."""
    common = common or Common()
    with common.client() as client:
        client.limits.clear(resource, project=common.project_or_default, instance=instance)
    say(f"The limit of {resource} is cleared.")


@pauses.command(name="list")
def pauses_list(*, common: Common | None = None) -> None:
    """List the scopes that are paused: by whom, since when, why."""
    common = common or Common()
    with common.client() as client:
        print_all(common.output, client.pauses.list(), PAUSE_COLUMNS, lambda p: p.scope, "Nothing is paused.")


@pauses.command(name="set")
def pauses_set(
    scope: Scope,
    /,
    *,
    reason: Annotated[str | None, Parameter(help="Why; jobs that wait for it show it.")] = None,
    common: Common | None = None,
) -> None:
    """Start no more jobs in a scope; those that run go on."""
    common = common or Common()
    with common.client() as client:
        made = client.pauses.set(scope, reason)
    print_one(common.output, made, _show_pause, lambda p: p.scope)


def _show_pause(pause: PausedScope) -> None:
    print(f"{pause.scope} is paused: no more jobs start. Let it go on with: jobdeck pauses clear {pause.scope}")


@pauses.command(name="clear")
def pauses_clear(scope: Scope, /, *, common: Common | None = None) -> None:
    """Let a scope go on."""
    common = common or Common()
    with common.client() as client:
        client.pauses.clear(scope)
    say(f"{scope} goes on.")
