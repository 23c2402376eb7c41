"""Single JSON values: one line's object, and what a value is as a value of a column's type."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Self

import pyarrow as pa
import pyarrow.types as t

from jobdeck.connectors.columns import a_type
from jobdeck.connectors.exact_numbers import exactly
from jobdeck.connectors.files.formats.types import BIG, WIDE
from jobdeck.connectors.words import TextRule, why_no_number, why_not, word_reader

_PLAIN = TextRule()
MAX_DEPTH = 64
"""Levels of lists and objects in one value."""
_REASONS = {
    "Extra data": "there is more after the object",
    "Expecting value": "a value is missing or misspelt",
    "Expecting property name": "a name in double quotes is missing",
    "Expecting ':'": "a colon is missing",
    "Expecting ','": "a comma or a closing bracket is missing",
    "Illegal trailing comma": "there is a comma too many",
    "Unterminated string": "a text is not closed",
    "Invalid control character": "a text holds a bare control character",
    "Invalid \\": "a backslash is followed by what is no escape",
}
"""The beginnings of what the decoder says, in our words."""
_SHOWN = 24

Converter = Callable[[Any], Any]


class Unfit(ValueError):
    """A value of another shape than is needed."""


class Written(Decimal):
    """A number that is no plain integer; `text` is how the file writes it."""

    text: str

    def __new__(cls, text: str) -> Self:
        try:
            number = super().__new__(cls, text)
        except InvalidOperation:
            raise ValueError("it holds a number beyond all bounds") from None
        number.text = text
        return number


def load(line: bytes) -> dict[str, Any] | Exception:
    """The object in `line`, numbers exact; an exception (as a value) that says why there is none."""
    try:
        value = _decoded(line.decode("utf-8").removeprefix("\ufeff"))
        if not isinstance(value, dict):
            raise Unfit(f"it is {_called(value)}")
        if b"\\u" in line or line.count(b"{") + line.count(b"[") > MAX_DEPTH:
            _check(value, MAX_DEPTH)
    except json.JSONDecodeError as error:
        return ValueError(reason_of(error))
    except RecursionError:
        return ValueError(f"it nests more than {MAX_DEPTH} deep")
    except ValueError as error:
        return error
    return value


def _decoded(text: str) -> Any:
    try:
        return json.loads(text, parse_float=Written, object_pairs_hook=_unique)
    except json.JSONDecodeError:
        raise
    except ValueError as error:
        if "digits" not in str(error):
            raise
        # Integers of more digits than the interpreter turns into numbers.
        return json.loads(text, parse_float=Written, parse_int=_integer, object_pairs_hook=_unique)


def _integer(text: str) -> int | Written:
    return int(text) if len(text) < 1000 else Written(text)


def reason_of(error: json.JSONDecodeError) -> str:
    """What is wrong with a text that is no JSON, and where."""
    words = next((ours for theirs, ours in _REASONS.items() if error.msg.startswith(theirs)), "it is not JSON")
    if error.pos >= len(error.doc.rstrip()):
        return f"{words} at its end"
    return f"{words} at character {error.pos + 1}: {error.doc[error.pos : error.pos + _SHOWN]!r}"


def _called(value: Any) -> str:
    names = {list: "a list", str: "a text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")


def _check(value: Any, most: int) -> None:
    """Raises ValueError for what nests too deep, for halves of surrogate pairs, and for names with NUL characters."""
    if most < 0:
        raise ValueError(f"it nests more than {MAX_DEPTH} deep")
    if isinstance(value, str):
        _whole(value)
    elif isinstance(value, dict):
        for name, item in value.items():
            _whole(name)
            if "\0" in name:
                raise ValueError(f"the name {name!r} holds a NUL character, which no column can have")
            _check(item, most - 1)
    elif isinstance(value, list):
        for item in value:
            _check(item, most - 1)


def _whole(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(text[error.start]):04x}"
        raise ValueError(f"a text holds {half}, half of a surrogate pair, which is no character") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the name {twice!r} is there twice")
    return value


def widened(left: pa.DataType, right: pa.DataType) -> pa.DataType:
    """The narrowest type for values of both; text (of their JSON) where they have nothing in common."""
    if left == right or t.is_null(right):
        return left
    if t.is_null(left):
        return right
    if {left, right} == {pa.int64(), pa.float64()}:
        return pa.float64()
    if {left, right} <= {pa.int64(), WIDE, BIG}:
        return BIG if BIG in (left, right) else WIDE
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


@lru_cache(maxsize=256)
def converter(kind: pa.DataType) -> Converter:
    """What makes JSON values into Python's values of `kind`; it raises ValueError, saying why, for those that are none.

    Its work grows with the value, not with the fields that `kind` has and the value lacks."""
    if t.is_string(kind):
        return _text
    if t.is_list(kind):
        return _list(converter(kind.value_type))
    if t.is_struct(kind):
        return _struct({f.name: converter(f.type) for f in kind.fields})
    if t.is_map(kind):
        return _map(converter(kind.key_type), converter(kind.item_type))
    return _simple(kind)


def _text(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else text_of(value)


def _list(item_of: Converter) -> Converter:
    def convert(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, list):
            raise Unfit("no list")
        return [item_of(item) for item in value]

    return convert


def _struct(fields: dict[str, Converter]) -> Converter:
    def convert(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, dict):
            raise Unfit("no object")
        if not fields.keys() >= value.keys():
            name = next(name for name in value if name not in fields)
            raise ValueError(f"an object with the field {name!r}, which the column does not have")
        return {name: fields[name](item) for name, item in value.items()}

    return convert


def _map(key_of: Converter, item_of: Converter) -> Converter:
    def convert(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, dict):
            raise Unfit("no object")
        return [(key_of(key), item_of(item)) for key, item in value.items()]

    return convert


def _simple(kind: pa.DataType) -> Converter:
    called = f"not {a_type(kind)}"
    read = word_reader(kind, _PLAIN)
    of_numbers = t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind)

    def convert(value: Any) -> Any:
        if value is None:
            return None
        why = ""
        if isinstance(value, str):
            found = read(value)
            why = why_not(value, kind, _PLAIN) if found is None else ""
        elif isinstance(value, bool):
            found = value if t.is_boolean(kind) else None
        elif of_numbers and isinstance(value, int | Decimal | float):
            exact = Decimal(value)
            found = exactly(exact, kind)
            why = why_no_number(kind) if exact.is_finite() else ""
        else:
            found = None
        if found is None:
            raise ValueError(f"{called}: {why}" if why else called)
        return found

    return convert


def text_of(value: Any) -> str:
    """A value that is no text, as its compact JSON; numbers are written as the file writes them."""
    if isinstance(value, Written):
        return value.text
    if isinstance(value, dict):
        return "{" + ",".join(f"{_quoted(name)}:{text_of(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(text_of(item) for item in value) + "]"
    return _quoted(value)


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
