"""A path prefix, from a trusted proxy or by the setting: what is asked and what is told."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import httpx2
import pytest

from jobdeck.api.app import create_app
from jobdeck.api.http.frame import Doors
from jobdeck.config import InvalidConfiguration, load
from jobdeck.services.services import Services
from jobdeck.web.mount import check_prefix, mount
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


@pytest.mark.parametrize("given", ["/jobdeck", "jobdeck", "/jobdeck/", "//jobdeck//"])
def test_slashes_around_a_prefix_do_not_matter(tmp_path: Path, given: str) -> None:
    assert load(home=tmp_path, path_prefix=given).path_prefix == "/jobdeck"
    assert load(home=tmp_path, path_prefix="/").path_prefix == ""


@pytest.mark.parametrize("given", ["/a b", "/../etc", "/a/./b", "http://x/y", "/a?b", "/ä"])
def test_a_prefix_that_cannot_be_one_is_refused_at_start(tmp_path: Path, given: str) -> None:
    told = r"Setting 'path_prefix' \(command line\): a path prefix cannot"
    with pytest.raises(InvalidConfiguration, match=told) as refused:
        load(home=tmp_path, path_prefix=given)
    assert refused.value.field == "path_prefix"


def test_a_prefix_that_begins_like_an_address_of_ours_is_refused() -> None:
    """Whatever page or resource has it: no list names them."""
    check_prefix("")
    check_prefix("/jobdeck/jobs")
    for own in ("api", "failures", "jobs", "login", "logout", "metrics", "operations", "run", "sessions", "static"):
        with pytest.raises(InvalidConfiguration, match=f"cannot begin with /{own}, as an address of Jobdeck does"):
            check_prefix(f"/{own}/x")


async def test_a_proxy_cannot_send_the_beginning_of_an_address_of_ours(small: Api) -> None:
    app = create_app(Services(small.core), Doors((ip_network("127.0.0.1"),)))
    mount(app)
    app.add_api_route("/hello/{name}", lambda: None)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://test") as http:
        for sent, status in (("/hello", 400), ("/jobs", 400), ("/goodbye", 200)):
            assert (await http.get("/login", headers={"X-Forwarded-Prefix": sent})).status_code == status, sent
