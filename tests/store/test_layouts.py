"""Segments of another layout than today's: lists are exact all the same, and they are made anew in the background."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from jobdeck.store.schema import segment_columns, segments
from jobdeck.store.segments import archive
from jobdeck.store.segments.job_filter import JobFilter, Sort
from jobdeck.store.segments.layout import COLUMNS, HEADER, LAYOUT, is_of_today
from jobdeck.store.segments.sealing import Sealer
from jobdeck.store.segments.spans import SIZE
from jobdeck.store.sql.database import Tx
from jobdeck.store.views.job_lists import SORTS, JobLists
from tests.store.desk import Desk
from tests.store.test_segments import BLANK, NOW, Job, check, put

About = dict[str, Any]
NEWER = ("errors", "given", "touched", "worker")
"""Columns that came with version 2."""
ASKED: tuple[Mapping[str, Any], ...] = (
    {}, {"state": ("failed",)}, {"type": ("b",)}, {"worker": ("w1",)}, {"error": "boom"}, {"q": "broken"},
    {"q": "red"}, {"tag": ("red",)}, {"duration": (2, None)}, {"priority": (7,)}, {"created_by": "ann"},
    {"run_id": "3"}, {"top_level": True}, {"state": ("failed",), "q": "7 broken"},
)  # fmt: skip


def without(about: About, *names: str) -> About:
    return {name: value for name, value in about.items() if name not in names}


UNVERSIONED: tuple[Callable[[About], About], Collection[str]] = (
    lambda about: without(about, "layout", "columns"), NEWER
)  # fmt: skip
EARLIER: dict[str, tuple[Callable[[About], About], Collection[str]]] = {
    "0": UNVERSIONED,
    "the one before": (lambda about: {"layout": LAYOUT - 1, **without(about, "layout", "columns")}, ()),
    "today's, less a column": (
        lambda about: {**about, "columns": [n for n in about["columns"] if n != "worker"]}, ("worker",)
    ),
}  # fmt: skip


def some_rows() -> list[Job]:
    return [
        {
            **BLANK, "id": i, "run_id": "3" if i == 3 else f"3.{i}", "parent_id": None if i == 3 else 3,
            "state": "failed" if i % 2 else "succeeded", "type": "ab"[i % 3 // 2], "worker": f"w{i % 3}",
            "error_code": "boom" if i % 2 else None, "error_message": f"{i} broken" if i % 2 else None,
            "error_place": None, "tags": '["red"]' if i % 4 == 0 else "[]", "running_us": i % 5,
            "priority": 7 if i % 7 == 0 else 5, "started_at": NOW - i % 3, "ended_at": NOW - i % 4,
        }
        for i in (*range(1, 30), *range(SIZE, SIZE + 30), *range(2 * SIZE, 2 * SIZE + 3))
    ]  # fmt: skip


async def sealed_as(desk: Desk, become: Callable[[About], About], dropped: Collection[str]) -> list[Job]:
    """Jobs, whose two segments were sealed by a version with another layout."""
    rows = some_rows()
    await put(desk, rows)
    sealer = Sealer(desk.database)
    while await sealer():
        pass

    async def work(tx: Tx) -> None:
        for number, about in (await tx.connection.execute(select(segments.c.id, segments.c.about))).all():
            changed = json.dumps(become(json.loads(about)))
            await tx.connection.execute(update(segments).where(segments.c.id == number).values(about=changed))
        await tx.connection.execute(delete(segment_columns).where(segment_columns.c.name.in_(dropped)))

    await desk.database.transact(work)
    return rows


async def check_all(desk: Desk, rows: list[Job]) -> None:
    lists = JobLists()
    for values in ASKED:
        await check(desk, lists, rows, JobFilter(at=NOW, **values), Sort(), 20)
    for by in SORTS:
        await check(desk, lists, rows, JobFilter(at=NOW), Sort(by), 20)
    async with desk.database.read_one_moment() as connection:
        assert (await lists.occurring(connection, (1,))).types == ["a", "b"]


async def made_anew(desk: Desk) -> None:
    sealer = Sealer(desk.database)
    assert [await sealer(), await sealer(), await sealer()] == [True, True, False]
    for row in await desk.rows("segments"):
        assert row["version"] == 2
        assert is_of_today() in row["about"]
    assert {row["name"] for row in await desk.rows("segment_columns")} == set(COLUMNS)


@pytest.mark.parametrize("version", EARLIER)
async def test_lists_are_exact_over_segments_of_an_earlier_layout(desk: Desk, version: str) -> None:
    rows = await sealed_as(desk, *EARLIER[version])
    await check_all(desk, rows)
    lists = JobLists()
    while True:
        async with desk.database.read() as connection:
            if not await lists.warm(connection):
                break
    await made_anew(desk)
    await check_all(desk, rows)


@pytest.mark.parametrize("layout", [LAYOUT - 1, LAYOUT + 1])
async def test_columns_of_another_form_are_never_read(desk: Desk, monkeypatch: pytest.MonkeyPatch, layout: int) -> None:
    """Of a version before the form changed, or of one to come, after which an earlier one was installed again."""
    monkeypatch.setattr(archive, "FORM_SINCE", LAYOUT)
    rows = await sealed_as(desk, lambda about: {**about, "layout": layout}, ())

    async def spoil(tx: Tx) -> None:
        await tx.connection.execute(update(segment_columns).values(data=b"?"))

    await desk.database.transact(spoil)
    await check_all(desk, rows)
    await made_anew(desk)
    await check_all(desk, rows)


async def test_a_segment_says_its_layout_and_its_columns(desk: Desk) -> None:
    await sealed_as(desk, dict, ())
    abouts = [json.loads(row["about"]) for row in await desk.rows("segments")]
    assert [(about["layout"], about["columns"]) for about in abouts] == [(LAYOUT, list(COLUMNS))] * 2
    assert HEADER["layout"] == LAYOUT
