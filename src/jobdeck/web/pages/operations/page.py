"""Operations on many jobs: a list of them, and each by itself with its progress, its account and a way to stop it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, StringConstraints
from starlette.responses import Response

from jobdeck.access.caller import Role
from jobdeck.core.life.family import words as family_words
from jobdeck.services import cursors
from jobdeck.web.fragments import FragmentDep
from jobdeck.web.operation_words import WORDS
from jobdeck.web.page import PageContext, PageDep
from jobdeck.wire.base import MAX_ID, Digits
from jobdeck.wire.bulk import Bulk, BulkOutcome

router = APIRouter(include_in_schema=False)

PATH = "/operations"
PAGE_SIZE = 50
_LISTED = 200
BulkId = Annotated[Digits, Path(ge=1, le=MAX_ID)]


class OperationsAddress(BaseModel):
    """The query of the list."""

    model_config = ConfigDict(extra="ignore")

    everyone: bool = False
    cursor: Annotated[str, StringConstraints(max_length=cursors.MAX_CURSOR)] | None = None


class OneAddress(BaseModel):
    """The query of one operation: which of its jobs are listed."""

    model_config = ConfigDict(extra="ignore")

    outcome: BulkOutcome | None = None
    cursor: Annotated[str, StringConstraints(max_length=cursors.MAX_CURSOR)] | None = None


@router.get(PATH)
async def operations_page(page: PageDep, address: Annotated[OperationsAddress, Query()]) -> Response:
    """Those that the one who looks asked for; for administrators, on request, those of all."""
    everyone = address.everyone
    found = await page.services.bulks.page(page.caller, address.cursor, PAGE_SIZE, everyone=everyone, unused=False)
    return await page.render(
        "operations/page.html", block="list", found=found, words=WORDS, address=address,
        may_see_all=page.caller.role is Role.ADMIN,
    )  # fmt: skip


@router.get(f"{PATH}/menu")
async def menu(page: FragmentDep) -> Response:
    """The menu of the head: how many are under way, and the latest."""
    await page.look_at_operations()
    return await page.render("operations/menu.html", block="menu")


@router.get(f"{PATH}/{{id}}")
async def operation_page(page: PageDep, id: BulkId, address: Annotated[OneAddress, Query()]) -> Response:
    """One operation."""
    return await _shown(page, await page.services.bulks.get(page.caller, id), address)


@router.post(f"{PATH}/{{id}}/stop")
async def stop(page: PageDep, id: BulkId) -> Response:
    """Touch no more jobs."""
    bulk = await page.services.bulks.stop(page.caller, id)
    if not page.is_fragment:
        return page.redirect(page.link(f"{PATH}/{id}"))
    return await _shown(page, bulk, OneAddress())


async def _shown(page: PageContext, bulk: Bulk, address: OneAddress) -> Response:
    outcome = address.outcome or _first(bulk)
    items = await page.services.bulks.items(page.caller, bulk.id, outcome, address.cursor, _LISTED)
    return await page.render(
        "operations/one.html", block="one", bulk=bulk, words=WORDS[bulk.operation], items=items, outcome=outcome,
        family=family_words, counts=_counts(bulk), address=address,
        fraction=(bulk.total - bulk.left) / bulk.total if bulk.total else 1.0,
    )  # fmt: skip


def _counts(bulk: Bulk) -> list[tuple[BulkOutcome, int]]:
    """How many of its jobs there are of each outcome, what went wrong first."""
    left: BulkOutcome = "waiting" if bulk.state in ("planned", "running") else "untouched"
    found: list[tuple[BulkOutcome, int]] = [
        ("failed", bulk.failed), ("skipped", bulk.skipped), ("done", bulk.done + bulk.children_done), (left, bulk.left),
    ]  # fmt: skip
    return [(outcome, count) for outcome, count in found if count]


def _first(bulk: Bulk) -> BulkOutcome | None:
    counts = _counts(bulk)
    return counts[0][0] if counts else None
