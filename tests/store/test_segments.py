"""Lists and counts over rows and segments give what a plain look through all rows gives, whatever changed when."""

from __future__ import annotations

import asyncio
import json
import re
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, update

from jobdeck.core.life.states import ALIVE, ENDED, State
from jobdeck.core.values import encode
from jobdeck.store.schema import jobs, lineage, loose_jobs, segment_columns, segments
from jobdeck.store.segments.job_filter import JobFilter, Position, Sort
from jobdeck.store.segments.layout import LAYOUT
from jobdeck.store.segments.sealing import FORGET_EVERY, MOST_OPEN, Sealer
from jobdeck.store.segments.searched import MOST_PARAMS
from jobdeck.store.segments.spans import SHIFT, SIZE, gaps
from jobdeck.store.sql.database import Tx
from jobdeck.store.views.job_lists import SORTS, JobLists
from tests.store.desk import Desk

Job = dict[str, Any]
NOW = 1_700_000_000_000_000
WORDS = ["orders", "Orders_2", "lake/in.shop/orders", "100%_sure", "Überfluss", "7", "a\\b", "x'y"]
ENDS = [str(s) for s in sorted(ENDED)]
BLANK: Job = {
    "isolation": "thread", "claims": "[]", "order_key": 0, "on_child_failure": "fail", "attempt": 1, "epoch": 0,
    "leased": False, "queued_at": 0, "dirty_since": 0, "losses": 0, "queued_us": 0, "paused_us": 0, "fraction": 0.0,
    "warnings": 0, "created_by": 1, "project_id": 1, "type": "a", "category": "data", "description": "",
    "subject": None, "params": "{}", "tags": "[]", "priority": 5, "parent_id": None, "run_id": "",
    "configuration_id": None,
    "token_id": None, "state_since": NOW - 50, "created_at": NOW - 100_000_000, "started_at": None, "ended_at": None,
    "running_us": 0, "error_code": None, "error_fingerprint": None, "state": "succeeded", "touched": [],
}  # fmt: skip


