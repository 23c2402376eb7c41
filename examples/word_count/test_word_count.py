"""The job type runs in tests as it runs on a worker, and its worker dies wherever it can."""

from pathlib import Path
from typing import Any

import pytest
from word_count import WordCount  # type: ignore[import-not-found]

from jobdeck.testing import crash_points, run_job


@pytest.fixture
def params(tmp_path: Path) -> dict[str, Any]:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("one two\nthree\n\nfour\n")
    files = [str(tmp_path / "a.txt"), str(tmp_path / "b.txt")]
    return {"files": files, "into": str(tmp_path / "words.json"), "every": 2}


def test_counts(params: dict[str, Any]) -> None:
    done = run_job(WordCount, params, isolation="thread")
    assert (done.state, done.result) == ("succeeded", {"words": 8})


def test_exact_wherever_the_worker_dies(params: dict[str, Any]) -> None:
    for crash in crash_points(WordCount, params, isolation="thread"):
        done = run_job(WordCount, params, isolation="thread", crashes=[crash])
        assert (done.state, done.result) == ("succeeded", {"words": 8})


def test_in_a_process_that_is_killed(params: dict[str, Any]) -> None:
    assert run_job(WordCount, params, crashes=crash_points(WordCount, params)[3:4]).result == {"words": 8}


def test_cancel_leaves_nothing(params: dict[str, Any]) -> None:
    done = run_job(WordCount, params, isolation="thread", cancel_at=2)
    assert done.state == "canceled"
    assert {p.name for p in Path(params["into"]).parent.iterdir()} == {"a.txt", "b.txt"}
