"""Deleting a job that has children: said before, chosen or refused, told after; on every way that deletes jobs."""

from __future__ import annotations

import asyncio

import pytest

from jobdeck.engine.bulk_runner import BulkRunner
from jobdeck.engine.duties.prune import Prune, Retention
from tests.api.harness import Api, is_problem
from tests.api.test_bulk import carried_out, plan, runner

__all__ = ["runner"]
DAY = 86_400_000_000


class Family:
    """A succeeded parent with a failed and a succeeded child, and a failed grandchild below that one."""

    def __init__(self, parent: int, failed: int, succeeded: int, grandchild: int) -> None:
        self.parent, self.failed, self.succeeded, self.grandchild = parent, failed, succeeded, grandchild
        self.children = {failed, succeeded, grandchild}
        self.all = {parent, *self.children}


async def family(api: Api, state: str = "succeeded") -> Family:
    """Its children are submitted while the parent has not ended."""
    ids: list[int] = []
    for parent in (None, 0, 0, 2):
        job = await api.submit() if parent is None else await api.submit(parent=ids[parent])
        ids.append(job["id"])
    now = await api.core.database.now()
    for job, end in zip(ids, (state, "failed", "succeeded", "failed"), strict=True):
        await api.put_job(job, state=end, ended_at=now)
    return Family(*ids)


async def there(api: Api) -> set[int]:
    return {job["id"] for job in (await api.get("jobs?limit=500"))["items"]}


async def test_one_job_is_deleted_with_its_children_only_if_they_were_chosen(api: Api) -> None:
    one = await family(api)
    shown = await api.get(f"jobs/{one.parent}")
    assert shown["actions"]["delete"] == {"allowed": True, "why": None, "children": {"failed": 2, "succeeded": 1}}
    refused = await api.ask("DELETE", f"jobs/{one.parent}", 409)
    assert refused["code"] == "has_children"
    assert refused["children"] == {"failed": 2, "succeeded": 1}
    assert "3 children (2 failed, 1 succeeded)" in refused["detail"]
    assert "children=true" in refused["hint"]
    assert "--with-children" in refused["hint"]
    assert await there(api) == one.all
    deleted = await api.ask("DELETE", f"jobs/{one.parent}?children=true", 200)
    assert deleted == {"id": one.parent, "children": {"failed": 2, "succeeded": 1}}
    assert await there(api) == set()


async def test_a_job_without_children_is_deleted_as_ever(api: Api) -> None:
    one = await family(api)
    await api.ask("DELETE", f"jobs/{one.failed}", 204)
    gone = await api.ask("DELETE", f"jobs/{one.grandchild}?children=true", 200)
    assert gone == {"id": one.grandchild, "children": {}}


@pytest.mark.parametrize("state", ["pending", "paused"])
async def test_what_can_still_run_blocks_always(api: Api, runner: BulkRunner, state: str) -> None:
    one = await family(api)
    await api.put_job(one.grandchild, state=state, ended_at=None)
    shown = (await api.get(f"jobs/{one.parent}"))["actions"]["delete"]
    assert (shown["allowed"], shown["why"]) == (False, "1 of its children have not ended")
    for query in ("", "?children=true"):
        refused = await api.ask("DELETE", f"jobs/{one.parent}{query}", 409)
        assert refused["code"] == "operation_refused"
    for children in (False, True):
        planned = await plan(api, "delete", ids=[one.parent], children=children)
        assert planned["allowed"] == 0
        assert planned["refused"][0]["reason"] == "children"
        assert (await carried_out(api, runner, planned))["done"] == 0
    assert await there(api) == one.all


async def test_a_selection_names_children_that_are_not_in_it(api: Api, runner: BulkRunner) -> None:
    """The case that lost 231 failed jobs: a filter by state, whose parents have children of another one."""
    one, alone = await family(api), (await api.submit("sleep"))["id"]
    await api.put_job(alone, state="succeeded", ended_at=1)
    planned = await plan(api, "delete", filter={"state": ["succeeded"]})
    assert (planned["total"], planned["allowed"]) == (3, 1)
    assert planned["children"] == {"failed": 2}
    (left_out,) = planned["refused"]
    assert (left_out["reason"], left_out["count"]) == ("takes_children", 2)
    ended = await carried_out(api, runner, planned)
    assert (ended["done"], ended["skipped"], ended["children_done"]) == (1, 2, 0)
    assert [(g["reason"], g["count"]) for g in ended["account"]] == [("takes_children", 2)]
    assert await there(api) == one.all


