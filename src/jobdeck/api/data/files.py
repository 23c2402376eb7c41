"""Project files: upload, replace, list, show, download, delete."""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from jobdeck.api.http import problem, ranges
from jobdeck.api.http.depends import (
    CallerDep,
    Force,
    IdempotencyKey,
    IdPath,
    PagingDep,
    ProjectPath,
    ServicesDep,
)
from jobdeck.api.http.described import PREFIX, refusals, silent
from jobdeck.api.http.forms import read_upload
from jobdeck.services.data.files import Download, Files
from jobdeck.wire.base import Digits, Page
from jobdeck.wire.objects import File

router = APIRouter(prefix=f"{PREFIX}/projects/{{project}}/files", tags=["files"])

_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "The content, with its file name.",
                        },
                        "name": {
                            "type": "string",
                            "description": "Its name, where that of the part cannot say it: there %22 is a quote.",
                        },
                        "tags": {"type": "array", "items": {"type": "string", "maxLength": 100}, "maxItems": 20},
                        "permanent": {"type": "boolean", "default": False},
                    },
                }
            }
        },
    }
}
_BYTES: dict[str, Any] = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
_NO_DOCUMENT = "application/octet-stream"
"""Whatever the uploader said it is: from this address nothing is a page or a script to a browser. The file's
`content_type` says it."""
_CONTENT: dict[int | str, dict[str, Any]] = {
    200: {**_BYTES, "description": "The content."},
    206: {**_BYTES, "description": "The part that `Range` asked for."},
    304: {"description": "`If-None-Match` names this content."},
    416: {"description": "The range lies behind the end."},
}


@router.post(
    "",
    status_code=201,
    summary="Upload a file",
    openapi_extra=_FORM,
    responses=refusals(conflict="The Idempotency-Key was used before with another file."),
)
async def upload(
    services: ServicesDep,
    caller: CallerDep,
    project: ProjectPath,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> File:
    """Keep a file; jobs name it `file:<id>`. It expires after 15 days unless it is permanent."""
    found = await services.of(Files).writable(caller, project)
    form = await read_upload(request.stream(), request.headers.get("content-type", ""))
    file = await services.of(Files).upload(caller, found, form, idempotency_key)
    response.headers["Location"] = f"{PREFIX}/projects/{project}/files/{file.id}"
    return file


@router.put(
    "/{id}",
    summary="Replace a file",
    openapi_extra=_FORM,
    responses=refusals(conflict="The Idempotency-Key was used before with another file."),
)
async def replace(
    services: ServicesDep,
    caller: CallerDep,
    project: ProjectPath,
    id: IdPath,
    request: Request,
    idempotency_key: IdempotencyKey = None,
) -> File:
    """Put other content in its place, under its id: jobs that read `file:<id>` from now on read this.

    What was there stays as an earlier version. Tags stay where none are given; it expires 15 days from now."""
    found = await services.of(Files).writable(caller, project)
    form = await read_upload(request.stream(), request.headers.get("content-type", ""))
    return await services.of(Files).replace(caller, found, id, form, idempotency_key)


@router.get("", summary="List files")
async def list_files(
    services: ServicesDep,
    caller: CallerDep,
    project: ProjectPath,
    paging: PagingDep,
    sha256: Annotated[
        str | None, Query(pattern="^[0-9a-f]{64}$", description="Only files whose content has this checksum.")
    ] = None,
) -> Page[File]:
    """Files of the project, newest first."""
    return await services.of(Files).page(caller, project, paging.cursor, paging.limit, sha256)


@router.get("/{id}", summary="Show a file")
async def show_file(services: ServicesDep, caller: CallerDep, project: ProjectPath, id: IdPath) -> File:
    """Name, size, SHA-256, and the jobs that read or made it."""
    return await services.of(Files).get(caller, project, id)


@router.delete(
    "/{id}", summary="Delete a file", **silent(conflict="Jobs that have not ended, or configurations, name it.")
)
async def delete_file(
    services: ServicesDep, caller: CallerDep, project: ProjectPath, id: IdPath, force: Force = False
) -> None:
    """Remove the file and its content."""
    await services.of(Files).delete(caller, project, id, force=force)


@router.get("/{id}/content", summary="Download a file", response_class=StreamingResponse, responses=_CONTENT)
async def content(
    services: ServicesDep,
    caller: CallerDep,
    project: ProjectPath,
    id: IdPath,
    range: Annotated[str | None, Header()] = None,
    if_none_match: Annotated[str | None, Header()] = None,
    if_range: Annotated[str | None, Header()] = None,
    version: Annotated[
        Digits | None, Query(ge=1, le=2**31 - 1, description="A version of the file; default: the present one.")
    ] = None,
) -> Response:
    """The bytes as they were uploaded; all of them, or those of one `Range`."""
    download = await services.of(Files).download(caller, project, id, version)
    file, tag = download.file, f'"{download.file.sha256}"'
    if if_none_match is not None and tag in re.split(r"\s*,\s*", if_none_match):
        return Response(status_code=304, headers={"ETag": tag})
    try:
        span = ranges.parse(range, file.bytes) if if_range in (None, tag) else None
    except ranges.Unsatisfiable:
        refused = problem.plain(416, "range_not_satisfiable", f"The file has {file.bytes} bytes.", field="Range")
        return problem.response(refused, {"Content-Range": f"bytes */{file.bytes}"})
    return _stream(download, span, tag)


def _stream(download: Download, span: ranges.ByteSpan | None, tag: str) -> Response:
    file = download.file
    whole = span or ranges.ByteSpan(0, file.bytes)
    headers = {
        "ETag": tag,
        "Accept-Ranges": "bytes",
        "Content-Length": str(whole.end - whole.start),
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name, safe='')}",
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    if span is not None:
        headers["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{file.bytes}"
    return StreamingResponse(
        download.bytes_between(whole.start, whole.end), 206 if span else 200, headers, media_type=_NO_DOCUMENT
    )
