"""What is sent as a batch arrives as it was, however its columns are called and whichever of them vary."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import pytest
from sqlalchemy import Select, Subquery, select

from jobdeck.store.schema import metadata
from jobdeck.store.sql.among import ids_of
from jobdeck.store.sql.statements import INT, TEXT, cells_of, run_batch
from tests.store.desk import Desk

OWN = {"batch", "json", "value"}
NAMES = sorted({column.name for table in metadata.sorted_tables for column in table.columns} | OWN)
"""Every name that a column of ours has, and those that a batch uses itself."""


def _all(batch: Subquery) -> Select[Any]:
    return select(*(batch.c[name] for name in sorted(batch.c.keys())))


def _rows(varying: Collection[str]) -> list[dict[str, Any]]:
    """Two rows that differ in these columns alone."""
    return [{name: text if name in varying else f"{name}!" for name in NAMES} for text in ("one", "two")]


def _halves() -> Iterator[list[str]]:
    """Parts of the names: of any two of them, some part has the one and lacks the other."""
    for bit in range(len(NAMES).bit_length()):
        for wanted in (0, 1):
            yield [name for number, name in enumerate(NAMES) if number >> bit & 1 == wanted]


async def _sent(desk: Desk, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    columns = dict.fromkeys(NAMES, TEXT)
    async with desk.database.read() as connection:
        found = await run_batch(connection, _all, cells_of(rows, NAMES), columns)
    return [dict(zip(NAMES, row, strict=True)) for row in found]


async def test_a_column_may_be_called_anything(desk: Desk) -> None:
    for varying in _halves():
        rows = _rows(varying)
        assert await _sent(desk, rows) == rows, varying


async def test_all_columns_vary_or_none(desk: Desk) -> None:
    differing = [{name: f"{name} {row}" for name in NAMES} for row in range(3)]
    assert await _sent(desk, differing) == differing
    alike = differing[:1] * 3
    assert await _sent(desk, alike) == alike
    assert await _sent(desk, alike[:1]) == alike[:1]
    assert await _sent(desk, []) == []


async def test_numbers_and_what_is_missing(desk: Desk) -> None:
    rows: list[dict[str, Any]] = [{"rows": 2**62, "id": 1}, {"rows": None, "id": 1}]
    async with desk.database.read() as connection:
        kinds = {"rows": INT, "id": INT}
        found = await run_batch(connection, _all, cells_of(rows, ["rows", "id"]), kinds)
    assert [tuple(row) for row in found] == [(1, 2**62), (1, None)]


@pytest.mark.parametrize("ids", [[], [7], [3, 1, 2**62]])
async def test_ids_are_one_parameter(desk: Desk, ids: list[int]) -> None:
    async with desk.database.read() as connection:
        found = await connection.execute(select(ids_of(iter(ids))))
        assert [row.id for row in found] == ids
        compiled = select(ids_of(ids)).compile(dialect=connection.dialect)
    assert len(compiled.params) == 1
