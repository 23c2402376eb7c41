"""`jobdeck tokens`: who may come in."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from jobdeck.cli.arguments.ids import some
from jobdeck.cli.arguments.listing import lists
from jobdeck.cli.arguments.options import Common, asking, noun
from jobdeck.cli.exits import say
from jobdeck.cli.show import text
from jobdeck.cli.show.output import print_one
from jobdeck.cli.show.table import TableColumn

if TYPE_CHECKING:
    from jobdeck.client import Client
    from jobdeck.wire.admin import NewToken, Token

COMMANDS = {"tokens": ("Administration", "List, create and revoke access tokens.")}
EXAMPLES = """
jobdeck tokens list
jobdeck tokens create ci --role operator --project shop
jobdeck tokens create dashboard --role viewer --expires-in-days 90
jobdeck tokens revoke 4
"""

app = noun(COMMANDS)

COLUMNS: list[TableColumn[Token]] = [
    TableColumn("ID", lambda t: t.id, right=True),
    TableColumn("NAME", lambda t: t.name, least=8),
    TableColumn("FOR", lambda t: t.principal, drop=4, least=8),
    TableColumn("ROLE", lambda t: t.role),
    TableColumn("PROJECT", lambda t: t.project or "all"),
    TableColumn("CREATED", lambda t: t.created_at, drop=2),
    TableColumn("LAST USED", lambda t: t.last_used_at, drop=3),
    TableColumn("BROWSERS", lambda t: t.sessions or "", drop=5, right=True),
    TableColumn("EXPIRES", lambda t: "revoked" if t.revoked_at else t.expires_at or "never", drop=1),
]


@lists(app, COLUMNS, lambda t: t.id, "There are no tokens.")
def list_(client: Client, _: Common) -> list[Token]:
    """List tokens, without their secrets."""
    return client.tokens.list()


@app.command(name="create")
def create(
    name: Annotated[str, Parameter(help="What it is for.")],
    /,
    *,
    role: Annotated[Literal["viewer", "operator", "admin"], Parameter(help="What it may do.")],
    whose: Annotated[
        str | None, Parameter(name="--for", help="The principal that gets it. [default: a new one of this name]")
    ] = None,
    expires_in_days: Annotated[int | None, Parameter(help="Days until it expires. [default: never]")] = None,
    common: Common | None = None,
) -> None:
    """Create a token and print it, this once: for --project, or for all projects without."""
    with asking(common) as (client, given):
        made = client.tokens.create(
            name, role, project=given.chosen_project, whose=whose, expires_in_days=expires_in_days
        )
    print_one(given.output, made, lambda t: print(t.token), lambda t: t.id)
    if given.output != "json":
        _tell_new_token(made, given.output == "ids")


def _tell_new_token(made: NewToken, secret: bool) -> None:
    """What the token is; with `secret` the token, too, which would else be lost: it is never shown again."""
    scope = f"in project {made.project}" if made.project else "in all projects"
    whose = f" of {made.principal}" if made.principal and made.principal != made.name else ""
    say(f"Token {made.id} '{made.name}'{whose} ({made.role} {scope}). It is shown only now; keep it safe.")
    if secret:
        say(made.token)


@app.command(name="revoke")
def revoke(
    *ids: Annotated[int, Parameter(name="ID", help="Token ids.")],
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], help="Do not ask.", negative=())] = False,
    common: Common | None = None,
) -> None:
    """Revoke tokens, at once and for good, asking first on a terminal; browsers logged in with them are logged out."""
    common = common or Common()
    named = some(ids, "token", "jobdeck tokens list")
    with common.client() as client:
        there = {token.id: token for token in client.tokens.list()}
        own = client.me().token
        if not yes and sys.stdin.isatty() and not _agreed([there.get(id_) for id_ in named], own):
            say("Nothing was revoked.")
            return
        for id_ in sorted(named, key=lambda id_: id_ == own):
            client.tokens.revoke(id_)
            say(f"Token {id_} is revoked.{_went_along(there.get(id_))}")
            if id_ == own:
                say("It is the token of this command: the next one needs another (`jobdeck admin-token` makes one).")


def _agreed(tokens: Sequence[Token | None], own: int | None) -> bool:
    """Whether the person wants it, told whom it hits."""
    for token in tokens:
        if token is not None and token.revoked_at is None:
            browsers = f", {text.counted(token.sessions, 'browser')} logged in with it" if token.sessions else ""
            mine = "; it is the token of this command" if token.id == own else ""
            say(f"  {token.id} {text.line(token.name)} ({token.role}, of {text.line(token.principal)}){browsers}{mine}")
    print("Revoke for good? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _went_along(token: Token | None) -> str:
    """What ended with the token."""
    count = token.sessions if token is not None and token.revoked_at is None else 0
    return f" {count} {'browsers were' if count > 1 else 'browser was'} logged out with it." if count else ""
