"""Uploads that stream, names of any kind, ranges, and nothing left of what broke."""

from __future__ import annotations

import hashlib
import os
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest

from jobdeck.storage.places import segment
from tests.api.harness import V1, Api, is_problem

FILES = f"{V1}/projects/default/files"


def stored(api: Api) -> list[Path]:
    root = Path(unquote(api.core.installation.storage_url.removeprefix("file://")))
    return [path for path in root.rglob("*") if path.is_file()]


async def upload(api: Api, name: str, content: bytes, status: int = 201, **more: Any) -> Any:
    return await api.ask("POST", FILES, status, files={"file": (name, content, "text/csv")}, **more)


async def test_a_file_comes_back_as_it_went(api: Api) -> None:
    content = os.urandom(3_000_000)
    response = await api.raw("POST", FILES, files={"file": ("orders.csv", content)}, data={"tags": ["a", "b,c"]})
    assert response.status_code == 201
    made = response.json()
    assert response.headers["location"] == f"{FILES}/{made['id']}"
    assert (made["name"], made["bytes"]) == ("orders.csv", 3_000_000)
    assert made["sha256"] == hashlib.sha256(content).hexdigest()
    assert (made["tags"], made["permanent"]) == (["a", "b", "c"], False)
    assert made["expires_at"] > made["created_at"]
    assert await api.get(f"{FILES}/{made['id']}") == made
    back = await api.raw("GET", f"{FILES}/{made['id']}/content")
    assert back.content == content
    assert back.headers["content-length"] == "3000000"
    (path,) = stored(api)
    assert path.as_posix().endswith(f"/projects/default/files/{made['id']}/orders.csv")
    await api.ask("DELETE", f"{FILES}/{made['id']}", 204)
    assert stored(api) == []
    await api.get(f"{FILES}/{made['id']}", 404)


@pytest.mark.parametrize(
    "name",
    [
        "ä b.csv",
        'q"uote.csv',
        "../../etc/passwd",
        "/abs.csv",
        "..",
        "...",
        "a%2Fb.csv",
        "日本" * 60 + ".csv.gz",
        "x" * 1000,
        "-",
        "🦉",
    ],
)
async def test_names_are_kept_and_never_used_as_paths(small: Api, name: str) -> None:
    made = await upload(small, name, b"a\n1\n")
    assert made["name"] == name
    (path,) = stored(small)
    assert path.parent.name == str(made["id"])
    assert path.parent.parent.as_posix().endswith("storage/projects/default/files")
    assert len(path.name.encode()) <= 200
    if name.endswith(".csv.gz"):
        assert path.name.endswith(".csv.gz")
    response = await small.raw("GET", f"{FILES}/{made['id']}/content")
    assert response.content == b"a\n1\n"
    assert response.headers["content-disposition"] == f"attachment; filename*=UTF-8''{quote(name, safe='')}"


def test_a_shortened_name_is_not_cut_within_a_character() -> None:
    for length in range(150, 260):
        name = segment("a" * (length % 7) + "ä" * length + ".parquet")
        assert len(name) <= 200
        assert unquote(name, errors="strict").endswith("ä.parquet")


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 1001])
async def test_names_that_cannot_be_kept(small: Api, name: str) -> None:
    body = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\nx\r\n--b--\r\n'.encode()
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    is_problem(await small.raw("POST", FILES, content=body, headers=headers), 422)
    assert stored(small) == []


@pytest.mark.parametrize(
    ("header", "status", "expected"),
    [
        ("bytes=0-3", 206, b"0123"),
        ("bytes=4-", 206, b"456789"),
        ("bytes=-3", 206, b"789"),
        ("bytes=-99", 206, b"0123456789"),
        ("bytes=8-99", 206, b"89"),
        ("bytes=9-9", 206, b"9"),
        ("bytes=10-", 416, b""),
        ("bytes=-0", 416, b""),
        ("bytes=3-2", 200, b"0123456789"),
        ("bytes=0-1,3-4", 200, b"0123456789"),
        ("lines=1-2", 200, b"0123456789"),
        ("bytes=-", 200, b"0123456789"),
    ],
)
async def test_ranges(small: Api, header: str, status: int, expected: bytes) -> None:
    made = await upload(small, "digits", b"0123456789")
    response = await small.raw("GET", f"{FILES}/{made['id']}/content", headers={"Range": header})
    assert response.status_code == status
    if status == 416:
        assert is_problem(response, 416)["field"] == "Range"
        assert response.headers["content-range"] == "bytes */10"
    else:
        assert response.content == expected


