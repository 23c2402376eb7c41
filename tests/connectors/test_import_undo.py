"""Undo takes back what was published and not recorded, so that canceled means gone and a restart doubles nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from jobdeck.connectors.base import StagedFile, Stamp
from jobdeck.connectors.errors import AlreadyPublished, AttemptBuried
from jobdeck.connectors.lake import catalog
from jobdeck.connectors.lake.config import table_folder
from jobdeck.connectors.lake.tables import BURIED, open_table, state_of
from jobdeck.connectors.lake.writing import commit, publication, undo
from jobdeck.core.environment import Environment
from tests.connectors.harness import Job, Killed, Script, files_below, on_s3_too, patched, rows, table
from tests.connectors.test_import_crashes import OLD, Small, expected, prepare, small_blocks

__all__ = ["small_blocks"]

MODES = ["new", "append", "replace", "upsert"]
LAKE = "projects/default/lake/b/t"


def published_and_lost(env: Environment, data: Path, mode: str) -> Job:
    """The job's process died after its commit landed, so that nothing of it was recorded."""
    job = prepare(env, data, "csv", mode)
    counting = Script()
    with pytest.raises(Killed):
        job.run(Killing("end publish", counting))
    assert rows(env) == expected("csv", mode)
    return job


class Killing(Script):
    """Dies at the first call of a name."""

    def __init__(self, name: str, counting: Script) -> None:
        super().__init__()
        self._name, self._counting = name, counting

    def call(self, name: str) -> None:
        super().call(name)
        if name == self._name:
            raise Killed(name)


def before(mode: str) -> list[dict[str, Any]] | None:
    return None if mode == "new" else sorted(OLD.to_pylist(), key=repr)


def found(env: Environment) -> list[dict[str, Any]] | None:
    return None if table(env) is None else rows(env)


def delta(env: Environment) -> DeltaTable:
    opened = open_table(table_folder(env, ("b", "t")))
    assert opened is not None
    return opened


def add_foreign(env: Environment, number: int = 7000) -> None:
    extra = pa.table({"id": pa.array([number], pa.int64()), "name": ["foreign"], "x": [0.25]})
    write_deltalake(delta(env), extra, mode="append")


@pytest.mark.parametrize("mode", MODES)
def test_cancel_leaves_the_table_as_it_was(env: Environment, data: Path, storage: Path, mode: str) -> None:
    job = published_and_lost(env, data, mode)
    for epoch in (2, 3):
        job.epoch = epoch
        job.undo()
        assert found(env) == before(mode)
    left = [name for name in files_below(storage) if "/1-1/" in name or "~gone" in name]
    assert left == []
    if mode == "new":
        assert not (storage / "projects/default/lake/b").exists()
    else:
        assert delta(env).schema().to_arrow().names == OLD.column_names
        assert state_of(delta(env), Stamp(1, 1)) == BURIED
        assert rows(env, version=0) == before("append")


@on_s3_too
@pytest.mark.parametrize("mode", MODES)
def test_restart_has_the_rows_once(env: Environment, data: Path, mode: str) -> None:
    job = published_and_lost(env, data, mode)
    job.undo()
    again = Job(env, job.params, attempt=2, epoch=2, job_type=Small)
    again.run()
    assert rows(env) == expected("csv", mode)
    assert again.results["publish"].kept_attempt is None


@on_s3_too
@pytest.mark.parametrize("mode", MODES)
def test_rows_that_others_build_upon_stay(env: Environment, data: Path, mode: str) -> None:
    job = published_and_lost(env, data, mode)
    add_foreign(env)
    held = rows(env)
    version = delta(env).version()
    for _ in range(2):
        with pytest.raises(AlreadyPublished, match=f"version {version - 1}, and version {version} builds upon it"):
            job.undo()
        assert rows(env) == held
        assert delta(env).version() == version


def test_commits_that_change_no_rows_do_not_keep_it(env: Environment, data: Path) -> None:
    job = published_and_lost(env, data, "append")
    other = Job(env, job.params, id=2, job_type=Small)
    with pytest.raises(Killed):
        other.run(Killing("begin publish", Script()))
    other.undo()
    delta(env).optimize.compact()
    third = Job(env, job.params, id=3, job_type=Small)
    third.run()
    with pytest.raises(AlreadyPublished):
        job.undo()
    third.undo()
    assert rows(env) == expected("csv", "append")
    job.undo()
    assert rows(env) == before("append")


@pytest.mark.parametrize("mode", MODES)
def test_an_attempt_that_was_not_undone_is_not_added_to(env: Environment, data: Path, mode: str) -> None:
    """However it comes about: the engine forgot to undo, or could not."""
    job = published_and_lost(env, data, mode)
    version = delta(env).version()
    again = Job(env, job.params, attempt=2, epoch=2, job_type=Small)
    result = again.run()
    assert rows(env) == expected("csv", mode)
    assert (result.kept_attempt, result.version) == (1, version)
    assert [text for text, _ in again.warnings] == [
        f"Attempt 1 of this job had published version {version} and was not undone, so attempt 2 added nothing."
    ]
    assert not any("/jobs/1-2/" in name for name in files_below(Path(env.storage_url.removeprefix("file://"))))


