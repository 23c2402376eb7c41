"""Folders and blobs do the same on a local folder and on a real S3 server."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from jobdeck.core.errors import TooLarge
from jobdeck.storage.blobs import Blobs
from jobdeck.storage.folders import Folder


@dataclass(frozen=True)
class Place:
    url: str
    options: dict[str, str]

    def blobs(self) -> Blobs:
        return Blobs(self.url, self.options)

    def folder(self) -> Folder:
        return Folder(self.url, self.options)


@pytest.fixture(params=["folder", "s3", "s3 prefix"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty storage: a local folder, a bucket, a prefix of a bucket."""
    if request.param == "folder":
        return Place((tmp_path / "s t").as_uri(), {})
    bucket = request.getfixturevalue("s3_bucket")
    return Place(bucket.url + ("/a/b" if request.param == "s3 prefix" else ""), bucket.options)


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_what_is_put_comes_back(place: Place) -> None:
    blobs = place.blobs()
    content = os.urandom(9_000_000)
    await blobs.put("projects/p/files/1/f%20ä.bin", chunks(content[:5_000_000], content[5_000_000:]))
    await blobs.put("projects/p/files/1/empty", b"")
    assert await blobs.get("projects/p/files/1/f%20ä.bin") == content
    assert b"".join([p async for p in blobs.stream("projects/p/files/1/f%20ä.bin")]) == content
    assert b"".join([p async for p in blobs.stream("projects/p/files/1/f%20ä.bin", 3, 11)]) == content[3:11]
    assert b"".join([p async for p in blobs.stream("projects/p/files/1/f%20ä.bin", 8_999_990)]) == content[-10:]
    assert [p async for p in blobs.stream("projects/p/files/1/f%20ä.bin", 5, 5)] == []
    assert [(b.path, b.size) for b in await blobs.list("projects/p")] == [
        ("projects/p/files/1/empty", 0), ("projects/p/files/1/f%20ä.bin", 9_000_000),
    ]  # fmt: skip
    assert await blobs.list("projects/pp") == []


async def test_what_is_not_there(place: Place) -> None:
    blobs = place.blobs()
    with pytest.raises(FileNotFoundError) as missing:
        await blobs.get("nothing")
    assert "Debug" not in str(missing.value)
    with pytest.raises(FileNotFoundError):
        await anext(blobs.stream("nothing"))
    await blobs.delete("nothing", "more/of/it")
    await blobs.delete_prefix("nowhere")
    assert place.folder().entry("nothing") is None
    assert not place.folder().exists("nothing")
    with pytest.raises(FileNotFoundError):
        place.folder().read("nothing")
    with pytest.raises(FileNotFoundError):
        place.folder().open_input("nothing")


async def test_an_upload_that_breaks_leaves_nothing(place: Place) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 6_000_000
        raise TooLarge("enough")

    blobs = place.blobs()
    with pytest.raises(TooLarge, match="enough"):
        await blobs.put("projects/p/files/2/f", broken())
    assert await blobs.list("projects") == []


async def test_a_prefix_is_deleted_whole_and_nothing_beside_it(place: Place) -> None:
    blobs = place.blobs()
    for name in [f"logs/7/0001/{i}" for i in range(30)] + ["logs/77/0001/a", "logs/8/a"]:
        await blobs.put(name, b"x")
    for _ in range(2):
        await blobs.delete_prefix("logs/7")
        assert [b.path for b in await blobs.list("logs")] == ["logs/77/0001/a", "logs/8/a"]


def test_a_folder_lists_reads_writes_renames_and_deletes(place: Place) -> None:
    top = place.folder().sub("projects", "p")
    top.write("plans/1-1/plan.json", b"{}")
    top.write("b/2", b"22")
    top.write("b/1", b"1")
    top.write("bb", b"")
    assert [(e.name, e.size) for e in top.entries()] == [("b/1", 1), ("b/2", 2), ("bb", 0), ("plans/1-1/plan.json", 2)]
    assert [e.name for e in top.entries("b")] == ["b/1", "b/2"]
    assert [e.name for e in top.sub("b").entries()] == ["1", "2"]
    assert len(top.some(2)) == 2
    assert top.folders() == ["b", "plans"]
    assert place.folder().folders() == ["projects"]
    assert top.read("b/2") == b"22"
    before = top.entry("b/1")
    assert before is not None
    assert before == top.entry("b/1")
    top.write("b/1", b"other")
    after = top.entry("b/1")
    assert after is not None
    assert before.fingerprint != after.fingerprint
    for _ in range(2):
        top.rename("b/1", "c/1")
    assert [e.name for e in top.entries()] == ["b/2", "bb", "c/1", "plans/1-1/plan.json"]
    top.delete(["b/2", "bb", "not there"])
    top.sub("plans").tidy()
    assert [e.name for e in top.entries()] == ["c/1", "plans/1-1/plan.json"]


def test_files_are_written_in_parts_and_read_anywhere(place: Place) -> None:
    folder = place.folder().sub("x")
    content = os.urandom(12_000_000)
    with folder.open_output("big/file") as out:
        for start in range(0, len(content), 1_000_000):
            out.write(content[start : start + 1_000_000])
        assert out.tell() == len(content)
    with folder.open_input("big/file") as file:
        assert file.read(10) == content[:10]
        file.seek(-7, os.SEEK_END)
        assert file.read() == content[-7:]
        file.seek(5_000_001)
        assert file.read(2_000_000) == content[5_000_001:7_000_001]
        file.seek(20_000_000)
        assert file.read(1) == b""
