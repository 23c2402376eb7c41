"""Before any route: who asks, and a body that is small enough and of the right kind."""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobdeck.access.tokens import Authenticator
from jobdeck.api import problem
from jobdeck.api.described import PUBLIC
from jobdeck.core.errors import JobdeckError
from jobdeck.wire.problem import Problem

MAX_BODY = 1024 * 1024
"""Bytes of a request's body, except for uploads."""

_GUARDED = re.compile(r"/api(/|$)|/metrics(/|$)")
_UPLOAD = re.compile(r"/api/v1/projects/[^/]+/files")


class Authentication:
    """Refuses requests to the API without a good token, before anything else is looked at."""

    def __init__(self, app: ASGIApp, authenticator: Authenticator) -> None:
        self._app = app
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _GUARDED.match(scope["path"]) and scope["path"] not in PUBLIC:
            try:
                scope.setdefault("state", {})["caller"] = await self._authenticator.caller(_bearer(scope))
            except JobdeckError as error:
                await problem.response(problem.of_error(error))(scope, receive, send)
                return
        await self._app(scope, receive, send)


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
        refusal = _refusal(Headers(scope=scope), upload=upload)
        if refusal is None and not upload:
            body = await _read(receive)
            if isinstance(body, Problem):
                refusal = body
            else:
                receive = _replay(body, receive)
        if refusal is not None:
            await problem.response(refusal)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _refusal(headers: Headers, *, upload: bool) -> Problem | None:
    """Why the body is not even read."""
    length = headers.get("content-length", "")
    if not upload and length.isdecimal() and int(length[:20]) > MAX_BODY:
        return _too_large()
    has_body = "transfer-encoding" in headers or length not in ("", "0")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if upload and kind != "multipart/form-data":
        return _wrong_kind(kind, "multipart/form-data")
    if not upload and has_body and kind != "application/json":
        return _wrong_kind(kind, "application/json")
    return None


async def _read(receive: Receive) -> bytes | Problem:
    """The body, or the refusal once it is too large. A client that goes away leaves what had come."""
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(pieces)
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > MAX_BODY:
            return _too_large()
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


def _too_large() -> Problem:
    return problem.plain(
        413, "too_large", f"The body may have {MAX_BODY} bytes.", field="body", hint="Upload data as a file."
    )


def _wrong_kind(kind: str, wanted: str) -> Problem:
    said = f"'{kind[:100]}'" if kind else "no media type"
    detail = f"The body must be {wanted}; {said} was sent."
    return problem.plain(
        415, "unsupported_media_type", detail, field="Content-Type", hint=f"Send Content-Type: {wanted}."
    )
