"""Operations on selected jobs: the dialog that shows what would happen, how far it is, and the account at the end."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import parse_qs

from fastapi import APIRouter, Form, Path, Query
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from starlette.responses import Response

from jobdeck.core.errors import InvalidInput
from jobdeck.core.life import family
from jobdeck.core.life.bulk import BulkOperation
from jobdeck.core.output import complaints
from jobdeck.services.jobs.bulks import BulkAsked
from jobdeck.services.jobs.queries import JobConditions
from jobdeck.web.fragments import FragmentDep
from jobdeck.web.operation_words import WORDS
from jobdeck.web.pages.jobs.filter.query import PATH, JobsAddress
from jobdeck.wire.base import MAX_ID, AskedId, Digits
from jobdeck.wire.bulk import Bulk, BulkOutcome, BulkSelect

router = APIRouter(include_in_schema=False)
BulkId = Annotated[Digits, Path(ge=1, le=MAX_ID)]
DEFAULT_PRIORITY = 9
_LISTED = 200
TYPED_FROM = 100
"""From so many jobs on, their number is typed before they are deleted."""
_IDS = TypeAdapter(list[AskedId])


class PreviewAsked(BaseModel):
    """The dialog's form: jobs by id, or the address of a list that shows them."""

    model_config = ConfigDict(extra="ignore")

    operation: BulkOperation
    ids: str = ""
    address: str = ""
    reason: str = ""
    resume_at: str = ""
    priority: str = ""
    children: str = ""
    replaces: AskedId | Literal[""] = ""


@router.post(f"{PATH}/bulk")
async def preview(page: FragmentDep, asked: Annotated[PreviewAsked, Form()]) -> Response:
    """What the operation would do to the selection."""
    if asked.replaces:
        await page.services.bulks.stop(page.caller, asked.replaces)
    plan = await page.services.bulks.preview(page.caller, _asked(asked))
    return await _shown(page, plan, token=plan.token, selection=asked)


@router.post(f"{PATH}/bulk/{{id}}/run")
async def run(
    page: FragmentDep,
    id: BulkId,
    token: Annotated[str, Form(max_length=200)],
    typed: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """Carry out what was shown. A large delete is agreed to by typing its number."""
    number = number_to_type(await page.services.bulks.get(page.caller, id))
    if number is not None and "".join(filter(str.isdigit, typed)) != str(number):
        raise InvalidInput(f"Type {number} to delete them.", field="typed")
    return await _shown(page, await page.services.bulks.run(page.caller, id, token))


@router.post(f"{PATH}/bulk/{{id}}/stop")
async def stop(page: FragmentDep, id: BulkId) -> Response:
    """Touch no further job."""
    return await _shown(page, await page.services.bulks.stop(page.caller, id))


@router.get(f"{PATH}/bulk/{{id}}")
async def show(page: FragmentDep, id: BulkId) -> Response:
    """How far it is."""
    return await _shown(page, await page.services.bulks.get(page.caller, id))


@router.get(f"{PATH}/bulk/{{id}}/items")
async def items(
    page: FragmentDep, id: BulkId, outcome: BulkOutcome, cursor: Annotated[str | None, Query(max_length=1000)] = None
) -> Response:
    """Its jobs of one outcome, with the reasons."""
    found = await page.services.bulks.items(page.caller, id, outcome, cursor, _LISTED)
    return await page.render("jobs/bulk/items.html", block="items", items=found, id=id, outcome=outcome)


def number_to_type(bulk: Bulk) -> int | None:
    """How many jobs a large delete would remove, which is to be typed; None for any other operation."""
    if bulk.operation is not BulkOperation.DELETE or bulk.state != "planned":
        return None
    number = bulk.allowed + (sum(bulk.children.values()) if bulk.with_children else 0)
    return number if number >= TYPED_FROM else None


async def _shown(page: FragmentDep, bulk: Bulk, *, token: str = "", selection: PreviewAsked | None = None) -> Response:
    part = {"planned": "plan", "running": "running"}.get(bulk.state, "account")
    words = WORDS[bulk.operation]
    return await page.render(
        "jobs/bulk/page.html", block=part, bulk=bulk, words=words, token=token, selection=selection,
        family=family.words, number_to_type=number_to_type(bulk),
        fraction=(bulk.total - bulk.left) / bulk.total if bulk.total else 1.0,
    )  # fmt: skip


def _asked(asked: PreviewAsked) -> BulkAsked:
    """What the service is asked; raises InvalidInput."""
    given: dict[str, Any] = {"operation": asked.operation}
    if asked.reason.strip():
        given["reason"] = asked.reason.strip()
    if asked.resume_at and asked.operation is BulkOperation.PAUSE:
        given["resume_at"] = asked.resume_at
    if asked.operation is BulkOperation.PRIORITY:
        given["priority"] = asked.priority or DEFAULT_PRIORITY
    if asked.children and asked.operation is BulkOperation.DELETE:
        given["children"] = True
    try:
        if asked.ids:
            select = BulkSelect[JobConditions](ids=_IDS.validate_python(asked.ids.split(",")))
        else:
            select = BulkSelect[JobConditions](filter=_address(asked.address).conditions())
        return BulkAsked(**given, select=select)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(
            f"This cannot be used: {complaints.told(first['msg'], first.get('input'))}.", field=field
        ) from error


def _address(url: str) -> JobsAddress:
    """The filters of a list's address."""
    try:
        found = parse_qs(url.partition("?")[2], max_num_fields=100)
    except ValueError as error:
        raise InvalidInput("The list has too many filters.", field="address") from error
    return JobsAddress.model_validate(
        {name: values if len(values) > 1 else values[0] for name, values in found.items()}
    )
