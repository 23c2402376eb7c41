"""A connection to PostgreSQL that gives up when no answer comes: a hung one looks like a slow one, for ever."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

T = TypeVar("T")

# Where the other machine is gone or the way there is cut, TCP itself tells, within about ten seconds.
NETWORK_BOUNDS: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


class PatientConnection(psycopg.AsyncConnection[Any]):
    """Waits `patience` seconds for the answer to any one statement, then breaks itself off."""

    patience: float = 0.0

    async def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """As psycopg's; raises OperationalError when the server (or whatever is between) says nothing."""
        timer = asyncio.get_running_loop().call_later(self.patience, _break_off, self.pgconn.socket)
        began = timer.when() - self.patience
        try:
            return await super().wait(gen, interval, timeout)
        except psycopg.OperationalError as error:
            if asyncio.get_running_loop().time() - began < self.patience:
                raise
            self.pgconn.finish()
            raise psycopg.OperationalError(f"no answer within {self.patience:g} seconds") from error
        finally:
            timer.cancel()


def connecting(patience: float) -> Callable[..., Awaitable[PatientConnection]]:
    """What makes connections of this patience, with the arguments of psycopg's `connect`."""

    class Connection(PatientConnection):
        pass

    Connection.patience = patience

    async def connect(*args: Any, **options: Any) -> PatientConnection:
        return await Connection.connect(*args, **NETWORK_BOUNDS, **options)

    return connect


def _break_off(descriptor: int) -> None:
    """End the connection below the driver, which then finds it closed and tidies up as after any other loss.

    Canceling its wait would not do: the driver would ask the server, which does not answer, to cancel the statement."""
    with socket.socket(fileno=os.dup(descriptor)) as same:
        same.shutdown(socket.SHUT_RDWR)
