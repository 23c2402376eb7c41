"""`jobdeck sessions`: the browsers that are logged in as the one whose token is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from jobdeck.cli.arguments.listing import lists
from jobdeck.cli.arguments.options import Common, noun
from jobdeck.cli.exits import UsageError, say
from jobdeck.cli.show import text
from jobdeck.cli.show.table import TableColumn

if TYPE_CHECKING:
    from jobdeck.client import Client
    from jobdeck.wire.admin import Session

COMMANDS = {"sessions": ("Administration", "List and end your sessions in browsers.")}
EXAMPLES = """
jobdeck sessions list
jobdeck sessions end --all
"""

app = noun(COMMANDS)

COLUMNS: list[TableColumn[Session]] = [
    TableColumn("ID", lambda s: s.id),
    TableColumn("TOKEN", lambda s: text.line(s.token), drop=3, least=8),
    TableColumn("FROM", lambda s: s.address, drop=2),
    TableColumn("BROWSER", lambda s: text.line(s.agent or ""), drop=1, least=12),
    TableColumn("SINCE", lambda s: s.created_at, drop=4),
    TableColumn("LAST USED", lambda s: s.last_seen_at),
    TableColumn("ENDS", lambda s: s.ends_at, drop=5),
]


@lists(app, COLUMNS, lambda s: s.id, "You are logged in with no browser.")
def list_(client: Client, _: Common) -> list[Session]:
    """List the browsers that are logged in as you."""
    return client.sessions.list()


@app.command(name="end")
def sessions_end(
    *ids: Annotated[str, Parameter(name="ID", help="Session ids.")],
    all: Annotated[bool, Parameter(help="All of them: log out everywhere.", negative=())] = False,
    common: Common | None = None,
) -> None:
    """End sessions, at once; tokens stay good."""
    common = common or Common()
    if bool(ids) == all:
        raise UsageError("Which sessions are to end?", "Name them, or give --all.")
    with common.client() as client:
        if all:
            client.sessions.end_all()
            say("All your sessions have ended.")
        for id_ in ids:
            client.sessions.end(id_)
            say(f"Session {id_} has ended.")
