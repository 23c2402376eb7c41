"""What pydantic complains of is told in plain words; the complaints are its own, so that another version is noticed."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, IPvAnyNetwork, TypeAdapter, ValidationError

from jobdeck.core.output.complaints import told

CASES: list[tuple[Any, Any, str]] = [
    (Annotated[int, Field(ge=1)], 0, "it must be 1 or more"),
    (Annotated[int, Field(le=9)], 11, "it must be 9 or less"),
    (Annotated[float, Field(gt=0)], 0, "it must be more than 0"),
    (Annotated[float, Field(lt=5)], 5, "it must be less than 5"),
    (int, "two", "it must be a whole number"),
    (int, 1.5, "it must be a whole number"),
    (int, [], "it must be a whole number"),
    (float, "x", "it must be a number"),
    (float, {}, "it must be a number"),
    (bool, "perhaps", "it must be true or false"),
    (bool, {}, "it must be true or false"),
    (str, 5, "it must be text"),
    (list[str], "a", "it must be a list"),
    (dict[str, int], "a", "it must be an object with names and values"),
    (Literal["pending", "failed"], "faild", "it must be one of pending, failed"),
    (Literal["a", "b", "c"], "d", "it must be one of a, b, c"),
    (Literal["a"], "d", "it must be 'a'"),
    (datetime, "tomorrow", "it must be a time like 2026-11-20T07:34:00Z"),
    (Annotated[str, Field(min_length=1)], "", "it must not be empty"),
    (Annotated[str, Field(min_length=3)], "a", "it must have at least 3 characters"),
    (Annotated[str, Field(max_length=2)], "abc", "it must have at most 2 characters"),
    (Annotated[list[int], Field(min_length=1)], [], "it must not be empty"),
    (Annotated[list[int], Field(max_length=1)], [1, 2], "it must have at most 1 values"),
    (Annotated[str, Field(pattern="^(debug|info)$")], "loud", "it must be one of debug, info"),
    (Annotated[str, Field(pattern="^[0-9a-f]{64}$")], "x", "it must have the form ^[0-9a-f]{64}$"),
    (IPvAnyNetwork, "foo", "it must be an IP address or a network, such as 10.0.0.0/8"),
]


@pytest.mark.parametrize(("kind", "value", "words"), CASES)
def test_each_is_told_in_plain_words(kind: Any, value: Any, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    assert told(caught.value.errors()[0]["msg"]) == words


def test_what_a_check_of_ours_says_stays() -> None:
    assert told("Value error, write 30m, or a time") == "write 30m, or a time"
    assert told("Field required") == "Field required"
    assert not re.search("Input|String", told("Input should be 'a\n' or 'b'"))
