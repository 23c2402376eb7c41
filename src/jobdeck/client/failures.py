"""Failures, grouped by their fingerprint."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Literal, TypedDict, Unpack

from jobdeck.client.http.resource import MAX_PAGE, Resource
from jobdeck.client.http.transport import path_part
from jobdeck.client.settings import named_project
from jobdeck.wire.failures import FailureGroup, FailurePage


class FailureRange(TypedDict, total=False):
    """Which failures count; sequences mean any of them."""

    project: str | Sequence[str] | None
    type: str | Sequence[str] | None
    since: str | datetime | None
    """`12h`, `1d`, `3d`, `7d`, or a time."""
    until: str | datetime | None


class FailuresResource(Resource):
    """`client.failures`. Failures of jobs that were resumed since count as well."""

    def page(
        self,
        *,
        q: str | None = None,
        sort: Literal["-last_seen", "-count"] | None = None,
        limit: int = 100,
        cursor: str | None = None,
        **which: Unpack[FailureRange],
    ) -> FailurePage:
        """One page of groups, the latest first; with the number of groups and failures that match."""
        query = {"q": q, "sort": sort, "limit": limit, "cursor": cursor, **_plain(which)}
        return self._transport.get(FailurePage, "/failures", query)

    def list(
        self,
        *,
        q: str | None = None,
        sort: Literal["-last_seen", "-count"] | None = None,
        **which: Unpack[FailureRange],
    ) -> Iterator[FailureGroup]:
        """All groups that match, page by page as they are asked for."""
        return self._every(FailurePage, "/failures", {"q": q, "sort": sort, "limit": MAX_PAGE, **_plain(which)})

    def get(self, fingerprint: str, **which: Unpack[FailureRange]) -> FailureGroup:
        """One group; raises NotFound where none of its failures counts."""
        return self._transport.get(FailureGroup, f"/failures/{path_part(fingerprint)}", _plain(which))


def _plain(which: FailureRange) -> dict[str, Any]:
    times = {name: value.isoformat() for name, value in which.items() if isinstance(value, datetime)}
    lists = {name: builtins.list(value) for name, value in which.items() if isinstance(value, builtins.list | tuple)}
    return {**which, "project": which.get("project") or named_project(), **lists, **times}
