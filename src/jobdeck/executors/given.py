"""What task code gives, whatever it is, as a number or a text that can be recorded; a report must not fail a job."""

from __future__ import annotations

import logging
import math
from typing import Any

from jobdeck.core.values import MAX_COUNT, clip

MAX_WARNINGS = 1_000_000
"""What one call of `warn` counts at most."""
LEVELS = {name: name for name in ("debug", "info", "warning", "error", "stdout", "stderr")}
LEVELS |= {"warn": "warning", "critical": "error", "fatal": "error"}


def count(value: Any) -> int | None:
    """A whole number from 0 to `MAX_COUNT`; None for what is no number."""
    try:
        if isinstance(value, float) and not math.isfinite(value):
            return MAX_COUNT if value > 0 else 0 if value < 0 else None
        return min(max(int(value), 0), MAX_COUNT)
    except Exception:  # noqa: BLE001 – foreign objects raise what they like
        return None


def warnings(value: Any) -> int:
    """How often a warning counts: once where that is not said in a number."""
    number = count(value)
    return 1 if number is None else min(number, MAX_WARNINGS)


def text(value: Any) -> str:
    """As people would read it."""
    if isinstance(value, str):
        return str(value)
    try:
        if isinstance(value, bytes | bytearray | memoryview):
            return bytes(value).decode("utf-8", "replace")
        if isinstance(value, BaseException):
            said = str(value)
            return f"{type(value).__name__}: {said}" if said else type(value).__name__
        return str(value)
    except Exception:  # noqa: BLE001 – task code may raise from `__str__`, too
        return "(its text cannot be shown)"


def name(value: Any, limit: int) -> str | None:
    """A bounded text, or None for None."""
    return None if value is None else clip(text(value), limit)


def level(value: Any) -> str:
    """A level of log lines; also by the names and numbers of Python's `logging`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return level_of_number(value)
    return LEVELS.get(text(value).strip().lower(), "info")


def level_of_number(number: int) -> str:
    """The level of log lines for one of Python's `logging`."""
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warning"
    return "info" if number >= logging.INFO else "debug"
