"""Lists of jobs: filters, orders, sparse fields, and pages that hold still while rows arrive."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.harness import Api, is_problem


async def ids(api: Api, query: str, **more: Any) -> list[int]:
    return [job["id"] for job in (await api.get(f"jobs?{query}", **more))["items"]]


async def test_pages_hold_still_while_rows_arrive(api: Api) -> None:
    first = await api.submit_many(7)
    seen: list[int] = []
    cursor = ""
    while True:
        page = await api.get(f"jobs?limit=3{cursor}")
        seen += [job["id"] for job in page["items"]]
        await api.submit_many(2)
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == sorted(first, reverse=True)


@pytest.mark.parametrize("order", ["created_at", "started_at", "ended_at", "duration", "priority", "state", "type"])
@pytest.mark.parametrize("direction", ["", "-"])
async def test_every_order_pages_through_everything_once(api: Api, order: str, direction: str) -> None:
    made = await api.submit_many(9)
    for i, job in enumerate(made):
        state = ("pending", "failed", "paused")[i % 3]
        moment = 1000 + i % 4 if i % 2 else None
        times = {"started_at": moment, "ended_at": moment, "running_us": i % 4 * 1_000_000}
        await api.put_job(job, priority=i % 3, state=state, type=f"t{i % 2}", **times)
    found = await api.every(f"jobs?limit=2&sort={direction}{order}")
    assert sorted(job["id"] for job in found) == made
    field = "running_seconds" if order == "duration" else order
    keys = [(_text(job[field]), job["id"]) if order != "created_at" else (job["id"],) for job in found]
    assert keys == sorted(keys, reverse=bool(direction))


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def cases_of(everything: list[int], plain: Any, tagged: Any, sleeper: Any, abroad: Any) -> dict[str, list[int]]:
    """Queries, and the jobs that they find."""
    return {
        "": everything,
        "project=other": [abroad["id"]],
        "project=other,default": everything,
        "project=other&project=default": everything,
        "state=failed": [plain["id"]],
        "state=failed,pending": everything,
        "state=running": [],
        "type=sleep": [sleeper["id"]],
        "category=nothing": [],
        "subject=lake/in.shop/orders": [sleeper["id"]],
        "created_by=admin": everything,
        "created_by=nobody": [],
        "token=1": everything,
        "token=999": [],
        "priority=8": [tagged["id"]],
        "priority=8,5": everything,
        "error=boom": [plain["id"]],
        "error=0123456789ab": [plain["id"]],
        "error=f": [],
        "tag=x%25": [tagged["id"]],
        "tag=X%25": [],
        "tag=q%22uote": [tagged["id"]],
        "tag=uote": [],
        "q=ORDERS": [sleeper["id"]],
        "q=100%25_s": [tagged["id"]],
        "q=100_%25": [],
        f"q={sleeper['id']}&type=sleep": [sleeper["id"]],
        f"q={tagged['id']}": [tagged["id"]],
        "q=überRASCHUNG": [],
        "q=Überrasch": [tagged["id"]],
        "q=SLEEP": [sleeper["id"]],
        "min_duration=2s&max_duration=3s": [plain["id"]],
        "min_duration=2500ms": [],
        "min_duration=999999999d": [],
        "max_duration=999999999d": everything,
        "max_duration=2.4": [j["id"] for j in (tagged, sleeper, abroad)],
        "since=1d": everything,
        "since=2000-01-01T00:00:00Z&until=1m": [],
        "until=2000-01-01T00:00:00%2B02:00": [],
        "ended_since=1970-01-01T00:00:04Z&ended_until=1970-01-01T00:00:06Z": [plain["id"]],
        "ended_since=1970-01-01T00:00:06Z": [],
        "started_since=1m": [],
        "configuration=1": [],
        f"configuration={2**62}": [],
        f"token={2**62}": [],
        f"parent={2**62}": [],
        "parent=1": [],
        "top_level=true": everything,
        f"run_id={tagged['id']}": [tagged["id"]],
    }


async def test_filters(api: Api) -> None:
    await api.post("projects", {"name": "other"}, 201)
    plain = await api.submit("noop", {})
    tagged = await api.submit(
        "noop", {}, tags=["A,b", 'q"uote', "x%"], priority=8, description="Überraschung 100%_sure"
    )
    sleeper = await api.submit("sleep", {"write": "lake/in.shop/orders"})
    abroad = await api.submit("noop", {}, project="other")
    await api.put_job(
        plain["id"],
        state="failed",
        error_code="boom",
        error_fingerprint="0123456789ab",
        ended_at=5_000_000,
        running_us=2_400_000,
    )
    everything = sorted(j["id"] for j in (plain, tagged, sleeper, abroad))
    cases = cases_of(everything, plain, tagged, sleeper, abroad)
    for query, expected in cases.items():
        assert sorted(await ids(api, query)) == expected, query
        counts = await api.get(f"jobs/counts?{query}")
        assert sum(counts.values()) == len(expected), query


async def test_counts_name_every_state(api: Api) -> None:
    await api.submit()
    names = ("pending", "running", "pausing", "paused", "canceling", "failed", "succeeded", "canceled")
    assert await api.get("jobs/counts") == {**dict.fromkeys(names, 0), "pending": 1}


async def test_sparse_fields(api: Api) -> None:
    job = await api.submit()
    assert (await api.get("jobs?fields=state,type"))["items"] == [
        {"id": job["id"], "state": "pending", "type": "sleep"}
    ]
    found = is_problem(await api.raw("GET", "jobs?fields=colour"), 422, field="fields")
    assert "state" in found["hint"]


async def test_long_parameters_are_left_out_of_lists(small: Api) -> None:
    job = await small.submit("sleep", {"seconds": 1, "write": "lake/a/" + "b" * 900})
    await small.put_job(job["id"], params='{"x": "' + "y" * 20_000 + '"}', result='"' + "z" * 20_000 + '"')
    listed = (await small.get("jobs"))["items"][0]
    assert (listed["params"], listed["result"], listed["omitted"]) == ({}, None, ["params", "result"])
    shown = await small.get(f"jobs/{job['id']}")
    assert (len(shown["params"]["x"]), len(shown["result"])) == (20_000, 20_000)
    assert shown["omitted"] == []


BAD_QUERIES = [
    ("limit=0", "limit"),
    ("limit=501", "limit"),
    ("limit=x", "limit"),
    ("cursor=nonsense", "cursor"),
    ("cursor=W10", "cursor"),
    ("cursor=%00", "cursor"),
    ("sort=colour", "sort"),
    ("state=sleeping", "state[0]"),
    ("state=pending,sleeping", "state[1]"),
    ("since=yesterday", "since"),
    ("since=0d", "since"),
    ("since=2026-11-20T07:34:00", "since"),
    ("until=99999999d", "until"),
    ("since=0001-01-01T00:00:00%2B14:00", "since"),
    ("priority=10", "priority[0]"),
    ("parent=0", "parent"),
    ("min_duration=long", "min_duration"),
    ("max_duration=-1", "max_duration"),
    ("parent=99999999999999999999", "parent"),
    ("run_id=1.x", "run_id"),
    ("q=%00", "q"),
    ("tag=%00", "tag[0]"),
    ("subject=", "subject"),
    ("top_level=maybe", "top_level"),
    ("colour=red", "colour"),
]


async def test_a_bad_query_names_the_parameter(small: Api) -> None:
    for query, field in BAD_QUERIES:
        assert is_problem(await small.raw("GET", f"jobs?{query}"), 422)["field"] == field, query


async def test_a_cursor_of_another_list_is_refused(small: Api) -> None:
    await small.submit_many(3)
    page = await small.get("jobs?limit=1&sort=priority")
    is_problem(await small.raw("GET", f"jobs?limit=1&cursor={page['next']}"), 422, field="cursor")
    is_problem(await small.raw("GET", f"projects?cursor={page['next']}"), 422, field="cursor")


async def test_a_page_costs_few_queries(api: Api) -> None:
    """What is shown beside the rows is looked up for all of them at once."""
    from sqlalchemy import event

    parents = await api.submit_many(30)
    for parent in parents[:5]:
        await api.submit_many(1, parent=parent)
    statements: list[str] = []
    engine = api.core.database._reader.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
    await api.get("jobs?limit=5")
    few = len(statements)
    statements.clear()
    page = await api.get("jobs?limit=35")
    assert len(page["items"]) == 35
    assert len(statements) <= few + 1  # the longer page has parents, whose children are counted in one query
    assert few < 15
