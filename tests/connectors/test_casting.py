"""For any values and any type: each value is exactly represented or reported; none is null unless it was."""

from __future__ import annotations

import datetime as dt
import math
import re
from decimal import Context, Decimal, InvalidOperation
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as t
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobdeck.connectors.casting import exact, reason
from jobdeck.connectors.columns import parse_type, type_name
from jobdeck.connectors.errors import UnsupportedType
from jobdeck.connectors.words import TextRule

UTC = pa.timestamp("us", "UTC")
NAIVE = pa.timestamp("us")
FLAT = [
    *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.float32(), pa.float64(), pa.bool_(), pa.string()),
    *(pa.decimal128(5, 2), pa.decimal128(18, 0), pa.decimal128(38, 10), pa.date32(), UTC, NAIVE),
]
EDGES = [0, 1, -1, 127, 128, 255, 2**24 + 1, 2**31, 2**53 - 1, 2**53, 2**53 + 1, 2**60, 2**63 - 1, -(2**63), 2**63]
ZONES = [dt.UTC, dt.timezone(dt.timedelta(hours=1)), dt.timezone(-dt.timedelta(hours=9, minutes=30))]
TIMES = st.datetimes(dt.datetime(2, 1, 1), dt.datetime(9998, 1, 1))
WORDS = st.one_of(
    st.none(),
    st.sampled_from(EDGES).map(str),
    st.integers(-(2**70), 2**70).map(str),
    st.floats().map(repr),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.tuples(st.integers(-99, 99), st.integers(-500, 500)).map(lambda p: f"{p[0]}E{p[1]:+03d}"),
    st.dates().map(str),
    TIMES.map(str),
    st.tuples(TIMES, st.sampled_from(ZONES)).map(lambda p: p[0].replace(tzinfo=p[1]).isoformat()),
    TIMES.map(lambda time: time.isoformat(timespec="microseconds") + "000Z"),
    TIMES.map(lambda time: time.isoformat(timespec="microseconds") + "123Z"),
    st.sampled_from(
        ["true", "FALSE", "+5", "+1e3", " 7 ", "007", "0x1f", "-0", "1.", ".5", "1e", "nan", "-inf", "", "x"]
    ),
    st.sampled_from(["\u0661", "1_000"]),
)


def number(text: str) -> Decimal | None:
    try:
        return Decimal(text.strip()) if text.isascii() and "_" not in text else None
    except InvalidOperation:
        return None


def means(value: Any, word: str, kind: pa.DataType) -> bool:
    """Whether `value` says what `word` says, told by other means than those that made it."""
    if t.is_string(kind):
        return bool(value == word)
    if t.is_boolean(kind):
        return bool(str(int(value)) == word.strip() or str(value).lower() == word.strip().lower())
    if t.is_date(kind):
        return bool(value == dt.date.fromisoformat(word))
    if t.is_timestamp(kind):
        time = dt.datetime.fromisoformat(word.strip())
        lost = re.sub(r"[^0-9].*", "", word.partition(".")[2])[6:].strip("0")
        return not lost and bool(value == (time.replace(tzinfo=time.tzinfo or dt.UTC) if kind.tz else time))
    said = number(word)
    if said is None:
        return False
    if not t.is_floating(kind):
        return bool(said == value)
    if said.is_nan():
        return math.isnan(value)
    if said == Decimal(value):
        return True
    digits = len(said.normalize(Context(prec=2000)).as_tuple().digits)
    few = digits <= (17 if t.is_float64(kind) else 9) and abs(said) < (2**53 if t.is_float64(kind) else 2**24)
    return few or Context(prec=digits).plus(Decimal(value)) == said


