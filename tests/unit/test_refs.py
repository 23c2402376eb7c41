"""Object references: any name survives the way into text and back."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from jobdeck.core.refs import MAX_REF, MalformedRef, ObjectRef

names = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda name: name not in (".", "..")
)


class Model(BaseModel):
    ref: ObjectRef


@given(names, st.lists(names, min_size=1, max_size=4))
def test_round_trip(connection: str, path: list[str]) -> None:
    ref = ObjectRef(connection, tuple(path))
    assume(len(str(ref)) <= MAX_REF)
    assert ObjectRef.parse(str(ref)) == ref
    assert Model.model_validate_json(Model(ref=ref).model_dump_json()) == Model(ref=ref)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("lake/in.shop/orders", ("in.shop", "orders")),
        ("lake/a%2Fb", ("a/b",)),
        ("lake/100%25", ("100%",)),
        ("lake/a'b\"c", ("a'b\"c",)),
        ("lake/%2E%2Ex", ("..x",)),
        ("lake/Müller/東京/😀", ("Müller", "東京", "😀")),
    ],
)
def test_parse(text: str, path: tuple[str, ...]) -> None:
    assert ObjectRef.parse(text) == ObjectRef("lake", path)


@pytest.mark.parametrize("text", ["lake/in.shop/orders", "lake/Müller/東京/😀", "lake/a b,c;(d)"])
def test_readable_names_stay_readable(text: str) -> None:
    assert str(ObjectRef.parse(text)) == text


@pytest.mark.parametrize("name", ["a/b", "%", "%2F", "?", "#", "\n", "\x7f", '"', "\\", "\u202e", "\u2028"])
def test_what_could_be_taken_for_something_else_is_escaped(name: str) -> None:
    text = str(ObjectRef("lake", (name,)))
    assert name not in text.removeprefix("lake/").replace("%", "") or name == "%"
    assert ObjectRef.parse(text).path == (name,)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "lake",
        "/",
        "lake/",
        "/x",
        "lake//x",
        "lake/../x",
        "lake/%2E%2E/x",
        "lake/.",
        "lake/a\0b",
        "lake/a%00b",
        "lake/\ud800",
    ],
)
def test_malformed(text: str) -> None:
    with pytest.raises(MalformedRef) as refused:
        ObjectRef.parse(text)
    assert refused.value.hint
    with pytest.raises((ValidationError, UnicodeEncodeError)):
        Model.model_validate({"ref": text})


@pytest.mark.parametrize("text", ["lake/" + "x" * MAX_REF, "lake/" + "\u2028" * 200])
def test_what_parses_has_a_text_that_parses(text: str) -> None:
    """The bound holds for the text that is made of a reference too."""
    with pytest.raises(MalformedRef):
        ObjectRef.parse(text)


def test_schema_says_what_it_is() -> None:
    assert Model.model_json_schema()["properties"]["ref"]["format"] == "object-ref"
