"""JSON: exact numbers, names of any kind, lines that are no objects, and work that grows with the file."""

from __future__ import annotations

import json
import math
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobdeck.connectors.files.formats.json_shape import Names, Node
from jobdeck.connectors.files.formats.json_values import converter, settled, text_of
from jobdeck.connectors.files.formats.json_values import load as object_in
from jobdeck.connectors.files.formats.jsonl import ColumnsSoFar, LearnedColumns, parse_block
from jobdeck.connectors.files.formats.records import Block
from jobdeck.core.environment import Environment
from tests.connectors.harness import Job, rows, table
from tests.connectors.test_bad_inputs import fails, fails_into, load, put

EXACT: list[tuple[str, str, list[Any]]] = [
    ("2^53+1 and a fraction", '{"a":9007199254740993}\n{"a":1.5}\n', ["9007199254740993", "1.5"]),
    ("a fraction, then 2^53+1", '{"a":1.5}\n{"a":9007199254740993}\n', ["1.5", "9007199254740993"]),
    ("in a struct", '{"a":{"v":9007199254740995}}\n{"a":{"v":0.5}}\n', [{"v": "9007199254740995"}, {"v": "0.5"}]),
    ("in a list", '{"a":[9007199254740995,0.5]}\n', [["9007199254740995", "0.5"]]),
    ("beyond 64 bits", '{"a":18446744073709551617}\n{"a":1}\n', [Decimal(18446744073709551617), Decimal(1)]),
    ("beyond 64 bits in a list", '{"a":[18446744073709551617]}\n', [[Decimal(18446744073709551617)]]),
    ("beyond 38 digits", '{"a":1' + "0" * 40 + '}\n{"a":2}\n', ["1" + "0" * 40, "2"]),
    ("5,000 digits", '{"a":' + "7" * 5000 + "}\n", ["7" * 5000]),
    ("beyond all floats", '{"a":1e400}\n{"a":1.5}\n', ["1e400", "1.5"]),
    ("as it is written", '{"a":1.10}\n{"a":"x"}\n{"a":1e5}\n', ["1.10", "x", "1e5"]),
    ("digits inside", '{"a":[0.12345678901234567890]}\n{"a":"x"}\n', ["[0.12345678901234567890]", "x"]),
    ("64 bits alone", '{"a":9223372036854775807}\n{"a":-9223372036854775808}\n', [2**63 - 1, -(2**63)]),
    ("infinity", '{"a":Infinity}\n{"a":-Infinity}\n{"a":1}\n', [math.inf, -math.inf, 1.0]),
    ("NUL in a text", '{"a":"x\\u0000y"}\n', ["x\0y"]),
    ("a pair", '{"a":"\\ud83d\\ude00"}\n', ["😀"]),
    ("CRLF and blank lines", '{"a":1}\r\n\r\n  \r\n{"a":2}', [1, 2]),
    ("a mark between joined files", '{"a":1}\n\ufeff{"a":2}\n', [1, 2]),
    ("empty object and list", '{"a":{}}\n{"a":{}}\n', ["{}", "{}"]),
    ("null", '{"a":null}\n{"a":null}\n', [None, None]),
    ("truth and number", '{"a":true}\n{"a":1}\n', ["true", "1"]),
]


@pytest.mark.parametrize(("content", "right"), [case[1:] for case in EXACT], ids=[case[0] for case in EXACT])
def test_values(env: Environment, data: Path, content: str, right: list[Any]) -> None:
    load(env, put(data / "a.jsonl", content))
    assert table(env)["a"].to_pylist() == right  # type: ignore[index]


