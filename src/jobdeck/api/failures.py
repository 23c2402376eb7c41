"""Failures, grouped by their fingerprint."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from jobdeck.api.http.depends import CallerDep, ServicesDep
from jobdeck.api.http.described import PREFIX
from jobdeck.services.failures import FailureConditions, FailureQuery
from jobdeck.wire.failures import FailureGroup, FailurePage

router = APIRouter(prefix=f"{PREFIX}/failures", tags=["failures"])

Fingerprint = Annotated[str, Path(pattern=r"^[0-9a-f]{12}$", description="`error.fingerprint` of a job.")]


@router.get("", summary="List failures, grouped")
async def list_failures(
    services: ServicesDep, caller: CallerDep, query: Annotated[FailureQuery, Query()]
) -> FailurePage:
    """Failures of the same kind together, the latest first; also those of jobs that were resumed since."""
    return await services.failures.page(caller, query)


@router.get("/{fingerprint}", summary="Show a group of failures")
async def show_failure(
    services: ServicesDep,
    caller: CallerDep,
    fingerprint: Fingerprint,
    conditions: Annotated[FailureConditions, Query()],
) -> FailureGroup:
    """One group, with the jobs that failed last."""
    return await services.failures.get(caller, fingerprint, conditions)
