"""A request's body: whole, small enough, in time and of the right kind, before any route looks at it."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobdeck.api.http import problem
from jobdeck.api.http.authentication import is_page
from jobdeck.wire.problem import Problem

MAX_BODY = 1024 * 1024
"""Bytes of a request's body, except for uploads and batches."""
MAX_BATCH_BODY = 16 * 1024 * 1024
"""Bytes of a batch of jobs, or of the ids of a selection."""
MAX_STRANGERS_BODY = 8 * 1024
"""Bytes of a body by whom nobody knows: of the login."""
STRANGERS_BODY_SECONDS = 10.0
"""That such a body may take in all."""
BODY_PAUSE_SECONDS = 30.0
"""That any body may come to a halt. Uploads may take as long as they like, as long as they go on."""
BODY_SECONDS = 300.0
"""That a body other than an upload may take in all."""
FORM = "application/x-www-form-urlencoded"
_UPLOAD = re.compile(r"POST /api/v1/projects/[^/]+/files|PUT /api/v1/projects/[^/]+/files/[^/]+")
_BATCH = re.compile(r"/api/v1/(projects/[^/]+/jobs/batch|bulk)")


class Bodies:
    """Takes in the whole body of a request, up to its bounds; uploads pass as they come.

    A body that is cut off, or does not come, is half a request: nothing is done for it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        upload = _UPLOAD.fullmatch(f"{scope['method']} {scope['path']}") is not None
        bound = _bound(scope)
        wanted = "multipart/form-data" if upload else "application/json"
        also = FORM if is_page(scope["path"]) else wanted
        refusal = _refusal(Headers(scope=scope), None if upload else bound.bytes, wanted, also)
        if refusal is None and upload:
            receive = _going_on(receive)
        elif refusal is None:
            body = await _read(receive, bound)
            if isinstance(body, Problem):
                refusal = body
            else:
                receive = _replay(body, receive)
        if refusal is not None:
            await problem.response(refusal)(scope, receive, send)
            return
        await self._app(scope, receive, send)


@dataclass(frozen=True, slots=True)
class _BodyBound:
    """How many bytes a body may have, and how long it may take, in all and between two pieces."""

    bytes: int
    seconds: float
    pause: float


def _bound(scope: Scope) -> _BodyBound:
    if "caller" not in scope.get("state", {}):
        return _BodyBound(MAX_STRANGERS_BODY, STRANGERS_BODY_SECONDS, STRANGERS_BODY_SECONDS)
    most = MAX_BATCH_BODY if _BATCH.fullmatch(scope["path"]) else MAX_BODY
    return _BodyBound(most, BODY_SECONDS, BODY_PAUSE_SECONDS)


def media_type(headers: Headers) -> str:
    """Of the body, without its parameters."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _refusal(headers: Headers, most: int | None, wanted: str, also: str) -> Problem | None:
    """Why the body is not even read; `most` None: it is an upload, whose size is somebody else's business."""
    length = headers.get("content-length", "")
    if most is not None and length.isascii() and length.isdecimal() and int(length[:20]) > most:
        return _too_large(most)
    has_body = most is None or "transfer-encoding" in headers or length not in ("", "0")
    kind = media_type(headers)
    return _wrong_kind(kind, wanted) if has_body and kind not in (wanted, also) else None


async def _read(receive: Receive, bound: _BodyBound) -> bytes | Problem:
    """The body, or the refusal once it is too large or too slow; raises ClientDisconnect when it is cut off."""
    pieces: list[bytes] = []
    size = 0
    clock = asyncio.get_running_loop().time
    end = clock() + bound.seconds
    try:
        async with asyncio.timeout_at(min(end, clock() + bound.pause)) as patience:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                pieces.append(message.get("body", b""))
                size += len(pieces[-1])
                if size > bound.bytes:
                    return _too_large(bound.bytes)
                if not message.get("more_body", False):
                    return b"".join(pieces)
                patience.reschedule(min(end, clock() + bound.pause))
    except TimeoutError:
        return _too_slow()


def _going_on(receive: Receive) -> Receive:
    """An upload that has to go on: raises HTTPException when nothing comes for too long."""

    async def next_piece() -> Message:
        try:
            async with asyncio.timeout(BODY_PAUSE_SECONDS):
                return await receive()
        except TimeoutError:
            raise HTTPException(408, f"Nothing of the body came for {BODY_PAUSE_SECONDS:g} s") from None

    return next_piece


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


def _too_slow() -> Problem:
    return problem.plain(408, "request_timeout", "The body did not come in time; nothing was done.", field="body")


def _wrong_kind(kind: str, wanted: str) -> Problem:
    said = f"'{kind[:100]}'" if kind else "no media type"
    detail = f"The body must be {wanted}; {said} was sent."
    return problem.plain(
        415, "unsupported_media_type", detail, field="Content-Type", hint=f"Send Content-Type: {wanted}."
    )
