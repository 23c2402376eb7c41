"""Loggers as they were before a task: their levels, handlers and filters."""

from __future__ import annotations

import logging
from typing import Any

_State = tuple[int, list[Any], list[Any], bool, bool]


class Loggers:
    """Remembers the loggers that there are; those that a task makes keep nothing but handlers that do nothing."""

    def __init__(self) -> None:
        self._before: dict[str, _State] = {name: _state(logger) for name, logger in _known()}
        self._whole = _whole()

    def put_back(self) -> str | None:
        """Put all back; the name of what cannot be, or None."""
        if _whole() != self._whole:
            return "how loggers are made"
        changed = False
        for name, logger in _known():
            now, before = _state(logger), self._before.get(name, _NEW)
            if now != before and not _fresh(now, before):
                logger.level, logger.handlers[:], logger.filters[:] = before[0], before[1], before[2]
                logger.propagate, logger.disabled = before[3], before[4]
                changed = True
        if changed:
            logging.root.manager._clear_cache()  # type: ignore[attr-defined]  # noqa: SLF001 – of enabled levels
        return None


_NEW: _State = (logging.NOTSET, [], [], True, False)


def _known() -> list[tuple[str, logging.Logger]]:
    there = logging.root.manager.loggerDict
    return [(name, logger) for name, logger in list(there.items()) if isinstance(logger, logging.Logger)]


def _state(logger: logging.Logger) -> _State:
    return logger.level, list(logger.handlers), list(logger.filters), logger.propagate, logger.disabled


def _fresh(now: _State, before: _State) -> bool:
    """A library's own logger, as the documentation of `logging` tells libraries to make it."""
    silent = all(isinstance(handler, logging.NullHandler) for handler in now[1])
    return before is _NEW and silent and (now[0], *now[2:]) == (_NEW[0], *_NEW[2:])


def _whole() -> tuple[Any, ...]:
    return (
        logging.getLoggerClass(), logging.getLogRecordFactory(), logging.raiseExceptions, logging.lastResort,
        logging.root.filters[:], logging.root.disabled, logging.Logger.manager.loggerClass,
    )  # fmt: skip
