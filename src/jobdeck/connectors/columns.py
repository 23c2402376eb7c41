"""The column types that all systems share: which Arrow type becomes which, and what fits into what without loss."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.types as t

from jobdeck.connectors.errors import UnsupportedType

TIMESTAMP = pa.timestamp("us", "UTC")
TIMESTAMP_NTZ = pa.timestamp("us")
MAX_DIGITS = 38

SIMPLE: dict[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "int8": pa.int8(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "string": pa.string(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "timestamp": TIMESTAMP,
    "timestamp_ntz": TIMESTAMP_NTZ,
}
ALIASES = {
    "bool": "boolean",
    "byte": "int8",
    "short": "int16",
    "int": "int32",
    "integer": "int32",
    "long": "int64",
    "bigint": "int64",
    "float": "float32",
    "real": "float32",
    "double": "float64",
    "text": "string",
    "varchar": "string",
    "datetime": "timestamp_ntz",
}
MAX_NESTING = 64
MAX_COLUMNS = 10_000
"""Columns of a file, of several files read as one, and of the tables made of them."""
_TYPES = f"Types: {', '.join(SIMPLE)}, decimal(p,s), list<type>, map<type, type>, struct<name: type, …>."
_NESTED = re.compile(r"(?is)(list|array|map|struct)\s*<(.*)>")
_DECIMAL = re.compile(r"(?:decimal|numeric)\((\d{1,2})(?:,\s*(\d{1,2}))?\)")


def parse_type(text: str) -> pa.DataType:
    """`int64`, `decimal(10,2)`, `list<date>`, `struct<x: int64, y: string>`, … → Arrow type; raises UnsupportedType."""
    try:
        return _parsed(text.strip(), MAX_NESTING)
    except UnsupportedType as error:
        if error.message.startswith(f"'{text}'"):
            raise
        raise UnsupportedType(f"'{text}' is no column type: {error.message}", hint=error.hint) from error


def _parsed(text: str, depth: int) -> pa.DataType:
    name = text.lower()
    name = ALIASES.get(name, name)
    if name in SIMPLE:
        return SIMPLE[name]
    match = _DECIMAL.fullmatch(name)
    if match:
        precision, scale = int(match[1]), int(match[2] or 0)
        if 1 <= precision <= MAX_DIGITS and scale <= precision:
            return pa.decimal128(precision, scale)
    nested = _NESTED.fullmatch(text)
    if nested and depth:
        return _parsed_nested(nested[1].lower(), _split_outside(nested[2], ","), depth - 1, text)
    raise UnsupportedType(f"'{text}' is no column type.", hint=_TYPES)


def _parsed_nested(word: str, items: list[str], depth: int, text: str) -> pa.DataType:
    if word in ("list", "array") and len(items) == 1:
        return pa.list_(pa.field("element", _parsed(items[0], depth)))
    if word == "map" and len(items) == 2:
        return pa.map_(_parsed(items[0], depth), _parsed(items[1], depth))
    if word == "struct":
        pairs = [_split_outside(item, ":") for item in items]
        names = [pair[0].strip('`"') for pair in pairs]
        if all(len(pair) == 2 for pair in pairs) and all(names) and len(set(names)) == len(names):
            return pa.struct([(name, _parsed(pair[1], depth)) for name, pair in zip(names, pairs, strict=True)])
    raise UnsupportedType(f"'{text}' is no column type.", hint=_TYPES)


def _split_outside(text: str, mark: str) -> list[str]:
    """The pieces of `text` between marks that are in no brackets and no quotes."""
    pieces, depth, quote = [""], 0, ""
    for sign in text:
        if quote or sign in '`"':
            quote = "" if sign == quote else quote or sign
        elif sign in "<(":
            depth += 1
        elif sign in ">)":
            depth -= 1
        if sign == mark and not depth and not quote:
            pieces.append("")
        else:
            pieces[-1] += sign
    return [piece.strip() for piece in pieces]


def a_type(kind: pa.DataType) -> str:
    """Its name with the article: `an int64`."""
    name = type_name(kind)
    return f"{'an' if name[0] in 'aeio' else 'a'} {name}"


def type_name(kind: pa.DataType) -> str:
    """The type as people read and write it; the inverse of `parse_type` for the simple ones."""
    for name, simple in SIMPLE.items():
        if kind == simple:
            return name
    if t.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if t.is_large_string(kind) or t.is_string_view(kind):
        return "string"
    if t.is_struct(kind):
        return f"struct<{', '.join(f'{f.name}: {type_name(f.type)}' for f in kind.fields)}>"
    if t.is_map(kind):
        return f"map<{type_name(kind.key_type)}, {type_name(kind.item_type)}>"
    if is_list(kind):
        return f"list<{type_name(kind.value_type)}>"
    return str(kind)


def is_list(kind: pa.DataType) -> bool:
    """Whether the type is a list of any kind; maps are none."""
    return bool(
        t.is_list(kind)
        or t.is_large_list(kind)
        or t.is_fixed_size_list(kind)
        or t.is_list_view(kind)
        or t.is_large_list_view(kind)
    )


_BY_ID: dict[int, pa.DataType] = {
    pa.null().id: pa.string(),
    pa.uint8().id: pa.int16(),
    pa.uint16().id: pa.int32(),
    pa.uint32().id: pa.int64(),
    pa.uint64().id: pa.decimal128(20, 0),
    pa.float16().id: pa.float32(),
    pa.large_string().id: pa.string(),
    pa.string_view().id: pa.string(),
    pa.large_binary().id: pa.binary(),
    pa.binary_view().id: pa.binary(),
    pa.binary(1).id: pa.binary(),
    pa.date64().id: pa.date32(),
    pa.time32("s").id: pa.string(),
    pa.time64("us").id: pa.string(),
    pa.duration("us").id: pa.int64(),
}
"""Types that tables lack, and those that hold all their values. Times of day become text, durations whole µs."""


def lake_type(kind: pa.DataType) -> pa.DataType:
    """The type in which a lake table holds values of `kind` without loss; raises UnsupportedType."""
    if kind in SIMPLE.values():
        return kind
    if kind.id in _BY_ID:
        return _BY_ID[kind.id]
    if t.is_timestamp(kind):
        return TIMESTAMP if kind.tz else TIMESTAMP_NTZ
    if t.is_dictionary(kind) or t.is_run_end_encoded(kind):
        return lake_type(kind.value_type)
    if t.is_decimal(kind) and kind.precision <= MAX_DIGITS and 0 <= kind.scale <= kind.precision:
        return pa.decimal128(kind.precision, kind.scale)
    if isinstance(kind, pa.BaseExtensionType):
        return lake_type(kind.storage_type)
    return _nested(kind)


def _nested(kind: pa.DataType) -> pa.DataType:
    if t.is_struct(kind) and kind.num_fields:
        return pa.struct([pa.field(f.name, lake_type(f.type)) for f in kind.fields])
    if t.is_map(kind):
        return pa.map_(lake_type(kind.key_type), lake_type(kind.item_type))
    if is_list(kind):
        return pa.list_(pa.field("element", lake_type(kind.value_type)))
    raise UnsupportedType(f"Tables cannot hold values of type {kind}.", hint="Leave the column out with `columns`.")


def lossless(source: pa.DataType, target: pa.DataType) -> bool:
    """Whether every value of lake type `source` is a value of `target`."""
    if source == target or t.is_null(source):
        return True
    if t.is_integer(source):
        return _integer_fits(source, target)
    if t.is_decimal(source) and t.is_decimal(target):
        return bool(target.scale >= source.scale and target.precision - target.scale >= source.precision - source.scale)
    if t.is_float32(source) and t.is_float64(target):
        return True
    if t.is_date(source):
        return target in (TIMESTAMP_NTZ, pa.string())
    if t.is_boolean(source) or t.is_decimal(source):
        return bool(t.is_string(target))
    return _nested_fits(source, target)


def _integer_fits(source: pa.DataType, target: pa.DataType) -> bool:
    digits = {8: 3, 16: 5, 32: 10, 64: 19}[source.bit_width]
    if t.is_integer(target):
        return bool(target.bit_width >= source.bit_width)
    if t.is_decimal(target):
        return bool(target.precision - target.scale >= digits)
    if t.is_floating(target):
        return bool(source.bit_width < target.bit_width)
    return bool(t.is_string(target))


def _nested_fits(source: pa.DataType, target: pa.DataType) -> bool:
    if is_list(source) and is_list(target):
        return lossless(source.value_type, target.value_type)
    if t.is_map(source) and t.is_map(target):
        return lossless(source.key_type, target.key_type) and lossless(source.item_type, target.item_type)
    if t.is_struct(source) and t.is_struct(target):
        wanted = {f.name: f.type for f in target.fields}
        names = [f.name for f in source.fields]
        return names == list(wanted) and all(lossless(f.type, wanted[f.name]) for f in source.fields)
    return False


def common(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    """The narrowest of the lake's types that holds all values of both, or None."""
    if lossless(left, right):
        return right
    if lossless(right, left):
        return left
    for candidate in (pa.float64(), pa.decimal128(MAX_DIGITS, 0)):
        if _is_number(left) and _is_number(right) and lossless(left, candidate) and lossless(right, candidate):
            return candidate
    return None


def _is_number(kind: pa.DataType) -> bool:
    return bool(t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind))
