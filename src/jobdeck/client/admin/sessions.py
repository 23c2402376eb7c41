"""The browsers that are logged in."""

from __future__ import annotations

import builtins

from jobdeck.client.http.resource import Resource
from jobdeck.client.http.transport import path_part
from jobdeck.wire.admin import Session
from jobdeck.wire.base import Page


class SessionsResource(Resource):
    """`client.sessions`: the browsers that are logged in as the token's principal."""

    def list(self) -> builtins.list[Session]:
        return self._all(Page[Session], "/me/sessions")

    def end(self, id: str) -> None:
        self._transport.write("DELETE", f"/me/sessions/{path_part(id)}")

    def end_all(self) -> None:
        """Log out everywhere; tokens stay good."""
        self._transport.write("DELETE", "/me/sessions")
