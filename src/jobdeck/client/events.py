"""Live events, without gaps: a stream that broke goes on after the last event seen."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TypedDict, Unpack

from pydantic import ValidationError

from jobdeck.client.errors import RateLimited, ServerFailed, UnexpectedAnswer, Unreachable
from jobdeck.client.http.resource import MAX_PAGE, Resource
from jobdeck.client.http.sse import TooLong, messages
from jobdeck.wire.base import Page
from jobdeck.wire.events import Event

QUIET = 45.0
"""Seconds without a word, heartbeats included, after which a stream counts as broken."""


class HistoryFilters(TypedDict, total=False):
    """What the history is narrowed to; sequences mean any of them."""

    kind: str | Sequence[str] | None
    """`deleted`, `token.created`, …, or the word before the dot."""
    actor: str | Sequence[str] | None
    project: str | Sequence[str] | None
    since: str | datetime | None
    """`12h`, `1d`, `3d`, `7d`, or a time."""
    until: str | datetime | None


class EventsResource(Resource):
    """`client.events`."""

    def history(self, **only: Unpack[HistoryFilters]) -> Iterator[Event]:
        """Events that are not a job's, and those that tell of a deleted one, newest first; for administrators."""
        times = {name: value.isoformat() for name, value in only.items() if isinstance(value, datetime)}
        return self._every(Page[Event], "/events/history", {"limit": MAX_PAGE, **only, **times})

    def follow(
        self, *, project: str | None = None, job: int | None = None, after: int | None = None, patience: float = 60.0
    ) -> Iterator[Event]:
        """Events as they happen, for ever; with `after`, first those after that id.

        Raises Unreachable when the server stayed away for `patience` seconds."""
        last_heard = time.monotonic()
        pause = 0.2
        while True:
            try:
                for event in self.stream(project=project, job=job, after=after):
                    last_heard, pause = time.monotonic(), 0.2
                    if event is not None:
                        after = event.id or after  # progress is told without an id
                        yield event
            except (Unreachable, ServerFailed, RateLimited):
                if time.monotonic() - last_heard > patience:
                    raise
            time.sleep(pause)
            pause = min(5.0, pause * 2)

    def stream(
        self, *, project: str | None = None, job: int | None = None, after: int | None = None, quiet: float = QUIET
    ) -> Iterator[Event | None]:
        """One connection's events until it ends; None once it stands, and then at least with each heartbeat."""
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if after is not None:
            headers["Last-Event-ID"] = str(after)
        params = {"project": project, "job": job}
        with self._transport.stream("/events", params, headers=headers, quiet=quiet) as response:
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                raise UnexpectedAnswer(f"{response.request.url} answered with something else than events.")
            yield None
            try:
                for message in messages(response.iter_bytes()):
                    yield None if message is None else Event.model_validate_json(message.data)
            except (TooLong, ValidationError) as error:
                raise UnexpectedAnswer(f"{response.request.url} sent an event that cannot be read: {error}") from error
