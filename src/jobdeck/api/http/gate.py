"""Before any route: who asks, and a body that is small enough and of the right kind."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobdeck.access.sessions import Sessions
from jobdeck.access.tokens import Authenticator
from jobdeck.api.http import problem
from jobdeck.api.http.cookies import session_cookie
from jobdeck.api.http.described import PUBLIC
from jobdeck.api.http.pace import Pace
from jobdeck.api.http.server.protocol import KNOWN
from jobdeck.core.errors import JobdeckError
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

STATIC = "/static/"
"""Where the scripts and styles of the pages are; they are for everyone."""
FORM = "application/x-www-form-urlencoded"

_PATIENCE = 2.0
"""Seconds that it may take to find out who asks where it need not be known."""

_GUARDED = re.compile(r"/api(/|$)|/metrics(/|$)")
_UPLOAD = re.compile(r"POST /api/v1/projects/[^/]+/files|PUT /api/v1/projects/[^/]+/files/[^/]+")
_BATCH = re.compile(r"/api/v1/(projects/[^/]+/jobs/batch|bulk)")


def is_page(path: str) -> bool:
    """Whether people look at this path, so that refusals are pages; all else is for programs."""
    return not _GUARDED.match(path)


class Authentication:
    """Tells who asks, by a token or a browser's session; the API and its figures are refused to others at once.

    Pages say themselves what they do with one who is not known; `state.refusal` has the reason."""

    def __init__(self, app: ASGIApp, authenticator: Authenticator, sessions: Sessions, pace: Pace) -> None:
        self._app = app
        self._authenticator = authenticator
        self._sessions = sessions
        self._pace = pace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else STATIC
        if path in PUBLIC:
            await self._identify_if_said(scope)
        elif not path.startswith(STATIC):
            state = scope.setdefault("state", {})
            try:
                await self._identify(scope, state)
                _tell_known(scope)
            except JobdeckError as error:
                state["refusal"] = error
                if not is_page(path):
                    await problem.response(problem.of_error(error))(scope, receive, send)
                    return
            seconds = self._pace.take(state["caller"].token_id, time.monotonic()) if "caller" in state else 0
            if seconds:
                await problem.response(_too_many(seconds), {"Retry-After": str(seconds)})(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _identify(self, scope: Scope, state: dict[str, Any]) -> None:
        """A token goes before a cookie: programs do not send one by accident, browsers send cookies unasked."""
        bearer, cookie = _bearer(scope), session_cookie(scope)
        if bearer is None and cookie is not None:
            state["session"] = await self._sessions.find(cookie)
            state["caller"] = state["session"].caller
        else:
            state["caller"] = await self._authenticator.caller(bearer)

    async def _identify_if_said(self, scope: Scope) -> None:
        """Who is known is told more; who is not, or cannot be looked up just now, is a stranger here."""
        if _bearer(scope) is None and session_cookie(scope) is None:
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._identify(scope, scope.setdefault("state", {}))
        except (JobdeckError, TimeoutError):
            return
        _tell_known(scope)


def _tell_known(scope: Scope) -> None:
    """The connection of one who is known gives way to nobody."""
    known: Callable[[], None] | None = scope.get("extensions", {}).get(KNOWN)
    if known is not None:
        known()


def _too_many(seconds: int) -> Problem:
    detail = "This token makes too many requests."
    hint = f"Wait {seconds} s. Submit many jobs with one request to …/jobs/batch; follow them with /api/v1/events."
    return problem.plain(429, "rate_limited", detail, hint=hint)


def _bearer(scope: Scope) -> str | None:
    scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


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
class _Bound:
    """How many bytes a body may have, and how long it may take, in all and between two pieces."""

    bytes: int
    seconds: float
    pause: float


def _bound(scope: Scope) -> _Bound:
    if "caller" not in scope.get("state", {}):
        return _Bound(MAX_STRANGERS_BODY, STRANGERS_BODY_SECONDS, STRANGERS_BODY_SECONDS)
    most = MAX_BATCH_BODY if _BATCH.fullmatch(scope["path"]) else MAX_BODY
    return _Bound(most, BODY_SECONDS, BODY_PAUSE_SECONDS)


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


async def _read(receive: Receive, bound: _Bound) -> bytes | Problem:
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
