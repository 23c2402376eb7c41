"""No other site can act through a browser that is logged in here (cross-site request forgery).

Whatever changes something and comes with a session's cookie must say where it comes from, as browsers do, and must
carry the session's own secret, which no other site can read: in a header, or in a field of a form."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobdeck.access.sessions import BrowserSession
from jobdeck.api.http import problem
from jobdeck.api.http.authentication import is_page
from jobdeck.api.http.bodies import FORM, media_type
from jobdeck.core.errors import Forbidden

HEADER = "X-CSRF-Token"
FIELD = "_csrf"
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_MOST_FIELDS = 10_000
_OWN_SITE = ("same-origin", "none")


class CrossSiteRefused(Forbidden, code="cross_site_refused"):
    """A browser's request that changes something came from another site, or without the session's secret."""


class CrossSite:
    """Around what browsers ask: refuses such requests. Pages find the refusal in `state.refusal` and show it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in _SAFE_METHODS:
            state = scope.setdefault("state", {})
            refusal, receive = await _check(Headers(scope=scope), state.get("session"), receive)
            if refusal is not None and not is_page(scope["path"]):
                await problem.response(problem.of_error(refusal))(scope, receive, send)
                return
            if refusal is not None:
                state["refusal"] = refusal
        await self._app(scope, receive, send)


async def _check(
    headers: Headers, session: BrowserSession | None, receive: Receive
) -> tuple[CrossSiteRefused | None, Receive]:
    """The refusal, if any, and what gives the body that was looked at once more."""
    if not _is_own(headers):
        return CrossSiteRefused("This request comes from another site.", hint="Do it from the page itself."), receive
    if session is None:
        return None, receive
    given = headers.get(HEADER)
    if given is None and media_type(headers) == FORM:
        given, receive = await _field(receive)
    if session.proves(given):
        return None, receive
    text = "The request does not carry the secret of your session: the page may be older than it."
    return CrossSiteRefused(text, hint="Load the page again, then try once more.", header=HEADER), receive


def _is_own(headers: Headers) -> bool:
    """Browsers say whence a request comes; programs, which no site can steer, say nothing."""
    if headers.get("sec-fetch-site", "none") not in _OWN_SITE:
        return False
    origin = headers.get("origin")
    try:
        return origin is None or urlsplit(origin).netloc == headers.get("host")
    except ValueError:  # no address at all
        return False


async def _field(receive: Receive) -> tuple[str | None, Receive]:
    """The field of a form; its body has been taken in by then, so that it is one message."""
    message = await receive()
    try:
        fields = parse_qs(bytes(message.get("body", b"")).decode("utf-8", "replace"), max_num_fields=_MOST_FIELDS)
    except ValueError:
        fields = {}
    return next(iter(fields.get(FIELD, ())), None), _again(message, receive)


def _again(message: Message, receive: Receive) -> Receive:
    waiting = [message]

    async def give() -> Message:
        return waiting.pop() if waiting else await receive()

    return give
