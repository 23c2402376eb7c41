"""What the engine logs while it is simulated: shown on request; an unexpected error is a finding."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog

from tests.simulation.driver import Server
from tests.simulation.virtual_time import CURRENT


@contextmanager
def listen(*, verbose: bool) -> Iterator[list[str]]:
    """Errors that the engine did not expect, in words."""
    heard: list[str] = []

    def take(_logger: Any, level: str, event: MutableMapping[str, Any]) -> Any:
        if Server.current.over:
            raise structlog.DropEvent
        error = event.get("exc_info")
        words = f"{CURRENT.get()} {event}"
        if level == "error" or isinstance(error, BaseException):
            if error is True:
                words += traceback.format_exc()
            elif isinstance(error, BaseException):
                words += "".join(traceback.format_exception(error))
            heard.append(words)
        if verbose:
            Server.current.network.say(words)
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[take], cache_logger_on_first_use=False)
    try:
        yield heard
    finally:
        structlog.configure(**before)
