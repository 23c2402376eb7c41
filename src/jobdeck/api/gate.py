"""Before any route: who asks, and a body that is small enough and of the right kind."""

from __future__ import annotations

import re
import time

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobdeck.access.tokens import Authenticator
from jobdeck.api import problem
from jobdeck.api.described import PUBLIC
from jobdeck.api.pace import Pace
from jobdeck.core.errors import JobdeckError
from jobdeck.wire.problem import Problem

MAX_BODY = 1024 * 1024
"""Bytes of a request's body, except for uploads and batches."""
MAX_BATCH_BODY = 16 * 1024 * 1024
"""Bytes of a batch of jobs."""

_GUARDED = re.compile(r"/api(/|$)|/metrics(/|$)")
_UPLOAD = re.compile(r"/api/v1/projects/[^/]+/files")
_BATCH = re.compile(r"/api/v1/projects/[^/]+/jobs/batch")


class Authentication:
    """Refuses requests to the API without a good token, or too many with one, before anything else is looked at."""

    def __init__(self, app: ASGIApp, authenticator: Authenticator, pace: Pace) -> None:
        self._app = app
        self._authenticator = authenticator
        self._pace = pace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _GUARDED.match(scope["path"]) and scope["path"] not in PUBLIC:
            try:
                caller = await self._authenticator.caller(_bearer(scope))
            except JobdeckError as error:
                await problem.response(problem.of_error(error))(scope, receive, send)
                return
            scope.setdefault("state", {})["caller"] = caller
            seconds = self._pace.take(caller.token_id, time.monotonic())
            if seconds:
                await problem.response(_too_many(seconds), {"Retry-After": str(seconds)})(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _too_many(seconds: int) -> Problem:
    detail = "This token makes too many requests."
    hint = f"Wait {seconds} s. Submit many jobs with one request to …/jobs/batch; follow them with /api/v1/events."
    return problem.plain(429, "rate_limited", detail, hint=hint)


def _bearer(scope: Scope) -> str | None:
    scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


class Bodies:
    """Takes in the whole body of a request, up to its bound; uploads pass as they come."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        upload = scope["method"] == "POST" and _UPLOAD.fullmatch(scope["path"]) is not None
        most = MAX_BATCH_BODY if _BATCH.fullmatch(scope["path"]) else MAX_BODY
        refusal = _refusal(Headers(scope=scope), most, upload=upload)
        if refusal is None and not upload:
            body = await _read(receive, most)
            if isinstance(body, Problem):
                refusal = body
            else:
                receive = _replay(body, receive)
        if refusal is not None:
            await problem.response(refusal)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _refusal(headers: Headers, most: int, *, upload: bool) -> Problem | None:
    """Why the body is not even read."""
    length = headers.get("content-length", "")
    if not upload and length.isdecimal() and int(length[:20]) > most:
        return _too_large(most)
    has_body = "transfer-encoding" in headers or length not in ("", "0")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if upload and kind != "multipart/form-data":
        return _wrong_kind(kind, "multipart/form-data")
    if not upload and has_body and kind != "application/json":
        return _wrong_kind(kind, "application/json")
    return None


async def _read(receive: Receive, most: int) -> bytes | Problem:
    """The body, or the refusal once it is too large. A client that goes away leaves what had come."""
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(pieces)
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > most:
            return _too_large(most)
        if not message.get("more_body", False):
            return b"".join(pieces)


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _too_large(most: int) -> Problem:
    return problem.plain(
        413, "too_large", f"The body may have {most} bytes.", field="body", hint="Upload data as a file."
    )


def _wrong_kind(kind: str, wanted: str) -> Problem:
    said = f"'{kind[:100]}'" if kind else "no media type"
    detail = f"The body must be {wanted}; {said} was sent."
    return problem.plain(
        415, "unsupported_media_type", detail, field="Content-Type", hint=f"Send Content-Type: {wanted}."
    )
