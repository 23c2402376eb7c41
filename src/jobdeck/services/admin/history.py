"""What people and the system did to all but jobs, and which jobs were deleted: for administrators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from jobdeck.access.caller import Caller, Permission, visible_project
from jobdeck.core.errors import InvalidInput
from jobdeck.core.output.nearest import nearest
from jobdeck.services import cursors
from jobdeck.services.core import OfCore
from jobdeck.services.jobs.presenter import event_view
from jobdeck.services.jobs.queries import DEFAULT_LIMIT, MAX_LIMIT, When, Words, moment
from jobdeck.store.projects import names_by_id
from jobdeck.store.views import history
from jobdeck.store.views.history import HistoryFilter
from jobdeck.wire.base import Page
from jobdeck.wire.events import Event

CURSOR = "history"
KINDS = (
    "bulk.ended", "bulk.made", "bulk.started", "configuration.created", "configuration.deleted", "configuration.saved",
    "connection.changed", "connection.created", "connection.deleted", "deleted", "file.deleted", "file.replaced",
    "file.uploaded", "limit.cleared", "limit.set", "object.dropped", "project.changed", "project.created",
    "scope.paused", "scope.resumed", "session.begun", "session.ended", "token.created", "token.revoked",
    "view.created", "view.deleted", "view.saved", "worker.draining", "worker.gone", "worker.joined", "worker.undrained",
)  # fmt: skip
"""Kinds of events that are not a job's, and the one that tells of its end."""


class HistoryQuery(BaseModel):
    """Which events, and how many."""

    model_config = ConfigDict(extra="forbid")

    kind: Words = Field(default=[], description="`deleted`, `token.created`, …, or the word before the dot.")
    actor: Words = Field(default=[], description="Who did it.")
    project: Words = Field(default=[], description="Names of projects.")
    since: When | None = Field(default=None, description="`30m`, `12h`, `3d`, `2w`, or a time (RFC 3339).")
    until: When | None = Field(default=None, description="As `since`.")
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)
    cursor: Annotated[str, StringConstraints(max_length=cursors.MAX_CURSOR)] | None = Field(
        default=None, description="`next` of the page before."
    )


class History(OfCore):
    """The use case of looking back."""

    async def page(self, caller: Caller, query: HistoryQuery) -> Page[Event]:
        """Events that are not a job's and those that tell of a deleted one, newest first.

        Of all projects for a token of all; a token of one project sees that one's. Raises NotFound, Forbidden."""
        caller.require(Permission.HISTORY_READ)
        _check_kinds(query.kind)
        before = cursors.number(query.cursor, CURSOR)
        async with self._core.database.read() as connection:
            named = [(await visible_project(connection, caller, name)).id for name in dict.fromkeys(query.project)]
            visible = None if caller.project_id is None else [caller.project_id]
            now = await self._core.database.clock.now(connection)
            where = HistoryFilter(
                query.kind, query.actor, named or visible, moment(query.since, now), moment(query.until, now)
            )
            found = await history.page(connection, where, before, query.limit + 1)
            names = await names_by_id(connection)
        more, found = len(found) > query.limit, found[: query.limit]
        items = [event_view(e, names.get(e.project_id or 0)) for e in found]
        return Page[Event](items=items, next=cursors.encode(CURSOR, found[-1].id) if more else None)


def _check_kinds(kinds: Sequence[str]) -> None:
    """Raises InvalidInput for one that nothing is ever recorded as: an empty answer would look like the truth."""
    known = list(dict.fromkeys(word for kind in KINDS for word in (kind, kind.partition(".")[0])))
    for kind in kinds:
        if kind not in known:
            things = ", ".join(word for word in known if "." not in word)
            raise InvalidInput(
                f"Nothing is recorded as '{kind[:100]}'.",
                field="kind",
                hint=nearest(kind, known).strip() or f"Write one of {things}, or more closely such as token.created.",
            )