@pytest.mark.parametrize("mode", MODES)
def test_a_zombie_after_undo_changes_nothing(env: Environment, data: Path, storage: Path, mode: str) -> None:
    job = published_and_lost(env, data, mode)
    zombie = Job(env, job.params, results=job.results, job_type=Small)
    job.undo()
    for _ in range(2):
        with pytest.raises(AttemptBuried):
            zombie.call("publish", "publish", 0, None, Script())
        assert found(env) == before(mode)


@pytest.mark.parametrize("moment", ["_write_first", "_still_staged", "settled"])
def test_a_zombie_that_makes_the_table_while_it_is_undone(
    env: Environment, data: Path, storage: Path, moment: str
) -> None:
    """Whenever the undo comes, there is no table after it: the last step of the zombie finds its log taken away."""
    job = prepare(env, data, "csv", "new")
    with pytest.raises(Killed):
        job.run(Killing("begin publish", Script()))
    undone = undo_at(Job(env, job.params, job_type=Small, epoch=2))
    with patched(commit, moment, undone), pytest.raises((AttemptBuried, FileNotFoundError)):
        job.call("publish", "publish", 0, None, Script())
    assert table(env) is None
    assert not (storage / LAKE / "_delta_log").exists()


def undo_at(job: Job) -> Callable[[Any], Any]:
    def make(real: Any) -> Any:
        def first(*args: Any, **kwargs: Any) -> Any:
            job.undo()
            return real(*args, **kwargs)

        return first

    return make


def test_a_table_that_is_made_while_undo_looks_is_removed(env: Environment, data: Path, storage: Path) -> None:
    """The zombie's step lands between the first look of undo and the moment it takes the staged files away."""
    job = prepare(env, data, "csv", "new")
    with pytest.raises(Killed):
        job.run(Killing("begin publish", Script()))
    zombie = Job(env, job.params, results=job.results, job_type=Small)

    def publish_after_first(real: Any) -> Any:
        looks: list[int] = []

        def look(*args: Any) -> Any:
            result = real(*args)
            looks.append(1)
            if len(looks) == 1:
                with patched(publication.Publication, "_sweep", lambda _: lambda _: None):
                    work = zombie.type()._work(zombie.new_run("publish", 0, Script()))
                    work._sink.publish(work._stamp, staged(zombie), OLD.schema, "append", [])
                assert table(env) is not None
            return result

        return look

    with patched(undo, "_withdraw", publish_after_first):
        job.undo()
    assert table(env) is None
    assert not (storage / "projects/default/lake").exists() or files_below(storage / "projects/default/lake") == []


def staged(job: Job) -> list[StagedFile]:
    return [StagedFile(**f.model_dump()) for item in job.results["load"] for f in item.files]


def test_a_job_that_waits_keeps_its_files_when_the_table_goes(env: Environment, data: Path, storage: Path) -> None:
    job = published_and_lost(env, data, "new")
    waiting = Job(env, job.params, id=2, job_type=Small)
    with pytest.raises(Killed):
        waiting.run(Killing("begin publish", Script()))
    job.undo()
    assert table(env) is None
    waiting.run()
    assert rows(env) == expected("csv", "new")


def test_a_number_of_an_earlier_control_database_is_left_alone(env: Environment, data: Path) -> None:
    job = published_and_lost(env, data, "append")
    reset = Job(env, job.params, job_type=Small)
    with pytest.raises(Exception, match="already has a commit"):
        reset.run()
    for _ in range(2):
        reset.undo()
        assert rows(env) == expected("csv", "append")
    second = Job(env, job.params, attempt=2, epoch=2, job_type=Small)
    assert second.run().kept_attempt is None
    other = Job(env, {**job.params, "csv": {"delimiter": ","}}, job_type=Small)
    other.undo()
    assert len(rows(env)) == 2 * 1200 + 3


def test_a_version_whose_predecessor_was_cleaned_away_stays(env: Environment, data: Path) -> None:
    job = published_and_lost(env, data, "replace")
    delta(env).vacuum(0, dry_run=False, enforce_retention_duration=False)
    shutil.rmtree(Path(env.storage_url.removeprefix("file://")) / LAKE / "jobs/99-1", ignore_errors=True)
    with pytest.raises(AlreadyPublished, match="is gone"):
        job.undo()
    assert rows(env) == expected("csv", "replace")


def test_undo_of_a_table_that_was_dropped(env: Environment, data: Path) -> None:
    job = published_and_lost(env, data, "new")
    catalog.drop(env, "lake/b/t")
    job.undo()
    assert table(env) is None


@pytest.mark.parametrize("mode", MODES)
def test_publish_tells_its_progress_and_stops_only_before_the_commit(env: Environment, data: Path, mode: str) -> None:
    job = prepare(env, data, "csv", mode)
    with pytest.raises(Killed):
        job.run(Killing("begin publish", Script()))
    job.progresses.clear()
    seen: list[bool] = []

    class Look(Script):
        def call(self, name: str) -> None:
            if name == "between batches":
                seen.append(found(env) == before(mode))

    job.call("publish", "publish", 0, None, Look())
    assert len(seen) >= 6
    assert all(seen), "asked after the commit"
    told = job.progresses["publish", 0]
    assert told == sorted(told, key=lambda p: p[0])
    assert told[-1][0] == told[-1][1]
    assert len({total for _, total in told}) == 1
    assert rows(env) == expected("csv", mode)
