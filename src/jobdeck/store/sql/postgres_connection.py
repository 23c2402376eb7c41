"""A connection to PostgreSQL that gives up when no answer comes: a hung one looks like a slow one, for ever."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any

# Where the other machine is gone or the way there is cut, TCP itself tells, within about ten seconds.
NETWORK_BOUNDS: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def connecting(patience: float) -> Callable[..., Awaitable[Any]]:
    """What makes psycopg's connections, with the arguments of its `connect`.

    They wait `patience` seconds for the answer to any one statement and then break themselves off; whoever waits gets
    an OperationalError, as when the server goes away."""
    import psycopg
    from psycopg.abc import PQGen

    class PostgresConnection(psycopg.AsyncConnection[Any]):
        async def wait(self, gen: PQGen[Any], interval: float = 0.1, timeout: float | None = None) -> Any:
            loop = asyncio.get_running_loop()
            timer = loop.call_later(patience, _break_off, self.pgconn.socket)
            try:
                return await super().wait(gen, interval, timeout)
            except psycopg.OperationalError as error:
                if loop.time() < timer.when():
                    raise
                self.pgconn.finish()
                raise psycopg.OperationalError(f"no answer within {patience:g} seconds") from error
            finally:
                timer.cancel()

    async def connect(*args: Any, **options: Any) -> Any:
        return await PostgresConnection.connect(*args, **{**NETWORK_BOUNDS, **options})

    return connect


def _break_off(descriptor: int) -> None:
    """End the connection below the driver, which then finds it closed and tidies up as after any other loss.

    Canceling its wait would not do: the driver would ask the server, which does not answer, to cancel the statement."""
    with socket.socket(fileno=os.dup(descriptor)) as same:
        same.shutdown(socket.SHUT_RDWR)
