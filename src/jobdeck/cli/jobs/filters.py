"""Which jobs: the filters of `jobs list` and `jobs counts`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from jobdeck.cli.arguments.completing import states, types

if TYPE_CHECKING:
    from jobdeck.client.jobs import Filters

WHICH = Group("Which jobs", sort_key=10)
Words = list[str] | None
_NAMES = {"token_id": "token"}
"""Filters that the API names otherwise: `--token` is the one who asks."""


@Parameter(name="*", group=WHICH, negative_iterable=())
@dataclass(frozen=True)
class Which:
    """Filters; all that are given must hold, and of several values of one filter any."""

    state: Annotated[
        Words,
        Parameter(help="pending, running, pausing, paused, canceling, failed, succeeded, canceled.", completer=states),
    ] = None
    type: Annotated[Words, Parameter(help="Job type.", completer=types)] = None
    category: Annotated[Words, Parameter(help="Category of the job type.")] = None
    subject: Annotated[str | None, Parameter(help="The object it works on.")] = None
    created_by: Annotated[str | None, Parameter(help="Who submitted it.")] = None
    configuration: Annotated[int | None, Parameter(help="Id of a configuration.")] = None
    parent: Annotated[int | None, Parameter(help="Id of the parent job.")] = None
    run_id: Annotated[str | None, Parameter(help="Beginning of the run id.")] = None
    priority: Annotated[int | None, Parameter(help="0 to 9.")] = None
    error: Annotated[str | None, Parameter(help="Error code or fingerprint.")] = None
    tag: Annotated[Words, Parameter(help="Tag.")] = None
    worker: Annotated[Words, Parameter(help="Name or id of the worker that had it last.")] = None
    host: Annotated[Words, Parameter(help="Host of the worker that had it last.")] = None
    q: Annotated[
        str | None,
        Parameter(
            name=["-q", "--q", "--search"],
            help="Words of the description, subject, type, command line, error, tags, creator, parameters, inputs or "
            "outputs, all of which must be there; or an id.",
        ),
    ] = None
    since: Annotated[str | None, Parameter(help="12h, 1d, 3d, 7d, or a time like 2026-11-20T08:00:00Z.")] = None
    until: Annotated[str | None, Parameter(help="As --since.")] = None
    started_since: Annotated[str | None, Parameter(help="As --since, of the start.")] = None
    started_until: Annotated[str | None, Parameter(help="As --since, of the start.")] = None
    ended_since: Annotated[str | None, Parameter(help="As --since, of the end.")] = None
    ended_until: Annotated[str | None, Parameter(help="As --since, of the end.")] = None
    min_duration: Annotated[str | None, Parameter(help="It ran at least so long: 90s, 5m, 2h, 1d.")] = None
    max_duration: Annotated[str | None, Parameter(help="It ran for less than this.")] = None
    token_id: Annotated[int | None, Parameter(help="Id of the access token that submitted it.")] = None
    top_level: Annotated[bool, Parameter(help="Only jobs without a parent.", negative=())] = False

    def filters(self, project: str | None) -> Filters:
        """As the client takes them; several values may also be given with commas between them."""
        given: Filters = {"project": project}
        for item in fields(self):
            value = getattr(self, item.name)
            if value not in (None, False, []):
                name = _NAMES.get(item.name, item.name)
                given[name] = _split(value) if isinstance(value, list) else value  # type: ignore[literal-required]
        return given


def _split(values: list[str]) -> list[str]:
    return [part for value in values for part in value.split(",") if part]
