"""The server's own log: structured lines on standard error."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_UNSEEN = re.compile("[\0-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]")
"""Characters that a terminal obeys instead of showing them, or that change the order of others: control characters
of both kinds (ESC among them), line separators, marks of direction and of no width, halves of characters."""
_UNSEEN_IN_LINES = re.compile(rf"(?![\n\t]){_UNSEEN.pattern}")


def visible(text: str, *, lines: bool = False) -> str:
    r"""`text` with what cannot be seen as `\x1b` and the like; `lines`: it may have several, and those behind the first
    are set in, so that none looks like a line of its own."""
    return _UNSEEN_IN_LINES.sub(_escaped, text).replace("\n", "\n  ") if lines else _UNSEEN.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def set_up_log(level: str, *, as_json: bool) -> None:
    """`level` is the least level shown; lines are for people, or JSON."""
    renderer = (
        structlog.processors.JSONRenderer()  # escapes by itself all that is not ASCII
        if as_json
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            exception_formatter=structlog.dev.plain_traceback,  # others show local variables, secrets among them
        )
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            *([] if as_json else [_make_visible]),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_VisibleFormatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # below it, a line for whatever strangers send


def _make_visible(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """What stands in a line may come from anybody; only tracebacks have lines."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = visible(value, lines=name in ("exception", "traceback"))
        elif not isinstance(value, bool | int | float | None):
            event[name] = visible(repr(value))
    return event


class _VisibleFormatter(logging.Formatter):
    """Lines of libraries, without what a terminal would obey."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record), lines=True)
