"""Random tables: every type that files have, with the values that readers stumble over."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

WORDS = [
    "", " ", "a", "NA", "null", "NULL", "None", "nan", "NaN", "inf", "-", "true", "False", "007", "+5", "-0", "1e5",
    "1.0", "1,5", "1.234,5", "0x10", "9007199254740993", "12345678901234567890123", "2013-01-01", "2013-01-01 10:00",
    "2013-01-01T10:00:00Z", "2013-02-30", "10:30", "ä", "日本", "👩‍🚀", "a,b", "a;b", "a\tb", "a|b", 'say "hi"', '"',
    "two\nlines", "cr\rlf\r\n", "'", "\\", "\\N", "\\n", "#x", "=1+1", "{}", "[1]", "x" * 300, "\u200b", "\u00a0",
    "\ufeff", " lead", "trail ", "a\u0301", "\x7f", "\x1b", "+420602123456", "1_000", "１２", "٣", "1.", ".5", "1e400",
]  # fmt: skip
NAMES = ["id", "name", "Amount", "a b", "a.b", "größe", "日付", "x-y", "1st", "_", "select", "n", "value", "when", "#"]
Maker = Callable[[random.Random], Any]


def _int(bits: int) -> Maker:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    edges = [0, 1, -1, low, high, min(high, 2**53), min(high, 2**53 + 1), max(low, -(2**53) - 1)]
    return lambda r: r.choice(edges) if r.random() < 0.4 else r.randint(low, high)


def _float(r: random.Random) -> float:
    edges = [0.0, -0.0, 0.1, 1e22, 1e-300, 1.7976931348623157e308, 5e-324, 100.0, 1e5, 2.0**53, 2.0**63, 1 / 3]
    return r.choice(edges) if r.random() < 0.4 else r.uniform(-1000, 1000)


def _special(r: random.Random) -> float:
    return r.choice([math.nan, math.inf, -math.inf]) if r.random() < 0.3 else _float(r)


def _moment(r: random.Random) -> datetime:
    micros = r.choice([0, 0, 1000, r.randint(0, 999_999)])
    return datetime(r.choice([1, 1582, 1969, 1970, 2013, 2262, 9999]), r.randint(1, 12), r.randint(1, 28)) + timedelta(
        seconds=r.choice([0, r.randint(0, 86_399)]), microseconds=micros
    )


def _date(r: random.Random) -> date:
    return _moment(r).date()


def _decimal(r: random.Random) -> Decimal:
    return Decimal(r.randint(-(10**12), 10**12)).scaleb(-2)


def _text(r: random.Random) -> str:
    if r.random() < 0.6:
        return r.choice(WORDS)
    return "".join(r.choice("abcXYZ0189 ,;.\"'äß日\n") for _ in range(r.randint(0, 12)))


def _alike(r: random.Random) -> Maker:
    """Texts of one sort, as a column of people's files has them."""
    some = r.sample(WORDS, r.randint(1, 3))
    return lambda s: s.choice(some)


PLAIN: dict[str, tuple[pa.DataType, Maker]] = {
    "int8": (pa.int8(), _int(8)),
    "int32": (pa.int32(), _int(32)),
    "int64": (pa.int64(), _int(64)),
    "uint64": (pa.uint64(), lambda r: r.choice([0, 2**63, 2**64 - 1, r.randint(0, 2**64 - 1)])),
    "float64": (pa.float64(), _float),
    "float32": (pa.float32(), lambda r: r.choice([0.5, -2.25, 1e10, 3.0])),
    "special": (pa.float64(), _special),
    "bool": (pa.bool_(), lambda r: r.random() < 0.5),
    "date": (pa.date32(), _date),
    "timestamp": (pa.timestamp("us"), _moment),
    "zoned": (pa.timestamp("us", "UTC"), lambda r: _moment(r).replace(tzinfo=UTC)),
    "seconds": (pa.timestamp("s"), lambda r: _moment(r).replace(microsecond=0)),
    "text": (pa.string(), _text),
    "large_text": (pa.large_string(), _text),
    "decimal": (pa.decimal128(20, 2), _decimal),
    "nothing": (pa.null(), lambda _r: None),
}
NESTED: dict[str, tuple[pa.DataType, Maker]] = {
    "list": (pa.list_(pa.int64()), lambda r: [_int(64)(r) for _ in range(r.randint(0, 3))]),
    "texts": (pa.list_(pa.string()), lambda r: [_text(r) for _ in range(r.randint(0, 3))]),
    "struct": (
        pa.struct([("x", pa.int64()), ("y", pa.string())]),
        lambda r: {"x": _int(64)(r), "y": r.choice([None, _text(r)])},
    ),
    "deep": (
        pa.list_(pa.struct([("k", pa.string()), ("v", pa.list_(pa.float64()))])),
        lambda r: [{"k": _text(r), "v": [_float(r)]} for _ in range(r.randint(0, 2))],
    ),
}
BINARY: dict[str, tuple[pa.DataType, Maker]] = {
    "binary": (pa.binary(), lambda r: r.randbytes(r.randint(0, 6))),
}


def random_table(r: random.Random, kinds: dict[str, tuple[pa.DataType, Maker]]) -> pa.Table:
    """Up to six columns of up to forty rows; now and then none."""
    rows = r.choice([0, 1, 2, 3, 10, 40])
    names = r.sample(NAMES, r.randint(1, 6))
    columns = []
    for _ in names:
        kind = r.choice(list(kinds))
        type_, maker = kinds[kind]
        if kind == "text" and r.random() < 0.5:
            maker = _alike(r)
        nulls = r.choice([0.0, 0.0, 0.2, 1.0 if r.random() < 0.2 else 0.5])
        columns.append(pa.array([None if r.random() < nulls else maker(r) for _ in range(rows)], type_))
    return pa.table(columns, names=names)
