"""Text to typed columns: the rules by which a word is a number, a date or nothing. Each word is decided by itself."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as t

from jobdeck.connectors.exact_numbers import exactly, float_keeps, integer_range, not_finite, number

Mask = npt.NDArray[np.bool_]
_ZONE = r"[Tt ][0-9:.]+ ?(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)$"
_FRACTION = re.compile(r"(:[0-9]{2}\.[0-9]{6})0+(?![0-9])")
_LONG_FRACTION = re.compile(r":[0-9]{2}\.([0-9]{7,})")
_PLAIN_DECIMAL = r"^[+-]?[0-9]{0,38}(\.[0-9]{0,38})?$"
"""Arrow takes 1E-347 for zero, so powers of ten are read word by word."""
_HEX = "^-?0[xX]"
_MANY_DIGITS = r"^[+-]?[0.]*[1-9](\.?[0-9]){17}"
_ZERO = r"^[+-]?[0.]+([eE]|$)"
_SPAN = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799
"""Years 1 to 9999: what is written with four digits, and what all programs can read again."""


@dataclass(frozen=True, slots=True)
class TextRule:
    """`nulls`: words that mean null in columns that are not text. `quoted`: those words that are left were quoted.

    `cleared`: nulls are in the place of the words already."""

    nulls: tuple[str, ...] = ()
    decimal_point: str = "."
    quoted: bool = False
    cleared: bool = False


@dataclass(frozen=True, slots=True)
class Exact:
    """Values of the wanted type; null at each place of `wrong`, the values that have none. None: there are no such."""

    values: pa.Array
    wrong: Mask | None = None


def without_nulls(column: pa.Array, rule: TextRule) -> pa.Array:
    """Null in the place of the words that mean it."""
    if not rule.nulls or rule.cleared:
        return column
    words = pc.is_in(column, value_set=_word_set(rule.nulls))
    return pc.if_else(words, pa.scalar(None, pa.string()), column) if pc.any(words).as_py() else column


@lru_cache(maxsize=32)
def _word_set(nulls: tuple[str, ...]) -> pa.Array:
    return pa.array(nulls, pa.string())


def end_to_end(columns: Sequence[pa.Array]) -> pa.Array:
    """Columns of one length as one array: thousands of short ones are looked at together in a fraction of the time."""
    return pa.concat_arrays(columns) if len(columns) != 1 else columns[0]


def cut_up(array: pa.Array, columns: int) -> list[pa.Array]:
    """The inverse of `end_to_end`."""
    rows = len(array) // max(1, columns)
    return [array.slice(index * rows, rows) for index in range(columns)]


def parsed(column: pa.Array, target: pa.DataType, rule: TextRule) -> Exact:
    """A text column as `target`, each word by itself. Text stays as it is."""
    if t.is_string(target):
        return Exact(column)
    if t.is_binary(target):
        return Exact(column.cast(target))
    column = without_nulls(column, rule)
    whole = at_once(column, target, rule)
    if whole is not None:
        return Exact(whole)
    if target == pa.timestamp("us", "UTC"):
        return _mixed_zones(column, target, rule)
    return _each(column, target, rule)


def parse(column: pa.Array, target: pa.DataType, rule: TextRule) -> pa.Array:
    """As `parsed`; raises pa.ArrowInvalid when a word is no such value."""
    result = parsed(column, target, rule)
    if result.wrong is not None:
        raise pa.ArrowInvalid(f"a text is no {target}")
    return result.values


# All words at once.


def at_once(column: pa.Array, target: pa.DataType, rule: TextRule) -> pa.Array | None:
    """The column as `target` when all its words are written in the usual way, else None."""
    try:
        if t.is_integer(target):
            return None if pc.any(pc.match_substring_regex(column, _HEX)).as_py() else column.cast(target)
        if t.is_floating(target):
            return _floats(column, target, rule)
        if t.is_decimal(target):
            plain = pc.all(pc.match_substring_regex(_pointed(column, rule), _PLAIN_DECIMAL)).as_py() is not False
            return _pointed(column, rule).cast(target) if plain and not _foreign_point(column, rule) else None
        if t.is_boolean(target):
            return column.cast(target)
        if t.is_date(target) or t.is_timestamp(target):
            return _on_calendar(column.cast(target))
    except pa.ArrowInvalid:
        return None
    return None


def _foreign_point(column: pa.Array, rule: TextRule) -> bool:
    """Where a comma is the decimal point, a point is something else: 1.234 may be a thousand."""
    return rule.decimal_point != "." and has(column, ".")


def _pointed(column: pa.Array, rule: TextRule) -> pa.Array:
    return column if rule.decimal_point == "." else pc.replace_substring(column, rule.decimal_point, ".")


def _floats(column: pa.Array, target: pa.DataType, rule: TextRule) -> pa.Array | None:
    if _foreign_point(column, rule):
        return None
    column = _pointed(column, rule)
    floats = column.cast(target)
    return floats if _floats_keep(column, floats, target) else None


def _floats_keep(words: pa.Array, floats: pa.Array, target: pa.DataType) -> bool:
    """Whether all digits of the words are in the floats."""
    values = np.abs(floats.to_numpy(zero_copy_only=False))
    narrow = not t.is_float64(target)
    # Written so that NaN, which stands for null, too, is among the doubtful.
    doubtful = np.ones(len(values), bool) if narrow else ~((values < 2.0**53) & (values >= 2.3e-308))
    if not narrow:
        doubtful |= _many_digits(words)
        doubtful &= ~_zeros(words, values)
    places = np.flatnonzero(doubtful)
    if not len(places):
        return True
    pairs = zip(words.take(places).to_pylist(), floats.take(places).to_pylist(), strict=True)
    return all(word is None or _keeps(word, value, narrow=narrow) for word, value in pairs)


def _zeros(words: pa.Array, values: npt.NDArray[np.float64]) -> Mask:
    """Which words are read as zero and say zero: there are many of these, and none needs a closer look."""
    zero = values == 0
    if zero.any():
        places = np.flatnonzero(zero)
        zero[places] = pc.match_substring_regex(words.take(places), _ZERO).to_numpy(zero_copy_only=False)
    return np.asarray(zero, bool)


def _many_digits(words: pa.Array) -> Mask:
    """Which words have more digits than floats are written with."""
    long = pc.fill_null(pc.greater(pc.binary_length(words), 18), False).to_numpy(zero_copy_only=False)
    if long.any():
        places = np.flatnonzero(long)
        long[places] = pc.match_substring_regex(words.take(places), _MANY_DIGITS).to_numpy(zero_copy_only=False)
    return np.asarray(long, bool)


def _keeps(word: str, value: float, *, narrow: bool) -> bool:
    wanted = number(word)
    if wanted is None:
        return not_finite(word) is not None
    return math.isfinite(value) and float_keeps(wanted, value, narrow=narrow)


def _on_calendar(times: pa.Array) -> pa.Array | None:
    """None when a time is outside the years 1 to 9999."""
    whole = times.cast(pa.int32()).cast(pa.int64()) if t.is_date(times.type) else times.cast(pa.int64())
    span = pc.min_max(whole)
    low, high = span["min"].as_py(), span["max"].as_py()
    if low is None:
        return times
    first, last = calendar(times.type)
    return times if first <= low and high <= last else None


def calendar(kind: pa.DataType) -> tuple[int, int]:
    """The first and last number of a date or time type that is within the years 1 to 9999."""
    if t.is_date32(kind):
        return _FIRST_SECOND // 86_400, _LAST_SECOND // 86_400
    unit = _SPAN[kind.unit]
    return _FIRST_SECOND * unit, _LAST_SECOND * unit + unit - 1


def has(column: pa.Array, text: str) -> bool:
    """Whether a word of the column has `text` in it."""
    return bool(pc.any(pc.match_substring(column, text)).as_py())


# Each word by itself.


def _mixed_zones(column: pa.Array, target: pa.DataType, rule: TextRule) -> Exact:
    """Times with a zone and times without one, which are UTC, are looked at apart."""
    marks = pc.fill_null(zoned(column), False)
    if not pc.any(marks).as_py():
        return _each(column, target, rule)
    nothing = pa.scalar(None, pa.string())
    parts = [_times(pc.if_else(marks, column, nothing), target, rule)]
    parts.append(_times(pc.if_else(marks, nothing, column), target, rule))
    wrongs = [part.wrong for part in parts if part.wrong is not None]
    wrong = np.logical_or.reduce(wrongs) if wrongs else None
    return Exact(pc.coalesce(*(part.values for part in parts)), wrong)


def zoned(column: pa.Array) -> pa.Array:
    """Which words are a time with a zone; null where there is no word."""
    return pc.match_substring_regex(column, _ZONE)


def _times(column: pa.Array, target: pa.DataType, rule: TextRule) -> Exact:
    for kind in (target, pa.timestamp("us")):
        times = at_once(column, kind, rule)
        if times is not None:
            return Exact(times.cast(target))
    return _each(column, target, rule)


def _each(column: pa.Array, target: pa.DataType, rule: TextRule) -> Exact:
    """Each different word once."""
    encoded = column.dictionary_encode()
    words = encoded.dictionary.to_pylist()
    read = word_reader(target, rule)
    values = [read(word) for word in words]
    missing = np.array([value is None for value in values], bool)
    nulls = np.array([is_null(word, rule) for word in words], bool)
    indices = encoded.indices
    result = pa.array(values, target).take(indices)
    places = pc.fill_null(indices, len(words)).to_numpy(zero_copy_only=False)
    wrong = np.append(missing & ~nulls, False)[places]
    return Exact(result, wrong if wrong.any() else None)


def is_null(word: str, rule: TextRule) -> bool:
    """Whether the word means null in a column that is not text."""
    return word in rule.nulls or word.strip() in rule.nulls


def word_reader(target: pa.DataType, rule: TextRule) -> Callable[[str], Any]:
    """Reads one word as Python and Arrow have values of `target`; None when it is none."""
    if t.is_integer(target) or t.is_floating(target) or t.is_decimal(target):
        return lambda word: _number(word.strip(), target, rule)
    if t.is_boolean(target):
        return lambda word: {"true": True, "false": False, "1": True, "0": False}.get(word.strip().lower())
    if t.is_date(target) or t.is_timestamp(target):
        return lambda word: _time(word.strip(), target)
    return str.encode if t.is_binary(target) else lambda _: None


def _number(word: str, target: pa.DataType, rule: TextRule) -> Any:
    if rule.decimal_point != ".":
        if "." in word:
            return None
        word = word.replace(rule.decimal_point, ".")
    value = number(word)
    if value is None:
        return not_finite(word) if t.is_floating(target) else None
    return exactly(value, target)


def _time(word: str, target: pa.DataType) -> int | None:
    word = _FRACTION.sub(r"\1", word)
    zoned = t.is_timestamp(target) and target.tz is not None
    for kind in (target, pa.timestamp(target.unit)) if zoned else (target,):
        try:
            found = _on_calendar(pa.array([word]).cast(kind))
        except pa.ArrowInvalid:
            continue
        return None if found is None else int(found.view(pa.int32() if t.is_date32(kind) else pa.int64())[0].as_py())
    return None


# Why a word is none.


def why_not(word: str, target: pa.DataType, rule: TextRule) -> str:
    """What keeps the word from being of type `target`, or nothing where that is plain to see."""
    word = word.strip()
    if t.is_timestamp(target):
        return _why_no_time(word, target)
    if not (t.is_integer(target) or t.is_floating(target) or t.is_decimal(target)):
        return ""
    if rule.decimal_point != ".":
        if "." in word and number(word.replace(".", "").replace(rule.decimal_point, ".")) is not None:
            return f"it has a point where the decimal point is '{rule.decimal_point}'"
        word = word.replace(rule.decimal_point, ".")
    value = number(word)
    return "" if value is None else why_no_number(target)


def why_no_number(target: pa.DataType) -> str:
    """What is wrong with a number that is not exactly one of `target`."""
    if t.is_integer(target):
        low, high = integer_range(target)
        return f"it has a fraction, or is not within {low} to {high}"
    return "it would become another number" if t.is_floating(target) else "it has too many digits"


def _why_no_time(word: str, target: pa.DataType) -> str:
    digits = _LONG_FRACTION.search(word)
    if digits is not None:
        return f"it has {len(digits[1])} digits after the second, and 6 are kept"
    if target.tz is None and re.search(_ZONE, word):
        return "it has a time zone"
    return ""
