"""A project file is replaced under its id: on a folder and on S3, with what is killed or refused in between."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from jobdeck.services.data import files
from jobdeck.store.schema import file_versions, storage_garbage
from jobdeck.store.schema import files as file_rows
from tests.api.conftest import make_core
from tests.api.harness import V1, Api, is_problem

FILES = f"{V1}/projects/default/files"


@pytest.fixture(params=["folder", "s3"])
async def api(request: pytest.FixtureRequest, sqlite_ready_url: str, tmp_path: Path, home: Path) -> AsyncIterator[Api]:
    if request.param == "s3":
        bucket = request.getfixturevalue("s3_bucket")
        core = make_core(sqlite_ready_url, tmp_path, f"{bucket.url}/inst", {**bucket.options, "max_retries": "1"})
    else:
        core = make_core(sqlite_ready_url, tmp_path)
    async with Api.over(core, home) as made:
        yield made
    await core.database.close()


async def send(api: Api, method: str, path: str, content: bytes, name: str, status: int, **more: Any) -> Any:
    return await api.ask(method, path, status, files={"file": (name, content, "text/csv")}, **more)


async def made(api: Api, content: bytes = b"a\n1\n", name: str = "in.csv", **more: Any) -> str:
    return f"{FILES}/{(await send(api, 'POST', FILES, content, name, 201, **more))['id']}"


async def content(api: Api, file: str, version: int | None = None) -> bytes:
    params = {} if version is None else {"version": version}
    return (await api.raw("GET", f"{file}/content", params=params)).content


async def stored(api: Api) -> list[str]:
    return [blob.path.partition("/files/")[2] for blob in await api.core.blobs.list("projects/default/files")]


async def garbage(api: Api) -> list[str]:
    async with api.core.database.read() as connection:
        return list((await connection.execute(select(storage_garbage.c.prefix))).scalars())


async def test_other_content_takes_its_place_and_the_old_one_stays(api: Api) -> None:
    file = await made(api, data={"tags": ["a"]})
    number = int(file.rpartition("/")[2])
    shown = await send(api, "PUT", file, b"a\n2\n3\n", "mended.csv", 200)
    assert (shown["id"], shown["name"], shown["bytes"], shown["version"]) == (number, "mended.csv", 6, 2)
    assert shown["sha256"] == hashlib.sha256(b"a\n2\n3\n").hexdigest()
    assert shown["tags"] == ["a"], "tags stay where none are given"
    assert [(v["version"], v["name"], v["bytes"]) for v in shown["versions"]] == [
        (2, "mended.csv", 6),
        (1, "in.csv", 4),
    ]
    assert {v["created_by"] for v in shown["versions"]} == {shown["created_by"]}
    assert await api.get(file) == shown
    assert (await api.get(FILES))["items"] == [shown]
    assert [await content(api, file, v) for v in (None, 2, 1)] == [b"a\n2\n3\n", b"a\n2\n3\n", b"a\n1\n"]
    is_problem(await api.raw("GET", f"{file}/content", params={"version": 3}), 404)
    assert await stored(api) == [f"{number}/=2/mended.csv", f"{number}/in.csv"]
    await api.ask("DELETE", file, 204)
    assert await stored(api) == []
    async with api.core.database.read() as connection:
        assert (await connection.execute(select(file_versions))).all() == []


async def test_the_same_content_makes_no_version(api: Api) -> None:
    file = await made(api)
    assert (await send(api, "PUT", file, b"a\n1\n", "in.csv", 200))["version"] == 1
    assert await stored(api) == [f"{file.rpartition('/')[2]}/in.csv"]
    assert await garbage(api) == []


async def test_a_repeated_request_replaces_once(api: Api) -> None:
    file = await made(api)
    keyed = {"headers": {"Idempotency-Key": "k"}}
    first = await send(api, "PUT", file, b"a\n2\n", "in.csv", 200, **keyed)
    assert await send(api, "PUT", file, b"a\n2\n", "in.csv", 200, **keyed) == first
    assert first["version"] == 2
    await send(api, "PUT", file, b"a\n3\n", "in.csv", 409, **keyed)
    assert await content(api, file) == b"a\n2\n"
    assert len(await stored(api)) == 2
    assert await garbage(api) == []


async def test_what_is_refused_or_too_large_leaves_it_as_it_was(api: Api) -> None:
    file = await made(api)
    before = await api.get(file)
    await send(api, "PUT", file, b"x" * (9 * 1024 * 1024), "in.csv", 413)
    await send(api, "PUT", file, b"x", "in.csv", 422, data={"tags": ["x" * 10_000]})
    await send(api, "PUT", f"{FILES}/77", b"x", "in.csv", 404)
    assert await api.get(file) == before
    assert len(await stored(api)) == 1
    assert await garbage(api) == []


async def test_a_process_that_dies_while_it_replaces_leaves_what_is_removed_in_time(api: Api) -> None:
    file = await made(api)
    with pytest.MonkeyPatch.context() as patched:

        async def die(*_: Any) -> list[int]:
            raise asyncio.CancelledError

        patched.setattr(files, "_keep_version", die)
        patched.setattr(api.core.garbage, "collect", die)
        with pytest.raises(asyncio.CancelledError):
            await send(api, "PUT", file, b"a\n2\n", "in.csv", 200)
    assert (await api.get(file))["version"] == 1
    assert (await send(api, "PUT", file, b"a\n3\n", "in.csv", 200))["version"] == 3, "its number is not used again"
    await api.core.database.transact(lambda tx: tx.connection.execute(update(storage_garbage).values(due_at=0)))
    assert await api.core.garbage.collect_due(10) == 1
    assert [key.partition("/")[2] for key in await stored(api)] == ["=3/in.csv", "in.csv"]
    assert await content(api, file) == b"a\n3\n"


async def test_two_at_a_time_and_the_later_one_is_the_content(api: Api) -> None:
    file = await made(api)
    await asyncio.gather(*(send(api, "PUT", file, f"a\n{i}\n".encode(), "in.csv", 200) for i in (2, 3, 4)))
    shown = await api.get(file)
    assert (shown["version"], [v["version"] for v in shown["versions"]]) == (4, [4, 3, 2, 1])
    assert await content(api, file) == await content(api, file, 4)
    assert {await content(api, file, v) for v in (2, 3, 4)} == {b"a\n2\n", b"a\n3\n", b"a\n4\n"}


async def test_the_first_and_the_last_versions_are_kept(small: Api) -> None:
    file = await made(small)
    for i in range(2, 14):
        await send(small, "PUT", file, f"a\n{i}\n".encode(), "in.csv", 200)
    kept = [13, 12, 11, 10, 9, 8, 7, 6, 5, 1]
    assert [v["version"] for v in (await small.get(file))["versions"]] == kept
    assert len(await stored(small)) == len(kept)
    assert await content(small, file, 1) == b"a\n1\n"
    is_problem(await small.raw("GET", f"{file}/content", params={"version": 2}), 404)


async def test_it_is_kept_15_days_more_and_found_by_its_checksum(small: Api) -> None:
    file = await made(small)
    change = update(file_rows).values(expires_at=file_rows.c.expires_at - 10 * 86_400_000_000)
    await small.core.database.transact(lambda tx: tx.connection.execute(change))
    before = await small.get(file)
    shown = await send(small, "PUT", file, b"a\n2\n", "in.csv", 200)
    assert shown["expires_at"] > before["expires_at"]
    found = {sha: (await small.get(f"{FILES}?sha256={sha}"))["items"] for sha in (before["sha256"], shown["sha256"])}
    assert found == {before["sha256"]: [], shown["sha256"]: [shown]}
    await small.get(f"{FILES}?sha256=x", 422)
