"""Forms made from JSON schemas: what goes in comes out, whatever it is, through the very page that people see."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from jobdeck.web.forms.draft import NONE, OUT, RAW, DraftNode
from jobdeck.web.forms.edits import edit
from jobdeck.web.forms.faults import place
from jobdeck.web.forms.filling import fill
from jobdeck.web.forms.reading import Sent, read
from jobdeck.web.forms.schema import FormSchema
from jobdeck.web.forms.values import FILL_IN, value_of
from jobdeck.web.rendering import Templates
from jobdeck.web.static_files import StaticFiles
from tests.web.rich_type import Rich
from tests.web.schema_values import Controls, any_json, rich

RICH = FormSchema(Rich.model_json_schema())
TEMPLATES = Templates(StaticFiles(), "0")
MINIMAL = {"text": "a", "needed_or_none": 1, "flag": True, "needed_mode": "b"}


def rendered(root: DraftNode) -> str:
    TEMPLATES.macros.renew()
    return str(TEMPLATES.macros.form_root(root, "Parameters", {"file_names": {}, "max_upload": 1}))


def through_the_page(form: FormSchema, root: DraftNode) -> DraftNode:
    """The form drawn, sent by a browser, and read again."""
    body = urlencode(Controls(rendered(root)).pairs).encode()
    return read(form, Sent.of(body), "p")


def put_in(form: FormSchema, value: Any) -> DraftNode:
    return through_the_page(form, fill(form, value, "p"))


def at(root: DraftNode, path: str) -> DraftNode:
    found = root.find(f"p/{path}")
    assert found is not None
    return found


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(rich)
@example(MINIMAL)
def test_a_value_that_fits_survives_the_form(value: dict[str, Any]) -> None:
    sent = put_in(RICH, value)
    assert json.dumps(value_of(sent), sort_keys=True) == json.dumps(value, sort_keys=True)
    assert not [text for node in sent.walk() for text in node.errors]
    again = through_the_page(RICH, sent)
    assert json.dumps(value_of(again), sort_keys=True) == json.dumps(value, sort_keys=True)


RECURSIVE = {"$ref": "#/$defs/A"}
SCHEMAS = st.sampled_from([
    {}, {"properties": {"a": {}, "b/~ c": {"type": "string"}}},
    {"properties": {"a": RECURSIVE}, "$defs": {"A": {"type": "object", "properties": {"a": RECURSIVE}}}},
    {"properties": {"a": {"enum": [1, None, "x", {"y": 1}]}, "b": {"type": ["string", "null", "integer"]}}},
    {"additionalProperties": {"type": "array", "items": {"type": "boolean"}}},
    {"properties": {"a": {"oneOf": [{"type": "array"}, {"const": 5}], "default": 5}, "b": {"$ref": "#/nowhere"}}},
    {"properties": {"a": {"allOf": [{"type": "integer"}], "default": 0}, "b": {"type": "null"}}},
])  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(SCHEMAS, st.dictionaries(st.sampled_from(["a", "b", "b/~ c", "c"]), any_json, max_size=4))
def test_what_fits_no_field_survives_as_json(schema: dict[str, Any], value: dict[str, Any]) -> None:
    form = FormSchema(schema)
    sent = put_in(form, value)
    texts_as_numbers = {k for k, v in value.items() if isinstance(v, str)}
    found = value_of(sent)
    assert {k: v for k, v in found.items() if k not in texts_as_numbers} == {
        k: v for k, v in value.items() if k not in texts_as_numbers
    }


def test_an_untouched_form_sends_what_is_required_and_no_more() -> None:
    root = put_in(RICH, {})
    assert value_of(root) == {}
    missing = {node.path for node in root.walk() if FILL_IN in node.errors}
    assert missing == {"p/text", "p/needed_or_none", "p/flag", "p/needed_mode"}


def test_ids_are_unique_and_every_control_has_a_name_to_read() -> None:
    value = {
        **MINIMAL,
        "shapes": ["a", {"kind": "circle", "radius": 1}],
        "words": ["x"],
        "names": {"k": "v"},
        "tree": {"name": "t"},
    }
    ids = Controls(rendered(fill(RICH, value, "p"))).ids
    assert len(ids) == len(set(ids))


def test_secrets_are_never_drawn() -> None:
    root = fill(RICH, {**MINIMAL, "secret": "hunter2"}, "p")
    assert at(root, "secret").text == "hunter2"
    assert "hunter2" not in rendered(root)
    assert value_of(root, masked=True)["secret"] == "********"


def test_what_is_no_number_is_said_at_its_field_and_kept() -> None:
    root = fill(RICH, MINIMAL, "p")
    at(root, "count").text = "many"
    value = value_of(root)
    assert value["count"] == "many"
    assert at(root, "count").errors == ["Write a whole number, such as 12."]
    assert 'value="many"' in rendered(root)


@pytest.mark.parametrize("text", ["{", "NaN", "[1e999]", "[" * 100_000])
def test_what_is_no_json_is_said_and_kept(text: str) -> None:
    root = fill(RICH, MINIMAL, "p")
    at(root, "anything").text = text
    assert value_of(root)["anything"] == text
    assert len(at(root, "anything").errors) == 1


def test_a_name_that_is_there_twice_is_refused() -> None:
    root = fill(RICH, {**MINIMAL, "names": {"a": "1", "b": "2"}}, "p")
    at(root, "names").rows[1].name = "a"
    value_of(root)
    assert at(root, "names").rows[1].node.errors == ["The name 'a' is there twice."]


def test_shapes_that_are_alike_are_told_apart() -> None:
    root = fill(RICH, {**MINIMAL, "shape": {"kind": "square", "side": 2}, "columns": {"a": "b"}}, "p")
    shape = at(root, "shape").shape
    assert shape is not None
    assert shape.label == "Square"
    assert at(root, "columns").kind == "map"
    assert at(fill(RICH, {**MINIMAL, "switch": "5"}, "p"), "switch").kind == "text"
    assert at(fill(RICH, {**MINIMAL, "shape": None}, "p"), "shape").choice == NONE
    assert at(fill(RICH, MINIMAL, "p"), "shape").choice == OUT
    assert at(fill(RICH, {**MINIMAL, "text": "a\rb"}, "p"), "text").choice == RAW


def test_rows_are_added_moved_and_removed_and_keep_what_is_typed() -> None:
    root = put_in(RICH, {**MINIMAL, "words": ["a", "b", "c"]})
    words = at(root, "words")
    edit(RICH, root, "down", f"p/words/{words.rows[0].key}", [])
    assert value_of(root)["words"] == ["b", "a", "c"]
    edit(RICH, root, "remove", f"p/words/{words.rows[2].key}", [])
    edit(RICH, root, "add", "p/words", [])
    root = through_the_page(RICH, root)
    at(root, "words").rows[-1].node.text = "new"
    assert value_of(root)["words"] == ["b", "a", "new"]
    before = value_of(root)
    for what, path in [
        ("up", "p/words/r0000"),
        ("remove", "p/nowhere/r1"),
        ("add", "p/text"),
        ("remove", "p/text"),
        ("x", "p"),
    ]:
        edit(RICH, root, what, path, [])
    assert value_of(root) == before


def test_an_emptied_list_with_a_default_is_an_empty_list() -> None:
    root = put_in(RICH, MINIMAL)
    words = at(root, "words")
    assert [row.node.text for row in words.rows] == ["one", "two"]
    for row in list(words.rows):
        edit(RICH, root, "remove", row.node.path, [])
    assert value_of(through_the_page(RICH, root))["words"] == []


def test_uploaded_files_take_the_place_of_empty_lines_and_come_once() -> None:
    root = put_in(RICH, MINIMAL)
    edit(RICH, root, "add", "p/files", [])
    edit(RICH, root, "add", "p/files", ["file:1", "file:2"])
    edit(RICH, root, "add", "p/files", ["file:2"])
    edit(RICH, root, "put", "p/file", ["file:9"])
    value = value_of(through_the_page(RICH, root))
    assert (value["files"], value["file"]) == (["file:1", "file:2"], "file:9")


def test_faults_find_their_fields() -> None:
    value = {**MINIMAL, "files": ["file:1", "x"], "options": {"second": 1}, "names": {"a.b": "c"},
             "columns": [{"first": "q"}, "z"], "shape": {"kind": "circle", "radius": 1}}  # fmt: skip
    root = fill(RICH, value, "p")
    left = place(
        root,
        [
            ("params.files[1]", "no such file"),
            ("params.options.second", "Value error, too much"),
            ("params.names.a.b", "bad"),
            ("params.columns.list[union[str,Options]][0].str", "Input should be a valid string"),
            ("params.columns.list[union[str,Options]][0].Options.first", "bad first"),
            ("params.columns.dict[str,union[str,Options]]", "Input should be a valid dictionary"),
            ("params.shape.Circle.radius", "too small"),
            ("params.shape.Square.side", "Field required"),
            ("params", "together they make no sense"),
            ("elsewhere", "not here"),
        ],
        "params",
    )
    told = {node.path: node.errors for node in root.walk() if node.errors}
    assert told == {
        "p/files/r1": ["No such file."],
        "p/options/second": ["Too much."],
        "p/names/r0": ["Bad."],
        "p/columns/r0/first": ["Bad first."],
        "p/shape/radius": ["Too small."],
    }
    assert [text for _, text in left] == ["not here", "together they make no sense"]


def test_long_lists_are_written_as_json() -> None:
    value = {**MINIMAL, "words": [str(n) for n in range(500)]}
    root = put_in(RICH, value)
    assert at(root, "words").kind == "raw"
    assert value_of(root) == value


def test_strategies_make_what_the_model_takes() -> None:
    """Else the tests above would test less than they seem to."""
    found = Rich.model_validate({**MINIMAL, "switch": [1], "columns": {"a": {"first": None}}})
    assert (found.switch, found.words) == ([1], ["one", "two"])
