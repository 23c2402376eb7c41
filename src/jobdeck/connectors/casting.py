"""Values of one type as values of another, each decided by itself: it stays exactly what it is, or it is reported."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as t

from jobdeck.connectors.columns import is_list
from jobdeck.connectors.exact_numbers import exactly
from jobdeck.connectors.words import Exact, Mask, TextRule, parsed, why_no_number, why_not

PLAIN = TextRule()
_Cast = Callable[[pa.Array], pa.Array]


def cast(array: pa.Array, target: pa.DataType) -> pa.Array:
    """`array` as `target`; raises pa.ArrowInvalid where a value would be changed by it."""
    result = exact(array, target)
    if result.wrong is not None:
        place = int(np.flatnonzero(result.wrong)[0])
        raise pa.ArrowInvalid(f"value {place} of type {array.type} is no {target}")
    return result.values


def exact(array: pa.Array, target: pa.DataType, rule: TextRule = PLAIN) -> Exact:
    """`array` as `target`, null where a value is not exactly one of it; texts by `rule`."""
    kind = array.type
    if kind == target:
        return _nested(array, target, rule) if _holds_bounded(kind) else _within(array)
    if isinstance(kind, pa.BaseExtensionType):
        return exact(array.storage, target, rule)
    if t.is_dictionary(kind):
        return exact(array.cast(kind.value_type), target, rule)
    if t.is_run_end_encoded(kind):
        return exact(pc.run_end_decode(array), target, rule)
    if t.is_null(kind):
        return Exact(pa.nulls(len(array), target))
    if t.is_nested(target) or t.is_nested(kind):
        return _nested(array, target, rule)
    if t.is_date(target) or t.is_timestamp(target):
        return _both(_other(array, target, rule), _in_years)
    return _other(array, target, rule)


def _other(array: pa.Array, target: pa.DataType, rule: TextRule) -> Exact:
    kind = array.type
    if t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind):
        return parsed(array.cast(pa.string()), target, rule)
    return _plain(array, target)


def _both(first: Exact, further: Callable[[pa.Array], Exact]) -> Exact:
    """What `further` finds in the values of `first`, and what was wrong before."""
    second = further(first.values)
    if first.wrong is None or second.wrong is None:
        return Exact(second.values, second.wrong if first.wrong is None else first.wrong)
    return Exact(second.values, first.wrong | second.wrong)


_YEARS = {
    pa.date32().id: (-719_162, 2_932_896),
    pa.timestamp("us").id: (-62_135_596_800_000_000, 253_402_300_799_999_999),
}
"""The first and the last value of the years 1 to 9999, in days and in microseconds."""


def _holds_bounded(kind: pa.DataType) -> bool:
    """Whether it is a list or struct with days, times or decimals in it, of which files may hold what is none."""
    inner = [kind.field(place).type for place in range(kind.num_fields)]
    return any(one.id in _YEARS or t.is_decimal(one) or _holds_bounded(one) for one in inner)


def _within(array: pa.Array) -> Exact:
    return _in_digits(array) if t.is_decimal(array.type) else _in_years(array)


def _in_digits(array: pa.Array) -> Exact:
    """Decimals with no more digits than their type says; damaged files have others, and no table may."""
    kind = array.type
    bound = Decimal(10) ** (kind.precision - kind.scale)
    wide = array.cast(pa.decimal256(76, kind.scale))
    above = pc.greater_equal(wide, pa.scalar(bound, wide.type))
    outside = pc.or_(above, pc.less_equal(wide, pa.scalar(-bound, wide.type)))
    return _masked(array, pc.fill_null(outside, False).to_numpy(zero_copy_only=False))


def _in_years(array: pa.Array) -> Exact:
    """Days and times of the years 1 to 9999; others no calendar of people has, and no JSON shows."""
    kind = array.type
    if kind.id not in _YEARS or (t.is_timestamp(kind) and kind.unit != "us"):
        return Exact(array)
    numbers = array.cast(pa.int32() if t.is_date32(kind) else pa.int64())
    first, last = _YEARS[kind.id]
    outside = pc.or_(pc.less(numbers, first), pc.greater(numbers, last))
    wrong = pc.fill_null(outside, False).to_numpy(zero_copy_only=False)
    return _masked(array, wrong)


def _plain(array: pa.Array, target: pa.DataType) -> Exact:
    kind = array.type
    if t.is_float16(kind):
        # Half floats cannot be compared; single ones hold them all.
        return _plain(array.cast(pa.float32()), target)
    if t.is_temporal(kind) or t.is_temporal(target):
        return _temporal(array, target)
    if t.is_decimal(kind) and not (t.is_decimal(target) or t.is_string(target)):
        return _wrong_where_null(array, parsed(array.cast(pa.string()), target, PLAIN).values)
    if t.is_boolean(target):
        return _checked(array, target)
    if t.is_floating(kind) and t.is_decimal(target):
        return _floats_to_decimals(array, target)
    if _is_number(kind) and t.is_floating(target):
        return _checked(array, target)
    if _is_number(kind) and t.is_integer(target):
        return by_halves(array, target, lambda piece: piece.cast(target, safe=True))
    if t.is_integer(kind) and t.is_decimal(target):
        # Asked for at once, the cast refuses a type that is too narrow for the largest integer there is.
        wide = pa.decimal256(76, target.scale)
        return by_halves(array, target, lambda piece: piece.cast(wide).cast(target, safe=True))
    return by_halves(array, target, lambda piece: piece.cast(target, safe=True))


def _is_number(kind: pa.DataType) -> bool:
    return bool(t.is_integer(kind) or t.is_floating(kind) or t.is_boolean(kind))


def _checked(array: pa.Array, target: pa.DataType) -> Exact:
    """For casts that round without a word: what does not come back the same was changed."""
    try:
        values = array.cast(target, safe=False)
        back = values.cast(array.type, safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return _none_of(array, target)
    same = pc.equal(back, array)
    if t.is_floating(array.type):
        same = pc.or_(same, pc.and_(pc.is_nan(array), pc.is_nan(back)))
    elif t.is_integer(array.type) and t.is_floating(target):
        # The greatest integers are rounded up to a float that comes back as the greatest integer again.
        bound = 2.0 ** (array.type.bit_width - (0 if t.is_unsigned_integer(array.type) else 1))
        same = pc.and_(same, pc.less(values, pa.scalar(bound, target)))
    wrong = pc.invert(pc.fill_null(same, True)).to_numpy(zero_copy_only=False)
    return _masked(values, wrong)


def _floats_to_decimals(array: pa.Array, target: pa.DataType) -> Exact:
    """A float is what it is written as, 0.1 one tenth; but what is so large that it has no fraction is what it is."""
    bound = 2.0**53 if t.is_float64(array.type) else 2.0**24
    pairs = zip(array.to_pylist(), array.cast(pa.string()).to_pylist(), strict=True)
    said = [None if f is None else Decimal(text) if abs(f) < bound else Decimal(f) for f, text in pairs]
    values = [None if value is None else exactly(value, target) for value in said]
    return _wrong_where_null(array, pa.array(values, target))


def _temporal(array: pa.Array, target: pa.DataType) -> Exact:
    """Times and numbers are not each other: a number does not say since when it counts, nor in what."""
    kind = array.type
    if t.is_duration(kind) and t.is_int64(target):
        return by_halves(array, target, lambda piece: piece.cast(pa.duration("us"), safe=True).cast(target))
    if t.is_string(target) and not t.is_duration(kind):
        return by_halves(array, target, lambda piece: piece.cast(target))
    if t.is_timestamp(kind) and t.is_timestamp(target) and (kind.tz is None or target.tz is not None):
        return by_halves(array, target, lambda piece: piece.cast(target, safe=True))
    if t.is_date(kind) and (t.is_date(target) or t.is_timestamp(target)):
        return by_halves(array, target, lambda piece: piece.cast(target, safe=True))
    if t.is_timestamp(kind) and kind.tz is None and t.is_date(target):
        return _checked(array, target)
    return _none_of(array, target)


# Lists, structs and maps.


def _nested(array: pa.Array, target: pa.DataType, rule: TextRule) -> Exact:
    kind = array.type
    if t.is_struct(kind) and t.is_struct(target):
        return _structs(array, target, rule)
    if t.is_map(kind) and t.is_map(target):
        return _maps(array, target, rule)
    if is_list(kind) and t.is_list(target):
        return _lists(array, target, rule)
    return _none_of(array, target)


def _structs(array: pa.Array, target: pa.DataType, rule: TextRule) -> Exact:
    """Fields go by their names. One that the target lacks makes the value wrong, unless it is null."""
    held = {field.name: place for place, field in enumerate(array.type.fields)}
    valid = array.is_valid().to_numpy(zero_copy_only=False)
    wrong = np.zeros(len(array), bool)
    for name, place in held.items():
        if target.get_field_index(name) < 0:
            wrong |= array.field(place).is_valid().to_numpy(zero_copy_only=False)
    children = []
    for field in target.fields:
        child = Exact(pa.nulls(len(array), field.type))
        if field.name in held:
            child = exact(array.field(held[field.name]), field.type, rule)
        wrong |= _spoiled(child, nullable=field.nullable)
        children.append(child.values)
    wrong &= valid
    keep = valid & ~wrong
    values = pa.StructArray.from_arrays(children, fields=list(target.fields), mask=pa.array(~keep))
    return Exact(values, wrong if wrong.any() else None)


def _spoiled(child: Exact, *, nullable: bool) -> Mask:
    """Where a child makes its parent wrong: by a wrong value, or by a null where there must be none."""
    wrong = np.zeros(len(child.values), bool) if child.wrong is None else child.wrong.copy()
    if not nullable and child.values.null_count:
        wrong |= child.values.is_null().to_numpy(zero_copy_only=False)
    return wrong


def _lists(array: pa.Array, target: pa.DataType, rule: TextRule) -> Exact:
    array = array.cast(pa.list_(array.type.value_field), safe=True)
    counts, items = _items(array)
    inner = exact(items, target.value_type, rule)
    wrong = _parents(counts, _spoiled(inner, nullable=target.value_field.nullable))
    values = pa.ListArray.from_arrays(_offsets(counts), inner.values, type=target)
    return _with_nulls(array, values, wrong)


def _maps(array: pa.Array, target: pa.DataType, rule: TextRule) -> Exact:
    as_list = array.cast(pa.list_(pa.struct([array.type.key_field, array.type.item_field])))
    counts, entries = _items(as_list)
    keys = exact(entries.field(0), target.key_type, rule)
    items = exact(entries.field(1), target.item_type, rule)
    spoiled = _spoiled(keys, nullable=False) | _spoiled(items, nullable=target.item_field.nullable)
    wrong = _parents(counts, spoiled)
    # A wrong key would be a null, which no map may have: such maps are left out before the map is made.
    keep = np.repeat(~wrong, counts)
    counts = np.where(wrong, 0, counts)
    mask = pa.array(keep)
    values = pa.MapArray.from_arrays(_offsets(counts), keys.values.filter(mask), items.values.filter(mask), type=target)
    return _with_nulls(array, values, wrong)


def _items(array: pa.Array) -> tuple[Any, pa.Array]:
    """How many items each list has, and all of them in one array."""
    counts = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    return counts, array.flatten()


def _offsets(counts: Any) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())


def _parents(counts: Any, wrong: Mask) -> Mask:
    """Which lists have a wrong item."""
    result = np.zeros(len(counts), bool)
    result[np.repeat(np.arange(len(counts)), counts)[wrong]] = True
    return result


def _with_nulls(array: pa.Array, values: pa.Array, wrong: Mask) -> Exact:
    gone = array.is_null().to_numpy(zero_copy_only=False) | wrong
    if gone.any():
        values = pc.if_else(pa.array(gone), pa.scalar(None, values.type), values)
    return Exact(values, wrong if wrong.any() else None)


# What all of these end in.


def by_halves(array: pa.Array, target: pa.DataType, whole: _Cast) -> Exact:
    """Cast by `whole`, which looks at each value by itself; where it refuses, half by half down to the culprits."""
    try:
        return Exact(whole(array))
    except pa.ArrowNotImplementedError:
        return _none_of(array, target)
    except pa.ArrowInvalid:
        pass
    wrong = np.zeros(len(array), bool)
    pieces: list[pa.Array] = []
    waiting = [(0, len(array))]
    while waiting:
        low, high = waiting.pop()
        try:
            pieces.append(whole(array.slice(low, high - low)))
        except pa.ArrowInvalid:
            if high - low == 1:
                wrong[low] = True
                pieces.append(pa.nulls(1, target))
                continue
            middle = (low + high) // 2
            waiting += [(middle, high), (low, middle)]
    return Exact(pa.concat_arrays(pieces), wrong if wrong.any() else None)


def _none_of(array: pa.Array, target: pa.DataType) -> Exact:
    """No value of this type is one of `target`."""
    wrong = array.is_valid().to_numpy(zero_copy_only=False)
    return Exact(pa.nulls(len(array), target), wrong if wrong.any() else None)


def _wrong_where_null(array: pa.Array, values: pa.Array) -> Exact:
    wrong = (array.is_valid().to_numpy(zero_copy_only=False)) & values.is_null().to_numpy(zero_copy_only=False)
    return Exact(values, wrong if wrong.any() else None)


def _masked(values: pa.Array, wrong: Mask) -> Exact:
    if not wrong.any():
        return Exact(values)
    return Exact(pc.if_else(pa.array(wrong), pa.scalar(None, values.type), values), wrong)


def reason(value: Any, kind: pa.DataType, target: pa.DataType, rule: TextRule) -> str:
    """Why `value`, as Python has it, of type `kind`, is not one of `target`; nothing where that is plain to see."""
    if isinstance(value, str):
        return "it is not of the years 1 to 9999" if t.is_temporal(kind) else why_not(value, target, rule)
    if t.is_duration(kind) and t.is_integer(target):
        return "it has parts of a microsecond"
    if t.is_timestamp(kind) and t.is_timestamp(target):
        return "it has a time zone" if kind.tz is not None and target.tz is None else f"it has parts of a {target.unit}"
    if t.is_timestamp(kind) and t.is_date(target):
        return "it has a time of day, or a time zone"
    if (_is_number(kind) or t.is_decimal(kind)) and (_is_number(target) or t.is_decimal(target)):
        return "" if t.is_boolean(target) else why_no_number(target)
    return "an item or field of it is not exact, not known, or missing" if t.is_nested(target) else ""
