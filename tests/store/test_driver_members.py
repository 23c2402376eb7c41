"""What docs/driver.md names of other libraries is there: members that they do not promise to keep."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import aiosqlite
import psycopg
import pytest
from psycopg import pq
from sqlalchemy import column, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.architecture.tree import ROOT

PAGE = (ROOT / "docs" / "driver.md").read_text(encoding="utf-8")
CALLED: dict[str, tuple[Callable[..., Any], list[str]]] = {
    "Connection(connector, iter_chunk_size)": (aiosqlite.Connection, ["connector", "iter_chunk_size"]),
    "Connection._execute": (aiosqlite.Connection._execute, ["self", "fn", "args"]),
    "Connection.stop": (aiosqlite.Connection.stop, ["self"]),
    "AsyncConnection.wait": (psycopg.AsyncConnection.wait, ["self", "gen", "interval"]),
    "execute(…, prepare=False)": (psycopg.AsyncConnection.execute, ["prepare"]),
    "pipeline()": (psycopg.AsyncConnection.pipeline, ["self"]),
    "pgconn.finish()": (pq.PGconn.finish, ["self"]),
    "DBAPIError.instance": (
        DBAPIError.instance, ["statement", "params", "orig", "dbapi_base_err", "hide_parameters", "dialect"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLED)
def test_what_is_called_takes_what_it_is_given(name: str) -> None:
    assert name in PAGE
    function, wanted = CALLED[name]
    missing = [argument for argument in wanted if argument not in inspect.signature(function).parameters]
    assert not missing


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (aiosqlite.Connection, "_conn"),
        (pq.PGconn, "socket"),
        (AsyncConnection, "sync_connection"),
    ],
)
def test_what_is_read_is_there(owner: type, name: str) -> None:
    assert name in PAGE
    assert hasattr(owner, name) or name in inspect.get_annotations(owner)


async def test_a_connection_to_sqlite_has_a_thread_that_is_not_started_at_once() -> None:
    connection = aiosqlite.connect(":memory:")
    assert not connection._thread.is_alive()
    connection._thread.daemon = True
    async with connection:
        assert connection._thread.is_alive()


def test_parameters_have_their_places() -> None:
    assert "Compiled.positiontup" in PAGE
    query: Any = select(column("x")).where(column("x") == 1, column("y") == 2)
    compiled = query.compile(dialect=sqlite.dialect(paramstyle="qmark"))
    assert compiled.positiontup == ["x_1", "y_1"]


def test_private_members_are_used_in_the_drivers_alone() -> None:
    """So that the page names them all."""
    private = re.compile(r"(?:super\(\)|self|connection|below)\.(_execute|_conn|_thread)\b")
    used = {
        str(path.relative_to(ROOT)): {*private.findall(path.read_text(encoding="utf-8"))}
        for path in (ROOT / "src" / "jobdeck" / "store").rglob("*.py")
    }
    assert {path: names for path, names in used.items() if names} == {
        "src/jobdeck/store/sql/sqlite_driver.py": {"_execute", "_conn", "_thread"}
    }
