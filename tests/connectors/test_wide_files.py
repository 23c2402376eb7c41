"""Cost is linear in columns; their number is bounded, with an error that says so, in every format."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobdeck.connectors.columns import MAX_COLUMNS
from jobdeck.connectors.errors import DataFailure
from jobdeck.connectors.files.config import FilesConfig
from jobdeck.connectors.files.detect import Detected
from jobdeck.connectors.files.finding.found import Located
from jobdeck.connectors.files.plan import FileFacts, dump_schema
from jobdeck.connectors.files.unify import unified
from jobdeck.core.environment import Environment
from tests.connectors.harness import Job, table

KINDS = ["1", "2.5", "text", "2024-01-01", "NA"]


def write(file: Path, columns: int, rows: int) -> Path:
    line = ",".join(KINDS[index % len(KINDS)] for index in range(columns))
    header = ",".join(f"c{index}" for index in range(columns))
    file.write_text("\n".join([header, *[line] * rows]) + "\n")
    return file


def seconds() -> float:
    """Of this process's own work: the machine may do other things at the same time."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def cost(env: Environment, file: Path, number: int) -> float:
    before = seconds()
    Job(env, {"files": [str(file)], "into": f"lake/b/t{number}"}, id=number).run()
    return seconds() - before


def test_ten_thousand_columns(env: Environment, data: Path) -> None:
    cost(env, write(data / "warm.csv", 10, 10), 1)
    few = cost(env, write(data / "few.csv", 2_000, 10), 2)
    many = cost(env, write(data / "many.csv", MAX_COLUMNS, 10), 3)
    # Five times the columns; what grew with their square took 25 times as long, and minutes.
    assert many < 12 * max(few, 0.3)
    assert many < 15
    found = table(env, "lake/b/t3")
    assert found is not None
    assert (found.num_columns, found.num_rows) == (MAX_COLUMNS, 10)
    assert [str(kind) for kind in found.schema.types[:5]] == ["int64", "double", "string", "date32[day]", "string"]


def test_appending_to_a_wide_table(env: Environment, data: Path) -> None:
    file = write(data / "a.csv", 3_000, 50)
    Job(env, {"files": [str(file)], "into": "lake/b/t"}, id=1).run()
    before = seconds()
    Job(env, {"files": [str(file)], "into": "lake/b/t"}, id=2).run()
    assert seconds() - before < 10
    assert table(env).num_rows == 100  # type: ignore[union-attr]


def facts(index: int, names: list[str]) -> FileFacts:
    located = Located(name=f"f{index}", kind="local", path=f"/f{index}", size=1, fingerprint="")
    schema = pa.schema([(name, pa.int64()) for name in names])
    return FileFacts(located=located, detected=Detected(format="csv"), columns=dump_schema(schema), soft=True)


def test_unifying_many_wide_files(env: Environment) -> None:
    names = [f"c{index}" for index in range(5_000)]
    files = [facts(index, names[index:] + names[:index]) for index in range(20)]
    before = seconds()
    schema, mappings = unified(files, FilesConfig(files=["f"]), None)
    assert seconds() - before < 5
    assert (schema.names, len(mappings)) == (names, 20)
    target = pa.schema([(name, pa.int64()) for name in reversed(names)])
    schema, _ = unified(files, FilesConfig(files=["f"], columns={"c1": {"type": "int64"}}), target)
    assert schema == target
    assert seconds() - before < 10


def refused(env: Environment, *files: Path) -> DataFailure:
    with pytest.raises(DataFailure) as failure:
        Job(env, {"files": [str(file) for file in files], "into": "lake/b/t"}).run()
    assert table(env) is None
    return failure.value


@pytest.mark.parametrize("count", [MAX_COLUMNS + 1, 200_000])
@pytest.mark.parametrize("rows", [0, 2])
def test_too_many_columns_in_csv(env: Environment, data: Path, count: int, rows: int) -> None:
    error = refused(env, write(data / "a.csv", count, rows))
    assert error.code == "too_many_columns"
    assert "columns; 10000 are allowed" in error.message
    assert str(data / "a.csv") in error.message


def test_too_many_columns_on_one_line_without_an_end(env: Environment, data: Path) -> None:
    (data / "a.csv").write_text(",".join(f"c{index}" for index in range(200_000)))
    assert refused(env, data / "a.csv").code == "too_many_columns"


def test_too_many_columns_in_other_formats(env: Environment, data: Path) -> None:
    names = [f"c{index}" for index in range(MAX_COLUMNS + 1)]
    pq.write_table(pa.table({name: [1] for name in names}), data / "a.parquet")
    (data / "a.jsonl").write_text(json.dumps(dict.fromkeys(names, 1)) + "\n")
    for file in ("a.parquet", "a.jsonl"):
        error = refused(env, data / file)
        assert "are allowed" in error.message
        assert file in error.message


def test_too_many_columns_together(env: Environment, data: Path) -> None:
    for index in range(3):
        names = ["id", *(f"f{index}c{number}" for number in range(MAX_COLUMNS // 2))]
        (data / f"{index}.csv").write_text(",".join(names) + "\n" + ",".join("1" for _ in names) + "\n")
    error = refused(env, data)
    assert error.code == "schema_mismatch"
    assert "15001 different columns together; 10000 are allowed" in error.message