async def test_an_unchanged_file_is_not_sent_again(small: Api) -> None:
    made = await upload(small, "f", b"0123456789")
    path = f"{FILES}/{made['id']}/content"
    tag = (await small.raw("GET", path)).headers["etag"]
    assert (await small.raw("GET", path, headers={"If-None-Match": tag})).status_code == 304
    part = {"Range": "bytes=0-1", "If-Range": '"another"'}
    assert (await small.raw("GET", path, headers=part)).status_code == 200
    assert (await small.raw("GET", path, headers={**part, "If-Range": tag})).status_code == 206


async def test_an_empty_file(api: Api) -> None:
    made = await upload(api, "nothing", b"")
    assert made["bytes"] == 0
    response = await api.raw("GET", f"{FILES}/{made['id']}/content")
    assert (response.status_code, response.content) == (200, b"")


async def test_the_fields_may_stand_behind_the_file(small: Api) -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nx\r\n'
        b'--b\r\nContent-Disposition: form-data; name="permanent"\r\n\r\ntrue\r\n'
        b'--b\r\nContent-Disposition: form-data; name="tags"\r\n\r\nlast\r\n--b--\r\n'
    )
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    made = await small.ask("POST", FILES, 201, content=body, headers=headers)
    assert (made["tags"], made["permanent"], made["expires_at"]) == (["last"], True, None)


def _form(*parts: bytes, end: bytes = b"--b--\r\n") -> bytes:
    return b"".join(b"--b\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts) + end


FILE = b'name="file"; filename="f"\r\n\r\nx'


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (_form(b'name="tags"\r\n\r\na'), "file"),
        (_form(FILE, FILE), "file"),
        (_form(FILE, b'name="colour"\r\n\r\nred'), "colour"),
        (_form(FILE, b'name="permanent"\r\n\r\nperhaps'), "permanent"),
        (_form(FILE, b'name="tags"\r\n\r\n' + b"t" * 101), "tags"),
        (_form(FILE, b'name="tags"\r\n\r\n' + b",".join([b"t"] * 21)), "tags"),
        (_form(FILE, b'name="tags"\r\n\r\n\xff'), "tags"),
        (_form(b'name="tags"\r\n\r\n' + b"t" * 70_000, FILE), "tags"),
        (_form(b'name="file"; filename="\xff"\r\n\r\nx'), "file"),
        (_form(FILE, end=b""), "body"),
        (_form(FILE, end=b"--b"), "body"),
        (b"", "body"),
        (b"nonsense", "body"),
        (_form(*[b'name="x"\r\n\r\n'] * 200), "body"),
    ],
)
async def test_a_broken_form_leaves_nothing(small: Api, body: bytes, field: str) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    is_problem(await small.raw("POST", FILES, content=body, headers=headers), 422, field=field)
    assert stored(small) == []
    assert (await small.get(FILES))["items"] == []


async def test_no_boundary(small: Api) -> None:
    headers = {"Content-Type": "multipart/form-data"}
    is_problem(await small.raw("POST", FILES, content=b"x", headers=headers), 422, field="Content-Type")


async def test_a_file_that_is_too_large_leaves_nothing(small: Api) -> None:
    is_problem(await small.raw("POST", FILES, files={"file": ("f", b"x" * (8 * 1024 * 1024 + 1))}), 413, field="file")
    assert stored(small) == []


async def test_memory_is_bounded(small: Api) -> None:
    """Many megabytes pass through a few."""
    from dataclasses import replace

    size, piece = 96, b"x" * 1024 * 1024
    files = small.app.state.services.files
    files._core = replace(files._core, installation=replace(files._core.installation, max_upload=1 << 40))

    async def body() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
        for _ in range(size):
            yield piece
        yield b"\r\n--b--\r\n"

    tracemalloc.start()
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    made = await small.ask("POST", FILES, 201, content=body(), headers=headers)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert made["bytes"] == size * 1024 * 1024
    assert peak < 40 * 1024 * 1024


async def test_a_repeated_upload_with_its_key_is_one_file(api: Api) -> None:
    headers = {"Idempotency-Key": "k1"}
    first = await upload(api, "f.csv", b"a\n1\n", headers=headers)
    again = await upload(api, "f.csv", b"a\n1\n", headers=headers)
    assert again == first
    assert len(stored(api)) == 1
    await upload(api, "f.csv", b"a\n2\n", 409, headers=headers)
    assert len((await api.get(FILES))["items"]) == len(stored(api)) == 1


async def test_files_are_listed_newest_first(api: Api) -> None:
    made = [(await upload(api, f"f{i}", b"x"))["id"] for i in range(5)]
    assert made == sorted(set(made))
    assert [f["id"] for f in await api.every(f"{FILES}?limit=2")] == made[::-1]
