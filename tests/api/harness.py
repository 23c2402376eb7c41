"""The API in this process, and short words for what tests do with it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI
from sqlalchemy import insert, update

from jobdeck.access.first_admin import first_admin
from jobdeck.api.app import create_app
from jobdeck.api.http.described import describe
from jobdeck.services.core import Core
from jobdeck.services.services import Services
from jobdeck.store.schema import jobs, leases, workers
from jobdeck.store.sql.database import Tx

V1 = "/api/v1"


@dataclass
class Api:
    """One installation; `http` sends the administrator's token unless told otherwise."""

    core: Core
    app: FastAPI
    http: httpx2.AsyncClient
    home: Path
    tokens: dict[str, str] = field(default_factory=dict)

    @classmethod
    @asynccontextmanager
    async def over(cls, core: Core, home: Path) -> AsyncIterator[Api]:
        token = await first_admin(core.database, home)
        app = create_app(Services(core))
        app.openapi_schema = _document(app)
        transport = httpx2.ASGITransport(app=app)
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers) as http:
            yield cls(core, app, http, home, {"admin": token})

    async def ask(
        self, method: str, path: str, status: int | None = None, *, token: str | None = None, **more: Any
    ) -> Any:
        """The answer's JSON (its text where it is none), after its status was checked."""
        response = await self.raw(method, path, token=token, **more)
        if status is not None:
            assert response.status_code == status, response.text
        kind = response.headers.get("content-type", "")
        return response.json() if "json" in kind and response.content else response.text

    async def raw(self, method: str, path: str, *, token: str | None = None, **more: Any) -> httpx2.Response:
        headers = dict(more.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {self.tokens.get(token, token)}"
        return await self.http.request(
            method, path if path.startswith("/") else f"{V1}/{path}", headers=headers, **more
        )

    async def get(self, path: str, status: int = 200, **more: Any) -> Any:
        return await self.ask("GET", path, status, **more)

    async def every(self, path: str) -> list[Any]:
        """The items of a list, page after page; `path` says how many a page has."""
        found: list[Any] = []
        cursor = ""
        while True:
            page = await self.get(f"{path}{cursor}")
            found += page["items"]
            if page["next"] is None:
                return found
            cursor = f"&cursor={page['next']}"

    async def post(self, path: str, body: Any = None, status: int | None = None, **more: Any) -> Any:
        return (
            await self.ask("POST", path, status, json=body, **more)
            if body is not None
            else await self.ask("POST", path, status, **more)
        )

    async def submit(
        self, type: str = "sleep", params: Any = None, *, project: str = "default", status: int = 202, **more: Any
    ) -> Any:
        body = {"type": type, "params": params if params is not None else {"seconds": 1}, **more}
        return await self.post(f"projects/{project}/jobs", body, status)

    async def submit_many(self, count: int, *, project: str = "default", **more: Any) -> list[int]:
        body = {"jobs": [{"type": "noop", **more}] * count}
        return [job["id"] for job in (await self.post(f"projects/{project}/jobs/batch", body, 202))["items"]]

    async def token(self, name: str, role: str, project: str | None = None) -> str:
        """Make a token, to be named by `name` from now on."""
        made = await self.post("tokens", {"name": name, "role": role, "project": project}, 201)
        self.tokens[name] = made["token"]
        return str(made["token"])

    async def put_job(self, job_id: int, **columns: Any) -> None:
        """Write columns of a job's row, as the engine would have by now."""

        async def work(tx: Tx) -> None:
            await tx.connection.execute(update(jobs).where(jobs.c.id == job_id).values(**columns))

        await self.core.database.transact(work)

    async def lease(self, job_id: int, *claims: list[Any]) -> None:
        """Let a worker called `w1` hold the job and `claims`."""

        async def work(tx: Tx) -> None:
            worker = {
                "id": f"w-{job_id}", "name": "w1", "host": "h", "pid": 1, "state": "active", "slots": 1,
                "light_slots": 1, "types": '["sleep","noop"]', "version": "1", "started_at": tx.now,
                "heartbeat_at": tx.now,
            }  # fmt: skip
            await tx.connection.execute(insert(workers).values(worker))
            lease = {
                "job_id": job_id, "worker_id": worker["id"], "epoch": 1, "purpose": "run", "claims": json.dumps(claims),
                "acquired_at": tx.now, "expires_at": tx.now + 60_000_000,
            }  # fmt: skip
            await tx.connection.execute(insert(leases).values(lease))
            values = {
                "state": "running",
                "leased": True,
                "started_at": tx.now,
                "state_since": tx.now,
                "epoch": 1,
                "worker": "w1",
            }
            await tx.connection.execute(update(jobs).where(jobs.c.id == job_id).values(values))

        await self.core.database.transact(work)


_DOCUMENTS: list[dict[str, Any]] = []


def _document(app: FastAPI) -> dict[str, Any]:
    """The same for every application, and made once: it takes a moment."""
    if not _DOCUMENTS:
        _DOCUMENTS.append(describe(app))
    return _DOCUMENTS[0]


def is_problem(
    response: httpx2.Response, status: int, code: str | None = None, field: str | None = None
) -> dict[str, Any]:
    """The problem document of a response, after it was checked to be one."""
    assert response.status_code == status, f"{response.status_code}: {response.text}"
    assert response.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = response.json()
    assert found["status"] == status
    assert found["detail"]
    assert found["title"]
    if code is not None:
        assert found["code"] == code, found
    if field is not None:
        assert found["field"] == field, found
    assert "Traceback" not in response.text
    return found
