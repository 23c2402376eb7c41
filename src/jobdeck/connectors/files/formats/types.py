"""The narrowest type that reads all words of a text column without losing anything of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from jobdeck.connectors.words import TextRule, at_once, cut_up, end_to_end, without_nulls

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
        self._named = False

    @property
    def type(self) -> pa.DataType | None:
        """None while only nulls were seen."""
        if self._chain is None:
            return TEXT if self._quoted else None
        if self._chain and self._chain[0] == INT and self._inexact:
            return WIDE
        return self._chain[0] if self._chain else TEXT

    def feed(self, column: pa.Array) -> None:
        """Learn from these words."""
        feed_all([self], [column], self._rule)

    @property
    def settled(self) -> bool:
        """Whether no word can change the type any more."""
        return self._chain == ()

    def learn(self, words: pa.Array, *, kept: bool, named: bool) -> None:
        """From words, nulls in the place of those that mean it. `kept`: there are words that were quoted to be none.

        `named`: a word is a name, though it is made of digits."""
        words = words.drop_null() if words.null_count else words
        if not len(words):
            # A word that was quoted so as to be no null is a text, until other words say what the column is.
            self._quoted = self._quoted or kept
            return
        self._named = named
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
            return _TESTS[kind](self, words)
        except pa.ArrowInvalid:
            return False

    def is_integer(self, words: pa.Array) -> bool:
        """Raises pa.ArrowInvalid where a word is none."""
        if self._named:
            return False
        numbers = words.cast(INT)
        self._inexact = self._inexact or not _exact(numbers)
        return True

    def is_big(self, words: pa.Array) -> bool:
        """Whether all words are whole numbers of up to 38 digits."""
        if not pc.all(pc.match_substring_regex(words, "^-?[1-9][0-9]{0,37}$|^-?0$")).as_py():
            return False
        self._inexact = True
        return True

    def is_float(self, words: pa.Array) -> bool:
        """Whether all words are numbers whose digits floats keep."""
        if self._named or at_once(words, FLOAT, self._rule) is None:
            return False
        whole = words.filter(pc.match_substring_regex(words, r"^-?[0-9]{16,}$"))
        self._inexact = self._inexact or bool(len(whole))
        return True


def _is_bool(_: Guess, words: pa.Array) -> bool:
    return bool(pc.all(pc.is_in(pc.utf8_lower(words), value_set=pa.array(["true", "false"]))).as_py())


_TESTS: dict[pa.DataType, Callable[[Guess, pa.Array], bool]] = {
    INT: Guess.is_integer,
    BIG: Guess.is_big,
    FLOAT: Guess.is_float,
    BOOL: _is_bool,
    DATE: lambda _, words: at_once(words, DATE, TextRule()) is not None,
    NAIVE: lambda _, words: at_once(words, NAIVE, TextRule()) is not None,
    ZONED: lambda _, words: at_once(words, ZONED, TextRule()) is not None,
}
_NAME = r"^(\+|-?0[0-9xX]|[0-9]{2,}[eE][0-9]+$)"
"""007, 0x1f, 12E3 and +420… are names, no numbers: as numbers they would lose their zeros, their shape and their sign.

Programs write powers of ten with one digit before the point, or a sign behind the E."""


def is_name(words: pa.Array) -> pa.Array:
    """Which words are made of digits and are names all the same; null where there is no word."""
    return pc.match_substring_regex(words, _NAME)


def feed_all(guesses: Sequence[Guess], columns: Sequence[pa.Array], rule: TextRule) -> None:
    """Feed each guess with its column; all columns are of one length."""
    open_ = [pair for pair in zip(guesses, columns, strict=True) if not pair[0].settled]
    if not open_ or not len(columns[0]):
        return
    texts = end_to_end([column for _, column in open_])
    words = without_nulls(texts, rule)
    named = _any_in_each(pc.fill_null(is_name(words), False), len(open_))
    kept = _any_in_each(texts.is_valid(), len(open_)) if rule.quoted else [False] * len(open_)
    for place, column in enumerate(cut_up(words, len(open_))):
        open_[place][0].learn(column, kept=kept[place], named=named[place])


def _any_in_each(marks: pa.Array, columns: int) -> list[bool]:
    flags: npt.NDArray[np.bool_] = marks.to_numpy(zero_copy_only=False).reshape(columns, -1)
    return [bool(flag) for flag in flags.max(axis=1)]


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
