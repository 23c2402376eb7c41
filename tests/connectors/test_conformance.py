"""Both built-in connectors against the public kit, and the kit against connectors that cheat."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from jobdeck.connectors import registry, testing
from jobdeck.connectors.base import Connector, Read
from jobdeck.connectors.errors import UnknownConnection
from jobdeck.connectors.files.config import FilesConfig
from jobdeck.connectors.files.sink import FilesSink, OutputFormat
from jobdeck.connectors.files.source import FilesSource
from jobdeck.connectors.lake.config import table_folder
from jobdeck.connectors.lake.sink import LakeSink
from jobdeck.connectors.lake.source import LakeSource
from jobdeck.core.environment import Environment
from jobdeck.storage.folders import Folder
from tests.connectors.harness import Job, on_s3_too, table

ROWS = pa.table({"id": pa.array(range(5000), pa.int64()), "s": [f"s {i}" for i in range(5000)]})
BATCHES = ROWS.to_batches(max_chunksize=1000)


def files_source(env: Environment, data: Path, kind: str) -> FilesSource:
    if kind == "parquet":
        pq.write_table(ROWS, data / "a.parquet", row_group_size=700)
    elif kind == "csv":
        pacsv.write_csv(ROWS, data / "a.csv")
    else:
        (data / "a.jsonl").write_text("".join(f'{{"id":{r["id"]},"s":"{r["s"]}"}}\n' for r in ROWS.to_pylist()))
    return FilesSource(FilesConfig(files=[str(data)]), env)


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_files_source(env: Environment, data: Path, kind: str) -> None:
    testing.check_source(files_source(env, data, kind), ROWS, size=10_000)


@on_s3_too
def test_lake_source(env: Environment, data: Path) -> None:
    files_source(env, data, "parquet")
    Job(env, {"files": [str(data)], "into": "lake/b/t"}, id=1).run()
    Job(env, {"files": [str(data)], "into": "lake/b/t"}, id=2).run()
    testing.check_source(LakeSource(table_folder(env, ("b", "t")), ("b", "t")), pa.concat_tables([ROWS, ROWS]))


@on_s3_too
def test_lake_sink(env: Environment) -> None:
    folder = table_folder(env, ("b", "t"))
    # With no table there is nothing to write a tombstone into; the import job's plan guards that case.
    testing.check_sink(lambda: LakeSink(folder, env.work_dir), lambda: table(env), BATCHES)


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_files_sink(env: Environment, tmp_path: Path, kind: OutputFormat) -> None:
    target = tmp_path / "data" / "out"
    target.mkdir(parents=True)

    def read() -> pa.Table | None:
        source = FilesSource(FilesConfig(files=[str(target)]), env)
        try:
            batches = [r.batch for part in source.parts() for r in source.read(part)]
        except Exception:  # noqa: BLE001  (no file at all)
            return None
        return pa.Table.from_batches(batches)

    testing.check_sink(lambda: FilesSink(Folder(target.as_uri()), kind), read, BATCHES)


class Forgetful(LakeSource):
    """Reads from the beginning whatever the cursor says."""

    def read(self, part: Any, cursor: Any = None, schema: Any = None) -> Iterator[Read]:
        return super().read(part, None, schema)


class Doubling(LakeSource):
    def read(self, part: Any, cursor: Any = None, schema: Any = None) -> Iterator[Read]:
        for read in super().read(part, cursor, schema):
            yield read
            yield dataclasses.replace(read, rows=0)


def test_the_kit_catches_cheats_and_closed_gaps(env: Environment, data: Path) -> None:
    files_source(env, data, "parquet")
    Job(env, {"files": [str(data)], "into": "lake/b/t"}).run()
    folder = table_folder(env, ("b", "t"))
    with pytest.raises(testing.NotConforming, match="reading on"):
        testing.check_source(Forgetful(folder, ("b", "t")), ROWS)
    testing.check_source(Forgetful(folder, ("b", "t")), ROWS, gaps={"resume": "it forgets"})
    with pytest.raises(testing.NotConforming, match="each once"):
        testing.check_source(Doubling(folder, ("b", "t")), ROWS)
    with pytest.raises(testing.GapClosed, match="resume"):
        testing.check_source(LakeSource(folder, ("b", "t")), ROWS, gaps={"resume": "not yet"})


def test_the_registry(env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    assert registry.connection(env, "lake").kind == "lake"
    assert isinstance(registry.connector("lake"), Connector)
    assert registry.connector("lake").capabilities.transactional
    with pytest.raises(UnknownConnection, match="nowhere"):
        registry.connection(env, "nowhere")
    with pytest.raises(UnknownConnection, match="milvus"):
        registry.connector("milvus")
    monkeypatch.setattr(registry, "_third_party", lambda: {"odd": "no.such.module:Thing"})
    assert "no.such.module" in registry.broken()["odd"]
    assert registry.kinds() == ["files", "lake", "odd"]
    assert registry.connector("files").kind == "files"