async def test_a_selection_takes_the_children_that_were_chosen(api: Api, runner: BulkRunner) -> None:
    one = await family(api)
    planned = await plan(api, "delete", filter={"state": ["succeeded"]}, children=True)
    assert (planned["total"], planned["allowed"], planned["children"]) == (2, 2, {"failed": 2})
    ended = await carried_out(api, runner, planned)
    assert (ended["done"], ended["children_done"]) == (2, 2)
    items = (await api.get(f"bulk/{planned['id']}/items?limit=100"))["items"]
    along = {item["job"]: item["reason"] for item in items if item["reason"]}
    assert along == {one.failed: "with_parent", one.grandchild: "with_parent"}
    assert await there(api) == set()


async def test_a_family_selected_as_a_whole_needs_no_choice(api: Api, runner: BulkRunner) -> None:
    await family(api)
    planned = await plan(api, "delete", filter={})
    assert (planned["allowed"], planned["children"], planned["refused"]) == (4, {}, [])
    assert (await carried_out(api, runner, planned))["done"] == 4


async def test_a_child_that_came_after_the_preview_is_not_taken(api: Api, runner: BulkRunner) -> None:
    one = await family(api, "failed")
    planned = await plan(api, "delete", ids=[one.parent], children=True)
    await api.put_job(one.parent, state="running")
    late = (await api.submit("sleep", parent=one.parent))["id"]
    await api.put_job(late, state="succeeded", ended_at=1)
    await api.put_job(one.parent, state="failed", ended_at=1)
    ended = await carried_out(api, runner, planned)
    assert (ended["done"], ended["skipped"], ended["children_done"]) == (0, 1, 0)
    assert ended["account"][0]["reason"] == "takes_children"
    assert await there(api) == {*one.all, late}


async def test_children_are_for_delete_alone(api: Api) -> None:
    body = {"operation": "cancel", "select": {"filter": {}}, "children": True}
    assert is_problem(await api.raw("POST", "bulk", json=body), 422)


async def pruned(api: Api, runner: BulkRunner, days: float) -> None:
    prune = Prune(
        api.core.database, runner._leadership, api.core.control, Retention(jobs=days), api.core.control._garbage
    )
    await prune()


async def test_retention_takes_a_family_only_when_all_of_it_ended_long_ago(
    api: Api, runner: BulkRunner, capsys: pytest.CaptureFixture[str]
) -> None:
    one = await family(api)
    now = await api.core.database.now()
    for job in (one.parent, one.failed, one.succeeded):
        await api.put_job(job, ended_at=now - 9 * DAY)
    await pruned(api, runner, 7)
    assert await there(api) == one.all
    await api.put_job(one.grandchild, ended_at=now - 8 * DAY)
    capsys.readouterr()
    await pruned(api, runner, 7)
    assert await there(api) == set()
    told = capsys.readouterr().out
    assert "pruned_jobs" in told
    assert "children=3" in told
    assert "removed=1" in told


async def test_the_event_that_remains_tells_what_was_deleted_and_with_what(api: Api) -> None:
    one = await family(api)
    await api.ask("DELETE", f"jobs/{one.parent}?children=true", 200)
    found = (await api.get("events/history?kind=deleted"))["items"]
    by_job = {event["job"]: event["data"] for event in found}
    assert set(by_job) == one.all
    told = by_job[one.parent]
    assert (told["type"], told["from"], told["children"]) == ("sleep", "succeeded", {"failed": 2, "succeeded": 1})
    assert told["created_by"]
    assert by_job[one.grandchild]["with"] == one.parent
    assert all(event["actor"] for event in found)


async def test_concurrent_deletes_of_one_family_take_each_job_once(api: Api) -> None:
    one = await family(api)
    paths = [f"jobs/{one.parent}?children=true", f"jobs/{one.succeeded}?children=true", f"jobs/{one.failed}"]
    answers = await asyncio.gather(*(api.raw("DELETE", path) for path in paths))
    assert {answer.status_code for answer in answers} <= {200, 204, 404, 409}
    await api.raw("DELETE", f"jobs/{one.parent}?children=true")
    assert await there(api) == set()
    found = (await api.get("events/history?kind=deleted&limit=100"))["items"]
    assert sorted(event["job"] for event in found) == sorted(one.all)
