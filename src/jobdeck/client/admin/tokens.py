"""Access tokens."""

from __future__ import annotations

import builtins

from jobdeck.client.http.requests import request
from jobdeck.client.http.resource import Resource
from jobdeck.client.http.transport import path_part
from jobdeck.wire.admin import NewToken, Role, Token, TokenRequest
from jobdeck.wire.base import Page


class TokensResource(Resource):
    """`client.tokens`."""

    def list(self) -> builtins.list[Token]:
        return self._all(Page[Token], "/tokens")

    def create(
        self,
        name: str,
        role: Role,
        *,
        project: str | None = None,
        whose: str | None = None,
        expires_in_days: int | None = None,
    ) -> NewToken:
        """A token of `role` in `project`, or in all; its secret is in `.token`, now and never again.

        It is for a new principal called `name`, unless `whose` names one that is to have one more token."""
        given = {"name": name, "role": role, "project": project, "for": whose, "expires_in_days": expires_in_days}
        body = request(TokenRequest, **given)
        return self._transport.post(NewToken, "/tokens", body)

    def revoke(self, id: int) -> None:
        self._transport.write("DELETE", f"/tokens/{path_part(id)}")
