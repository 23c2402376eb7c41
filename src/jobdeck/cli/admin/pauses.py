"""`jobdeck pauses`: scopes in which no jobs are started."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from jobdeck.cli.arguments.listing import lists
from jobdeck.cli.arguments.options import Common, asking, noun
from jobdeck.cli.exits import say
from jobdeck.cli.show.output import print_one
from jobdeck.cli.show.table import TableColumn

if TYPE_CHECKING:
    from jobdeck.client import Client
    from jobdeck.wire.pauses import PausedScope

COMMANDS = {"pauses": ("Administration", "List, set and clear paused scopes, in which no jobs are started.")}
EXAMPLES = """
jobdeck pauses list
jobdeck pauses set project:shop --reason 'database upgrade'
jobdeck pauses clear project:shop
"""

app = noun(COMMANDS)

Scope = Annotated[str, Parameter(name="SCOPE", help="instance, project:NAME or type:NAME.")]

COLUMNS: list[TableColumn[PausedScope]] = [
    TableColumn("SCOPE", lambda p: p.scope, least=16, last=True),
    TableColumn("BY", lambda p: p.by, least=6),
    TableColumn("SINCE", lambda p: p.at, drop=1),
    TableColumn("REASON", lambda p: p.reason, drop=2, least=10),
]


@lists(app, COLUMNS, lambda p: p.scope, "Nothing is paused.")
def list_(client: Client, _: Common) -> list[PausedScope]:
    """List the scopes that are paused: by whom, since when, why."""
    return client.pauses.list()


@app.command(name="set")
def set_(
    scope: Scope,
    /,
    *,
    reason: Annotated[str | None, Parameter(help="Why; jobs that wait for it show it.")] = None,
    common: Common | None = None,
) -> None:
    """Start no more jobs in a scope; those that run go on."""
    with asking(common) as (client, given):
        made = client.pauses.set(scope, reason)
    print_one(given.output, made, _show_pause, lambda p: p.scope)


def _show_pause(pause: PausedScope) -> None:
    print(f"{pause.scope} is paused: no more jobs start. Let it go on with: jobdeck pauses clear {pause.scope}")


@app.command(name="clear")
def clear(scope: Scope, /, *, common: Common | None = None) -> None:
    """Let a scope go on."""
    with asking(common) as (client, _):
        client.pauses.clear(scope)
    say(f"{scope} goes on.")
