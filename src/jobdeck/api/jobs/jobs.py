"""Jobs: submit, list, count, show, operate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Body, Query, Response

from jobdeck.api.http.depends import CallerDep, IdempotencyKey, JobDep, PresentDep, ProjectPath, ServicesDep
from jobdeck.api.http.described import PREFIX, refusals
from jobdeck.core.life.operations import Operation
from jobdeck.core.life.states import State
from jobdeck.services.jobs.jobs import AskedOperation
from jobdeck.services.jobs.queries import JobConditions, JobQuery, Words, wanted_fields
from jobdeck.wire.base import Page
from jobdeck.wire.jobs import (
    BatchRequest,
    ChangeRequest,
    Deleted,
    Job,
    OperationRequest,
    PauseRequest,
    RestartRequest,
    RunAgainRequest,
    SubmitRequest,
)
from jobdeck.wire.plans import JobPlan

router = APIRouter(prefix=PREFIX, tags=["jobs"])

_KEY_REUSED = refusals(conflict="The Idempotency-Key was used before with another request.")
_REFUSED = refusals(conflict="The job's state does not allow it; `state`, `operation` and `allowed` say more.")
DryRun = Annotated[
    bool, Query(description="Check all that a submission checks, tell what the job would do, and store nothing.")
]
_PLANNED: dict[int | str, dict[str, Any]] = {200: {"model": JobPlan, "description": "The plan, with `dry_run`."}}
WithChildren = Annotated[bool, Query(description="Also delete its children, and theirs. They must have ended, too.")]
_DELETED: dict[int | str, dict[str, Any]] = {
    200: {"model": Deleted, "description": "What was deleted, with `children`."}
}
Fields = Annotated[Words | None, Query(description="Only these fields of each job; `id` always is there.")]
_SUBMIT = {
    "sleep": {"summary": "A job that waits", "value": {"type": "sleep", "params": {"seconds": 1, "steps": 2}}},
    "import": {
        "summary": "Load an uploaded file into a table",
        "value": {"type": "import", "params": {"files": ["file:1"], "into": "lake/in.shop/orders"}, "priority": 7},
    },
}


@router.post(
    "/projects/{project}/jobs",
    status_code=202,
    responses={**_KEY_REUSED, **_PLANNED},
    response_model=Job,
    summary="Submit a job",
)
async def submit(
    services: ServicesDep,
    caller: CallerDep,
    project: ProjectPath,
    body: Annotated[SubmitRequest, Body(openapi_examples=_SUBMIT)],
    response: Response,
    present: PresentDep,
    dry_run: DryRun = False,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """Accept a job; it is queued. `Location` names it. With `dry_run` it only is planned: 200 with the plan."""
    if dry_run:
        return _plan(await present.whilst(services.dry_runs.of(caller, project, body)))
    (job_id,) = await present.whilst(services.jobs.submit(caller, project, [body], idempotency_key))
    response.headers["Location"] = f"{PREFIX}/jobs/{job_id}"
    return await services.jobs.get(caller, job_id)


@router.post(
    "/projects/{project}/jobs/batch",
    status_code=202,
    responses=_KEY_REUSED,
    summary="Submit several jobs",
    response_model=Page[Job],
)
async def submit_batch(
    services: ServicesDep,
    caller: CallerDep,
    project: ProjectPath,
    body: BatchRequest,
    present: PresentDep,
    fields: Fields = None,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """Accept all of them or none; the jobs, in the order of the request. With `fields=id` the answer costs little."""
    wanted = wanted_fields(fields or [])
    ids = await present.whilst(services.jobs.submit(caller, project, body.jobs, idempotency_key))
    if wanted == {"id"}:
        return _json({"items": [{"id": job_id} for job_id in ids], "next": None}, 202)
    jobs = await services.jobs.get_many(caller, ids, wanted)
    if wanted is None:
        return Page[Job](items=jobs)
    return _json({"items": _sparse(jobs, wanted), "next": None}, 202)


@router.get("/jobs", summary="List jobs", response_model=Page[Job])
async def list_jobs(services: ServicesDep, caller: CallerDep, query: Annotated[JobQuery, Query()]) -> Any:
    """Jobs that match, newest first unless `sort` says otherwise.

    `params` and `result` of more than 16 KiB are left out of lists; `omitted` names them."""
    page, fields = await services.jobs.page(caller, query)
    if fields is None:
        return page
    return _json({"items": _sparse(page.items, fields), "next": page.next})


def _json(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")


def _plan(plan: JobPlan) -> Response:
    return Response(plan.model_dump_json(), media_type="application/json")


def _sparse(items: Sequence[Job], fields: set[str]) -> list[dict[str, Any]]:
    return [job.model_dump(mode="json", include=fields) for job in items]


@router.get("/jobs/counts", summary="Count jobs by state")
async def count_jobs(
    services: ServicesDep, caller: CallerDep, conditions: Annotated[JobConditions, Query()]
) -> dict[State, int]:
    """How many jobs match, for every state."""
    return {State(state): count for state, count in (await services.jobs.counts(caller, conditions)).items()}


@router.get("/jobs/{id}", summary="Show a job")
async def show_job(about: JobDep) -> Job:
    """One job with everything about it."""
    return await about.services.jobs.get(about.caller, about.id)


@router.patch("/jobs/{id}", summary="Change a job's priority")
async def change_job(about: JobDep, body: ChangeRequest) -> Job:
    """Higher priorities go first among jobs that wait."""
    return await about.services.jobs.set_priority(about.caller, about.id, body.priority)


@router.delete(
    "/jobs/{id}",
    status_code=204,
    response_class=Response,
    response_model=None,
    responses={**_REFUSED, **_DELETED},
    summary="Delete a job",
)
async def delete_job(about: JobDep, children: WithChildren = False) -> Response:
    """Remove a job that has ended, and everything recorded about it. One that has children is deleted only with them:
    409 `has_children` counts them by state, `children=true` chooses them, and the answer then is 200 with the count."""
    deleted = await about.services.jobs.delete(about.caller, about.id, children=children)
    return _json(deleted.model_dump(mode="json")) if children else Response(status_code=204)


@router.post("/jobs/{id}/cancel", status_code=202, responses=_REFUSED, summary="Cancel a job")
async def cancel_job(about: JobDep, body: OperationRequest | None = None) -> Job:
    """End it for good and remove what it half made."""
    return await about.services.jobs.operate(about.caller, about.id, AskedOperation.of(Operation.CANCEL, body))


@router.post("/jobs/{id}/pause", status_code=202, responses=_REFUSED, summary="Pause a job")
async def pause_job(about: JobDep, body: PauseRequest | None = None) -> Job:
    """Stop at the next checkpoint, and give back all that it holds."""
    return await about.services.jobs.operate(about.caller, about.id, AskedOperation.of(Operation.PAUSE, body))


@router.post("/jobs/{id}/resume", status_code=202, responses=_REFUSED, summary="Resume a job")
async def resume_job(about: JobDep, body: OperationRequest | None = None) -> Job:
    """Go on from the first task that has not succeeded."""
    return await about.services.jobs.operate(about.caller, about.id, AskedOperation.of(Operation.RESUME, body))


@router.post("/jobs/{id}/restart", status_code=202, responses=_REFUSED, summary="Restart a job")
async def restart_job(about: JobDep, body: RestartRequest | None = None) -> Job:
    """Run from the first step, under the same id, as a new attempt."""
    return await about.services.jobs.operate(about.caller, about.id, AskedOperation.of(Operation.RESTART, body))


@router.post(
    "/jobs/{id}/run-again",
    status_code=202,
    responses={**_KEY_REUSED, **_PLANNED},
    response_model=Job,
    summary="Run a job again",
)
async def run_again(
    about: JobDep,
    response: Response,
    present: PresentDep,
    body: RunAgainRequest | None = None,
    dry_run: DryRun = False,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """Submit a new job with the same parameters, or with edited ones; `copied_from` names the old one.

    With `dry_run` it only is planned: 200 with the plan, whose `changes` tell how the parameters differ."""
    if dry_run:
        return _plan(
            await present.whilst(about.services.dry_runs.of_again(about.caller, about.id, body or RunAgainRequest()))
        )
    job = await present.whilst(
        about.services.jobs.run_again(about.caller, about.id, body or RunAgainRequest(), idempotency_key)
    )
    response.headers["Location"] = f"{PREFIX}/jobs/{job.id}"
    return job
