"""Paused scopes, in which no jobs are started."""

from __future__ import annotations

import builtins

from jobdeck.client.http.requests import request
from jobdeck.client.http.resource import Resource
from jobdeck.client.http.transport import parsed, path_part
from jobdeck.wire.base import Page
from jobdeck.wire.pauses import PausedScope, PauseScopeRequest


class PausesResource(Resource):
    """`client.pauses`: scopes in which no jobs are started: `instance`, `project:<name>`, `type:<name>`."""

    def list(self) -> builtins.list[PausedScope]:
        return self._all(Page[PausedScope], "/pauses")

    def get(self, scope: str) -> PausedScope:
        """By whom and why it is paused; raises NotFound when it is not."""
        return self._transport.get(PausedScope, f"/pauses/{path_part(scope)}")

    def set(self, scope: str, reason: str | None = None) -> PausedScope:
        """Start no more jobs in the scope; those that run go on."""
        body = request(PauseScopeRequest, reason=reason)
        return parsed(PausedScope, self._transport.write("PUT", f"/pauses/{path_part(scope)}", body))

    def clear(self, scope: str) -> None:
        """Let the scope go on; raises NotFound when it is not paused."""
        self._transport.write("DELETE", f"/pauses/{path_part(scope)}")
