"""Single numbers, exact: what a written number is as an integer, a float or a decimal, or that it is none."""

from __future__ import annotations

import math
import re
from decimal import Context, Decimal, InvalidOperation

import numpy as np
import pyarrow as pa
import pyarrow.types as t

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[+-]?(?:inf|infinity|nan)", re.IGNORECASE)
_WIDE = Context(prec=100)
MOST_DIGITS = 1000
"""Digits of one number; more are no number to anybody."""


def number(text: str) -> Decimal | None:
    """The number that `text` writes, all digits kept; None when it writes none."""
    if not _NUMBER.fullmatch(text) or len(text) > MOST_DIGITS:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def not_finite(text: str) -> float | None:
    """The infinity or NaN that `text` writes."""
    return float(text) if _NOT_FINITE.fullmatch(text) else None


def exactly(value: Decimal, kind: pa.DataType) -> int | float | Decimal | None:
    """`value` as Python has values of the number type `kind`; None where that would be another number."""
    if not value.is_finite():
        return float(value) if t.is_floating(kind) else None
    if t.is_integer(kind):
        return _integer(value, kind)
    if t.is_floating(kind):
        return _float(value, kind)
    return _decimal(value, kind.precision, kind.scale) if t.is_decimal(kind) else None


def _significant(value: Decimal) -> tuple[str, int]:
    """The digits without zeros before and after, and the power of ten of the last one."""
    _, digits, exponent = value.as_tuple()
    text = "".join(map(str, digits)).lstrip("0")
    short = text.rstrip("0")
    return short, int(exponent) + len(text) - len(short)


def _integer(value: Decimal, kind: pa.DataType) -> int | None:
    digits, exponent = _significant(value)
    if not digits:
        return 0
    if exponent < 0 or len(digits) + exponent > 20:
        return None
    whole = int(digits) * 10**exponent * (-1 if value.is_signed() else 1)
    low, high = integer_range(kind)
    return whole if low <= whole <= high else None


def integer_range(kind: pa.DataType) -> tuple[int, int]:
    """The least and the greatest value of an integer type."""
    if t.is_unsigned_integer(kind):
        return 0, (1 << kind.bit_width) - 1
    half = 1 << (kind.bit_width - 1)
    return -half, half - 1


def _float(value: Decimal, kind: pa.DataType) -> float | None:
    narrow = not t.is_float64(kind)
    nearest = float(value)
    if narrow and math.isfinite(nearest):
        with np.errstate(over="ignore", under="ignore"):
            nearest = float(np.float32(nearest))
    return nearest if math.isfinite(nearest) and float_keeps(value, nearest, narrow=narrow) else None


def float_keeps(value: Decimal, nearest: float, *, narrow: bool = False) -> bool:
    """Whether the float `nearest` still says `value`.

    It does when it is equal, or gives the same digits when it is written with as many. A fraction that has no more
    digits than floats are written with counts as the float it is nearest to."""
    exact = Decimal(nearest)
    if exact == value:
        return True
    digits, exponent = _significant(value)
    whole, usual, least = (2**24, 9, 1.2e-38) if narrow else (2**53, 17, 2.3e-308)
    if exponent < 0 and value.copy_abs() < whole and len(digits) <= usual and abs(nearest) >= least:
        return True
    return 0 < len(digits) <= 800 and nearest != 0 and Context(prec=len(digits)).plus(exact) == value


def _decimal(value: Decimal, precision: int, scale: int) -> Decimal | None:
    """Written without a power of ten, as Arrow wants it."""
    digits, exponent = _significant(value)
    if not digits:
        return Decimal(0)
    if exponent < -scale or len(digits) + exponent > precision - scale:
        return None
    return Decimal(f"{'-' if value.is_signed() else ''}{digits}{'0' * exponent}").scaleb(min(exponent, 0), _WIDE)