@settings(max_examples=400, deadline=None)
@given(words=st.lists(WORDS, max_size=12), kind=st.sampled_from(FLAT))
def test_words_are_read_exactly_or_reported(words: list[str | None], kind: pa.DataType) -> None:
    found = exact(pa.array(words, pa.string()), kind)
    wrong = np.zeros(len(words), bool) if found.wrong is None else found.wrong
    found.values.validate(full=True)
    assert found.values.type == kind
    for word, value, is_wrong in zip(words, found.values.to_pylist(), wrong, strict=True):
        assert (value is None) == (word is None or bool(is_wrong)), (word, value)
        if value is not None:
            assert means(value, str(word), kind), (word, value)


@settings(max_examples=300, deadline=None)
@given(words=st.lists(WORDS, max_size=12), kind=st.sampled_from(FLAT))
def test_a_word_is_read_the_same_whatever_stands_beside_it(words: list[str | None], kind: pa.DataType) -> None:
    together = exact(pa.array(words, pa.string()), kind)
    alone = [exact(pa.array([word], pa.string()), kind) for word in words]
    assert repr(together.values.to_pylist()) == repr([one.values[0].as_py() for one in alone])
    wrong = [bool(one.wrong is not None and one.wrong[0]) for one in alone]
    assert (together.wrong is None and not any(wrong)) or (together.wrong is not None and list(together.wrong) == wrong)


SOURCES: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.int64(), st.sampled_from([e for e in EDGES if e < 2**63]) | st.integers(-(2**63), 2**63 - 1)),
    (pa.uint64(), st.sampled_from([e for e in EDGES if e >= 0]) | st.integers(0, 2**64 - 1)),
    (pa.int32(), st.integers(-(2**31), 2**31 - 1)),
    (pa.float64(), st.floats() | st.sampled_from([float(e) for e in EDGES]) | st.sampled_from([0.1, 2.5, 1e30])),
    (pa.float32(), st.floats(width=32)),
    (pa.bool_(), st.booleans()),
    (pa.decimal128(38, 10), st.decimals(-(10**20), 10**20, places=10)),
    (pa.decimal128(20, 0), st.integers(-(10**19), 10**19).map(Decimal)),
    (pa.date32(), st.dates()),
    (NAIVE, TIMES),
    (UTC, TIMES.map(lambda time: time.replace(tzinfo=dt.UTC))),
    (pa.timestamp("ns"), st.integers(-(2**62), 2**62)),
    (pa.timestamp("s", "Europe/Prague"), st.integers(-(2**33), 2**33)),
    (pa.duration("ns"), st.integers(-(2**62), 2**62)),
    (pa.time64("us"), st.times()),
]


def held_float(text: str, held: pa.DataType) -> float:
    """The float of type `held` that `text` writes."""
    return float(np.float32(text)) if t.is_float32(held) else float(text)


def same(value: Any, before: Any, kind: pa.DataType, held: pa.DataType) -> bool:
    """Whether `value` of type `kind` says what `before` of type `held` said."""
    if t.is_duration(held):
        return bool(value * 1000 == before.value)
    if isinstance(before, pa.Scalar):
        return bool(pa.scalar(value, kind).cast(held).value == before.value)
    if isinstance(before, float) and math.isnan(before):
        return math.isnan(float(value))
    if isinstance(value, str):
        return (
            str(before).lower() in (value.lower(), value.removesuffix("Z") + "+00:00")
            or held_float(value, held) == before
        )
    if isinstance(before, float) and isinstance(value, Decimal):
        large = abs(before) >= (2**24 if t.is_float32(held) else 2**53)
        return value == Decimal(before) if large else held_float(str(value), held) == before
    if isinstance(before, Decimal) and isinstance(value, float):
        return float(before) == value or float(np.float32(float(before))) == value
    if isinstance(before, dt.date) and not isinstance(before, dt.datetime) and isinstance(value, dt.datetime):
        return value.replace(tzinfo=None) == dt.datetime.combine(before, dt.time())
    if isinstance(before, dt.datetime) and not isinstance(value, dt.datetime):
        return before == dt.datetime.combine(value, dt.time())
    if isinstance(before, dt.datetime) and before.tzinfo is None and value.tzinfo is not None:
        return bool(value == before.replace(tzinfo=dt.UTC))
    return bool(value == before)


