"""How amounts read to people, on every surface: durations, sizes, numbers, parts of a whole."""

from __future__ import annotations


def duration(seconds: float | None) -> str:
    """`850 ms`, `9.9 s`, `12 s`, `3 min 20 s`, `2 h 05 min`, `3 d 4 h`: what has passed in full, never rounded up, so
    that a duration that goes on counts evenly. The pages' scripts do the same (`web/assets/durations.ts`)."""
    if seconds is None:
        return ""
    micros = int(seconds * 1e6 + 0.5)  # whole ones, as times are; 0.29 s are 290 ms and not 289
    if micros < 1_000_000:
        return f"{micros // 1000} ms"
    if micros < 10_000_000:
        return f"{micros // 1_000_000}.{micros // 100_000 % 10} s"
    whole = micros // 1_000_000
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def size(count: float | None) -> str:
    """Bytes, in units of 1000."""
    if count is None:
        return ""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(count) < 999.5 or unit == "TB":
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError("the largest unit takes what is left")


def number(value: float | None) -> str:
    """With thin groups of three digits."""
    if value is None:
        return ""
    return grouped(round(value)) if float(value).is_integer() or value >= 100 else f"{value:.1f}"


def grouped(value: float) -> str:
    """Every digit of it, in groups of three."""
    return f"{value:,}".replace(",", " ")


def counted(count: int, noun: str) -> str:
    """`1 file`, `3 files`; for nouns that take an s."""
    return f"{number(count)} {noun}{'' if count == 1 else 's'}"


_PLURALS = ("rows", "files", "lines", "items", "units", "records", "tasks", "parts", "words")


def units(count: int, unit: str) -> str:
    """`1 row`, `3 rows`, `3 ms`: units in the plural lose their s for one."""
    return counted(count, unit[:-1]) if unit in _PLURALS else f"{number(count)} {unit}".rstrip()


def percent(fraction: float) -> str:
    """A fraction of one in percent: 100 only when it is all of it, 0 only when it is nothing."""
    if 0 < fraction < 0.001:
        return "< 0.1 %"
    return f"{int(fraction * 1000) / 10:.1f} %" if 0 < fraction < 0.01 else f"{int(fraction * 100)} %"
