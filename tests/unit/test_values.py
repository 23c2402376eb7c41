"""Values that cross borders: bounds, big integers, any character; and texts that are cleaned for storing."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.core.errors import InvalidInput, TooLarge
from jobdeck.core.values import Json, bounded, clip, encode

trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(trees)
def test_what_is_valid_survives(tree: object) -> None:
    assert json.loads(encode(tree)) == tree


def test_big_integers_and_nul_survive() -> None:
    value: Json = [2**64 + 1, -(10**300), "a\0b", "\u2028", "😀"]
    assert bounded(value, 1000, "params") is value
    assert json.loads(encode(value)) == value
    assert "\0" not in encode(value)


@pytest.mark.parametrize("bad", ["\ud800", {"a\udfff": 1}, math.nan, [math.inf]])
def test_what_is_no_json_is_refused_by_its_field(bad: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        bounded(bad, 1000, "params.x")  # type: ignore[arg-type]
    assert refused.value.field == "params.x"


@pytest.mark.parametrize(("text", "size"), [("a", 3), ("ä", 4), ("😀", 6), ('"', 4)])
def test_the_bound_is_in_bytes_of_json(text: str, size: int) -> None:
    bounded(text, size, "result")
    with pytest.raises(TooLarge) as refused:
        bounded(text, size - 1, "result")
    assert (refused.value.field, str(size) in refused.value.message) == ("result", True)


@given(st.text(st.characters(), max_size=30), st.integers(1, 20))
def test_clipped_text_fits_and_can_be_stored(text: str, limit: int) -> None:
    clean = clip(text, limit)
    clean.encode()
    assert len(clean) <= limit
    assert "\0" not in clean
    if len(text) > limit:
        assert clean.endswith("…")


def test_clip_marks_what_it_replaces() -> None:
    assert clip("a\0b") == "a␀b"
    assert clip("a\ud800b") == "a?b"
    assert clip("abc", 3) == "abc"
    assert clip("abcd", 3) == "ab…"
