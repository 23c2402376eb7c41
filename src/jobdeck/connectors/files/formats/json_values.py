"""Single JSON values: what type they are, and what they are as a value of another type."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.types as t

from jobdeck.connectors.exact_numbers import exactly
from jobdeck.connectors.files.formats.types import EXACT_FLOAT, WIDE
from jobdeck.connectors.words import TextRule, parse

_BIG = pa.decimal128(38, 0)
_PLAIN = TextRule()
MAX_DEPTH = 64
"""Levels of lists and objects in one value."""


def load(line: bytes) -> dict[str, Any] | Exception:
    """The object in `line`, numbers exact; an exception (as a value) when it holds no object or a name twice."""
    try:
        value = json.loads(line, parse_float=Decimal, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        return ValueError(str(error))
    if not isinstance(value, dict):
        return ValueError(f"it is {type(value).__name__}")
    return value if _depth_within(value, MAX_DEPTH) else ValueError(f"it nests more than {MAX_DEPTH} deep")


def _depth_within(value: Any, most: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return most >= 0 and all(_depth_within(item, most - 1) for item in inner)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name is there twice")
    return value


def kind_of(value: Any) -> pa.DataType:
    """The narrowest type of one value."""
    if value is None:
        return pa.null()
    if isinstance(value, bool):
        return pa.bool_()
    if isinstance(value, int):
        if -(2**63) <= value < 2**63:
            return pa.int64() if abs(value) <= EXACT_FLOAT else WIDE
        return _BIG if abs(value) < 10**38 else pa.string()
    if isinstance(value, Decimal | float):
        return pa.string() if exactly(Decimal(value), pa.float64()) is None else pa.float64()
    if isinstance(value, list):
        kind = pa.null()
        for item in value:
            kind = widened(kind, kind_of(item))
        return pa.list_(kind)
    if isinstance(value, dict):
        return pa.struct([(name, kind_of(item)) for name, item in value.items()])
    return pa.string()


def widened(left: pa.DataType, right: pa.DataType) -> pa.DataType:
    """The narrowest type for values of both; text (of their JSON) where they have nothing in common."""
    if left == right or t.is_null(right):
        return left
    if t.is_null(left):
        return right
    if {left, right} == {pa.int64(), pa.float64()}:
        return pa.float64()
    if {left, right} <= {pa.int64(), WIDE, _BIG}:
        return _BIG if _BIG in (left, right) else WIDE
    if t.is_list(left) and t.is_list(right):
        return pa.list_(widened(left.value_type, right.value_type))
    if t.is_struct(left) and t.is_struct(right):
        kinds = {f.name: f.type for f in left.fields}
        for field in right.fields:
            kinds[field.name] = widened(kinds.get(field.name, pa.null()), field.type)
        return pa.struct(list(kinds.items()))
    return pa.string()


def settled(kind: pa.DataType) -> pa.DataType:
    """A type that a table can hold: only nulls and empty objects become text."""
    if t.is_null(kind) or (t.is_struct(kind) and not kind.num_fields):
        return pa.string()
    if kind == WIDE:
        return pa.int64()
    if t.is_list(kind):
        return pa.list_(pa.field("element", settled(kind.value_type)))
    if t.is_struct(kind):
        return pa.struct([(f.name, settled(f.type)) for f in kind.fields])
    return kind


def coerced(value: Any, kind: pa.DataType) -> Any:
    """`value` as Python has values of `kind`; raises ValueError, TypeError or ArrowInvalid when it is none."""
    if value is None:
        return None
    if t.is_string(kind):
        return value if isinstance(value, str) else text_of(value)
    if t.is_nested(kind):
        return _nested(value, kind)
    if isinstance(value, str):
        return parse(pa.array([value]), kind, _PLAIN)[0].as_py()
    if isinstance(value, bool) != bool(t.is_boolean(kind)):
        raise ValueError("a truth value")
    if t.is_boolean(kind):
        return value
    return _number(value, kind)


def _number(value: Any, kind: pa.DataType) -> Any:
    if not isinstance(value, int | Decimal | float):
        raise TypeError("no number")
    found = exactly(Decimal(value), kind) if _is_number(kind) else None
    if found is None:
        raise ValueError(f"no {kind}")
    return found


def _is_number(kind: pa.DataType) -> bool:
    return bool(t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind))


def _nested(value: Any, kind: pa.DataType) -> Any:
    if t.is_list(kind) and isinstance(value, list):
        return [coerced(item, kind.value_type) for item in value]
    if t.is_struct(kind) and isinstance(value, dict):
        names = {f.name for f in kind.fields}
        if not names.issuperset(value):
            raise ValueError("an unknown name")
        return {f.name: coerced(value.get(f.name), f.type) for f in kind.fields}
    if t.is_map(kind) and isinstance(value, dict):
        return [(coerced(key, kind.key_type), coerced(item, kind.item_type)) for key, item in value.items()]
    raise ValueError("another shape")


def text_of(value: Any) -> str:
    """A value that is no text, as its compact JSON; numbers keep their digits."""
    if isinstance(value, Decimal):
        return str(value)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=_digits)


def _digits(value: object) -> float:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} is no JSON")
