"""The narrowest type that reads all words of a text column without losing anything of one."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from jobdeck.connectors.words import TextRule, at_once, has, without_nulls

EXACT_FLOAT = 2**53


INT, WIDE, BIG, FLOAT, DATE, NAIVE, ZONED, BOOL, TEXT = (
    pa.int64(),
    pa.decimal128(19, 0),
    pa.decimal128(38, 0),
    pa.float64(),
    pa.date32(),
    pa.timestamp("us"),
    pa.timestamp("us", "UTC"),
    pa.bool_(),
    pa.string(),
)
"""WIDE: 64-bit whole numbers among which one may have no equal float, so that no fraction may join them."""
_CHAINS: tuple[tuple[pa.DataType, ...], ...] = ((INT, BIG, FLOAT), (BOOL,), (DATE, NAIVE), (ZONED,))
"""Each type's words are all words of the next one in its chain, and of no other chain."""
_NUMBERS: dict[pa.DataType, tuple[pa.DataType, ...]] = {
    INT: (INT, WIDE, BIG, FLOAT),
    WIDE: (WIDE, BIG),
    BIG: (BIG,),
    FLOAT: (FLOAT,),
}
"""What each type of numbers can be read as, the narrowest first."""


class Guess:
    """The narrowest type of all words of a text column so far. Widening only, so no late word can break it."""

    def __init__(self, rule: TextRule) -> None:
        self._rule = rule
        self._chain: tuple[pa.DataType, ...] | None = None
        self._inexact = False
        self._quoted = False

    @property
    def type(self) -> pa.DataType | None:
        """None while only nulls were seen."""
        if self._chain is None:
            return TEXT if self._quoted else None
        if self._chain and self._chain[0] == INT and self._inexact:
            return WIDE
        return self._chain[0] if self._chain else TEXT

    def feed(self, column: pa.Array) -> None:
        if self._chain == ():
            return
        words = without_nulls(column, self._rule).drop_null()
        if not len(words):
            # A word that was quoted so as to be no null is a text, until other words say what the column is.
            self._quoted = self._quoted or (self._rule.quoted and column.null_count < len(column))
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
            DATE: lambda words: at_once(words, DATE, self._rule) is not None,
            NAIVE: lambda words: at_once(words, NAIVE, self._rule) is not None,
            ZONED: lambda words: at_once(words, ZONED, self._rule) is not None,
        }

    def _is_integer(self, words: pa.Array) -> bool:
        if _is_name(words) or has(words, "x") or has(words, "X"):
            return False
        numbers = words.cast(INT)
        self._inexact = self._inexact or not _exact(numbers)
        return True

    def _is_big(self, words: pa.Array) -> bool:
        if not pc.all(pc.match_substring_regex(words, "^-?[1-9][0-9]{0,37}$|^-?0$")).as_py():
            return False
        self._inexact = True
        return True

    def _is_float(self, words: pa.Array) -> bool:
        if _is_name(words) or at_once(words, FLOAT, self._rule) is None:
            return False
        whole = words.filter(pc.match_substring_regex(words, r"^-?[0-9]{16,}$"))
        self._inexact = self._inexact or bool(len(whole))
        return True


def _is_name(words: pa.Array) -> bool:
    """007 and +420… are names, no numbers: as numbers they would lose their zeros, and their sign."""
    if pc.any(pc.starts_with(words, "+")).as_py():
        return True
    candidates = words.filter(pc.or_(pc.starts_with(words, "0"), pc.starts_with(words, "-0")))
    return bool(len(candidates)) and bool(pc.any(pc.match_substring_regex(candidates, "^-?0[0-9]")).as_py())


def _exact(numbers: pa.Array) -> bool:
    bounds = pc.min_max(numbers)
    return bool(bounds["min"].as_py() >= -EXACT_FLOAT and bounds["max"].as_py() <= EXACT_FLOAT)


def widest(left: pa.DataType | None, right: pa.DataType | None) -> pa.DataType | None:
    """The type of a text column that is `left` in one file and `right` in another; None is only nulls."""
    if left is None or right is None or left == right:
        return left or right
    if left in _NUMBERS and right in _NUMBERS:
        return next((kind for kind in _NUMBERS[left] if kind in _NUMBERS[right]), TEXT)
    if {left, right} == {DATE, NAIVE}:
        return NAIVE
    return TEXT
