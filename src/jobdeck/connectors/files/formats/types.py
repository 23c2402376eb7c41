"""Text to typed columns: the rules by which a word is a number, a date or nothing, and where a column breaks them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as t

from jobdeck.connectors.columns import cast

EXACT_FLOAT = 2**53


@dataclass(frozen=True, slots=True)
class TextRule:
    """`nulls`: words that mean null in columns that are not text."""

    nulls: tuple[str, ...] = ()
    decimal_point: str = "."


def parse(column: pa.Array, target: pa.DataType, rule: TextRule) -> pa.Array:
    """A text column as `target`; raises pa.ArrowInvalid if a value is not exactly one. Text stays as it is."""
    if t.is_string(target):
        return column
    if t.is_binary(target):
        return column.cast(target)
    column = without_nulls(column, rule)
    if rule.decimal_point != "." and (t.is_floating(target) or t.is_decimal(target)):
        column = pc.replace_substring(column, rule.decimal_point, ".")
    try:
        return _strict(column, target)
    except pa.ArrowInvalid:
        return _strict(without_nulls(pc.utf8_trim_whitespace(column), rule), target, lenient=True)


def without_nulls(column: pa.Array, rule: TextRule) -> pa.Array:
    """Null in the place of the words that mean it."""
    if not rule.nulls:
        return column
    words = pc.is_in(column, value_set=pa.array(rule.nulls, pa.string()))
    return pc.if_else(words, pa.scalar(None, pa.string()), column) if pc.any(words).as_py() else column


def _strict(column: pa.Array, target: pa.DataType, lenient: bool = False) -> pa.Array:
    if t.is_integer(target):
        return _integers(column, target, lenient)
    if t.is_floating(target):
        return _floats(column, target)
    if target == pa.timestamp("us", "UTC") and lenient:
        return _zoned(column)
    if t.is_nested(target):
        raise pa.ArrowInvalid("text is no list, struct or map")
    return column.cast(target)


def _integers(column: pa.Array, target: pa.DataType, lenient: bool) -> pa.Array:
    if _has(column, "x") or _has(column, "X"):
        raise pa.ArrowInvalid("hexadecimal numbers are not read")
    if not lenient:
        return column.cast(target)
    try:
        return column.cast(target)
    except pa.ArrowInvalid:
        # 1e+05 and 100.0 are how some programs write whole numbers.
        floats = column.cast(pa.float64())
        if pc.any(pc.greater(pc.abs(floats), float(EXACT_FLOAT))).as_py():
            raise
        return floats.cast(target)


def _floats(column: pa.Array, target: pa.DataType) -> pa.Array:
    floats = column.cast(target)
    endless = pc.is_inf(floats)
    if (
        pc.any(endless).as_py()
        and not pc.all(pc.match_substring(column.filter(endless), "inf", ignore_case=True)).as_py()
    ):
        raise pa.ArrowInvalid("a number is too large")
    return floats


def _zoned(column: pa.Array) -> pa.Array:
    """Times with a zone; a time without one is taken as UTC where the target needs a zone."""
    try:
        return column.cast(pa.timestamp("us", "UTC"))
    except pa.ArrowInvalid:
        return column.cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))


def _has(column: pa.Array, text: str) -> bool:
    return bool(pc.any(pc.match_substring(column, text)).as_py())


def fit(column: pa.Array, target: pa.DataType, rule: TextRule) -> pa.Array:
    """A column, of text or typed, as `target`; raises pa.ArrowInvalid if a value would be changed by that."""
    if t.is_string(column.type) and not t.is_string(target):
        return parse(column, target, rule)
    return cast(column, target)


def misfits(column: pa.Array, target: pa.DataType, rule: TextRule, most: int | None = None) -> list[int]:
    """Positions of the values that `fit` refuses, ascending, `most` of them at most; by halving, so few are cheap."""
    found: list[int] = []
    waiting = [(0, len(column))]
    while waiting and (most is None or len(found) < most):
        low, high = waiting.pop()
        if _fits(column.slice(low, high - low), target, rule):
            continue
        if high - low == 1:
            found.append(low)
            continue
        middle = (low + high) // 2
        waiting += [(middle, high), (low, middle)]
    return found


def _fits(column: pa.Array, target: pa.DataType, rule: TextRule) -> bool:
    try:
        fit(column, target, rule)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    return True


INT, BIG, FLOAT, DATE, NAIVE, ZONED, BOOL, TEXT = (
    pa.int64(),
    pa.decimal128(38, 0),
    pa.float64(),
    pa.date32(),
    pa.timestamp("us"),
    pa.timestamp("us", "UTC"),
    pa.bool_(),
    pa.string(),
)
_CHAINS: tuple[tuple[pa.DataType, ...], ...] = ((INT, BIG, FLOAT), (BOOL,), (DATE, NAIVE), (ZONED,))
"""Each type's words are all words of the next one in its chain, and of no other chain."""