NO_ROWS: list[tuple[str, str]] = [
    ('{"a":1}{"a":2}', "there is more after the object at character 8"),
    ('{"a":1},', "there is more after the object"),
    ('{"a":1} null {"a":3}', "there is more after the object"),
    ('{"a":1,}', "a name in double quotes is missing"),
    ('{"a":1} // no', "there is more after the object"),
    ('{"a":1 /* no */}', "a comma or a closing bracket is missing"),
    ("{'a':1}", "a name in double quotes is missing"),
    ('{"a":01}', "a comma or a closing bracket is missing"),
    ('{"a":+1}', "a value is missing or misspelt"),
    ('{"a":"x\ty"}', "a bare control character"),
    ('{"a":"\\x"}', "no escape"),
    ('{"a":', "at its end"),
    ("null", "it is null"),
    ("[1]", "it is a list"),
    ("1", "it is a number"),
    ('"x"', "it is a text"),
    ("true", "it is a truth value"),
    ('{"a":1,"a":2}', "the name 'a' is there twice"),
    ('{"a":{"b":1,"b":2}}', "the name 'b' is there twice"),
    ('{"a":"\\ud83d"}', "\\ud83d, half of a surrogate pair"),
    ('{"\\ud83d":1}', "half of a surrogate pair"),
    ('{"a":["\\udc00x"]}', "half of a surrogate pair"),
    ('{"a\\u0000b":1}', "holds a NUL character"),
    ('{"a":' + "[" * 70 + "]" * 70 + "}", "more than 64 deep"),
    ('{"a":1e9999999999999999999999}', "beyond all bounds"),
]


@pytest.mark.parametrize(("line", "words"), NO_ROWS)
@pytest.mark.parametrize("first", ["", '{"a":1}\n'])
def test_lines_that_are_no_rows(env: Environment, data: Path, line: str, words: str, first: str) -> None:
    file = put(data / "a.jsonl", '{"a":7}\n\n' + first + line + '\n{"a":9}\n')
    row = 3 if first else 2
    error = fails(env, file)
    assert (error.code, f"row {row} (line {row + 1})" in error.message, words in error.message) == (
        "bad_row",
        True,
        True,
    ), error.message
    result, _ = load(env, file, on_bad_row="reject")
    assert (result.rejected, [r["a"] for r in rows(env)]) == (1, [1, 7, 9] if first else [7, 9])


def test_names_of_any_kind_are_kept(env: Environment, data: Path) -> None:
    value = {"a.b": 1, "é ü": 2, "": 3, "n" * 300: 4, "x,y;`": 5, "s": {"": 6, "a.b": 7}}
    load(env, put(data / "a.jsonl", json.dumps(value) + "\n"))
    assert rows(env) == [{**{k: v for k, v in value.items() if k}, "column_3": 3}]


def test_fields_that_a_table_lacks_are_never_dropped(env: Environment, data: Path) -> None:
    load(env, put(data / "a.jsonl", '{"a":{"x":1},"l":[{"s":"b"}]}\n'))
    error = fails_into(env, put(data / "b.jsonl", '{"a":{"x":2,"y":"n"}}\n'))
    assert error.code in ("bad_row", "schema_mismatch")
    assert "y" in error.message
    error = fails_into(env, put(data / "c.jsonl", '{"l":[{"s":"b","price":9.5}]}\n'))
    assert "price" in error.message


def test_whole_numbers_that_no_float_holds_do_not_become_floats(env: Environment, data: Path) -> None:
    load(env, put(data / "a.jsonl", '{"n":1.5}\n'))
    error = fails_into(env, put(data / "b.jsonl", '{"n":2}\n{"n":9007199254740993}\n'))
    assert (error.code, "row 2 (line 2)" in error.message) == ("bad_row", True)
    Job(env, {"files": [str(put(data / "c.jsonl", '{"n":9007199254740992}\n'))], "into": "lake/b/t"}, id=3).run()
    assert sorted(table(env)["n"].to_pylist()) == [1.5, 2.0**53]  # type: ignore[index]


def test_a_long_line_is_named(env: Environment, data: Path) -> None:
    error = fails(env, put(data / "a.jsonl", '{"a":"y"}\n{"a":"' + "x" * 17_000_000 + '"}\n'))
    assert (error.code, "from line 2 on" in error.message) == ("file_too_large", True)
    assert "csv" not in str(error.hint)


