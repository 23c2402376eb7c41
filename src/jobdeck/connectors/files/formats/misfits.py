"""The few words that make a column of numbers, times or truth values one of text, so that people are told of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from jobdeck.connectors.columns import type_name
from jobdeck.connectors.files.formats.rows import LONGEST_VALUE, Raw
from jobdeck.connectors.files.formats.types import (
    BIG,
    BOOL,
    DATE,
    FLOAT,
    INT,
    NAIVE,
    TEXT,
    WIDE,
    ZONED,
    Guess,
    is_name,
    widest,
)
from jobdeck.connectors.words import TextRule, at_once, parsed, without_nulls, zoned
from jobdeck.core.amounts import counted, number
from jobdeck.core.values import clip

Mask = npt.NDArray[np.bool_]
_SAMPLE = 500
"""Words of the first block in which half must be of a kind: most columns of text are known by so few."""
_FEW_NAMES = 100
"""A column of which more than one word in so many is 007 or +420 holds names, and text is what it should be."""
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9:.]+ ?(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?)?$"


def _not(marks: pa.Array) -> Mask:
    return ~np.asarray(pc.fill_null(marks, True).to_numpy(zero_copy_only=False), bool)


def _no_number(words: pa.Array, rule: TextRule) -> Mask:
    point = re.escape(rule.decimal_point)
    shape = rf"^\s*[+-]?([0-9]+({point}[0-9]*)?|{point}[0-9]+)([eE][+-]?[0-9]+)?\s*$"
    return _not(pc.match_substring_regex(words, shape)) | _not(pc.invert(is_name(words)))


def _no_truth(words: pa.Array, rule: TextRule) -> Mask:  # noqa: ARG001  (all families are asked alike)
    return _not(pc.or_(pc.is_in(pc.utf8_lower(words), value_set=pa.array(["true", "false"])), words.is_null()))


def _no_time(words: pa.Array, rule: TextRule, *, kind: pa.DataType) -> Mask:
    """By its shape, and then by the calendar."""
    marks = pc.match_substring_regex(words, _TIME)
    marks = pc.and_(marks, zoned(words) if kind == ZONED else pc.invert(zoned(words)))
    wrong = _not(marks)
    shaped = pc.if_else(pa.array(~wrong), words, pa.scalar(None, pa.string()))
    if at_once(shaped, kind, rule) is not None:
        return wrong
    found = parsed(shaped, kind, rule).wrong
    return wrong if found is None else wrong | found


_Family = Callable[[pa.Array, TextRule], Mask]
_FAMILIES: tuple[tuple[_Family, tuple[pa.DataType, ...]], ...] = (
    (_no_number, (FLOAT, INT, WIDE, BIG)),
    (_no_truth, (BOOL,)),
    (partial(_no_time, kind=NAIVE), (NAIVE, DATE)),
    (partial(_no_time, kind=ZONED), (ZONED,)),
)
"""For each kind of values: which words are none of it, and the types that it is read as, the usual one first."""


@dataclass(slots=True)
class _First:
    word: str
    row: int
    line: int | None


class _Column:
    """One column: what most of its words are, how many there are, and those that are something else."""

    def __init__(self, name: str, rule: TextRule) -> None:
        self._name, self._rule = name, rule
        self._words = self._bad = self._names = 0
        self._before: pa.DataType | None = None
        self._good = Guess(rule)
        self._family: tuple[_Family, tuple[pa.DataType, ...]] | None = None
        self._first: _First | None = None
        self.plain_text = False

    def feed(self, guess: Guess, words: pa.Array, raw: Raw) -> None:
        """Count a block's words, which `guess` has learned from."""
        words = without_nulls(words, self._rule)
        count = len(words) - words.null_count
        if not count or self.plain_text:
            return
        if not guess.settled:
            self._words, self._before = self._words + count, guess.type
            return
        self._family = self._family or self._found(words)
        if self._family is None:
            self.plain_text = True
            return
        self._count(words, count, self._family[0](words, self._rule), raw)

    def _found(self, words: pa.Array) -> tuple[_Family, tuple[pa.DataType, ...]] | None:
        if self._before is not None:
            return next((family for family in _FAMILIES if self._before in family[1]), None)
        sample = words.drop_null().slice(0, _SAMPLE)
        wrong = [int(is_none(sample, self._rule).sum()) for is_none, _ in _FAMILIES]
        least = min(range(len(wrong)), key=lambda place: wrong[place])
        return _FAMILIES[least] if wrong[least] * 2 <= len(sample) else None

    def _count(self, words: pa.Array, count: int, wrong: Mask, raw: Raw) -> None:
        bad = int(wrong.sum())
        if bad:
            place = int(np.flatnonzero(wrong)[0])
            self._first = self._first or _First(words[place].as_py(), raw.numbers[place], raw.line_of(place))
            self._names += int(pc.sum(is_name(words.filter(pa.array(wrong)))).as_py() or 0)
        self._words, self._bad = self._words + count, self._bad + bad
        self._good.feed(words.filter(pa.array(~wrong)))
        names = self._names == self._bad and self._names * _FEW_NAMES > self._words
        self.plain_text = self._bad * 2 > self._words or names

    def remark(self, file: str) -> str | None:
        """What to tell of the column, if it is of text for the sake of a few words."""
        if self.plain_text or self._family is None:
            return None
        told = f"Column '{self._name}' of {file} is text"
        usual = self._family[1][0]
        if self._first is None:
            return f"{told}: its numbers have more digits than a float64 keeps." if usual == FLOAT else None
        kind = widest(self._before, self._good.type) or usual
        kind = INT if kind == WIDE else usual if kind == TEXT else kind
        first, name = self._first, type_name(kind)
        where = f"row {first.row}" + (f" (line {first.line})" if first.line is not None else "")
        more = self._bad - 1
        others = f", nor {'is' if more == 1 else 'are'} {number(more)} more" if more else ""
        wish = json.dumps({self._name: name}, ensure_ascii=False)
        return (
            f"{told}: {number(self._words - self._bad)} of its {counted(self._words, 'value')} are {name}, and "
            f"{clip(first.word, LONGEST_VALUE)!r} in {where} is not{others}. "
            f"If it should be {name}, give columns={wish}; on_bad_row=reject leaves out rows that do not fit."
        )


class Misfits:
    """All columns of one file."""

    def __init__(self, names: Sequence[str], rule: TextRule) -> None:
        self._names = names
        self._columns = [_Column(name, rule) for name in names]

    def feed(self, guesses: Sequence[Guess], raw: Raw) -> None:
        """A block's rows, which the guesses have learned from."""
        for column, guess, words in zip(self._columns, guesses, raw.table.columns, strict=True):
            if not column.plain_text:
                column.feed(guess, words, raw)

    def told(self, file: str) -> dict[str, str]:
        """The remarks, by column."""
        remarks = {name: column.remark(file) for name, column in zip(self._names, self._columns, strict=True)}
        return {name: remark for name, remark in remarks.items() if remark is not None}
