"""jobdeck.testing tells the truth: it finds a job type that is wrong, and models what an engine does."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from jobdeck import JobType
from jobdeck.core.jobtype import step
from jobdeck.core.tasks import Run
from jobdeck.testing import Crash, crash_points, run_job


class Into(BaseModel):
    file: Path
    careful: bool
    broken_undo: bool = False
    waits: bool = False


class Appends(JobType):
    """Appends three lines to a file; the careful one truncates it to its checkpoint first."""

    isolation = "thread"
    Params = Into

    @step
    def append(self, run: Run) -> None:
        at = run.cursor or 0
        with self.params.file.open("a") as file:
            if self.params.careful:
                file.truncate(at * 2)
            for number in range(at, 3):
                file.write(f"{number}\n")
                file.flush()
                run.checkpoint(number + 1)
                while self.params.waits:
                    time.sleep(0.001)
                    run.stop_here()

    def undo(self, run: Run) -> None:
        if self.params.broken_undo:
            raise RuntimeError("stuck")
        self.params.file.unlink(missing_ok=True)


@pytest.fixture
def params(tmp_path: Path) -> dict[str, Any]:
    return {"file": str(tmp_path / "lines"), "careful": True}


def results(params: dict[str, Any]) -> set[str]:
    file = Path(params["file"])
    found = set()
    for crash in crash_points(Appends, params):
        file.unlink()
        assert run_job(Appends, params, crashes=[crash]).state == "succeeded"
        found.add(file.read_text())
    return found


def test_a_careful_type_is_exact_and_a_careless_one_is_found_out(params: dict[str, Any]) -> None:
    assert results(params) == {"0\n1\n2\n"}
    assert len(results(params | {"careful": False})) > 1


@pytest.mark.parametrize("number", range(2, 6))
@pytest.mark.parametrize("landed", [False, True])
def test_a_cancel_is_a_cancel_although_the_worker_dies(params: dict[str, Any], number: int, *, landed: bool) -> None:
    done = run_job(Appends, params | {"waits": True}, cancel_at=1, crashes=[Crash(number, landed)])
    assert done.state == "canceled"
    assert not Path(params["file"]).exists()


def test_a_pause_is_a_pause_although_the_worker_dies(params: dict[str, Any]) -> None:
    done = run_job(Appends, params | {"waits": True}, pause_at=2, crashes=[Crash(2, landed=True)])
    assert done.state == "paused"
    assert Path(params["file"]).exists()


def test_an_undo_that_fails_is_told(params: dict[str, Any]) -> None:
    done = run_job(Appends, params | {"broken_undo": True, "waits": True}, cancel_at=1)
    assert (done.state, done.warnings) == ("canceled", 1)
    assert "stuck" in done.lines[-1]
