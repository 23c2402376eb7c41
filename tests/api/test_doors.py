"""By which ways requests come in: proxies, names, https, and what strangers are told."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from jobdeck.api.app import create_app
from jobdeck.api.http.authentication import Pace
from jobdeck.api.http.frame import Doors
from jobdeck.api.http.server.connections import Bounds, ConnectionCounts, bounded_address, bounds
from jobdeck.config import InvalidConfiguration, load
from jobdeck.services.services import Services
from jobdeck.web.mount import mount
from tests.api.harness import Api, is_problem

PROXY = ipaddress.ip_network("10.0.0.0/8")
FORWARDED = {
    "X-Forwarded-For": "203.0.113.7, 10.0.0.9",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "jobs.example",
}


@asynccontextmanager
async def site(api: Api, client: str, doors: Doors) -> AsyncIterator[httpx2.AsyncClient]:
    """The pages and the API, asked from the address `client`."""
    app = create_app(Services(api.core), doors)
    app.openapi_schema = api.app.openapi_schema
    mount(app)
    transport = httpx2.ASGITransport(app=app, client=(client, 4711))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
        yield http


async def login(http: httpx2.AsyncClient, token: str, **headers: str) -> httpx2.Response:
    return await http.post("/login", data={"token": token}, headers=headers)


async def fail(http: httpx2.AsyncClient, times: int, **headers: str) -> httpx2.Response:
    """The last answer to so many wrong tokens; `#` in a header is the number of the try."""
    answers = [
        await login(http, "jd_wrong", **{name: value.replace("#", str(number)) for name, value in headers.items()})
        for number in range(times)
    ]
    return answers[-1]


async def test_a_trusted_proxy_is_believed(small: Api) -> None:
    async with site(small, "10.1.2.3", Doors((PROXY,))) as http:
        answer = await login(http, small.tokens["admin"], **FORWARDED, Origin="https://jobs.example")
        assert answer.status_code == 303
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-jobdeck_session=")
        assert {"Secure", "HttpOnly", "Path=/"} <= {part.strip() for part in cookie.split(";")}
        assert "Domain" not in cookie
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        headers = {**FORWARDED, "Authorization": f"Bearer {small.tokens['admin']}"}
        link = (await http.post("/api/v1/login-links", headers=headers)).json()["url"]
        assert link.startswith("https://jobs.example/login?link=")
        me = await http.get("/api/v1/me", headers={**FORWARDED, "Cookie": cookie.partition(";")[0]})
        assert me.status_code == 200


@pytest.mark.parametrize("client", ["127.0.0.1", "192.0.2.1", "::1", "11.0.0.1"])
async def test_nobody_else_is_believed(small: Api, client: str) -> None:
    """Not even this machine, which is no proxy by itself."""
    async with site(small, client, Doors((PROXY,))) as http:
        answer = await login(http, small.tokens["admin"], **FORWARDED)
        assert answer.headers["set-cookie"].startswith("jobdeck_session=")
        assert "Secure" not in answer.headers["set-cookie"]
        assert "strict-transport-security" not in answer.headers
        http.cookies.clear()
        last = await fail(http, 30, **{"X-Forwarded-For": "203.0.113.#"})
        assert last.status_code == 429, "a made-up address is no other one"


async def test_failures_count_for_those_behind_the_proxy_one_by_one(small: Api) -> None:
    async with site(small, "10.1.2.3", Doors((PROXY,))) as http:
        last = await fail(http, 25, **{"X-Forwarded-For": "9.9.9.#, 203.0.113.7"})
        assert last.status_code == 429
        other = await login(http, "jd_wrong", **{"X-Forwarded-For": "203.0.113.8"})
        assert other.status_code == 401
        odd = {"X-Forwarded-For": "x:,, [::1, 1.2.3.4:99999999999", "X-Forwarded-Proto": "ftp"}
        assert (await login(http, "jd_wrong", **odd)).status_code == 401


async def test_the_right_token_is_never_kept_out(small: Api) -> None:
    async with site(small, "192.0.2.9", Doors()) as http:
        last = await fail(http, 40)
        assert (last.status_code, int(last.headers["retry-after"]) > 0) == (429, True)
        assert (await login(http, small.tokens["admin"])).status_code == 303


@pytest.mark.parametrize(("host", "status"), [
    ("jobs.example", 200), ("JOBS.example:8380", 200), ("evil.example", 421), ("jobs.example.evil", 421), ("", 421),
    ("127.0.0.1", 421),
])  # fmt: skip
async def test_only_allowed_names_are_answered(small: Api, host: str, status: int) -> None:
    async with site(small, "192.0.2.9", Doors(allowed_hosts=("Jobs.Example",))) as http:
        assert (await http.get("/login", headers={"Host": host})).status_code == status
        assert (await http.get("/api/v1/health", headers={"Host": "127.0.0.1"})).status_code == 200, "for balancers"


async def test_a_refused_name_is_a_problem(small: Api) -> None:
    async with site(small, "192.0.2.9", Doors(allowed_hosts=("a",))) as http:
        is_problem(await http.get("/login", headers={"Host": "b"}), 421, "host_not_allowed", "Host")


async def test_pages_and_files_are_safe_to_look_at(small: Api) -> None:
    script = b"alert(1)"
    kinds = ("text/javascript", "text/html", "image/svg+xml", "application/pdf")
    for kind in kinds:
        file = {"file": ("a.js", script, kind)}
        made = await small.ask("POST", "projects/default/files", 201, files=file)
        assert made["content_type"] == kind
        answer = await small.raw("GET", f"projects/default/files/{made['id']}/content")
        assert answer.content == script
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-disposition"].startswith("attachment")
        assert "sandbox" in answer.headers["content-security-policy"]
    async with site(small, "192.0.2.9", Doors()) as http:
        pages = [await http.get("/login") for _ in range(2)]
    for page in pages:
        policy = page.headers["content-security-policy"]
        nonce = policy.partition("script-src 'nonce-")[2].partition("'")[0]
        assert len(nonce) > 20
        assert page.text.count("<script") == page.text.count(f'<script nonce="{nonce}"') > 0
        assert page.headers["cross-origin-opener-policy"] == "same-origin"
        assert page.headers["cross-origin-resource-policy"] == "same-origin"
        assert "camera=()" in page.headers["permissions-policy"]
    assert pages[0].headers["content-security-policy"] != pages[1].headers["content-security-policy"]


@pytest.mark.parametrize("settings", [
    {"host": ""}, {"host": "  "}, {"trusted_proxies": "*"}, {"trusted_proxies": "localhost"},
    {"trusted_proxies": "10.0.0.1/8"},
    {"max_connections": 0}, {"max_connections_per_address": 0},
])  # fmt: skip
def test_settings_of_the_door_are_checked(settings: Mapping[str, Any], tmp_path: Any) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        load(home=tmp_path, **settings)
    assert next(iter(settings)) in str(caught.value)


def test_an_empty_host_in_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """It would listen on every address."""
    monkeypatch.setenv("JOBDECK_HOST", "")
    with pytest.raises(InvalidConfiguration, match=r"JOBDECK_HOST\): it is empty; name the address to listen on"):
        load(home=tmp_path)
    monkeypatch.setenv("JOBDECK_HOST", "::1")
    monkeypatch.setenv("JOBDECK_TRUSTED_PROXIES", "10.0.0.5, 172.18.0.0/16,::1")
    config = load(home=tmp_path)
    assert (config.host, len(config.trusted_proxies)) == ("::1", 3)


def test_buckets_leave_memory() -> None:
    bucket = Pace(rate=1, burst=3, most=100)
    for number in range(10_000):
        bucket.take(f"address {number}", number * 0.001)
    assert len(bucket) <= 100
    assert bucket.take("last", 1000.0) == 0
    for _ in range(200):
        bucket.take("last", 1000.0)
    assert len(bucket) == 1, "those that have filled up are forgotten"


class Some:
    """A connection."""

    def __init__(self) -> None:
        self.is_broken_off = False

    def break_off(self) -> None:
        self.is_broken_off = True

    def look(self, now: float) -> None:
        """Nothing is due."""


def test_the_stranger_who_waits_longest_gives_way() -> None:
    connections = ConnectionCounts(Bounds(6, 3, (PROXY,)))
    known, first, second, third = Some(), Some(), Some(), Some()
    for one in (known, first, second):
        assert connections.admit(one, "192.0.2.1")
    connections.with_caller(known)
    assert connections.admit(third, "192.0.2.1")
    assert (known.is_broken_off, first.is_broken_off, second.is_broken_off) == (False, True, False)
    connections.with_caller(second)
    connections.with_caller(third)
    assert not connections.admit(Some(), "192.0.2.1"), "nobody of this address gives way"
    proxied = [Some() for _ in range(5)]
    assert all(connections.admit(one, "10.0.0.1") for one in proxied), "who is behind a proxy is not bounded together"
    assert [one.is_broken_off for one in proxied] == [True, True, False, False, False]
    for one in (known, second, third, *proxied):
        connections.leave(one)
        connections.leave(one)
    assert len(connections) == 0
    assert connections.admit(Some(), "192.0.2.1")


def test_bounds_leave_files_to_jobs() -> None:
    assert bounds(5000, 1000, 20_000) == Bounds(5000, 1000)
    assert bounds(5000, 1000, 600) == Bounds(600, 300)
    assert bounds(5000, 1000, 0) == Bounds(10, 5), "a server that cannot be reached could not even be asked why"


def test_an_ipv6_site_is_one_address() -> None:
    assert bounded_address("2001:db8::1") == bounded_address("2001:db8::ffff:1")
    assert bounded_address("2001:db8::1") != bounded_address("2001:db8:0:1::1")
    assert bounded_address("::ffff:192.0.2.1") == "192.0.2.1"
    assert len(bounded_address("x" * 10_000)) == 100


WRITES = [
    ("PUT", "projects/default/limits/type:sleep", [{"capacity": n} for n in range(1, 9)], {200}),
    ("PUT", "limits/instance", [{"capacity": n} for n in range(1, 9)], {200}),
    ("PUT", "pauses/instance", [{"reason": f"r{n}"} for n in range(8)], {200}),
    ("PUT", "pauses/project:default", [{}] * 8, {200}),
    ("DELETE", "pauses/project:default", [None] * 8, {204, 404}),
    ("POST", "projects", [{"name": "same"}] * 8, {201, 409}),
    ("POST", "projects/default/configurations", [{"name": "c", "type": "sleep", "params": {}}] * 8, {201, 409}),
    ("POST", "projects/default/connections", [{"name": "c", "kind": "lake", "options": {}}] * 8, {201, 409, 422}),
    ("POST", "views", [{"name": "v", "query": "q=a"}] * 8, {201, 409}),
    ("POST", "tokens", [{"name": "same", "role": "viewer"}] * 8, {201, 409}),
]


@pytest.mark.parametrize(("method", "path", "bodies", "good"), WRITES, ids=[f"{w[0]} {w[1]}" for w in WRITES])
async def test_the_same_thing_written_at_once(
    api: Api, method: str, path: str, bodies: list[Any], good: set[int]
) -> None:
    answers = await asyncio.gather(*(api.raw(method, path, json=body) for body in bodies))
    assert {answer.status_code for answer in answers} <= good, [answer.text[:200] for answer in answers]
    if 409 in good:
        assert sum(answer.status_code == 201 for answer in answers) <= 1


async def test_one_idempotency_key_at_once(api: Api) -> None:
    headers = {"Idempotency-Key": "same"}
    jobs = [api.raw("POST", "projects/default/jobs", json={"type": "noop"}, headers=headers) for _ in range(8)]
    (job,) = {answer.json()["id"] for answer in await asyncio.gather(*jobs)}
    assert [listed["id"] for listed in (await api.raw("GET", "jobs")).json()["items"]] == [job]
    files = [api.raw("POST", "projects/default/files", files={"file": ("a", b"a")}, headers=headers) for _ in range(4)]
    answers = await asyncio.gather(*files)
    assert {answer.status_code for answer in answers} <= {201, 409}, [answer.text for answer in answers]