@settings(max_examples=600, deadline=None)
@given(data=st.data(), source=st.sampled_from(SOURCES), kind=st.sampled_from(FLAT))
def test_typed_values_stay_what_they_are_or_are_reported(data: st.DataObject, source: Any, kind: pa.DataType) -> None:
    held, values = source
    array = pa.array(data.draw(st.lists(st.none() | values, max_size=8)), held)
    found = exact(array, kind)
    wrong = np.zeros(len(array), bool) if found.wrong is None else found.wrong
    found.values.validate(full=True)
    odd = t.is_duration(held) or str(held).startswith(("timestamp[ns", "timestamp[s"))
    for scalar, value, is_wrong in zip(array, found.values.to_pylist(), wrong, strict=True):
        assert (value is None) == (not scalar.is_valid or bool(is_wrong)), (scalar, value)
        if value is not None and not (odd and isinstance(value, str)):
            assert same(value, scalar if odd else scalar.as_py(), kind, held), (scalar, value)


NEVER = [
    (pa.int64(), UTC, [1_700_000_000]),
    (pa.float64(), pa.date32(), [1.0]),
    (UTC, pa.int64(), [dt.datetime(2024, 1, 1, tzinfo=dt.UTC)]),
    (UTC, NAIVE, [dt.datetime(2024, 1, 1, tzinfo=dt.UTC)]),
    (UTC, pa.date32(), [dt.datetime(2024, 1, 1, tzinfo=dt.UTC)]),
    (NAIVE, pa.date32(), [dt.datetime(2024, 1, 1, 5)]),
    (pa.int64(), pa.bool_(), [5]),
    (pa.float64(), pa.decimal128(10, 2), [1.005]),
    (pa.float64(), pa.float32(), [0.1]),
    (pa.uint64(), pa.int64(), [2**63]),
    (pa.uint64(), pa.float64(), [2**64 - 1]),
    (pa.int64(), pa.float64(), [2**63 - 1]),
    (pa.decimal128(10, 2), pa.decimal128(10, 1), [Decimal("1.55")]),
    (pa.decimal128(10, 2), pa.int64(), [Decimal("1.50")]),
    (pa.binary(), pa.string(), [b"\xff"]),
    (pa.list_(pa.int64()), pa.int64(), [[1]]),
    (pa.struct([("x", pa.int64())]), pa.string(), [{"x": 1}]),
]


@pytest.mark.parametrize(("held", "kind", "values"), NEVER)
def test_what_never_fits_is_reported_beside_nulls_and_alone(held: pa.DataType, kind: pa.DataType, values: Any) -> None:
    found = exact(pa.array([None, *values, None], held), kind)
    assert found.wrong is not None
    assert list(found.wrong) == [False, True, False]
    assert found.values.null_count == 3


