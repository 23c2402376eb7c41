"""A path prefix, from a trusted proxy or by the setting: what is asked and what is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from jobdeck.api.app import create_app
from jobdeck.api.http.authentication import STATIC
from jobdeck.api.http.frame import Doors
from jobdeck.config import OWN_PATHS, InvalidConfiguration, load
from jobdeck.services.services import Services
from jobdeck.web import discovery
from jobdeck.web.mount import mount
from tests.api.conftest import make_core
from tests.api.harness import Api


async def test_the_setting_takes_the_prefix_off_and_puts_it_before(
    sqlite_ready_url: str, tmp_path: Path, home: Path
) -> None:
    """Asked with the prefix or, past the proxy, without; answers lead below it either way."""
    core = make_core(sqlite_ready_url, tmp_path)
    async with Api.over(core, home) as api:
        app = create_app(Services(core), Doors(path_prefix="/a/b"))
        mount(app)
        app.openapi_schema = api.app.openapi_schema
        transport = httpx2.ASGITransport(app=app)
        token = {"Authorization": f"Bearer {api.tokens['admin']}"}
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
            for asked in ("/a/b/jobs", "/jobs"):
                assert (await http.get(asked)).headers["location"] == "/a/b/login?next=/jobs"
            assert (await http.get("/a/b")).headers["location"] == "/a/b/login"
            assert (await http.get("/a/bc/jobs", headers=token)).status_code == 404
            body = {"name": "n", "type": "noop", "params": {}}
            saved = await http.post("/a/b/api/v1/projects/default/configurations", json=body, headers=token)
            assert saved.headers["location"] == "/a/b/api/v1/projects/default/configurations/1"
            described = (await http.get("/a/b/api/v1/openapi.json", headers=token)).json()
            assert described["servers"] == [{"url": "/a/b"}]
            link = await http.post("/a/b/api/v1/login-links", headers=token)
            assert link.json()["url"].startswith("http://test/a/b/login?link=")
            begun = await http.post("/a/b/login", data={"token": api.tokens["admin"], "next": "/a/b/run"})
            assert begun.headers["location"] == "/a/b/run"
            assert "Path=/a/b;" in begun.headers["set-cookie"]
            assert begun.headers["set-cookie"].startswith("jobdeck_session_a_b=")
            http.cookies.clear()
            astray = await http.post("/a/b/login", data={"token": api.tokens["admin"], "next": "//evil.example"})
            assert astray.headers["location"] == "/a/b/jobs"
    await core.database.close()


def _paths(router: Any) -> Iterator[str]:
    """Of its routes, and of those of the routers in it."""
    for route in router.routes:
        if hasattr(route, "path"):
            yield route.path
        else:
            yield from _paths(route.original_router)


@pytest.mark.parametrize("given", ["/jobdeck", "jobdeck", "/jobdeck/", "//jobdeck//"])
def test_slashes_around_a_prefix_do_not_matter(tmp_path: Path, given: str) -> None:
    assert load(home=tmp_path, path_prefix=given).path_prefix == "/jobdeck"
    assert load(home=tmp_path, path_prefix="/").path_prefix == ""


@pytest.mark.parametrize("given", ["/jobs", "api/x", "/a b", "/../etc", "/a/./b", "http://x/y", "/a?b", "/ä"])
def test_a_prefix_that_cannot_be_one_is_refused_at_start(tmp_path: Path, given: str) -> None:
    told = r"Setting 'path_prefix' \(command line\): a path prefix cannot"
    with pytest.raises(InvalidConfiguration, match=told) as refused:
        load(home=tmp_path, path_prefix=given)
    assert refused.value.field == "path_prefix"


async def test_no_address_of_ours_is_forgotten_among_those_that_a_prefix_may_not_begin_with(small: Api) -> None:
    pages = [path for _, router in discovery.found() for path in _paths(router)]
    programs = (await small.get("openapi.json"))["paths"]
    assert len(pages) > 20
    assert {path.split("/")[1] for path in (*pages, *programs, STATIC)} == OWN_PATHS
