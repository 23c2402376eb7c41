"""Tables that others wrote with more than plain files: refused before anything is read or staged, never damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, TableFeatures, write_deltalake

from jobdeck.connectors.errors import TableNotReadable, TableNotWritable
from jobdeck.connectors.lake import catalog
from jobdeck.connectors.lake.config import table_folder
from jobdeck.core.environment import Environment
from jobdeck.core.errors import InvalidInput
from tests.connectors.harness import Job, Killed, Script, files_below, rows
from tests.connectors.test_import_undo import Killing

DATA = pa.table({"id": pa.array([1, 2, 3], pa.int64()), "part": ["a", "a", "b"]})
MANY = pa.table({"id": pa.array(range(40), pa.int64()), "part": ["a"] * 40})
VECTOR = {
    "storageType": "i",
    "pathOrInlineDv": "^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L",
    "sizeInBytes": 40,
    "cardinality": 6,
}
"""The example in the Delta protocol: rows 3, 4, 7, 11, 18, 29 are deleted."""


def made(env: Environment, data: pa.Table = DATA, **options: Any) -> DeltaTable:
    folder = table_folder(env, ("b", "t"))
    assert folder.path is not None
    folder.path.mkdir(parents=True)
    write_deltalake(folder.url, data, **options)
    return DeltaTable(folder.url)


def job(env: Environment, data: Path, mode: str = "append") -> Job:
    (data / "in.csv").write_text("id,part\n4,c\n")
    params: dict[str, Any] = {"files": [str(data / "in.csv")], "into": "lake/b/t", "mode": mode}
    return Job(env, {**params, "key": ["id"]} if mode == "upsert" else params)


def deleted_by_vector(table: DeltaTable) -> None:
    """What Spark does for DELETE: the file again, with a vector of deleted rows (here stored in the log itself)."""
    table.alter.add_feature([TableFeatures.DeletionVectors], allow_protocol_versions_increase=True)
    table = DeltaTable(table.table_uri)
    log = Path(table.table_uri.removeprefix("file://")) / "_delta_log"
    adds = [json.loads(line) for line in (log / f"{0:020}.json").read_text().splitlines() if '"add"' in line]
    file = adds[0]["add"]
    remove = {"path": file["path"], "dataChange": True, "deletionTimestamp": 1, "size": file["size"]}
    lines = [{"remove": remove}, {"add": {**file, "deletionVector": VECTOR}}]
    (log / f"{table.version() + 1:020}.json").write_text("".join(json.dumps(line) + "\n" for line in lines))


def prepare(env: Environment, kind: str) -> None:
    match kind:
        case "partitioned":
            made(env, partition_by="part")
        case "constraints":
            made(env).alter.add_constraint({"small": "id < 100"})
        case "vectors":
            deleted_by_vector(made(env, MANY))
        case "append-only":
            made(env, configuration={"delta.appendOnly": "true"})
        case "feed":
            made(env, configuration={"delta.enableChangeDataFeed": "true"})


REFUSED = [
    ("partitioned", "append", "is partitioned by part"),
    ("partitioned", "replace", "is partitioned by part"),
    ("partitioned", "upsert", "is partitioned by part"),
    ("constraints", "append", "has check constraints"),
    ("vectors", "append", "marks deleted rows in deletion vectors"),
    ("vectors", "replace", "marks deleted rows in deletion vectors"),
    ("append-only", "replace", "is append-only"),
    ("append-only", "upsert", "is append-only"),
    ("feed", "upsert", "keeps a change data feed"),
]


@pytest.mark.parametrize(("kind", "mode", "reason"), REFUSED)
def test_refused_at_submit_and_in_inspect(
    env: Environment, data: Path, storage: Path, kind: str, mode: str, reason: str
) -> None:
    prepare(env, kind)
    before = files_below(storage)
    refused = job(env, data, mode)
    with pytest.raises(InvalidInput, match=reason) as early:
        refused.check()
    assert (early.value.field, early.value.hint is not None) == ("params.into", True)
    with pytest.raises(TableNotWritable, match=reason):
        refused.call("inspect", "inspect", 0, None, Script())
    refused.undo()
    assert files_below(storage) == before


@pytest.mark.parametrize("kind", ["partitioned", "vectors"])
def test_not_read_wrongly(env: Environment, kind: str) -> None:
    prepare(env, kind)
    with pytest.raises(TableNotReadable, match="cannot be read"):
        catalog.rows(env, "lake/b/t", 10)
    assert catalog.describe(env, "lake/b/t").name == "t"


@pytest.mark.parametrize(("kind", "mode"), [("append-only", "append"), ("feed", "append"), ("feed", "replace")])
def test_features_that_are_kept_to(env: Environment, data: Path, kind: str, mode: str) -> None:
    prepare(env, kind)
    job(env, data, mode).run()
    kept = DATA.to_pylist() if mode == "append" else []
    assert rows(env) == sorted([*kept, {"id": 4, "part": "c"}], key=repr)


def test_upsert_into_files_without_counts(env: Environment, data: Path) -> None:
    """Other writers may leave out the statistics."""
    table = made(env)
    log = Path(table.table_uri.removeprefix("file://")) / "_delta_log" / f"{0:020}.json"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        line.get("add", {}).pop("stats", None)
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (data / "in.csv").write_text("id,part\n3,new\n4,c\n")
    Job(env, {"files": [str(data / "in.csv")], "into": "lake/b/t", "mode": "upsert", "key": ["id"]}).run()
    assert [(r["id"], r["part"]) for r in rows(env)] == [(1, "a"), (2, "a"), (3, "new"), (4, "c")]


def test_a_table_that_becomes_so_while_the_job_runs(env: Environment, data: Path) -> None:
    made(env)
    running = job(env, data)
    with pytest.raises(Killed):
        running.run(Killing("begin publish", Script()))
    DeltaTable(table_folder(env, ("b", "t")).url).alter.add_constraint({"small": "id < 2000"})
    with pytest.raises(TableNotWritable, match="check constraints"):
        running.call("publish", "publish", 0, None, Script())
