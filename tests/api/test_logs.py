"""Logs: paged, followed to the end, searched, downloaded."""

from __future__ import annotations

from typing import Any

from jobdeck.engine.logs import LogEntry, chunk_path, pack
from jobdeck.wire.steps import MAX_LOG_LINES
from tests.api.harness import Api, is_problem


async def write(api: Api, job: int, chunk: int, texts: list[str], attempt: int = 1) -> None:
    lines = [LogEntry(1_700_000_000_000_000 + i, "info", "load", 0, text).to_json() for i, text in enumerate(texts)]
    await api.core.blobs.put(chunk_path(job, attempt, 1, chunk), pack(lines))


async def read(api: Api, job: int, query: str = "") -> list[str]:
    """All lines that there are now, as a follower reads them."""
    found: list[str] = []
    after = ""
    while True:
        page: dict[str, Any] = await api.get(f"jobs/{job}/logs?limit=3{query}{after}")
        found += [line["text"] for line in page["items"]]
        if page["next"] is None or not page["items"]:
            return found
        after = f"&after={page['next']}"


async def test_a_log_is_followed_to_its_end(small: Api) -> None:
    job = (await small.submit("noop", {}))["id"]
    empty = await small.get(f"jobs/{job}/logs")
    assert empty["items"] == []
    assert empty["next"] is not None  # more may come
    await write(small, job, 0, [f"a{i}" for i in range(5)])
    assert await read(small, job, f"&after={empty['next']}") == ["a0", "a1", "a2", "a3", "a4"]
    page = await small.get(f"jobs/{job}/logs")
    line = page["items"][0]
    assert line == {
        "at": "2023-11-14T22:13:20Z", "level": "info", "step": "load", "task": 0, "text": "a0",
        "cursor": line["cursor"], "matches": [],
    }  # fmt: skip
    await write(small, job, 0, [f"a{i}" for i in range(6)])  # an open chunk grows
    await write(small, job, 1, ["b0"])
    rest = await small.get(f"jobs/{job}/logs?after={page['next']}")
    assert [item["text"] for item in rest["items"]] == ["a5", "b0"]
    await small.post(f"jobs/{job}/cancel", status=202)
    assert (await small.get(f"jobs/{job}/logs?after={rest['next']}"))["next"] is None


async def test_tail_search_attempts_and_download(small: Api) -> None:
    job = (await small.submit("noop", {}))["id"]
    await write(small, job, 0, ["one", "Two", "three\nlines\0🦉"])
    await write(small, job, 1, ["four", "twofold"])
    tail = await small.get(f"jobs/{job}/logs?tail=2")
    assert [item["text"] for item in tail["items"]] == ["four", "twofold"]
    assert (await small.get(f"jobs/{job}/logs?after={tail['next']}"))["items"] == []
    assert await read(small, job, "&q=TWO") == ["Two", "twofold"]
    assert await read(small, job, "&attempt=2") == []
    assert (await small.get(f"jobs/{job}/logs?attempt=2"))["next"] is None
    response = await small.raw("GET", f"jobs/{job}/logs/download")
    assert response.headers["content-disposition"] == f'attachment; filename="job-{job}.log"'
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.text.startswith("2023-11-14T22:13:20.000Z INFO load[0] one\n")
    assert response.text.count("INFO") == 5
    for query in ("tail=0", "tail=1001", "limit=0", "attempt=0", "q="):
        is_problem(await small.raw("GET", f"jobs/{job}/logs?{query}"), 422, field=query.partition("=")[0])


async def test_one_answer_has_as_many_lines_as_the_client_asks_for(small: Api) -> None:
    """Each answer unpacks its piece of the log anew, so a long log is read in few of them."""
    job = (await small.submit("noop", {}))["id"]
    await write(small, job, 0, [str(number) for number in range(MAX_LOG_LINES + 1)])
    page = await small.get(f"jobs/{job}/logs?limit={MAX_LOG_LINES}")
    assert len(page["items"]) == MAX_LOG_LINES == 2000
    is_problem(await small.raw("GET", f"jobs/{job}/logs?limit={MAX_LOG_LINES + 1}"), 422, field="limit")


async def test_what_was_found_can_be_looked_around(small: Api) -> None:
    job = (await small.submit("noop", {}))["id"]
    await write(small, job, 0, ["one", "two", "Two and two"])
    await write(small, job, 1, ["three", "four", "two"])

    async def texts(query: str) -> list[str]:
        return [line["text"] for line in (await small.get(f"jobs/{job}/logs?{query}"))["items"]]

    found = (await small.get(f"jobs/{job}/logs?q=TWO"))["items"]
    assert [line["matches"] for line in found] == [[[0, 3]], [[0, 3], [8, 11]], [[0, 3]]]
    middle, last = found[1]["cursor"], found[2]["cursor"]
    assert await texts(f"after={middle}&limit=2") == ["three", "four"]
    assert await texts(f"before={last}&limit=3") == ["Two and two", "three", "four"]
    assert await texts(f"before={middle}") == ["one", "two"]
    assert await texts(f"before={middle}&q=two") == ["two"]
    assert await texts("tail=2&q=two") == ["Two and two", "two"]
    first = (await small.get(f"jobs/{job}/logs?limit=1"))["items"][0]["cursor"]
    assert await texts(f"before={first}") == []
    is_problem(await small.raw("GET", f"jobs/{job}/logs?before=nonsense"), 422)


async def test_a_log_is_narrowed_to_levels_steps_and_tasks(small: Api) -> None:
    job = (await small.submit("noop", {}))["id"]
    said = [
        ("info", "load", 0), ("error", "load", 1), ("stderr", "load", 1), ("error", "publish", 0), ("info", None, None),
    ]  # fmt: skip
    lines = [LogEntry(i, level, step, task, f"line {i}").to_json() for i, (level, step, task) in enumerate(said)]
    for chunk, part in enumerate((lines[:2], lines[2:])):
        await small.core.blobs.put(chunk_path(job, 1, 1, chunk), pack(part))
    narrowed = {
        "level=error": [1, 3],
        "level=error&level=stderr": [1, 2, 3],
        "step=load": [0, 1, 2],
        "task=0": [0, 3],
        "step=load&task=1&level=error": [1],
        "step=load&q=LINE+2": [2],
        "tail=2&level=error&level=stderr": [2, 3],
        "step=no": [],
    }
    for query, expected in narrowed.items():
        page = await small.get(f"jobs/{job}/logs?{query}")
        assert [line["text"] for line in page["items"]] == [f"line {i}" for i in expected], query
        assert page["next"] is not None
    assert await read(small, job, "&level=error") == ["line 1", "line 3"]
    for query in ("level=loud", "task=-1", "task=x"):
        found = is_problem(await small.raw("GET", f"jobs/{job}/logs?{query}"), 422)
        assert found["field"].startswith(query.partition("=")[0])


async def test_logs_go_with_their_job(small: Api) -> None:
    job = (await small.submit("noop", {}))["id"]
    await write(small, job, 0, ["one"])
    await small.put_job(job, epoch=1)  # a worker had it
    await small.post(f"jobs/{job}/cancel", status=202)
    await small.ask("DELETE", f"jobs/{job}", 204)
    assert await small.core.blobs.list(f"logs/{job}") == []