class Guess:
    """The narrowest type of all words of a text column so far. Widening only, so no late word can break it."""

    def __init__(self, rule: TextRule) -> None:
        self._rule = rule
        self._chain: tuple[pa.DataType, ...] | None = None
        self._inexact = False

    @property
    def type(self) -> pa.DataType | None:
        """None while only nulls were seen."""
        if self._chain is None:
            return None
        return self._chain[0] if self._chain else TEXT

    def feed(self, column: pa.Array) -> None:
        if self._chain == ():
            return
        words = without_nulls(column, self._rule).drop_null()
        if not len(words):
            return
        if self._chain is None:
            self._chain = next((rest for chain in _CHAINS if (rest := self._from(chain, words))), ())
        else:
            self._chain = self._from(self._chain, words)
        if self._chain and self._chain[0] == FLOAT and self._inexact:
            self._chain = ()

    def _from(self, chain: tuple[pa.DataType, ...], words: pa.Array) -> tuple[pa.DataType, ...]:
        while chain and not self._is(chain[0], words):
            chain = chain[1:]
        return chain

    def _is(self, kind: pa.DataType, words: pa.Array) -> bool:
        try:
            return self._tests()[kind](words)
        except pa.ArrowInvalid:
            return False

    def _tests(self) -> dict[pa.DataType, Callable[[pa.Array], bool]]:
        return {
            INT: self._is_integer,
            BIG: self._is_big,
            FLOAT: self._is_float,
            BOOL: lambda words: bool(
                pc.all(pc.is_in(pc.utf8_lower(words), value_set=pa.array(["true", "false"]))).as_py()
            ),
            DATE: lambda words: words.cast(DATE) is not None,
            NAIVE: lambda words: words.cast(NAIVE) is not None,
            ZONED: lambda words: words.cast(ZONED) is not None,
        }

    def _is_integer(self, words: pa.Array) -> bool:
        if _leading_zero(words) or _has(words, "x") or _has(words, "X"):
            return False
        numbers = words.cast(INT)
        self._inexact = self._inexact or not _exact(numbers)
        return True

    def _is_big(self, words: pa.Array) -> bool:
        if not pc.all(pc.match_substring_regex(words, "^-?[1-9][0-9]{0,37}$|^0$")).as_py():
            return False
        self._inexact = True
        return True

    def _is_float(self, words: pa.Array) -> bool:
        if _leading_zero(words):
            return False
        if self._rule.decimal_point != ".":
            words = pc.replace_substring(words, self._rule.decimal_point, ".")
        _floats(words, FLOAT)
        whole = words.filter(pc.match_substring_regex(words, r"^-?[0-9]{16,}$"))
        self._inexact = self._inexact or bool(len(whole))
        return True


def _leading_zero(words: pa.Array) -> bool:
    """007 is a name, not a number: as a number it would lose its zeros."""
    candidates = words.filter(pc.or_(pc.starts_with(words, "0"), pc.starts_with(words, "-0")))
    return bool(len(candidates)) and bool(pc.any(pc.match_substring_regex(candidates, "^-?0[0-9]")).as_py())


def _exact(numbers: pa.Array) -> bool:
    values = np.abs(numbers.to_numpy(zero_copy_only=False))
    return bool(values.max() <= EXACT_FLOAT)


def widest(left: pa.DataType | None, right: pa.DataType | None) -> pa.DataType | None:
    """The type of a text column that is `left` in one file and `right` in another; None is only nulls."""
    if left is None or right is None or left == right:
        return left or right
    for chain in _CHAINS:
        if (
            left in chain
            and right in chain
            and (chain.index(left) == 0 or chain.index(right) == 0 or FLOAT not in chain)
        ):
            return chain[max(chain.index(left), chain.index(right))]
    return TEXT
