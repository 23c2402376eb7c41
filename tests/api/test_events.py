"""Live events over a real server: resumed without gaps, filtered, kept alive, ended with the token and the server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from jobdeck.api import events as routes
from jobdeck.api.http.server.serving import address_of, listen, serve
from tests.api.harness import V1, Api, is_problem


@pytest.fixture
async def url(api: Api) -> AsyncIterator[str]:
    """The API on a real socket."""
    listening = listen("127.0.0.1", 0)
    stop, ready = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(serve(api.app, listening, ready.set, stop))
    await ready.wait()
    yield address_of(listening)
    stop.set()
    async with asyncio.timeout(10):
        await serving


@asynccontextmanager
async def stream(api: Api, url: str, query: str = "", token: str = "admin", **headers: str) -> AsyncIterator[Any]:
    sent = {"Authorization": f"Bearer {api.tokens[token]}", **headers}
    async with (
        httpx2.AsyncClient(base_url=url, headers=sent, timeout=20) as http,
        http.stream("GET", f"{V1}/events{query}") as response,
    ):
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = response.aiter_lines()
        assert await anext(lines) == "retry: 2000"
        yield lines


async def message(lines: Any) -> dict[str, Any]:
    """The next event."""
    found: dict[str, Any] = {}
    async with asyncio.timeout(15):
        async for line in lines:
            name, _, value = line.partition(": ")
            if name in ("id", "event", "data"):
                found[name] = value
            elif not line and found:
                return {**json.loads(found["data"]), "sse_id": found.get("id"), "sse_event": found["event"]}
    raise AssertionError("the stream ended")


async def test_a_stream_resumes_where_it_broke_off(api: Api, url: str) -> None:
    await api.submit("noop", {})
    async with stream(api, url, "?after=0") as lines:
        first = [await message(lines) for _ in range(3)]
    assert [m["kind"] for m in first] == ["project.created", "token.created", "submitted"]
    assert all(m["sse_id"] == str(m["id"]) and m["sse_event"] == m["kind"] for m in first)
    second = await api.submit("noop", {})
    async with stream(api, url, "?after=0", **{"Last-Event-ID": first[-1]["sse_id"]}) as lines:
        assert (await message(lines))["job"] == second["id"]
        third = await api.submit("noop", {})
        assert (await message(lines))["job"] == third["id"]


async def test_filters(api: Api, url: str) -> None:
    await api.post("projects", {"name": "other"}, 201)
    one, two = await api.submit("noop", {}), await api.submit("noop", {})
    abroad = await api.submit("noop", {}, project="other")
    await api.post(f"jobs/{one['id']}/cancel", status=202)
    async with stream(api, url, f"?after=0&job={one['id']}") as lines:
        assert [(await message(lines))["kind"] for _ in range(2)] == ["submitted", "canceled"]
    async with stream(api, url, "?after=0&project=other") as lines:
        assert [(await message(lines))["kind"] for _ in range(2)] == ["project.created", "submitted"]
    await api.token("theirs", "viewer", "other")
    async with stream(api, url, "?after=0", token="theirs") as lines:
        seen = [await message(lines) for _ in range(3)]
    assert {m["project"] for m in seen} == {"other"}
    assert [m["job"] for m in seen] == [None, abroad["id"], None]
    is_problem(await api.raw("GET", f"events?job={two['id']}", token="theirs"), 404, field="job")
    is_problem(await api.raw("GET", "events?project=default", token="theirs"), 404, field="project")
    is_problem(await api.raw("GET", "events", token="nonsense"), 401)
    is_problem(await api.raw("GET", "events", headers={"Last-Event-ID": "x"}), 422, field="last-event-id")


async def test_heartbeats_and_the_end_of_a_token(api: Api, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "HEARTBEAT", 0.1)
    made = await api.post("tokens", {"name": "short", "role": "viewer", "project": "default"}, 201)
    api.tokens["short"] = made["token"]
    async with stream(api, url, token="short") as lines, asyncio.timeout(15):
        async for line in lines:
            if line.startswith(":"):
                break
        await api.ask("DELETE", f"tokens/{made['id']}", 204)
        async for _ in lines:
            pass  # ends by itself


async def test_the_server_stops_with_streams_open(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobdeck.api.http.server.serving.GOODBYE_SECONDS", 600)  # it does not wait for them
    listening = listen("127.0.0.1", 0)
    stop, ready = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(serve(api.app, listening, ready.set, stop))
    await ready.wait()
    async with stream(api, address_of(listening)) as lines:
        await anext(lines)
        stop.set()
        async with asyncio.timeout(60):
            await serving


async def test_nothing_is_missed_once_the_answer_has_begun(api: Api, url: str) -> None:
    """Told as soon as the head of the answer is here, although not one line of the stream was read."""
    headers = {"Authorization": f"Bearer {api.tokens['admin']}"}
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=20) as http:
        for _ in range(5):
            async with http.stream("GET", f"{V1}/events") as response:
                job = await api.submit("noop", {})
                found = await message(response.aiter_lines())
                assert (found["kind"], found["job"]) == ("submitted", job["id"])


async def test_a_busy_stream_ends_with_its_token_too(api: Api, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "HEARTBEAT", 0.2)
    made = await api.post("tokens", {"name": "short", "role": "viewer", "project": "default"}, 201)
    api.tokens["short"] = made["token"]
    stop = asyncio.Event()

    async def keep_busy() -> None:
        while not stop.is_set():
            await api.submit("noop", {})

    busy = asyncio.create_task(keep_busy())
    async with stream(api, url, token="short") as lines, asyncio.timeout(15):
        await message(lines)
        await api.ask("DELETE", f"tokens/{made['id']}", 204)
        async for _ in lines:
            pass  # ends by itself, although there is always something to tell
    stop.set()
    await busy


async def test_the_lag_of_the_feed_is_measured(api: Api, url: str) -> None:
    async with stream(api, url) as lines:
        await api.submit("noop", {})
        await message(lines)
    figures = (await api.raw("GET", "/metrics")).text
    count = next(line for line in figures.splitlines() if line.startswith("jobdeck_feed_lag_seconds_count"))
    assert float(count.split()[1]) == 1
