"""Requests and answers about paused scopes."""

from __future__ import annotations

from jobdeck.wire.base import Instant, Request, Response, Text


class PausedScope(Response):
    """A scope in which no more jobs are started: `instance`, `project:<name>` or `type:<name>`."""

    scope: str
    by: str
    reason: str | None = None
    at: Instant


class PauseScopeRequest(Request):
    """The body of pausing a scope."""

    reason: Text | None = None