POINT = pa.struct([("x", pa.int64()), ("y", pa.string())])
NESTED: list[tuple[pa.DataType, list[Any], pa.DataType, list[Any], list[int]]] = [
    (pa.list_(pa.int64()), [[1, 2**53 + 1], None, [], [3]], pa.list_(pa.float64()), [None, None, [], [3.0]], [0]),
    (pa.list_(pa.string()), [["1", "x"], ["100.0", None]], pa.list_(pa.int64()), [None, [100, None]], [0]),
    (pa.large_list(pa.float64()), [[1.0], [1.5]], pa.list_(pa.int64()), [[1], None], [1]),
    (pa.list_(pa.float64(), 2), [[1.0, 2.0], None, [1.5, 1]], pa.list_(pa.int64()), [[1, 2], None, None], [2]),
    (pa.struct([("y", pa.string())]), [{"y": "a"}, None], POINT, [{"x": None, "y": "a"}, None], []),
    (pa.struct([("z", pa.int64())]), [{"z": 1}, {"z": None}, None], POINT, [None, {"x": None, "y": None}, None], [0]),
    (pa.struct([("x", pa.float64())]), [{"x": 2.0**53}, {"x": 1.5}], POINT, [{"x": 2**53, "y": None}, None], [1]),
    (
        pa.list_(pa.struct([("x", pa.decimal128(20, 1))])),
        [[{"x": Decimal("1.0")}], [{"x": Decimal("1.5")}, None]],
        pa.list_(POINT),
        [[{"x": 1, "y": None}], None],
        [1],
    ),
    (
        pa.map_(pa.string(), pa.float64()),
        [[("1", 1.0)], [("x", 1.0)], [("2", 1.5)], [], None],
        pa.map_(pa.int64(), pa.int64()),
        [[(1, 1)], None, None, [], None],
        [1, 2],
    ),
    (
        pa.struct([("x", pa.int64())]),
        [{"x": 1}, {"x": None}, None],
        pa.struct([pa.field("x", pa.int64(), nullable=False)]),
        [{"x": 1}, None, None],
        [1],
    ),
]


@pytest.mark.parametrize(("held", "values", "kind", "right", "wrong"), NESTED)
@pytest.mark.parametrize("cut", [0, 1])
def test_nested_values(
    held: pa.DataType, values: list[Any], kind: pa.DataType, right: list[Any], wrong: list[int], cut: int
) -> None:
    found = exact(pa.array(values, held).slice(cut), kind)
    found.values.validate(full=True)
    assert found.values.to_pylist() == right[cut:]
    places = [] if found.wrong is None else [int(place) + cut for place in np.flatnonzero(found.wrong)]
    assert places == [place for place in wrong if place >= cut]


def test_dictionaries_and_runs_are_their_values() -> None:
    array = pa.array(["1", None, "x"])
    found = exact(array.dictionary_encode(), pa.int64())
    assert found.values.to_pylist() == [1, None, None]
    runs = pa.RunEndEncodedArray.from_arrays([2, 3], pa.array([7, None]))
    assert exact(runs, pa.string()).values.to_pylist() == ["7", "7", None]


@pytest.mark.parametrize(
    ("word", "kind", "why"),
    [
        ("2025-01-01T23:00:00.020643808Z", UTC, "9 digits after the second"),
        ("2024-01-01T00:00:00+01:00", NAIVE, "time zone"),
        ("9007199254740993", pa.float64(), "another number"),
        ("1.005", pa.decimal128(10, 2), "too many digits"),
        ("300", pa.int8(), "-128 to 127"),
        ("x", pa.int64(), ""),
    ],
)
def test_why_a_word_does_not_fit(word: str, kind: pa.DataType, why: str) -> None:
    said = reason(word, pa.string(), kind, TextRule())
    assert why in said
    assert bool(said) == bool(why)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("struct<x: int64, y: string>", "struct<x: int64, y: string>"),
        ("STRUCT<X:int,`a,b: c`:list<decimal(10, 2)>>", "struct<X: int32, a,b: c: list<decimal(10,2)>>"),
        ("map<string, array<map<string,timestamp>>>", "map<string, list<map<string, timestamp>>>"),
        (" list < struct<a: struct<b: date>> > ", "list<struct<a: struct<b: date>>>"),
    ],
)
def test_nested_types_as_people_write_them(text: str, name: str) -> None:
    assert type_name(parse_type(text)) == name


@pytest.mark.parametrize(
    "text",
    [
        "struct<>",
        "list<>",
        "list<int64",
        "map<int64>",
        "struct<x>",
        "struct<x: foo>",
        "struct<x: int, x: int>",
        "list<" * 99,
    ],
)
def test_no_types(text: str) -> None:
    with pytest.raises(UnsupportedType) as refusal:
        parse_type(text)
    assert text in refusal.value.message
    assert "struct<name: type" in str(refusal.value.hint)
