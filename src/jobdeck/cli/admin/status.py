"""`jobdeck health` and `jobdeck events`: how the server is, and what happens on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from jobdeck.cli.arguments.more import More, print_list
from jobdeck.cli.arguments.options import Common, asking
from jobdeck.cli.exits import DETACHED, DONE, UNREACHABLE
from jobdeck.cli.show import text
from jobdeck.cli.show.output import print_json, print_one
from jobdeck.cli.show.table import TableColumn, print_facts

if TYPE_CHECKING:
    from jobdeck.wire.admin import Me
    from jobdeck.wire.events import Event

COMMANDS = {
    "events": ("Work with jobs", "Print what happens, as it happens."),
    "history": ("Administration", "What was done to all but jobs, and which jobs were deleted."),
    "me": ("Administration", "Say whom the token speaks for."),
    "health": ("Administration", "Say whether the server serves."),
}
EXAMPLES = """
jobdeck events
jobdeck events --job 12 -o json
jobdeck history --since 1d
jobdeck history --kind token --actor ci
jobdeck me
jobdeck health
jobdeck health -o json
"""

HISTORY_COLUMNS: list[TableColumn[Event]] = [
    TableColumn("ID", lambda e: e.id, drop=4, right=True),
    TableColumn("AT", lambda e: text.moment(e.at)),
    TableColumn("KIND", lambda e: e.kind, least=10),
    TableColumn("BY", lambda e: e.actor, least=6),
    TableColumn("PROJECT", lambda e: e.project, drop=3, least=6),
    TableColumn("JOB", lambda e: e.job, drop=2, right=True),
    TableColumn("MORE", lambda e: text.told(e.data), drop=1, least=10),
]

GOOD = ("ok", "up", "healthy", "serving")


def health(*, common: Common | None = None) -> int:
    """Say whether the server serves, and how its parts are."""
    with asking(common) as (client, given):
        found = client.health()
    if given.output == "json":
        print_json(found)
    else:
        version = f", version {text.line(found.version)}" if found.version else ""
        print(f"{client.url}: {text.line(found.status)}{version}")
        print_facts((name, _part(part)) for name, part in found.parts.items())
        for name, part in found.parts.items():
            for thing, reason in _faults(part):
                print(f"  {text.line(name)}: {text.line(thing)}: {text.line(str(reason))}")
    return DONE if found.status in GOOD else UNREACHABLE


def me(*, common: Common | None = None) -> None:
    """Say whom the token speaks for: name, role, project."""
    with asking(common) as (client, given):
        print_one(given.output, client.me(), _show_me, lambda found: found.name)


def _show_me(found: Me) -> None:
    scope = f"in the project {found.project}" if found.project else "in all projects"
    until = f", until {text.moment(found.expires_at)}" if found.expires_at else ""
    print(text.line(f"{found.name}: {found.role} {scope}{until}"))


def _part(part: object) -> str:
    """How a part is: its status first, then what else is known."""
    if not isinstance(part, dict):
        return str(part)
    rest = ", ".join(f"{name} {value}" for name, value in part.items() if name != "status" and not _is_table(value))
    return f"{part.get('status', '')} ({rest})" if rest else str(part.get("status", ""))


def _is_table(value: object) -> bool:
    return isinstance(value, dict)


def _faults(part: object) -> list[tuple[str, object]]:
    """What of the part does not work, each with the reason; shown below, a line each."""
    tables = [value for value in part.values() if isinstance(value, dict)] if isinstance(part, dict) else []
    return [(str(thing), reason) for table in tables for thing, reason in table.items()]


def events(
    *,
    job: Annotated[int | None, Parameter(help="Only of this job.")] = None,
    after: Annotated[int | None, Parameter(help="First those after this event id.")] = None,
    common: Common | None = None,
) -> int:
    """Print what happens, as it happens, until Ctrl-C. With -o json: one object per line."""
    with asking(common) as (client, given):
        try:
            for event in client.events.follow(project=given.chosen_project, job=job, after=after):
                _print(event, given)
        except KeyboardInterrupt:
            return DETACHED
    return DONE


def history(
    *,
    kind: Annotated[
        list[str] | None,
        Parameter(help="Such as deleted or token.created, or the word before the dot.", negative_iterable=()),
    ] = None,
    actor: Annotated[list[str] | None, Parameter(help="Who did it.", negative_iterable=())] = None,
    since: Annotated[str | None, Parameter(help="12h, 1d, 3d, 7d, or a time like 2026-11-20T08:00:00Z.")] = None,
    until: Annotated[str | None, Parameter(help="As --since.")] = None,
    limit: Annotated[int | None, Parameter(help="Events to show. [default: 50 in a table, else all]")] = None,
    common: Common | None = None,
) -> None:
    """List what was done to all but jobs, and which jobs were deleted, newest first; for administrators."""
    with asking(common) as (client, given):
        found = client.events.history(kind=kind, actor=actor, since=since, until=until, project=given.chosen_project)
        print_list(given.output, found, HISTORY_COLUMNS, lambda e: e.id, More(limit), "Nothing of that is recorded.")


def _print(event: Event, common: Common) -> None:
    if common.output == "json":
        print(event.model_dump_json(exclude_unset=True), flush=True)
    elif common.output == "ids":
        print(event.id, flush=True)
    else:
        state = f" {event.data['state']}" if event.data.get("state") else ""
        job = f" job {event.job}" if event.job is not None else ""
        by = f" by {event.actor}" if event.actor else ""
        print(text.line(f"{text.clock(event.at)} {event.kind}{job}{state}{by}"), flush=True)