@pytest.mark.parametrize(
    "lines",
    [
        [f'{{"n{i}":{i}}}' for i in range(20_000)],
        [f'{{"m":{{"n{i}":{i}}}}}' for i in range(20_000)],
        ["{" + ",".join(f'"n{i}":{i}' for i in range(300_000)) + "}"],
    ],
    ids=["names of columns", "names in an object", "one object"],
)
def test_names_that_are_data_end_in_an_error_soon(env: Environment, data: Path, lines: list[str]) -> None:
    file = put(data / "a.jsonl", "\n".join(lines))
    started = time.perf_counter()
    error = fails(env, file)
    assert (error.code, "more than 10000 different names" in error.message) == ("too_many_columns", True)
    assert time.perf_counter() - started < 20, "learning names is quadratic again"


def test_many_names_in_one_field(env: Environment, data: Path) -> None:
    """2,000 names in 2,000 rows: each row has one of them."""
    load(env, put(data / "a.jsonl", "".join(f'{{"m":{{"k{i}":{i}}}}}\n' for i in range(2_000))))
    found = table(env)
    assert found is not None
    assert found["m"][1_999].as_py()["k1999"] == 1_999
    assert sum(1 for value in found["m"][7].as_py().values() if value is not None) == 1


def test_objects_in_lists_do_not_unfold_without_bound(env: Environment, data: Path) -> None:
    wide = json.dumps({"l": [{f"k{i}": 1 for i in range(5_000)}]})
    many = '{"l":[' + ",".join(["{}"] * 100_000) + "]}"
    error = fails(env, put(data / "a.jsonl", wide + "\n" + many + "\n"))
    assert (error.code, "row 2 (line 2)" in error.message) == ("file_too_large", True)


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
)
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=4)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.dictionaries(NAMES, VALUES, min_size=1, max_size=3), min_size=1, max_size=6))
def test_every_value_comes_back(objects: list[dict[str, Any]]) -> None:
    """Learned from the first half alone or from all, read fast or value by value: the same, and no value is lost."""
    content = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in objects).encode()
    shape = ColumnsSoFar()
    half = content.index(b"\n") + 1
    for at, piece in ((0, content[:half]), (half, content[half:])):
        if piece:
            assert shape.feed(Block(piece, at, at + len(piece)), "f", 1, 1)[1] == []
    held = {field.name: field.type for field in shape.schema()}
    wanted = {name: settled(kind) for name, kind in held.items()}
    raw = parse_block(Block(content, 0, len(content)), wanted, LearnedColumns(held), "f", 1, 1)
    assert raw.rejects == []
    for item, row in zip(objects, raw.table.to_pylist(), strict=True):
        for name, kind in wanted.items():
            assert _same(item.get(name), row[name], kind), (item, row)


def _same(value: Any, read: Any, kind: pa.DataType) -> bool:
    if value is None or read is None:
        return value is read
    if pa.types.is_string(kind) and not isinstance(value, str):
        return bool(json.loads(read, parse_constant=float) == value)
    if pa.types.is_struct(kind):
        return all(_same(value.get(field.name), read[field.name], field.type) for field in kind.fields)
    if pa.types.is_list(kind):
        return len(value) == len(read) and all(
            _same(item, other, kind.value_type) for item, other in zip(value, read, strict=True)
        )
    return bool(value == read)


@given(VALUES)
def test_the_text_of_a_value_is_the_value(value: Any) -> None:
    line = json.dumps({"a": value}).encode()
    found = object_in(line)
    assert isinstance(found, dict)
    assert json.loads(text_of(found["a"])) == value
    node = Node(Names())
    node.feed(found["a"])
    assert converter(pa.string())(found["a"]) in (None, value, text_of(found["a"]))
    converter(settled(node.type()))(found["a"])
