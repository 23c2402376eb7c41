"""Every route of the API and of the pages, with values that look like numbers and texts and are none: never a 500."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from jobdeck.services.core import Core
from jobdeck.web.mount import mount
from tests.api.harness import Api

pytestmark = pytest.mark.timeout(300)

NUMBERS = [
    "²",
    "١٢",
    "1_0",
    " 7",
    "+7",
    "0x1",
    "1e999",
    "NaN",
    "-1",
    "9" * 5000,
    "99999999999999999999",
    "1.5",
    "½",
    "-0",
]
TEXTS = ["", "a\0b", "\ud800", "%", "\x1b[2J", "../..", "'\"<", "é" * 300, "1:²", "a" * 3000]
BODIES = [
    b"", b"{", b"null", b"[]", b'"x"', b"\xff\xfe", b"NaN", b'{"a":1e999}', b'{"a":' + b"9" * 5000 + b"}",
    b"[" * 100_000, b'{"a":' * 20_000, b'{"type":"sleep","params":{"seconds":"\\ud800"}}', b'{"type":"\\u0000"}',
    b'{"type":"sleep","params":{"seconds":NaN}}', b'{"name":"\\ud800\\u0000","role":"viewer","query":"\\ud800"}',
    b'{"ids":[99999999999999999999]}', b'{"capacity":1e30}', b'{"capacity":99999999999999999999,"priority":1e999}',
    b'{"operation":"cancel","select":{"ids":["\xc2\xb2"]}}',
    b'{"jobs":[{"type":"sleep","not_before":"9999999-01-01"}]}',
    b'{"reason":"\\ud800","resume_at":1e400}', b'{"reason":"\\u0000"}',
    b'{"description":"\\udfff","priority":"\xc2\xb2"}',
]  # fmt: skip


@pytest.fixture
async def site(core: Core, home: Path) -> AsyncIterator[Api]:
    """The API and the pages, with a job, a file, a configuration, a view and a bulk."""
    async with Api.over(core, home) as api:
        mount(api.app)
        login = await api.http.post("/login", data={"token": api.tokens["admin"]})
        assert login.status_code == 303
        await api.submit()
        files = f"{'/api/v1'}/projects/default/files"
        assert (await api.http.post(files, files={"file": ("f.csv", b"a\n1\n")})).status_code == 201
        await api.post("projects/default/configurations", {"name": "c", "type": "sleep", "params": {}}, 201)
        await api.post("views", {"name": "v", "query": "q=a"}, 201)
        await api.post("bulk", {"operation": "cancel", "select": {"filter": {}}}, 201)
        yield api


def routes(api: Api) -> Iterator[APIRoute]:
    """All of them, those of the pages included."""
    waiting = list(api.app.routes)
    while waiting:
        route = waiting.pop()
        if isinstance(route, APIRoute):
            if route.path != "/logout":
                yield route
        else:
            waiting += route.original_router.routes  # type: ignore[attr-defined]  # routers that were included


def parameters_of(dependant: Dependant, kind: str) -> list[Any]:
    """Those of a route and of all that it asks for; `kind`: path, query, header or body."""
    found = list(getattr(dependant, f"{kind}_params"))
    for below in dependant.dependencies:
        found += parameters_of(below, kind)
    return found


def names(parameters: list[Any]) -> list[str]:
    """Of parameters, one by one; a model stands for its fields."""
    found = []
    for parameter in parameters:
        kind = parameter.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += [field.alias or name for name, field in kind.model_fields.items()]
        else:
            found.append(parameter.alias)
    return found


def usual(name: str) -> str:
    """A value of a path's parameter that is there, or at least plausible."""
    known = {"project": "default", "type": "sleep", "ref": "lake/a/b", "resource": "type:sleep", "scope": "instance"}
    return known.get(name, "1")


def path_of(route: APIRoute, **exchanged: str) -> str:
    path = route.path_format
    for parameter in parameters_of(route.dependant, "path"):
        value = exchanged.get(parameter.alias, usual(parameter.alias))
        path = path.replace("{" + parameter.alias + "}", quote(value.encode("utf-8", "surrogatepass"), safe=""))
    return path


EACH = int(os.environ.get("ODD_VALUES", "2"))
"""Odd values tried in each place, others in the next one; all of them by hand: `ODD_VALUES=100 pytest --timeout=0`."""


class Turns:
    """Hands out `EACH` of some values, and the next ones the next time."""

    def __init__(self, values: list[Any]) -> None:
        self._values = values
        self._at = 0

    def __iter__(self) -> Iterator[Any]:
        count = min(EACH, len(self._values))
        for _ in range(count):
            yield self._values[self._at % len(self._values)]
            self._at += 1


_odd = Turns([value for pair in zip_longest(NUMBERS, TEXTS) for value in pair if value is not None])
_bodies = Turns(BODIES)
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_JSON = {"Content-Type": "application/json"}
_FORM_NAMES = ("v:/seconds", "s:/seconds", "k:/x", "type", "priority", "not_before")


def _sent(odd: str) -> bytes:
    return odd.encode("utf-8", "surrogatepass")


