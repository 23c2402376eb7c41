"""Run something: the job types, and for each a form that becomes a job."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import ValidationError
from starlette.responses import Response

from jobdeck.api.http.depends import Presence
from jobdeck.api.http.problem import field_name
from jobdeck.core.errors import InvalidInput, JobdeckError, NotFound, Unauthenticated
from jobdeck.core.output import complaints
from jobdeck.services.jobs.queries import JobQuery
from jobdeck.web.forms.edits import edit
from jobdeck.web.forms.reading import Sent
from jobdeck.web.forms.values import strict_json
from jobdeck.web.page import PageContext, PageDep
from jobdeck.web.pages.run import view as run_view
from jobdeck.web.pages.run.draft import Origin, RunDraft
from jobdeck.wire.base import MAX_ID, Digits
from jobdeck.wire.jobs import RunAgainRequest, SubmitRequest
from jobdeck.wire.plans import JobPlan

router = APIRouter(include_in_schema=False)

RECENT = 100
"""Jobs of one's own that are looked at for the types used last."""
PICKED = 50
"""Files of the project that are offered to choose from."""

TypePath = Annotated[str, Path(max_length=200)]
Search = Annotated[str, Query(max_length=200)]
Id = Annotated[Digits | None, Query(ge=1, le=MAX_ID)]
From = Annotated[Digits | None, Query(alias="from", ge=1, le=MAX_ID)]
Text = Annotated[str | None, Query(max_length=100_000)]


@router.get("/run")
async def types_page(page: PageDep, q: Search = "") -> Response:
    """What can be run here: types used last, then all by category."""
    types = page.services.types.runnable(page.caller)
    query = JobQuery(created_by=page.caller.name, limit=RECENT, fields=["type"])
    used = {job.type: None for job in (await page.services.jobs.page(page.caller, query))[0].items}
    by_name = {one.name: one for one in types}
    recent = [by_name[name] for name in used if name in by_name][:4]
    groups = run_view.by_category(types)
    return await page.render(
        "run/types.html",
        groups=groups,
        recent=recent,
        q=q,
        count=len(types),
        broken=page.services.types.broken(page.caller),
    )


@router.get("/run-parts/files")
async def files_part(page: PageDep, project: Annotated[str, Query(max_length=100)], path: Search) -> Response:
    """Files to choose from, for the list or field at `path`."""
    found = await page.services.files.page(page.caller, project, None, PICKED)
    return await page.render("run/objects/files.html", files=found.items, path=path, more=found.next is not None)


@router.get("/run-parts/objects")
async def objects_part(page: PageDep, project: Annotated[str, Query(max_length=100)]) -> Response:
    """Objects that there are, for the fields that name one."""
    found = await page.services.objects.page(page.caller, project, None, 500)
    return await page.render("run/objects/objects.html", objects=found.items)


@router.get("/run/{type}")
async def form_page(
    page: PageDep, type: TypePath, source: From = None, configuration: Id = None, params: Text = None
) -> Response:
    """The form, empty or with the values of a job, of a configuration, or of the address."""
    origin = await _origin(page, type, source, configuration, page.project)
    draft = RunDraft.begin(origin, _first_params(origin, params))
    return await run_view.show(page, draft)


@router.post("/run/{type}")
async def form_sent(
    page: PageDep, type: TypePath, request: Request, source: From = None, configuration: Id = None
) -> Response:
    """Something was done to the form: a row added, a dry run or the job itself asked for."""
    sent = Sent.of(await request.body())
    origin = await _origin(page, type, source, configuration, page.project or sent.get("in") or None)
    draft = RunDraft.sent(origin, sent)
    what, _, rest = sent.get("do", "plan").partition("|")
    match what:
        case "run":
            return await _run(page, draft)
        case "plan":
            return await _plan(page, draft)
        case "changes":
            return await page.render("run/page.html", block="changes", **run_view.changes(draft))
        case "form" | "json":
            draft.switch("json" if what == "json" else "form")
        case "add" | "put" | "remove" | "up" | "down":
            values, _, path = rest.partition("|")
            given = [value for value in values.split(",") if value]
            for form, root in ((draft.form, draft.root), (draft.options_form, draft.options)):
                edit(form, root, what, path, given)
    return await run_view.show(page, draft, block="form")


