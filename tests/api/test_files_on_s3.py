"""Project files and tables on a real S3 server, and what is answered while that is away."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from jobdeck.services.data import files
from jobdeck.storage.blobs import Blobs
from jobdeck.store.schema import storage_garbage
from jobdeck.store.sql.database import Tx
from tests.api.conftest import make_core
from tests.api.harness import V1, Api, is_problem
from tests.s3 import Bucket

FILES = f"{V1}/projects/default/files"


@pytest.fixture
async def s3(sqlite_ready_url: str, s3_bucket: Bucket, tmp_path: Path, home: Path) -> AsyncIterator[Api]:
    core = make_core(sqlite_ready_url, tmp_path, f"{s3_bucket.url}/inst", {**s3_bucket.options, "max_retries": "1"})
    async with Api.over(core, home) as api:
        yield api
    await core.database.close()


def go_away(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on nothing answers at the storage's address."""
    gone = Blobs(api.core.blobs.url, {**api.core.blobs._options, "aws_endpoint": "http://127.0.0.1:1"})
    monkeypatch.setattr(api.core.blobs, "_store", gone._store)


async def garbage(api: Api) -> list[tuple[str, int]]:
    async with api.core.database.read() as connection:
        query = select(storage_garbage.c.prefix, storage_garbage.c.tries)
        return [(row.prefix, row.tries) for row in await connection.execute(query)]


async def upload(api: Api, content: bytes, status: int = 201, **more: Any) -> Any:
    return await api.ask("POST", FILES, status, files={"file": ("in put ä.csv", content)}, **more)


async def test_upload_ranges_download_delete(s3: Api, s3_bucket: Bucket) -> None:
    content = os.urandom(7_500_000)
    made = await upload(s3, content)
    path = f"{FILES}/{made['id']}/content"
    assert (await s3.raw("GET", path)).content == content
    for span, part in (("bytes=0-9", content[:10]), ("bytes=7499990-", content[-10:]), ("bytes=-3", content[-3:])):
        answer = await s3.raw("GET", path, headers={"Range": span})
        assert (answer.status_code, answer.content) == (206, part)
    assert s3_bucket.keys_of_objects() == [f"inst/projects/default/files/{made['id']}/in%20put%20%C3%A4.csv"]
    await s3.ask("DELETE", f"{FILES}/{made['id']}", 204)
    assert s3_bucket.keys_of_objects() == []
    assert await garbage(s3) == []
    empty = await upload(s3, b"")
    assert (await s3.raw("GET", f"{FILES}/{empty['id']}/content")).content == b""


async def test_what_is_too_large_or_refused_leaves_nothing(s3: Api, s3_bucket: Bucket) -> None:
    await upload(s3, b"x" * (9 * 1024 * 1024), 413)
    await upload(s3, b"x", 422, data={"tags": ["x" * 10_000]})
    assert s3_bucket.keys_of_objects() == []
    assert await garbage(s3) == []


async def test_a_file_is_deleted_while_the_storage_is_away(
    s3: Api, s3_bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await upload(s3, b"x")
    with monkeypatch.context() as patched:
        go_away(s3, patched)
        await s3.ask("DELETE", f"{FILES}/{made['id']}", 204)
        await s3.get(f"{FILES}/{made['id']}", 404)
        assert await garbage(s3) == [(f"projects/default/files/{made['id']}", 1)]
    assert len(s3_bucket.keys_of_objects()) == 1
    await s3.core.database.transact(lambda tx: tx.connection.execute(update(storage_garbage).values(due_at=0)))
    assert await s3.core.garbage.collect_due(10) == 1
    assert s3_bucket.keys_of_objects() == []
    assert await garbage(s3) == []


async def test_uploads_and_downloads_while_the_storage_is_away(
    s3: Api, s3_bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await upload(s3, b"x")
    with monkeypatch.context() as patched:
        go_away(s3, patched)
        refused = await s3.raw("POST", FILES, files={"file": ("a", b"x")})
        assert is_problem(refused, 503, "storage_unavailable")["detail"] == "The object storage does not answer."
        (entry,) = await garbage(s3)
        assert entry[0].startswith("projects/default/files/")
    assert (await s3.raw("GET", f"{FILES}/{made['id']}/content")).content == b"x"


async def test_an_upload_whose_process_dies_is_removed_in_time(s3: Api, s3_bucket: Bucket) -> None:
    """Its content is remembered before its first byte is stored."""
    seen: list[list[tuple[str, int]]] = []
    real = files._keep

    async def keep(tx: Tx, *arguments: Any) -> list[int]:
        query = select(storage_garbage.c.prefix, storage_garbage.c.tries)
        seen.append([(r.prefix, r.tries) for r in await tx.connection.execute(query)])
        return await real(tx, *arguments)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(files, "_keep", keep)
        made = await upload(s3, b"x")
    assert seen == [[(f"projects/default/files/{made['id']}", 0)]]
    assert await garbage(s3) == []
    assert len(s3_bucket.keys_of_objects()) == 1
