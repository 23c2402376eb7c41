"""Addresses that only scripts ask for: parts of a page that have no page of their own."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from jobdeck.core.errors import NotFound
from jobdeck.web.page import PageContext, PageDep


async def _fragment(page: PageDep) -> PageContext:
    if not page.is_fragment:
        raise NotFound("This is a part of a page, and none by itself.", hint="Open the page that it belongs to.")
    return page


FragmentDep = Annotated[PageContext, Depends(_fragment)]
