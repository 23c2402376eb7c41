"""Links by which a person comes from a terminal to the pages."""

from __future__ import annotations

from fastapi import APIRouter, Request

from jobdeck.api.http.depends import CallerDep, ServicesDep
from jobdeck.api.http.described import PREFIX
from jobdeck.wire.admin import LoginLink
from jobdeck.wire.base import instant

router = APIRouter(prefix=PREFIX, tags=["tokens"])

PATH = "/login"
"""Where the pages take in links and tokens."""


@router.post("/login-links", status_code=201, summary="Make a login link")
async def create_login_link(services: ServicesDep, caller: CallerDep, request: Request) -> LoginLink:
    """A link that logs a browser in as the token that asks, once and within an hour."""
    made = await services.sessions.make_link(caller)
    return LoginLink(url=link_at(str(request.base_url), made.code), expires_at=instant(made.expires_at))


def link_at(address: str, code: str) -> str:
    """The login link at a server's address."""
    return f"{address.rstrip('/')}{PATH}?link={code}"
