"""Health, for everyone, and metrics, for those with a token."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from jobdeck.api.http.depends import CallerDep, ServicesDep
from jobdeck.api.http.described import PREFIX
from jobdeck.services.admin.health import HealthCheck
from jobdeck.services.admin.metrics import CONTENT_TYPE, Metrics
from jobdeck.wire.admin import Health

router = APIRouter(prefix=PREFIX, tags=["health"])
metrics_router = APIRouter(tags=["health"])


@router.get(
    "/health",
    summary="Show whether the server serves",
    responses={503: {"model": Health}},
    response_model_exclude_unset=True,
)
async def health(services: ServicesDep, request: Request, response: Response) -> Health:
    """`status` is `ok`, `degraded` (it serves, jobs do not run) or, with 503, `unavailable`. Each of `parts` has one.
    Needs no token; with one it also tells the version and what is known of the parts."""
    found = await services.of(HealthCheck).look()
    if found.status == "unavailable":
        response.status_code = 503
    if "caller" in request.scope["state"]:
        return found
    return Health(status=found.status, parts={name: {"status": part["status"]} for name, part in found.parts.items()})


@metrics_router.get("/metrics", summary="Read figures for Prometheus", response_class=PlainTextResponse)
async def metrics(services: ServicesDep, caller: CallerDep) -> Response:
    """Prometheus' text format; for tokens that are not bound to a project."""
    return Response(await services.of(Metrics).text(caller), media_type=CONTENT_TYPE)
