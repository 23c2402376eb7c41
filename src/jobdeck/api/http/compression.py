"""Answers are compressed on their way, where the one who asks takes that: pages, the API's answers, lines of logs.

Events, which must not wait for each other, go as they are; so do parts of files, and files of whatever content: those
are mostly compressed, and whoever loads them goes on by ranges of their own bytes."""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

WORTH_IT = 1000
"""Bytes; what is less goes in one packet anyway."""
LEVEL = 5
"""Beyond it, time grows much and size hardly shrinks."""
_AS_THEY_ARE = (*DEFAULT_EXCLUDED_CONTENT_TYPES, "application/octet-stream", "application/zstd")
_REFUSED = re.compile(r"(?:gzip|\*)\s*;\s*q=0(?:\.0*)?\s*(?:,|$)", re.IGNORECASE)


class Compression:
    """Compresses with gzip, which every client knows."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._compressed = GZipMiddleware(app, WORTH_IT, LEVEL, exclude_content_types=_AS_THEY_ARE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = scope["type"] == "http" and _REFUSED.search(Headers(scope=scope).get("accept-encoding", ""))
        await (self._app if refused else self._compressed)(scope, receive, send)