def requests_of(route: APIRoute) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, address and what else is sent: one odd value in each place, one after the other."""
    asks = route.dependant
    method = next(iter((route.methods or set()) - {"HEAD"}))
    # The head of an answer is enough where the answer has no end.
    method = "HEAD" if route.path_format == "/api/v1/events" else method
    reads = method in ("GET", "HEAD")
    plain: dict[str, Any] = {} if reads else {"content": b"{}", "headers": _JSON}
    for parameter in parameters_of(asks, "path"):
        yield from ((method, path_of(route, **{parameter.alias: odd or "%"}), plain) for odd in _odd)
    for name in names(parameters_of(asks, "query")):
        yield from ((method, f"{path_of(route)}?{urlencode({name: _sent(odd)})}", plain) for odd in _odd)
    for name in names(parameters_of(asks, "header")):
        for odd in _odd:
            headers = {**plain.get("headers", {}), name: _sent(odd).replace(b"\0", b"")}
            yield method, path_of(route), {**plain, "headers": headers}
    if reads:
        return
    if not route.path.startswith("/api"):
        for name in (*names(parameters_of(asks, "body")), *_FORM_NAMES):
            for odd in _odd:
                yield method, path_of(route), {"content": urlencode({name: _sent(odd)}), "headers": _FORM}
    for body in _bodies:
        yield method, path_of(route), {"content": body, "headers": _JSON}


async def test_no_odd_value_breaks_a_route(site: Api) -> None:
    csrf = (await site.http.get("/nowhere", headers={"Authorization": ""})).text
    csrf = csrf.partition('name="csrf-token" content="')[2].partition('"')[0]
    assert csrf
    broken: list[str] = []
    asked = 0
    for route in routes(site):
        page = not route.path.startswith(("/api", "/metrics"))
        own = {"Authorization": "", "X-CSRF-Token": csrf, "X-Jobdeck-Fragment": "true"} if page else {}
        for method, address, more in requests_of(route):
            headers = {**own, **more.get("headers", {})}
            answer = await site.http.request(method, address, **{**more, "headers": headers})
            asked += 1
            if answer.status_code >= 500:
                print("BROKEN", method, address[:300], more)
                broken.append(f"{method} {address[:200]} {more}"[:400] + f" → {answer.text[:300]}")
    assert asked > 300
    assert not broken, f"{len(broken)} of {asked}:\n" + "\n".join(broken[:40])


IDS = ["²", "١", "1_0", "%201", "+1", "1.0", "9" * 5000, "99999999999999999999", "-1", "0", "NaN", "1e3"]


@pytest.mark.parametrize("id", IDS)
async def test_a_number_is_written_in_digits(small: Api, id: str) -> None:
    await small.submit_many(11)
    for path in (f"jobs/{id}", f"jobs/1/steps/0/tasks?limit={id}", f"jobs?parent={id}", f"jobs?limit={id}",
                 f"events?job={id}", f"jobs/1/events?after={id}", f"jobs/1/logs?tail={id}"):  # fmt: skip
        if id == "0" and "after" in path:
            continue
        assert (await small.raw("GET", path)).status_code == 422, path
    if id != "0":
        headers = {"Last-Event-ID": id.encode()}
        assert (await small.raw("GET", "events", headers=headers)).status_code == 422


@pytest.mark.parametrize("replaces", ["²", "9" * 5000, "99999999999999999999", "١", "1_0", "-1", "x", "0"])
async def test_the_dialog_refuses_what_is_no_bulk(site: Api, replaces: str) -> None:
    csrf = (await site.http.get("/nowhere", headers={"Authorization": ""})).text
    csrf = csrf.partition('name="csrf-token" content="')[2].partition('"')[0]
    headers = {"Authorization": "", "X-CSRF-Token": csrf, "X-Jobdeck-Fragment": "true"}
    for field in ({"replaces": replaces}, {"ids": replaces}, {"ids": f"1,{replaces}"}):
        answer = await site.http.post("/jobs/bulk", data={"operation": "cancel", "ids": "1", **field}, headers=headers)
        assert answer.status_code == 422, (field, answer.text[:300])


async def test_odd_parameters_of_a_job_are_kept_or_refused(api: Api) -> None:
    """Texts that PostgreSQL cannot hold, numbers that JSON cannot, depths that nobody reads."""
    for text in ("\\u0000", "\\ud800", "\\udc00\\ud800"):
        body = f'{{"type":"noop","description":"{text}","tags":["{text}"]}}'
        answer = await api.raw("POST", "projects/default/jobs", content=body, headers=JSON)
        assert answer.status_code == 422
    for params in ('{"a":' * 70 + "1" + "}" * 70, '{"seconds":1e999}', f'{{"seconds":{"9" * 400}}}'):
        body = f'{{"type":"sleep","params":{params}}}'
        answer = await api.raw("POST", "projects/default/jobs", content=body, headers=JSON)
        assert answer.status_code in (400, 413, 422), params[:50]
    assert json.loads((await api.raw("GET", "jobs")).content)["items"] == []


JSON = {"Content-Type": "application/json"}


async def test_two_headers_of_one_name_break_nothing(small: Api) -> None:
    for name in ("Authorization", "Range", "If-None-Match", "Content-Type", "Cookie", "X-Request-Id", "Idempotency-Key",
                 "Last-Event-ID", "Accept-Encoding", "Origin", "X-CSRF-Token", "X-Jobdeck-Fragment"):  # fmt: skip
        headers = [(name, "a"), (name, "²".encode()), ("Host", "test")]
        for method, path in (
            ("GET", "/api/v1/jobs"),
            ("POST", "/api/v1/projects/default/jobs"),
            ("HEAD", "/api/v1/events"),
        ):
            answer = await small.http.request(method, path, headers=headers)  # type: ignore[arg-type]
            assert answer.status_code < 500, (name, method, path)
