"""Every answer that says no is an RFC 9457 problem document, made here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from jobdeck.core.errors import ErrorKind, JobdeckError
from jobdeck.core.output import complaints
from jobdeck.core.values import clip
from jobdeck.wire.problem import MEDIA_TYPE, FieldError, Problem

log = structlog.get_logger(__name__)

STATUS_OF_KIND: dict[ErrorKind, int] = {
    "invalid": 422,
    "unauthenticated": 401,
    "forbidden": 403,
    "not_found": 404,
    "refused": 409,
    "too_large": 413,
    "unavailable": 503,
}
_HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "2"}}
CODES = {
    400: "malformed",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "too_large",
    415: "unsupported_media_type",
}
_RESERVED = frozenset(Problem.model_fields) - {"errors"}


def headers_of(problem: Problem) -> Mapping[str, str]:
    """What its status asks for."""
    return _HEADERS.get(problem.status, {})


def response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """The problem as a response."""
    extra = {**headers_of(problem), **(headers or {})}
    return Response(problem.model_dump_json(), problem.status, extra, MEDIA_TYPE)


def plain(
    status: int, code: str, detail: str, *, field: str | None = None, hint: str | None = None, **facts: Any
) -> Problem:
    """A problem that is no JobdeckError."""
    return Problem(
        title=HTTPStatus(status).phrase, status=status, code=code, detail=clip(detail), field=field, hint=hint, **facts
    )


def of_error(error: JobdeckError) -> Problem:
    """The problem that an error is to the one who asked; what is unavailable, its operator finds in the log, too."""
    if error.kind == "unavailable":
        log.warning("answered_unavailable", code=error.code, error=error.message)
    facts = {key: value for key, value in error.facts.items() if key not in _RESERVED}
    status = STATUS_OF_KIND[error.kind]
    return plain(
        status, error.code, error.public, field=_clipped(error.field), hint=_clipped(error.hint), **_jsonable(facts)
    )


def of_crash(request_id: str) -> Problem:
    """The problem of a mistake of ours: nothing of its inside is told, the server's log has it under the request id."""
    detail = f"The server made a mistake. Its log tells more under the request id {request_id}."
    return plain(500, "internal_error", detail, request_id=request_id)


def of_validation(errors: Sequence[Any]) -> Problem:
    """The problem of a request whose parts do not fit; every field at fault is named."""
    if any(e["type"] == "json_invalid" for e in errors):
        at = errors[0]["loc"][-1]
        why = errors[0].get("ctx", {}).get("error", "")
        return plain(400, "malformed_json", f"The body is not JSON: {why} at character {at}.", field="body")
    found = [FieldError(field=field_name(e["loc"]), message=clip(_message(e), 500)) for e in errors[:100]]
    first = found[0]
    more = f" ({len(found) - 1} more)" if len(found) > 1 else ""
    return plain(422, "invalid_input", f"{first.field}: {first.message}{more}", field=first.field, errors=found)


def field_name(location: Sequence[int | str]) -> str:
    """`params.files[0]` from `("body", "params", "files", 0)`."""
    parts = list(location)
    if parts and parts[0] in ("body", "query", "path", "header", "cookie"):
        parts = parts[1:] or parts
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return clip(name.lstrip("."), 300)


def install(app: FastAPI) -> None:
    """Make every error that comes out of a route a problem document."""
    app.add_exception_handler(JobdeckError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)


async def _on_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, JobdeckError)
    return response(of_error(error))


async def _on_validation(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return response(of_validation(error.errors()))


async def _on_http(request: Request, error: Exception) -> Response:
    """What the framework refuses: no such route, no such method, a body that cannot be parsed."""
    assert isinstance(error, HTTPException)
    path = clip(request.url.path, 200)
    details = {404: f"There is nothing at {path}.", 405: f"{request.method} is not possible at {path}."}
    hints = {404: "GET /api/v1/openapi.json describes all there is."}
    detail = details.get(error.status_code, f"{error.detail}.")
    code = CODES.get(error.status_code, "refused")
    return response(plain(error.status_code, code, detail, hint=hints.get(error.status_code)), error.headers)


def _message(error: Mapping[str, Any]) -> str:
    return complaints.told(str(error["msg"]), error.get("input"))


def _clipped(text: str | None) -> str | None:
    return None if text is None else clip(text)


def _jsonable(value: Any) -> Any:
    """Facts as JSON can hold them; whatever else an error carries becomes text."""
    if isinstance(value, Mapping):
        return {clip(str(k), 200): _jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_jsonable(v) for v in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return clip(str(value))
