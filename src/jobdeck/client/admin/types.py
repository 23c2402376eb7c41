"""Job types."""

from __future__ import annotations

import builtins

from jobdeck.client.http.resource import Resource
from jobdeck.client.http.transport import path_part
from jobdeck.wire.admin import TypeInfo
from jobdeck.wire.base import Page


class TypesResource(Resource):
    """`client.types`: the job types that can be run."""

    def list(self) -> builtins.list[TypeInfo]:
        return self._all(Page[TypeInfo], "/types")

    def get(self, name: str) -> TypeInfo:
        return self._transport.get(TypeInfo, f"/types/{path_part(name)}")
