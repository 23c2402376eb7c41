"""What people see when something goes wrong: the reason and the next step, never an inside of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest_asyncio

from jobdeck.access.caller import Permission
from jobdeck.access.first_admin import first_admin
from jobdeck.api.app import create_app
from jobdeck.core.errors import Unavailable
from jobdeck.services.services import Services
from jobdeck.store.migrate import migrate
from jobdeck.web.mount import mount
from jobdeck.web.page import PageDep
from jobdeck.web.rendering import Templates
from jobdeck.web.static_files import StaticFiles
from tests.api.conftest import make_core

FRAGMENT = {"X-Jobdeck-Fragment": "true"}


@pytest_asyncio.fixture(loop_scope="session")
async def http(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """The pages in this process, with three that fail; `viewer` is logged in as an administrator."""
    core = make_core(f"sqlite+aiosqlite:///{tmp_path / 'jobdeck.db'}", tmp_path)
    await migrate(core.database)
    token = await first_admin(core.database, tmp_path)
    app = create_app(Services(core))
    mount(app)

    @app.get("/broken")
    async def broken(_page: PageDep) -> None:
        raise RuntimeError("a secret of ours")

    @app.get("/closed")
    async def closed(_page: PageDep) -> None:
        raise Unavailable("The database does not answer.", hint="Try again in a moment.")

    @app.get("/managed")
    async def managed(page: PageDep) -> None:
        page.caller.require(Permission.TOKEN_MANAGE)

    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.post("/login", data={"token": token})).status_code == 303
        yield client
    await core.database.close()


async def test_a_mistake_of_ours_gives_the_request_id_and_nothing_else(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/broken")
    assert answer.status_code == 500
    assert "Jobdeck made a mistake" in answer.text
    assert answer.headers["x-request-id"] in answer.text
    assert "secret of ours" not in answer.text
    assert "script-src 'nonce-" in answer.headers["content-security-policy"]
    fragment = await http.get("/broken", headers=FRAGMENT)
    assert fragment.json()["code"] == "internal_error"


async def test_a_part_that_does_not_answer_is_told_without_asking_it(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/closed")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert "The database does not answer." in answer.text
    assert "project-menu" not in answer.text


async def test_who_may_not_is_told_which_role_may(http: httpx2.AsyncClient) -> None:
    csrf = (await http.get("/nowhere")).text.partition('name="csrf-token" content="')[2].partition('"')[0]
    headers = {"X-CSRF-Token": csrf}
    made = await http.post("/api/v1/tokens", json={"name": "v", "role": "viewer"}, headers=headers)
    answer = await http.post("/login", data={"token": made.json()["token"], "_csrf": csrf})
    assert answer.status_code == 303
    answer = await http.get("/managed")
    assert answer.status_code == 403
    assert "You may not do this" in answer.text
    assert "This needs the role <strong>admin</strong>; you have <strong>viewer</strong>." in answer.text
    assert (await http.get("/managed", headers=FRAGMENT)).json()["permission"] == "token:manage"


async def test_people_are_not_told_to_call_the_api(http: httpx2.AsyncClient) -> None:
    for path in ("/jobs/99999", "/run/nothing", "/jobs?project=nowhere"):
        answer = await http.get(path)
        assert (answer.status_code, "GET /api" in answer.text) == (404, False), path
        assert "Go to the jobs" in answer.text
    assert "GET /api" in (await http.get("/jobs/99999", headers=FRAGMENT)).json()["hint"]


async def test_a_tree_without_scripts_says_how_to_build_them(tmp_path: Path) -> None:
    core = make_core(f"sqlite+aiosqlite:///{tmp_path / 'jobdeck.db'}", tmp_path)
    await migrate(core.database)
    app = create_app(Services(core))
    mount(app)
    app.state.templates = Templates(StaticFiles(tmp_path / "nothing"), "1")
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://test") as client:
        answer = await client.get("/login")
    assert answer.status_code == 503
    assert "make assets" in answer.text
    await core.database.close()


async def test_the_root_leads_to_the_jobs(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/?project=default")
    assert (answer.status_code, answer.headers["location"]) == (303, "/jobs?project=default")


async def test_pages_are_compressed_and_their_secret_is_another_each_time(http: httpx2.AsyncClient) -> None:
    first, second = [await http.get("/nowhere", headers={"Accept-Encoding": "gzip"}) for _ in range(2)]
    assert first.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in first.headers["vary"]
    assert first.text != second.text


async def test_who_tries_too_often_has_to_wait(http: httpx2.AsyncClient) -> None:
    http.cookies.clear()
    answers = [(await http.post("/login", data={"token": f"jd_{n}"})).status_code for n in range(25)]
    assert answers[:20] == [401] * 20
    last = await http.post("/login", data={"token": "jd_right"})
    assert last.status_code == 429
    assert int(last.headers["retry-after"]) > 0
    assert "Too many tries" in last.text
