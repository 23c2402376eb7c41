"""The word that somebody meant: one rule for states, modes, formats, roles, settings and keyword arguments."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from jobdeck import JobType, Run, step
from jobdeck.access.caller import Role
from jobdeck.connectors.files.config import FormatName
from jobdeck.core.jobtype import _OF_STEPS
from jobdeck.core.life.states import State
from jobdeck.core.output.complaints import told
from jobdeck.core.output.nearest import SAME, closest
from jobdeck.jobs.declared import InvalidJobType, check_type
from jobdeck.jobs.import_models import ImportParams

MODE = ImportParams.model_fields["mode"].annotation


@pytest.mark.parametrize(
    ("kind", "given", "meant"),
    [
        (State, "done", "succeeded"), (State, "Completed", "succeeded"), (State, "error", "failed"),
        (State, "queued", "pending"), (State, "cancelled", "canceled"), (State, "runing", "running"),
        (State, "suspended", "paused"), (State, "banana", None), (MODE, "overwrite", "replace"),
        (MODE, "apend", "append"), (MODE, "merge", "upsert"), (FormatName, "ndjson", "jsonl"),
        (FormatName, "parqet", "parquet"), (Role, "administrator", "admin"), (Role, "veiwer", "viewer"),
        (Literal["asc", "desc"], "dsec", "desc"),
    ],
)  # fmt: skip
def test_a_value_that_is_none_is_told_with_the_one_that_was_meant(kind: Any, given: str, meant: str | None) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(given)
    [fault] = caught.value.errors()
    text = told(fault["msg"], fault["input"])
    assert text.startswith("it must be one of ")
    assert text.endswith(f"; did you mean '{meant}'?") if meant else "did you mean" not in text


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("ulr", ["url", "region"], "url"), ("done", ["list", "show"], None), ("users", ["pauses", "jobs"], None),
        ("log_levle", ["log_level", "log_format"], "log_level"), ("STATE", ["state"], "state"), ("", ["a"], None),
    ],
)  # fmt: skip
def test_only_what_is_like_it_or_means_the_same(word: str, known: list[str], meant: str | None) -> None:
    assert closest(word, known) == meant


def test_words_of_other_tools_are_no_words_of_ours_for_the_same() -> None:
    states = {str(state) for state in State}
    assert states - {"pausing"} <= {*SAME}
    assert not states & set(" ".join(SAME.values()).split())


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("retry", "Did you mean 'retries'?"), ("retires", "Did you mean 'retries'?"),
        ("time_out", "Did you mean 'timeout'?"), ("delay", "Did you mean 'backoff'?"),
        ("concurrency", "Did you mean 'parallel'?"), ("colour", f"It takes {', '.join(_OF_STEPS)}."),
    ],
)  # fmt: skip
def test_a_step_tells_which_argument_was_meant(wrong: str, hint: str) -> None:
    anything: Any = step
    with pytest.raises(TypeError, match="@step takes no") as caught:
        anything(**{wrong: 3})
    assert str(caught.value) == f"@step takes no '{wrong}'. {hint}"


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("isolaton", "thread", "isolation"), ("undo_time_out", 3.0, "undo_timeout"), ("names", ["a"], None),
        ("credits_per_hours", 3.0, None), ("may_be_emtpy", True, "may_be_empty"), ("chunk_rows", 3, None),
        ("params", type("params", (BaseModel,), {}), "Params"), ("_isolaton", 3, None), ("limit", 3, None),
        ("descripton", lambda _self: "x", "description"), ("written", lambda _self: None, None),
        ("readers", lambda _self: None, None),
    ],
)  # fmt: skip
def test_a_job_type_tells_which_attribute_was_meant(name: str, value: Any, meant: str | None) -> None:
    def work(self: JobType, run: Run) -> None: ...

    made = type("Made", (JobType,), {"name": "made", "work": step(work), name: value})
    if meant is None:
        check_type(made)
        return
    with pytest.raises(InvalidJobType, match=f"did you mean '{meant}'"):
        check_type(made)


def test_what_was_given_is_not_repeated_because_it_may_be_a_secret() -> None:
    assert told("Input should be 'red'", "hunter2") == "it must be 'red'"
    assert told("Input should be 'red'", "redd") == "it must be 'red'; did you mean 'red'?"
    assert told("Input should be a valid string", 3) == "it must be text"
