"""Your sessions: where you are logged in, and ending that."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.responses import Response

from jobdeck.api.admin.login_links import PATH
from jobdeck.api.admin.sessions import session_view
from jobdeck.core.errors import NotFound
from jobdeck.web.page import PageDep

router = APIRouter(include_in_schema=False)

SESSIONS = "/sessions"
_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
"""Marks in the order in which they tell: most name the others, too."""
_SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)  # fmt: skip


@router.get(SESSIONS)
async def sessions_page(page: PageDep) -> Response:
    """The list, with a button for each and one for all."""
    listed = [session_view(found) for found in await page.services.sessions.page(page.caller)]
    return await page.render("sessions/page.html", sessions=listed, browser=browser)


def browser(agent: str | None) -> str:
    """What people call it, from what it says of itself: `Firefox on Linux`; what is not known is shown as it is."""
    if not agent:
        return "unknown"
    name = next((name for mark, name in _BROWSERS if mark in agent), None)
    system = next((name for mark, name in _SYSTEMS if mark in agent), None)
    if name is None:
        return agent[:60]
    return f"{name} on {system}" if system else name


@router.post(f"{SESSIONS}/end")
async def end(page: PageDep, id: Annotated[str, Form(max_length=100)] = "") -> Response:
    """End one session; without an id, all of them, which leads to the login."""
    sessions = page.services.sessions
    if not id:
        await sessions.end_every(page.caller)
        return page.redirect(f"{PATH}?bye=1")
    try:
        await sessions.end_one(page.caller, id)
    except NotFound:
        pass  # it has ended in the meantime, which is what was wanted
    return page.redirect(page.link(SESSIONS))
