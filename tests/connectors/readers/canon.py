"""Values as they can be compared, whoever read them: types loosely, values exactly."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from tests.connectors.readers.made import Table

_INTEGER = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_WORDS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf, "infinity": math.inf, "-infinity": -math.inf}
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(\.\d+)?\s?(Z|[+-]\d\d(?::?\d\d)?)?)?")


def canon(value: Any) -> Any:
    """`value` in plain Python: moments in UTC without zone, dates as their midnight, structs without their nulls."""
    if value is None or type(value).__name__ in ("NaTType", "NAType"):
        return None
    if type(value).__module__ == "numpy":
        return canon(value.tolist())
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).replace(tzinfo=None, fold=0)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    if isinstance(value, time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value // timedelta(microseconds=1)
    if isinstance(value, dict):
        return {str(k): canon(v) for k, v in value.items() if canon(v) is not None}
    if isinstance(value, list | tuple):
        return [canon(item) for item in value]
    return bytes(value) if isinstance(value, bytearray | memoryview) else value


def agree(left: Any, right: Any) -> bool:
    """Whether two canonical values are one: numbers exactly, text as what it says."""
    if left is None or right is None:
        return left is right
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    if isinstance(left, str) or isinstance(right, str):
        text, value = (left, right) if isinstance(left, str) else (right, left)
        return any(agree(reading, value) for reading in readings(text, value))
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(agree, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(agree(left[k], right[k]) for k in left)
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left):
        return math.isnan(right)
    return isinstance(left, bool) is isinstance(right, bool) and _number(left) is _number(right) and left == right


def _number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal)


def readings(text: str, like: Any) -> Iterator[Any]:
    """What `text` says, as a value of the kind of `like`."""
    plain = text.strip()
    if isinstance(like, bool):
        yield from (value for word, value in (("true", True), ("false", False)) if plain.lower() == word)
    elif _number(like):
        yield from _numbers(plain, like)
    elif isinstance(like, datetime):
        yield from _moment(plain)
    elif isinstance(like, bytes):
        yield text.encode("utf-8", "surrogatepass")
        if re.fullmatch(r"(?:[0-9a-f]{2})+", text):
            yield bytes.fromhex(text)
    elif isinstance(like, list | dict):
        try:
            yield canon(json.loads(text))
        except ValueError:
            return


def _numbers(text: str, like: Any) -> Iterator[Any]:
    if _INTEGER.fullmatch(text):
        # The float nearest to a whole number that no float holds is another number.
        yield int(text)
    elif _NUMBER.fullmatch(text):
        yield float(text) if isinstance(like, float) else Decimal(text)
    elif text.lower() in _WORDS:
        yield _WORDS[text.lower()]


def _moment(text: str) -> Iterator[datetime]:
    match = _MOMENT.fullmatch(text)
    if match is None:
        return
    day, clock, fraction, zone = match.groups()
    clock = "00:00:00" if clock is None else clock if clock.count(":") == 2 else f"{clock}:00"
    micros = (fraction or ".0")[1:].rstrip("0")
    if len(micros) > 6:
        return
    zone = {None: "", "Z": "+00:00"}.get(zone, zone)
    zone = f"{zone}:00" if zone and len(zone) == 3 else zone
    try:
        yield canon(datetime.fromisoformat(f"{day}T{clock}.{micros.ljust(6, '0')}{zone}"))
    except (ValueError, OverflowError):
        return


_PLAIN = re.compile(
    r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-][0-9]+)?|-?[0-9](?:\.[0-9]*)?[eE][0-9]+|-?\.[0-9]+[eE][0-9]+|"
    r"-?[0-9]+\.[0-9]*[eE][0-9]+|[+-]?(?:inf|infinity|nan)",
    re.IGNORECASE,
)


def shape_lost(found: Table, said: Table) -> str | None:
    """The first word that became a number, a truth value or a time, though it is not written like one: `+420`, `007`,
    ` 5`, `12E3`. `said`: the words."""
    if sorted(found.names) != sorted(said.names) or found.rows != said.rows:
        return None
    for name, column in zip(found.names, found.columns, strict=True):
        words = said.columns[said.names.index(name)]
        if name == found.names[0]:  # a mark at the beginning of a row is where files were joined
            words = [word.lstrip("\ufeff") if isinstance(word, str) else word for word in words]
        for row, (value, word) in enumerate(zip(column, words, strict=True), 1):
            if value is None or isinstance(value, str) or not isinstance(word, str):
                continue
            if word != word.strip() or (_number(value) and not isinstance(value, bool) and not _PLAIN.fullmatch(word)):
                return f"column {name!r}, row {row}: the text {word!r} became {value!r}"
    return None


def kind_of(values: list[Any]) -> str:
    """`null`, `bool`, `number`, `moment`, `bytes`, `list`, `struct`, `text`, or `mixed`: what a column holds."""
    kinds = {_kind(value) for value in values if value is not None}
    return kinds.pop() if len(kinds) == 1 else "mixed" if kinds else "null"


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if _number(value):
        return "number"
    for kind, name in ((str, "text"), (datetime, "moment"), (bytes, "bytes"), (list, "list"), (dict, "struct")):
        if isinstance(value, kind):
            return name
    return type(value).__name__
