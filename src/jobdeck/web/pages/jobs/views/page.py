"""Saved views of the list: the menu that goes to them, and the address of each."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Path
from starlette.responses import Response

from jobdeck.web.fragments import FragmentDep
from jobdeck.web.page import PROJECT, PageContext, PageDep
from jobdeck.web.pages.jobs.filter.query import PATH
from jobdeck.wire.base import MAX_ID, Digits
from jobdeck.wire.saved_views import SavedView

router = APIRouter(include_in_schema=False)
_PLACE = ("cursor", "before")
_LOOK = ("columns", "density")


@router.get(f"{PATH}/views")
async def views(page: FragmentDep) -> Response:
    """The views that the one who looks may use, for the list with this query."""
    found = await page.services.saved_views.page(page.caller, page.project)
    here = _bare(str(page.request.url.query))
    shown = [_shown(page, view, here) for view in found.items]
    return await page.render("jobs/views/page.html", block="views", views=shown)


@router.get(f"{PATH}/views/{{id}}")
async def view(page: PageDep, id: Annotated[Digits, Path(ge=1, le=MAX_ID)]) -> Response:
    """The address of a view, which leads to the list as the view has it by now."""
    found = await page.services.saved_views.get(page.caller, id)
    return page.redirect(_address(found, page.request.query_params.get(PROJECT)))


def _shown(page: PageContext, view: SavedView, here: set[tuple[str, str]]) -> dict[str, Any]:
    href = _address(view, page.project)
    current = _bare(href.partition("?")[2]) == here
    return view.model_dump() | {"href": href, "current": current, "address": page.link(f"{PATH}/views/{view.id}")}


def _address(view: SavedView, project: str | None) -> str:
    """The list with the filters, the order, the columns and the density of a view; where it names no project, in
    `project`."""
    pairs = [(name, value) for name, value in parse_qsl(view.query) if name not in _LOOK]
    if project is not None and PROJECT not in dict(pairs):
        pairs.append((PROJECT, project))
    if view.columns:
        pairs.append(("columns", ",".join(view.columns)))
    if view.density:
        pairs.append(("density", view.density))
    query = urlencode(pairs, safe=":,/")
    return f"{PATH}?{query}" if query else PATH


def _bare(query: str) -> set[tuple[str, str]]:
    """Which jobs a query shows, whatever the order of its parts, the page one is at and how they look."""
    return {(name, value) for name, value in parse_qsl(query) if name not in (*_PLACE, *_LOOK)}
