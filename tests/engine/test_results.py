"""What steps return is there for the steps after them, at the same cost whatever its size, within a bound."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from jobdeck.core.environment import Environment
from jobdeck.core.jobtype import JobType, step
from jobdeck.core.tasks import Run, TaskRequest
from jobdeck.engine.worker import results
from jobdeck.engine.worker.results import INLINE, Results, ResultsTooLarge, forget_abandoned
from jobdeck.executors.threads import ThreadExecutor
from jobdeck.executors.wire import pack, request_to_json
from jobdeck.testing import crash_points, run_job


class Large(JobType):
    """Returns texts of a size, and adds up their lengths."""

    class Params(BaseModel):
        """How many, and how long."""

        parts: int = 3
        size: int = 20_000

    isolation = "thread"

    @step
    def first(self, run: Run) -> dict[str, Any]:
        return {"small": 10**30, "none": None}

    @step(each=lambda params: list(range(params.parts)))
    def make(self, run: Run, part: int) -> str | None:
        return None if part == 1 else chr(97 + part % 26) * self.params.size

    @step(each="make")
    def measure(self, run: Run, part: str | None) -> int:
        return len(part or "")

    @step
    def add(self, run: Run) -> dict[str, Any]:
        made = run.result("make")
        assert run.result("first") == {"small": 10**30, "none": None}
        return {"heads": [text and text[0] for text in made], "sum": sum(run.result("measure"))}


def in_folder(folder: Path) -> Environment:
    return Environment(work_dir=str(folder))


@pytest.mark.parametrize("isolation", ["thread", "process"])
@pytest.mark.parametrize("size", [10, 200_000])
def test_results_arrive(tmp_path: Path, size: int, isolation: Any) -> None:
    done = run_job(Large, {"size": size}, environment=in_folder(tmp_path), isolation=isolation)
    assert (done.state, done.result) == ("succeeded", {"heads": ["a", None, "c"], "sum": 2 * size})
    assert list(tmp_path.iterdir()) == [], "nothing is left"


def test_results_arrive_wherever_the_worker_dies(tmp_path: Path) -> None:
    environment = in_folder(tmp_path)
    for crash in crash_points(Large, {}, environment=environment):
        done = run_job(Large, {}, environment=environment, crashes=[crash])
        assert (done.state, done.result) == ("succeeded", {"heads": ["a", None, "c"], "sum": 40_000}), crash
    assert list(tmp_path.iterdir()) == []


def test_requests_stay_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    plain = ThreadExecutor.start

    async def start(executor: ThreadExecutor, request: TaskRequest) -> Any:
        sizes.append(len(pack(request_to_json(request))))
        return await plain(executor, request)

    monkeypatch.setattr(ThreadExecutor, "start", start)
    done = run_job(Large, {"parts": 20, "size": 500_000}, environment=in_folder(tmp_path))
    assert done.state == "succeeded"
    per_task = [size for size in sizes if size < 500_000]
    assert len(per_task) == len(sizes) - 19, "only a part itself is that large"
    assert max(per_task) < INLINE + 4000


def test_all_results_together_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MAX_RESULTS", 1024 * 1024)
    done = run_job(Large, {"parts": 60}, environment=in_folder(tmp_path))
    assert done.state == "failed"
    assert done.error is not None
    assert done.error.code == "results_too_large"
    assert "1 MiB" in done.error.message
    assert done.error.hint is not None
    assert list(tmp_path.iterdir()) == []


def test_what_is_kept_and_where(tmp_path: Path) -> None:
    kept = Results(str(tmp_path))
    kept.add(1, '"b"')
    kept.close_step("small", 3, split=True)
    for task in (2, 0):
        kept.add(task, '"' + "ü" * INLINE + '"')
    kept.close_step("large", 4, split=True)
    kept.close_step("nothing", 1, split=False)
    assert kept.inline == {"small": [None, "b", None], "nothing": None}
    assert kept.of("large") == ["ü" * INLINE, None, "ü" * INLINE, None]
    assert list(kept.files) == ["large"]
    kept.close()
    assert list(tmp_path.iterdir()) == []


def test_a_bound_is_met_before_a_disk_is_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MAX_RESULTS", 10)
    kept = Results(str(tmp_path))
    kept.add(0, "x" * 10)
    with pytest.raises(ResultsTooLarge):
        kept.add(1, "x")
    kept.close()


def test_files_of_the_dead_are_removed(tmp_path: Path) -> None:
    living, dead = tmp_path / f"results-{os.getpid()}-a", tmp_path / "results-4194305-b"
    for folder in (living, dead, tmp_path / "other"):
        folder.mkdir()
        (folder / "0").touch()
    forget_abandoned(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {living.name, "other"}
