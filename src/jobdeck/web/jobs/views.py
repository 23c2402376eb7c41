"""Saved views of the list: the menu that goes to them."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter
from starlette.responses import Response

from jobdeck.web.fragments import FragmentDep
from jobdeck.web.jobs.query import PATH
from jobdeck.web.page import PROJECT, Page
from jobdeck.wire.saved_views import SavedView

router = APIRouter(include_in_schema=False)
_PLACE = ("cursor", "before")


@router.get(f"{PATH}/views")
async def views(page: FragmentDep) -> Response:
    """The views that the one who looks may use, for the list with this query."""
    found = await page.services.saved_views.page(page.caller, page.project)
    here = _bare(str(page.request.url.query))
    shown = [_shown(page, view, here) for view in found.items]
    return await page.render("jobs/views.html", block="views", views=shown)


def _shown(page: Page, view: SavedView, here: set[tuple[str, str]]) -> dict[str, Any]:
    pairs = parse_qsl(view.query)
    if page.project is not None and PROJECT not in dict(pairs):
        pairs.append((PROJECT, page.project))
    query = urlencode(pairs, safe=":,/")
    href = f"{PATH}?{query}" if query else PATH
    return view.model_dump() | {"href": href, "current": _bare(query) == here}


def _bare(query: str) -> set[tuple[str, str]]:
    """What a query shows, whatever the order of its parts and the page one is at."""
    return {(name, value) for name, value in parse_qsl(query) if name not in _PLACE}
