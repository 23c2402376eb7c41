"""Answers are compressed where they gain by it, and only there."""

from __future__ import annotations

import gzip
import json
import os
import random

import httpx2
import pytest

from jobdeck.engine.logs import LogEntry, chunk_path, pack
from tests.api.harness import V1, Api

GZIP = {"Accept-Encoding": "gzip"}


async def received(api: Api, path: str, **headers: str) -> tuple[httpx2.Response, bytes]:
    """An answer with its bytes as they travelled."""
    async with api.http.stream("GET", path, headers=headers) as answer:
        return answer, b"".join([piece async for piece in answer.aiter_raw()])


async def uploaded(api: Api, content: bytes) -> str:
    file = await api.ask("POST", f"{V1}/projects/default/files", 201, files={"file": ("orders.csv", content)})
    return f"{V1}/projects/default/files/{file['id']}/content"


async def test_json_is_compressed_for_those_who_take_it(small: Api) -> None:
    await small.submit_many(50)
    answer, content = await received(small, f"{V1}/jobs?limit=50", **GZIP)
    plain, whole = await received(small, f"{V1}/jobs?limit=50", **{"Accept-Encoding": "identity"})
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) == len(content) < len(whole) / 5
    assert "content-encoding" not in plain.headers
    told, plainly = json.loads(gzip.decompress(content)), json.loads(whole)  # how long they wait differs
    assert [job["id"] for job in told["items"]] == [job["id"] for job in plainly["items"]] == list(range(50, 0, -1))
    assert "Accept-Encoding" in answer.headers["vary"]
    assert "Accept-Encoding" in plain.headers["vary"]


@pytest.mark.parametrize("accepted", ["gzip;q=0", "br, gzip; q=0.0, identity", "*;q=0"])
async def test_what_is_refused_is_not_sent(small: Api, accepted: str) -> None:
    await small.submit_many(20)
    answer, content = await received(small, f"{V1}/jobs", **{"Accept-Encoding": accepted})
    assert "content-encoding" not in answer.headers
    assert content.startswith(b"{")


async def test_lines_of_a_log_and_its_download_are_compressed(small: Api) -> None:
    job = (await small.submit("noop", {}))["id"]
    lines = [LogEntry(1_700_000_000_000_000 + i * 999, "info", "load", 0, f"row {i * 7919}") for i in range(1000)]
    await small.core.blobs.put(chunk_path(job, 1, 1, 0), pack([line.to_json() for line in lines]))
    for path, most in ((f"{V1}/jobs/{job}/logs?limit=500", 40_000), (f"{V1}/jobs/{job}/logs/download", 20_000)):
        answer, content = await received(small, path, **GZIP)
        assert answer.headers["content-encoding"] == "gzip"
        assert 1000 < len(content) <= most
        assert gzip.decompress(content).count(b"row ") >= 500


async def test_a_thousand_usual_lines_of_imports_are_at_most_40_kb(small: Api) -> None:
    job = (await small.submit("noop", {}))["id"]
    chance, at, lines = random.Random(3), 1_700_000_000_000_000, list[LogEntry]()
    for _ in range(1000):
        at += chance.randrange(1000, 9_000_000)
        rows, file = chance.randrange(100_000), chance.randrange(1000)
        text = chance.choice([
            f"{rows} rows did not fit and are in the reject files; `jobdeck job rejects {job}` shows why.",
            f"Column 'c{file}' of orders-{rows}.csv (file:{file}) is text: {rows} of its {rows + 1} values are int64.",
            f"{file} files, {rows} rows, {chance.randrange(40)} parts",
        ])  # fmt: skip
        lines.append(LogEntry(at, chance.choice(["info", "warning"]), "load", chance.randrange(40), text))
    await small.core.blobs.put(chunk_path(job, 1, 1, 0), pack([line.to_json() for line in lines]))
    travelled, after, told = 0, "", 0
    while told < 1000:
        _, content = await received(small, f"{V1}/jobs/{job}/logs?limit=500{after}", **GZIP)
        page = json.loads(gzip.decompress(content))
        travelled, told, after = travelled + len(content), told + len(page["items"]), f"&after={page['next']}"
    assert told == 1000
    assert travelled <= 40_000


async def test_files_and_their_parts_keep_their_bytes(small: Api) -> None:
    path = await uploaded(small, b"id,name\n" * 1000)
    whole, content = await received(small, path, **GZIP)
    assert "content-encoding" not in whole.headers
    assert (len(content), whole.headers["content-length"]) == (8000, "8000")
    part, content = await received(small, path, Range="bytes=0-3999", **GZIP)
    assert (part.status_code, len(content), part.headers["content-range"]) == (206, 4000, "bytes 0-3999/8000")


async def test_head_tells_of_the_same_answer(small: Api) -> None:
    await small.submit_many(20)
    answer = await small.raw("HEAD", f"{V1}/jobs", headers=GZIP)
    assert (answer.headers["content-encoding"], answer.content) == ("gzip", b"")


async def test_small_answers_go_as_they_are(small: Api) -> None:
    path = await uploaded(small, os.urandom(10))
    answer, _ = await received(small, path.removesuffix("/content"), **GZIP)
    assert "content-encoding" not in answer.headers
