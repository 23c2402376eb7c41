"""Workers, and draining them."""

from __future__ import annotations

import builtins

from jobdeck.client.http.resource import Resource
from jobdeck.client.http.transport import path_part
from jobdeck.wire.admin import Worker
from jobdeck.wire.base import Page


class WorkersResource(Resource):
    """`client.workers`: named by id, name, or a beginning of one of them that no other worker has."""

    def list(self) -> builtins.list[Worker]:
        return self._all(Page[Worker], "/workers")

    def drain(self, id: str) -> Worker:
        """Let it finish what it has and take nothing more."""
        return self._transport.post(Worker, f"/workers/{path_part(id)}/drain")

    def undrain(self, id: str) -> Worker:
        """Let a drained one take jobs again."""
        return self._transport.post(Worker, f"/workers/{path_part(id)}/undrain")

    def get(self, id: str) -> Worker:
        return self._transport.get(Worker, f"/workers/{path_part(id)}")