def some(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


TIMES = st.one_of(st.none(), st.integers(NOW - 40, NOW - 30))
LIVES = st.fixed_dictionaries({
    "state": some(*(str(s) for s in State), *ENDS, *ENDS),
    "started_at": TIMES, "ended_at": TIMES, "running_us": st.integers(0, 60), "priority": some(5, 5, 5, 6, 0),
    "error_code": some(None, None, "boom", "bang"), "error_fingerprint": some(None, "0123456789ab"),
    "error_message": some(None, 'no column "Price"\n  in ORDERS'), "error_place": some(None, "import.read"),
    "worker": some(None, "w1", "w2"),
    "touched": st.lists(st.tuples(some("lake/in.shop/orders", "file:7"), some(None, "Ü b.csv")), max_size=2),
})  # fmt: skip
BIRTHS = st.fixed_dictionaries({
    "type": some("a", "b_c", "b-d", "command"), "category": some("data", "compute"),
    "description": st.lists(some(*WORDS), max_size=2).map(" ".join), "subject": some(None, *WORDS),
    "tags": st.lists(some("A", "a", 'q"u', "x,y"), max_size=2, unique=True),
    "params": some({}, {"argv": ["python", "-c", 'print("x")']}, {"argv": "odd"}, {"argv": ["ORDERS"]},
                   {"files": ["in/Überfl.csv", "x:y"], "odd": 7, "deep": {"python": {"a\\b": 'q"u:', 'k"': "z"}}},
                   {"note": "x" * MOST_PARAMS, "odd": "odd"}),
    "configuration_id": some(None, 3), "token_id": some(None, 1, 2), "created_by": some(1, 1, 99),
    "created_at": st.integers(NOW - 100_000_040, NOW - 100_000_000), "project_id": some(1, 1, 1),
    "nested": st.integers(0, 3), "id": st.one_of(st.integers(1, SIZE), st.integers(1, 4 * SIZE - 1)),
})  # fmt: skip
SPANS = st.tuples(TIMES, TIMES)
FILTERS = st.fixed_dictionaries({}, optional={
    "state": st.lists(some(*(str(s) for s in State)), min_size=1, max_size=3).map(tuple),
    "type": st.lists(some("a", "b_c", "none"), min_size=1, max_size=2).map(tuple),
    "category": some(("data",), ("none",)), "subject": some(*WORDS, "none"), "created_by": some("ann", "none"),
    "token": some(1, 2, 2**62), "configuration": some(3, 4),
    "priority": st.lists(st.integers(0, 9), min_size=1).map(tuple),
    "error": some("boom", "none", "0123456789ab", "ffffffffffff"), "tag": some(("A",), ("a", 'q"u'), ("x",), ("x,y",)),
    "q": some("ORDERS", "s_", "%", "ü", "Überfl", "python -", "7", "12", "b_", "\\", "'", "zzz", "odd", "u:",
              'q"u', "[", ",", "an orders", '"python -c"', ' column\n"Price"  in ', "B.CSV", "ann", "read boom",
              "0123456789AB", "csv 7"),
    "worker": some(("w1",), ("w2", "w3"), ()),
    "created": st.tuples(st.none() | st.integers(NOW - 100_000_040, NOW - 100_000_000), st.none()),
    "started": SPANS, "ended": SPANS,
    "duration": st.tuples(st.none() | st.integers(0, 60), st.none() | st.integers(0, 60)),
    "top_level": some(True), "project": some((1,), (1, 2), (2,), ()),
})  # fmt: skip
SORTINGS = st.builds(Sort, some(*SORTS), st.booleans())


def rows_of(births: list[Job], lives: list[Job]) -> list[Job]:
    """Rows with ids of their own, some of them below earlier ones."""
    made: list[Job] = []
    unique = {birth["id"]: birth for birth in births}
    for birth, life in zip(sorted(unique.values(), key=lambda b: b["id"]), lives, strict=False):
        row = {**BLANK, **birth, **life}
        row["tags"], row["params"] = encode(row["tags"]), encode(row["params"])
        nested = row.pop("nested")
        parent = made[-nested] if 0 < nested <= len(made) else None
        row["parent_id"] = parent and parent["id"]
        row["run_id"] = f"{parent['run_id']}.{row['id']}" if parent else str(row["id"])
        made.append(row)
    return made


def matches(row: Job, where: JobFilter) -> bool:
    """The filter, said in Python."""
    value: Callable[[str], Any] = row.__getitem__
    asked: Callable[[str], Any] = where.values.get
    listed = (("project_id", asked("project")), ("state", asked("state")), ("type", asked("type")),
              ("category", asked("category")), ("priority", asked("priority")), ("subject", asked("subject")),
              ("token_id", asked("token")), ("configuration_id", asked("configuration")),
              ("parent_id", asked("parent")), ("worker", asked("worker")))  # fmt: skip
    spans = ((value("created_at"), asked("created")), (value("started_at"), asked("started")),
             (value("ended_at"), asked("ended")), (duration(row), asked("duration")))  # fmt: skip
    return (
        all(wanted is None or value(name) in wanted for name, wanted in listed)
        and all(within(found, *(span or (None, None))) for found, span in spans)
        and (asked("created_by") is None or (asked("created_by") == "ann" and value("created_by") == 1))
        and (asked("run_id") is None or below(value("run_id"), asked("run_id")))
        and (asked("error") is None or asked("error") in (value("error_code"), value("error_fingerprint")))
        and (not asked("tag") or bool(set(asked("tag")) & set(json.loads(value("tags")))))
        and (not asked("top_level") or value("parent_id") is None)
        and (not asked("q") or contains(row, asked("q")))
    )


def duration(row: Job) -> int:
    return int(row["running_us"] + (NOW - row["state_since"] if row["state"] in ALIVE else 0))


def within(value: int | None, since: int | None, until: int | None) -> bool:
    if since is None and until is None:
        return True
    return value is not None and (since is None or value >= since) and (until is None or value < until)


def below(run_id: str, prefix: str) -> bool:
    return run_id == prefix or run_id.startswith(f"{prefix}.")


def contains(row: Job, q: str) -> bool:
    params = json.loads(row["params"]) if len(row["params"]) <= MOST_PARAMS else {}
    argv = json.loads(row["params"]).get("argv") if row["type"] == "command" else None
    command = json.dumps(argv, separators=(",", ":")).replace('","', " ") if isinstance(argv, list) else argv or ""
    error = ("error_code", "error_message", "error_place")
    texts = [row["description"], row["subject"] or "", row["type"], command, *json.loads(row["tags"]), *values(params)]
    texts += [row[name] or "" for name in error] if row["error_code"] else []
    texts += [text for pair in row["touched"] for text in pair if text]
    texts += ["ann"] if row["created_by"] == 1 else []
    words = [a.strip() or b for a, b in re.findall(r'"([^"]+)"|(\S+)', q.encode().lower().decode())]
    found = all(
        any(word in t.encode().lower().decode() for t in texts) or word == row["error_fingerprint"] for word in words
    )
    return found or below(row["run_id"], q) or str(row["id"]) == q


def values(value: Any) -> list[str]:
    if isinstance(value, dict | list):
        return [text for child in (value.values() if isinstance(value, dict) else value) for text in values(child)]
    return [value] if isinstance(value, str) else []


def value_of(row: Job, by: str) -> Any:
    if by == "duration":
        return duration(row)
    if by == "created_at":
        return row["id"]
    return row[by] if row[by] is not None else 0


async def put(desk: Desk, rows: list[Job]) -> None:
    async def work(tx: Tx) -> None:
        for table in (segments, segment_columns, jobs, loose_jobs, lineage):
            await tx.connection.execute(delete(table))
        if rows:
            await tx.connection.execute(insert(jobs), [row_of(row) for row in rows])
        await touch(tx, *rows)

    desk.clock.time = NOW
    await desk.database.transact(work)


def row_of(job: Job) -> Job:
    return {name: value for name, value in job.items() if name != "touched"}


async def touch(tx: Tx, *rows: Job) -> None:
    """What they have read and written besides: it is written down before a job changes its state."""
    found = [
        {"job_id": row["id"], "attempt": 1, "direction": "output", "at": NOW, "object": reference, "name": name}
        for row in rows
        for reference, name in row["touched"]
    ]
    if found:
        await tx.connection.execute(insert(lineage), found)


async def change(desk: Desk, row: Job, life: Job) -> None:
    """A failed or open job lives on. It is running in between: only that makes it an other one."""
    life = {"touched": [], **life, "id": row["id"]}
    before = row["touched"]
    row |= life
    row["touched"] = [*before, *life["touched"]]

    async def work(tx: Tx) -> None:
        mine = update(jobs).where(jobs.c.id == row["id"])
        if life["touched"] or "worker" in life:
            await tx.connection.execute(mine.values(state="running"))
        await touch(tx, life)
        await tx.connection.execute(mine.values(**row_of(life)))

    await desk.database.transact(work)


async def remove(desk: Desk, row: Job) -> None:
    async def work(tx: Tx) -> None:
        await tx.connection.execute(delete(jobs).where(jobs.c.id == row["id"]))
        await tx.connection.execute(delete(lineage).where(lineage.c.job_id == row["id"]))

    await desk.database.transact(work)


async def every(desk: Desk, lists: JobLists, where: JobFilter, sort: Sort, limit: int) -> list[int]:
    """The ids of all pages."""
    found: list[int] = []
    after: Position | None = None
    for _ in range(100):
        async with desk.database.read_one_moment() as connection:
            listed = await lists.page(connection, where, sort, after, limit)
        assert len(listed.rows) <= limit
        found += [row["id"] for row in listed.rows]
        after = listed.next
        if after is None:
            return found
    raise AssertionError("the pages do not end")


async def counts(desk: Desk, lists: JobLists, where: JobFilter) -> dict[str, int]:
    async with desk.database.read_one_moment() as connection:
        return await lists.counts(connection, where)


async def check(desk: Desk, lists: JobLists, rows: list[Job], where: JobFilter, sort: Sort, limit: int) -> None:
    wanted = [row for row in rows if matches(row, where)]
    wanted.sort(key=lambda row: (value_of(row, sort.by), row["id"]), reverse=sort.descending)
    assert await every(desk, lists, where, sort, limit) == [row["id"] for row in wanted]
    tally = {str(s): sum(row["state"] == s for row in wanted) for s in State}
    assert await counts(desk, lists, where) == tally


@settings(
    max_examples=30, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(data=st.data())
async def test_lists_say_what_the_rows_say(desk: Desk, data: st.DataObject) -> None:
    births = data.draw(st.lists(BIRTHS, max_size=30))
    rows = rows_of(births, data.draw(st.lists(LIVES, min_size=len(births), max_size=len(births))))
    await put(desk, rows)
    lists, sealer = JobLists(), Sealer(desk.database)
    for _ in range(data.draw(st.integers(0, 4))):
        await sealer()
    for row in list(rows):
        what = data.draw(some("nothing", "nothing", "change", "remove"))
        if what == "change" and row["state"] not in ("succeeded", "canceled"):
            await change(desk, row, data.draw(LIVES))
        if what == "remove" and not any(other["parent_id"] == row["id"] for other in rows):
            rows.remove(row)
            await remove(desk, row)
    for _ in range(data.draw(st.integers(0, 2))):
        await sealer()
    for _ in range(6):
        where = JobFilter(**data.draw(FILTERS), at=NOW)
        if rows:
            chosen: Job = data.draw(some(*rows))
            aimed: list[Job] = [
                {}, {}, {"run_id": chosen["run_id"]}, {"parent": chosen["parent_id"]}, {"q": str(chosen["id"])},
                {"q": chosen["run_id"]},
            ]  # fmt: skip
            where = where.changed(**data.draw(some(*aimed)))
        await check(desk, lists, rows, where, data.draw(SORTINGS), data.draw(st.integers(1, 4)))


async def sealed_rows(desk: Desk, failed: int = 0) -> list[Job]:
    """Two segments' worth of ids, sparsely used, all sealed, and some jobs behind."""
    rows = [
        {**BLANK, "id": i, "run_id": str(i), "state": "failed" if i <= failed else "succeeded"}
        for i in (*range(1, 400), *range(SIZE, SIZE + 300), *range(2 * SIZE, 2 * SIZE + 10))
    ]
    await put(desk, rows)
    sealer = Sealer(desk.database)
    while await sealer():
        pass
    return rows


async def test_a_segment_is_sealed_with_a_few_jobs_open_and_not_with_one_more(desk: Desk) -> None:
    waiting = [{**BLANK, "id": i, "run_id": str(i), "state": "pending"} for i in range(1, MOST_OPEN + 2)]
    some_wait = [{**row, "id": SIZE + row["id"], "run_id": str(SIZE + row["id"])} for row in waiting[:MOST_OPEN]]
    await put(desk, [*waiting, *some_wait, {**BLANK, "id": 2 * SIZE + 1, "run_id": "x"}])
    sealer = Sealer(desk.database)
    assert await sealer()
    assert [row["id"] for row in await desk.rows("segments")] == [1]
    assert not await sealer()


async def test_what_became_loose_is_sealed_again_when_it_is_much(desk: Desk) -> None:
    rows = await sealed_rows(desk, failed=300)
    before = {row["id"]: row["version"] for row in await desk.rows("segments")}
    for row in rows[:300]:
        await change(desk, row, {"state": "canceled"})
    assert len(await desk.rows("loose_jobs")) == 300
    assert await Sealer(desk.database)()
    assert await desk.rows("loose_jobs") == []
    after = {row["id"]: row["version"] for row in await desk.rows("segments")}
    assert after == {**before, 0: before[0] + 1}
    assert (await counts(desk, JobLists(), JobFilter()))["canceled"] == 300


async def test_nothing_stays_of_a_job_that_is_gone(desk: Desk) -> None:
    rows = await sealed_rows(desk)
    texts = {row["name"]: row["data"] for row in await desk.rows("segment_columns") if row["segment_id"] == 0}
    assert b"gone-for-good" not in texts["descriptions"]
    marked = {**BLANK, "id": 5000, "run_id": "5000", "description": "gone-for-good"}
    await put(desk, [*rows, marked])
    sealer = Sealer(desk.database)
    assert await sealer()

    async def remembered() -> bool:
        return any(b"gone-for-good" in row["data"] for row in await desk.rows("segment_columns"))

    assert await remembered()
    await remove(desk, marked)
    for _ in range(FORGET_EVERY):
        await sealer()
    assert not await remembered()
    assert await desk.rows("loose_jobs") == []


async def test_a_segment_of_an_earlier_layout_is_made_anew_the_newest_first(desk: Desk) -> None:
    """Until then what it lacks is not found, and all else is as before."""
    rows = await sealed_rows(desk)
    for row in (rows[0], rows[-11]):
        await desk.sql(
            f"UPDATE segments SET about = replace(about, '\"layout\": {LAYOUT},', '') WHERE id = {row['id'] // SIZE}"
        )
    added = ", ".join(f"'{name}'" for name in ("errors", "given", "touched", "worker"))
    await desk.sql(f"DELETE FROM segment_columns WHERE segment_id < 2 AND name IN ({added})")
    lists, sealer = JobLists(), Sealer(desk.database)
    assert (await counts(desk, lists, JobFilter(q="a")))["succeeded"] == len(rows)  # its type
    assert sum((await counts(desk, lists, JobFilter(q="nowhere", worker=("w1",)))).values()) == 0
    before = {row["id"]: row["version"] for row in await desk.rows("segments")}
    for newest in (1, 0):
        assert await sealer()
        before[newest] += 1
        assert {row["id"]: row["version"] for row in await desk.rows("segments")} == before
    assert not await sealer()
    assert (await counts(desk, lists, JobFilter(q="a")))["succeeded"] == len(rows)


async def test_a_job_that_changes_while_its_segment_is_made_is_asked_itself(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read of it is old when it is written."""
    from jobdeck.store.segments import sealing

    rows = [{**BLANK, "id": i, "run_id": str(i), "state": "failed"} for i in (1, 2, 3, SIZE + 1)]
    await put(desk, rows)
    read = sealing._read

    async def slow(*arguments: Any) -> Any:
        found = await read(*arguments)
        await change(desk, rows[1], {"state": "pending"})
        await remove(desk, rows[2])
        return found

    monkeypatch.setattr(sealing, "_read", slow)
    assert await Sealer(desk.database)()
    assert [row["id"] for row in await desk.rows("segments")] == [0]
    found = await counts(desk, JobLists(), JobFilter())
    assert (found["failed"], found["pending"]) == (2, 1)


async def test_a_full_segment_is_made_in_little_memory(desk: Desk) -> None:
    """Rows of a whole segment at once would take 17 MB, in holes that the process keeps."""
    await put(desk, [{**BLANK, "id": 1, "run_id": "1", "ended_at": NOW}])

    async def double(tx: Tx) -> None:
        for step in (1 << power for power in range(SHIFT)):
            others = [jobs.c.id + step if column.name == "id" else column for column in jobs.c]
            await tx.connection.execute(insert(jobs).from_select(jobs.c.keys(), select(*others)))

    await desk.database.transact(double)
    sealer = Sealer(desk.database)
    tracemalloc.start()
    try:
        assert await sealer()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 8_000_000
    assert (await counts(desk, JobLists(), JobFilter()))["succeeded"] == SIZE


async def test_of_two_that_seal_at_once_one_writes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from jobdeck.store.segments import sealing

    rows = [{**BLANK, "id": i, "run_id": str(i), "state": "failed"} for i in (1, 2, SIZE + 1)]
    await put(desk, rows)
    read = sealing._read

    async def overtaken(*arguments: Any) -> Any:
        monkeypatch.setattr(sealing, "_read", read)
        found = await read(*arguments)
        await change(desk, rows[0], {"state": "canceled"})
        assert await Sealer(desk.database)()
        return found

    monkeypatch.setattr(sealing, "_read", overtaken)
    assert await Sealer(desk.database)()
    found = await counts(desk, JobLists(), JobFilter())
    assert (found["failed"], found["canceled"]) == (2, 1)


async def test_ids_that_are_still_being_taken_are_not_sealed(postgres_desk: Desk) -> None:
    """A transaction that holds an id below others that were committed: its job is not forgotten."""
    desk = postgres_desk
    await put(desk, [{**BLANK, "id": i, "run_id": str(i)} for i in (1, SIZE + 1)])
    sealer = Sealer(desk.database)

    async def submit(tx: Tx) -> bool:
        from jobdeck.store.jobs.submissions import next_ids

        await next_ids(tx, 1)
        await tx.connection.execute(insert(jobs), [{**BLANK, "id": 2, "run_id": "2"}])
        return await asyncio.create_task(sealer())

    assert not await desk.database.transact(submit)
    assert await sealer()
    assert (await counts(desk, JobLists(), JobFilter()))["succeeded"] == 3


@pytest.mark.parametrize(
    ("sealed", "open_ranges"),
    [
        ([], [(0, None)]),
        ([0, 1], [(2 * SIZE, None)]),
        ([1, 2], [(3 * SIZE, None), (0, SIZE)]),
        ([0, 3, 5], [(6 * SIZE, None), (4 * SIZE, 5 * SIZE), (SIZE, 3 * SIZE)]),
    ],
)
def test_ids_of_no_segment(sealed: list[int], open_ranges: list[tuple[int, int | None]]) -> None:
    assert gaps(sealed) == open_ranges
