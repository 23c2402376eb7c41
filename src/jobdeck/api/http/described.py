"""The OpenAPI document: what FastAPI makes of the routes, completed by what holds for all of them."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Response
from fastapi.openapi.utils import get_openapi

from jobdeck.wire.problem import MEDIA_TYPE, Problem

PREFIX = "/api/v1"
TITLE = "Jobdeck"
DESCRIPTION = """The job center for data platforms.

Every answer that says no is a problem document (RFC 9457) with a stable `code`. Lists are read page by page: hand
`next` back as `cursor` until it is null. Times are RFC 3339 in UTC. Long things answer 202 with the job that does
them."""
PUBLIC = frozenset({f"{PREFIX}/health"})
"""Paths that answer without a token."""

_ALWAYS = {"422": "A part of the request cannot be used.", "503": "A part that is needed does not answer just now."}
_WITH_TOKEN = {
    "401": "No token, or one that is not good.",
    "403": "The token's role does not include this.",
    "429": "Too many requests with this token; `Retry-After` says how many seconds to wait.",
}
_WITH_BODY = {
    "400": "The body is not JSON.",
    "413": "The body is too large.",
    "415": "The body is of another media type.",
}


def describe(app: FastAPI) -> dict[str, Any]:
    """The document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=TITLE, version=app.version, openapi_version="3.1.0", description=DESCRIPTION, routes=app.routes
        )
        _complete(document)
        app.openapi_schema = document
    return app.openapi_schema


def query_names(app: FastAPI, method: str, path: str) -> frozenset[str]:
    """The query parameters that an operation takes, as the document says."""
    known: dict[tuple[str, str], frozenset[str]] = app.state.query_names
    if not known:
        for at, item in describe(app)["paths"].items():
            for verb, operation in item.items():
                found = (p["name"] for p in operation.get("parameters", ()) if p["in"] == "query")
                known[verb.upper(), at] = frozenset(found)
    return known.get((method, path), frozenset())


def _complete(document: dict[str, Any]) -> None:
    components = document.setdefault("components", {})
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    schemas = components.setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    document["security"] = [{"token": []}]
    for path, item in document["paths"].items():
        for operation in item.values():
            _complete_operation(path, operation)


def _complete_operation(path: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    reasons = dict(_ALWAYS)
    if path in PUBLIC:
        operation["security"] = []
    else:
        reasons |= _WITH_TOKEN
    if "{" in path or "project" in {p["name"] for p in operation.get("parameters", ())}:
        reasons["404"] = "There is no such thing, or it is not visible to this token."
    if "requestBody" in operation:
        reasons |= _WITH_BODY
    for status, text in reasons.items():
        responses.setdefault(status, _problem(text))


def _problem(description: str) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": description, "content": content}


def refusals(**texts: str) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may refuse in its own ways: `conflict` (409), `missing` (404)."""
    return {_STATUS[name]: _problem(text) for name, text in texts.items()}


def silent(**texts: str) -> dict[str, Any]:
    """What a route is made with that answers with nothing (204); it may refuse as `refusals` says."""
    return {"status_code": 204, "response_class": Response, "responses": refusals(**texts)}


_STATUS = {"conflict": 409, "missing": 404}
