"""jobdeck.testing tells the truth: it finds a job type that is wrong, and models what an engine does."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from jobdeck import JobType
from jobdeck.core.jobtype import Isolation, step
from jobdeck.core.tasks import Run
from jobdeck.jobs.declared import InvalidJobType
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


class Slip(JobType):
    """Declares something that cannot be used."""

    @step
    def copy(self) -> None:
        """Takes no run."""


def test_what_would_test_nothing_is_refused(params: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"crashes takes Crash\(record\), not 3"):
        run_job(Appends, params, crashes=[3])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="isolation is 'process' or 'thread', not 'threads'"):
        run_job(Appends, params, isolation="threads")  # type: ignore[arg-type]
    for not_a_class in ("Appends", Appends(Into(**params)), dict):
        with pytest.raises(TypeError, match="run_job takes the class of a job type, not"):
            run_job(not_a_class, params)  # type: ignore[arg-type]
    with pytest.raises(InvalidJobType, match=r"^Slip: step 'copy': it must take \(self, run\)$"):
        run_job(Slip)
    assert not Path(params["file"]).exists()


def test_a_type_that_no_worker_can_import_is_refused_with_the_way_out(
    params: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Inner(Appends):
        """Stands inside a function."""

    for isolation in get_args(Isolation):
        with pytest.raises(ValueError, match=r"Inner stands inside a function.*: move it to the top of its module"):
            run_job(Inner, params, isolation=isolation)
    monkeypatch.setattr(Appends, "__module__", "__main__")
    with pytest.raises(ValueError, match=r"Appends stands in the script that is run.*isolation='thread'"):
        run_job(Appends, params, isolation="process")
