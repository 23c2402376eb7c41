"""Why parameters were refused reads as if it was written for those who wrote them."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from jobdeck.core.hooks.refusals import worded
from jobdeck.core.output.nearest import closest
from jobdeck.jobs.sleep import Sleep


class Csv(BaseModel):
    model_config = ConfigDict(extra="forbid")
    encoding: str = "utf-8"


class Wanted(BaseModel):
    model_config = ConfigDict(extra="forbid")
    csv: Csv = Csv()
    day: str = ""

    @field_validator("day")
    @classmethod
    def _named(cls, value: str) -> str:
        if value == "never":
            raise ValueError("it never comes")
        if value == "now":
            raise AssertionError("now is too late")
        return value


def told(model: type[BaseModel], params: dict[str, object]) -> str:
    with pytest.raises(ValidationError) as refused:
        model.model_validate(params)
    fault = refused.value.errors()[0]
    return worded(fault["msg"], fault["loc"], model.model_json_schema())


@pytest.mark.parametrize(
    ("model", "params", "message"),
    [
        (Sleep.Params, {"second": 5}, "There is no such parameter. Did you mean 'seconds'?"),
        (Sleep.Params, {"zebra": 5}, "There is no such parameter."),
        (Wanted, {"csv": {"encodings": "x"}}, "There is no such parameter. Did you mean 'encoding'?"),
        (Wanted, {"day": "never"}, "it never comes"),
        (Wanted, {"day": "now"}, "now is too late"),
    ],
)
def test_a_fault_is_told_in_words(model: type[BaseModel], params: dict[str, object], message: str) -> None:
    assert told(model, params) == message


def test_what_is_only_a_little_like_is_not_meant() -> None:
    assert closest("users", ["pauses", "types"]) is None
    assert closest("JOB", ["jobs", "bulk"]) == "jobs"