async def _origin(
    page: PageContext, name: str, job: int | None, configuration: int | None, project: str | None
) -> Origin:
    """Raises NotFound where one of them is not there."""
    found = page.services.types.get(page.caller, name)
    if found.broken is not None:
        raise NotFound(f"The job type '{name}' could not be loaded: {found.broken}", field="type")
    source = await page.services.jobs.get(page.caller, job) if job is not None else None
    if source is not None and source.type != name:
        raise NotFound(f"Job {source.id} is one of the type '{source.type}', not '{name}'.", field="from")
    project = source.project if source is not None else project or _only(page, await _projects(page))
    saved = None
    if configuration is not None and project is not None:
        saved = await page.services.configurations.get(page.caller, project, configuration)
        if saved.type != name:
            raise NotFound(f"Configuration {saved.id} is one of the type '{saved.type}', not '{name}'.")
    return Origin(found, project, source, saved)


async def _projects(page: PageContext) -> list[str]:
    found = await page.services.projects.page(page.caller, None, 500)
    return [project.name for project in found.items]


def _only(page: PageContext, names: list[str]) -> str | None:
    """Where a job goes when nobody said it."""
    return page.project or ("default" if "default" in names else next(iter(names), None))


def _first_params(origin: Origin, text: str | None) -> dict[str, Any]:
    given: Any = {}
    if text:
        try:
            given = strict_json(text)
        except ValueError as error:
            raise InvalidInput(f"params in the address: {error}", field="params") from error
    if not isinstance(given, dict):
        raise InvalidInput("params in the address are no JSON object.", field="params")
    return {**(origin.before or {}), **given}


async def _plan(page: PageContext, draft: RunDraft) -> Response:
    plan: JobPlan | None = None
    present = Presence(page.request)
    try:
        asked = _request(draft)
        if isinstance(asked, RunAgainRequest) and draft.origin.source:
            plan = await present.whilst(page.services.dry_runs.of_again(page.caller, draft.origin.source.id, asked))
        elif isinstance(asked, SubmitRequest):
            plan = await present.whilst(page.services.dry_runs.of(page.caller, _project(draft), asked))
    except JobdeckError as error:
        _take(draft, error)
    return await run_view.show(page, draft, plan, block="both" if plan else "form")


async def _run(page: PageContext, draft: RunDraft) -> Response:
    """The job's own page; or the form again, with what is wrong."""
    job: int | None = None
    jobs, present = page.services.jobs, Presence(page.request)
    try:
        asked = _request(draft)
        if isinstance(asked, RunAgainRequest) and draft.origin.source:
            key = _key(draft, asked)
            job = (await present.whilst(jobs.run_again(page.caller, draft.origin.source.id, asked, key))).id
        elif isinstance(asked, SubmitRequest):
            (job,) = await present.whilst(jobs.submit(page.caller, _project(draft), [asked], _key(draft, asked)))
    except JobdeckError as error:
        _take(draft, error)
    if job is not None:
        return page.redirect(page.link(f"/jobs/{job}"))
    return await run_view.show(page, draft, block="form")


def _take(draft: RunDraft, error: JobdeckError) -> None:
    if isinstance(error, Unauthenticated):
        raise error
    draft.refuse(error)


def _request(draft: RunDraft) -> SubmitRequest | RunAgainRequest | None:
    """What is asked of the API; None where the form says already what is wrong."""
    params, options = draft.wanted()
    if draft.complaints:
        return None
    try:
        if draft.origin.source is not None:
            return RunAgainRequest.model_validate({**options, "params": params, "replace": True})
        saved = draft.origin.configuration
        more = {"configuration": saved.id} if saved else {}
        return SubmitRequest.model_validate({**options, **more, "type": draft.origin.type.name, "params": params})
    except ValidationError as error:
        faults = error.errors(include_url=False)
        draft.blame([(field_name(one["loc"]), complaints.told(one["msg"], one.get("input"))) for one in faults])
        return None


def _project(draft: RunDraft) -> str:
    if draft.origin.project is None:
        raise InvalidInput("There is no project to run it in.", hint="Ask an administrator to make one.")
    return draft.origin.project


def _key(draft: RunDraft, asked: SubmitRequest | RunAgainRequest) -> str:
    """Pressing twice makes one job; another form, or the same one changed, makes another."""
    text = json.dumps([draft.key, draft.origin.project, asked.model_dump(mode="json")], sort_keys=True)
    return f"page-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"
