"""Steps read and write tables: what is written lands once, wherever the worker dies, and slips are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import BaseModel, SecretStr

from jobdeck import Environment, JobdeckError, JobType, Run, read_table, step, write_table
from jobdeck.testing import crash_points, environment_in, open_run, run_job
from tests.s3 import Bucket


class Chunks(JobType):
    """Writes a table in chunks, in two tasks, with a checkpoint after some of them."""

    isolation = "thread"

    @step(each=lambda _: [0, 1], parallel=1)
    def write(self, run: Run, part: int) -> None:
        for number in range(run.cursor or 0, 4):
            write_table(run, "lake/shop/chunks", [{"part": part, "number": number}])
            write_table(run, "lake/shop/chunks", [{"part": part, "number": number + 10}])
            if number % 2:
                run.checkpoint(number + 1)

    @step
    def count(self, run: Run) -> int:
        return int(read_table(run, "lake/shop/chunks").read_all().num_rows)


def rows(environment: Environment, ref: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read_table(open_run(environment), ref).read_all().to_pylist()
    return found


def test_each_write_lands_once_wherever_the_worker_dies(tmp_path: Path) -> None:
    points = crash_points(Chunks)
    assert len(points) > 10
    expected = sorted((part, number) for part in (0, 1) for number in (*range(4), *range(10, 14)))
    for index, crash in enumerate(points[::3]):
        (tmp_path / str(index)).mkdir()
        place = environment_in(tmp_path / str(index))
        done = run_job(Chunks, environment=place, crashes=[crash])
        assert (done.state, done.result) == ("succeeded", 16), crash
        assert sorted((r["part"], r["number"]) for r in rows(place, "lake/shop/chunks")) == expected, crash
        assert done.touched[-1].direction == "input"
        assert {t.object for t in done.touched} == {"lake/shop/chunks"}


def test_modes_and_forms_of_data(tmp_path: Path) -> None:
    place = environment_in(tmp_path)
    run = open_run(place)
    first = write_table(run, "lake/a/t", pa.table({"id": [1, 2], "name": pa.array(["x", "y"], pa.large_string())}))
    assert (first.rows, first.version) == (2, 0)
    write_table(run, "lake/a/t", pa.record_batch({"id": pa.array([3], pa.int32())}))
    write_table(run, "lake/a/t", [{"id": 2, "name": "z"}, {"id": 4, "name": "w"}], mode="upsert", key=["id"])
    assert sorted((r["id"], r["name"]) for r in rows(place, "lake/a/t")) == [(1, "x"), (2, "z"), (3, None), (4, "w")]
    batches = iter([pa.record_batch({"only": [1]}), pa.record_batch({"only": [2]})])
    write_table(run, "lake/a/t", batches, mode="replace")
    assert rows(place, "lake/a/t") == [{"only": 1}, {"only": 2}]
    assert read_table(run, "lake/a/t").schema.names == ["only"]


@pytest.mark.parametrize(
    ("ref", "data", "how", "told"),
    [
        ("lake/a/t", [{"id": 1, "size": 2}], {}, "has no column 'size'; it has id"),
        ("lake/a/t", [{"id": "one"}], {}, "Column 'id' does not fit the table, where it is int64"),
        ("lake/a/t", 5, {}, "A int cannot be written"),
        ("lake/a/t", [5], {}, "A list cannot be written"),
        ("lake/a/t", [{"id": 1}], {"mode": "merge"}, "'merge' is none of append, replace, upsert"),
        ("lake/a/t", [{"id": 1}], {"mode": "upsert"}, "`key` names the columns"),
        ("lake/a/t", [{"id": 1}], {"mode": "upsert", "key": ["no"]}, "no column 'no'"),
        ("lake/t", [{"id": 1}], {}, "lake/<bucket>/<table>"),
        ("shop/t", [{"id": 1}], {}, "There is no connection 'shop'"),
        ("t", [{"id": 1}], {}, "not an object reference"),
    ],
)
def test_slips_are_told_and_write_nothing(tmp_path: Path, ref: str, data: Any, how: dict[str, Any], told: str) -> None:
    place = environment_in(tmp_path)
    write_table(open_run(place), "lake/a/t", [{"id": 7}])
    with pytest.raises((JobdeckError, pa.ArrowException)) as refused:
        write_table(open_run(place), ref, data, **how)
    assert told in f"{refused.value} {getattr(refused.value, 'hint', '')}"
    assert rows(place, "lake/a/t") == [{"id": 7}]


class Inner(BaseModel):
    folder: Path


class Given(JobType):
    """Tells what it was given and where it is."""

    isolation = "thread"

    class Params(BaseModel):
        """Paths and a secret."""

        files: list[Path]
        inner: Inner
        token: SecretStr

    @step
    async def look(self, run: Run) -> dict[str, Any]:
        assert self.params.token.get_secret_value() == "s3cret"
        assert all(isinstance(file, Path) for file in self.params.files)
        write_table(run, "lake/own/t", [{"n": 1}])
        work = Path(run.environment.work_dir)
        (work / "x").write_text("x")
        return {"root": run.environment.project_root(), "work": str(work)}


def test_the_kit_takes_what_the_model_takes_and_has_a_temporary_place(tmp_path: Path) -> None:
    params = {"files": [Path("a"), "b"], "inner": Inner(folder=tmp_path), "token": SecretStr("s3cret")}
    for given in (params, Given.Params.model_validate(params)):
        done = run_job(Given, given)
        assert done.state == "succeeded", done.error
        assert [s.state for s in done.steps] == ["succeeded"]
        assert done.result["root"].startswith("file:///")
        assert done.result["root"].endswith("/storage/projects/default")
        assert not Path(done.result["work"]).exists()
    kept = environment_in(tmp_path)
    assert run_job(Given, params, environment=kept).state == "succeeded"
    assert rows(kept, "lake/own/t") == [{"n": 1}]


def test_the_kit_refuses_what_a_submission_refuses() -> None:
    with pytest.raises(ValueError, match="filse"):
        run_job(Given, {"files": [], "inner": {"folder": "x"}, "token": "s3cret", "filse": []})


def test_a_connection_by_its_name(tmp_path: Path) -> None:
    place = environment_in(tmp_path, connections={"shop": {"kind": "files", "options": {"url": "s3://x"}}})
    assert place.connection("shop").kind == "files"
    with pytest.raises(JobdeckError, match="There is no connection 'warehouse' in project 'default'") as refused:
        place.connection("warehouse")
    assert refused.value.hint == "Connections here: shop."


def test_tables_and_files_in_a_bucket(s3_bucket: Bucket, tmp_path: Path) -> None:
    options = {name: value for name, value in s3_bucket.options.items() if name.startswith("aws_")}
    connection = {"kind": "files", "options": {"url": f"{s3_bucket.url}/in", "options": options}}
    place = environment_in(
        tmp_path,
        storage_url=f"{s3_bucket.url}/inst",
        storage_options=s3_bucket.options,
        allowed_endpoints=("127.0.0.1",),
        connections={"shop": connection},
    )
    s3_bucket.put("in/days/a.csv", b"day,price\nmon,2\n")
    s3_bucket.put("in/days/b.csv", b"day,price\ntue,3\n")
    assert rows(place, "shop/days/a.csv") == [{"day": "mon", "price": 2}]
    run = open_run(place)
    write_table(run, "lake/shop/days", read_table(run, "shop/days"))
    assert write_table(run, "lake/shop/days", [{"day": "wed", "price": 4}]).rows == 1
    assert sorted(r["price"] for r in rows(place, "lake/shop/days")) == [2, 3, 4]
