"""Failures over HTTP: groups with counts, trend and jobs; filters; what another project's token sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import insert

from jobdeck.services.failures import BUCKETS, bucket_of
from jobdeck.store.schema import failures
from jobdeck.store.sql.database import Tx
from tests.api.harness import Api, is_problem

HOUR = 3600 * 1_000_000
BAD, GONE = "aaaaaaaaaaaa", "bbbbbbbbbbbb"


async def fail(api: Api, job: int, fingerprint: str, hours_ago: float, **columns: Any) -> None:
    """Note a failure of a job, as the engine does."""

    async def work(tx: Tx) -> None:
        row = {
            "job_id": job, "attempt": 1, "project_id": 1, "type": "sleep", "fingerprint": fingerprint,
            "code": "bad_row", "message": f"Job {job} is bad.", "hint": "Mend it.", "place": "sleep.sleep",
            "at": tx.now - int(hours_ago * HOUR),
        }  # fmt: skip
        await tx.connection.execute(insert(failures).values(row | columns))

    await api.core.database.transact(work)


@dataclass
class Scene:
    """Three jobs in `default`, one in `other`; two kinds of failures, the first with five, the second with one."""

    api: Api
    here: list[int]
    there: int


@pytest.fixture
async def scene(api: Api) -> Scene:
    await api.post("projects", {"name": "other"}, 201)
    here = [(await api.submit("sleep"))["id"] for _ in range(3)]
    there = (await api.submit("noop", {}, project="other"))["id"]
    for number, job in enumerate(here):
        await fail(api, job, BAD, 10 - number)
    await fail(api, here[0], BAD, 1, message="Job 1 is bad, again.", left_at=1)
    await fail(api, there, BAD, 2, project_id=2, type="noop")
    await fail(api, here[1], GONE, 0.5, code="file_not_found", message="The file is gone.", hint=None)
    await api.token("elsewhere", "viewer", "other")
    return Scene(api, here, there)


async def test_groups_tell_how_much_when_where_and_which(scene: Scene) -> None:
    api, here, there = scene.api, scene.here, scene.there
    answer = await api.get("failures?since=1d")
    assert (answer["groups"], answer["failures"], answer["next"]) == (2, 6, None)
    gone, bad = answer["items"]
    assert (gone["fingerprint"], gone["count"], gone["code"], gone["hint"]) == (GONE, 1, "file_not_found", None)
    assert (bad["count"], bad["jobs_failed_now"], bad["message"]) == (5, 4, "Job 1 is bad, again.")
    assert bad["types"] == [{"type": "sleep", "count": 4}, {"type": "noop", "count": 1}]
    assert bad["projects"] == [{"project": "default", "count": 4}, {"project": "other", "count": 1}]
    assert bad["latest"] == [here[0], there, here[2], here[1]]
    assert bad["first_seen"] < bad["last_seen"] < gone["first_seen"]
    trend = bad["trend"]
    assert trend["bucket_seconds"] == 3600
    assert 24 <= len(trend["counts"]) <= 30
    assert sum(trend["counts"]) == 5


async def test_lists_of_groups_are_filtered_sorted_and_paged(scene: Scene) -> None:
    api = scene.api
    assert [g["fingerprint"] for g in (await api.get("failures?sort=-count"))["items"]] == [BAD, GONE]
    assert [g["count"] for g in (await api.get("failures?type=noop"))["items"]] == [1]
    assert [g["count"] for g in (await api.get("failures?project=other"))["items"]] == [1]
    assert [g["count"] for g in (await api.get("failures?since=3h"))["items"]] == [1, 2]
    assert [g["fingerprint"] for g in (await api.get("failures?q=FILE"))["items"]] == [GONE]
    assert (await api.get("failures?q=nothing%25"))["items"] == []
    first = await api.get("failures?limit=1")
    second = await api.get(f"failures?limit=1&cursor={first['next']}")
    assert [g["fingerprint"] for g in (*first["items"], *second["items"])] == [GONE, BAD]
    assert second["next"] is None


async def test_one_group(scene: Scene) -> None:
    api = scene.api
    (bad,) = [g for g in (await api.get("failures?since=1d"))["items"] if g["fingerprint"] == BAD]
    one = await api.get(f"failures/{BAD}?since=1d")
    assert {**one, "trend": None} == {**bad, "trend": None}
    is_problem(await api.raw("GET", "failures/cccccccccccc"), 404, "not_found", "fingerprint")
    is_problem(await api.raw("GET", f"failures/{GONE}?until=3h"), 404)
    is_problem(await api.raw("GET", "failures/BAD"), 422)


async def test_another_projects_token_sees_its_own_only(scene: Scene) -> None:
    api, there = scene.api, scene.there
    (seen,) = (await api.get("failures", token="elsewhere"))["items"]
    assert (seen["count"], seen["latest"], seen["message"]) == (1, [there], f"Job {there} is bad.")
    assert (await api.get("failures?q=again", token="elsewhere"))["items"] == []
    is_problem(await api.raw("GET", f"failures/{GONE}", token="elsewhere"), 404)
    is_problem(await api.raw("GET", "failures?project=default", token="elsewhere"), 404)


async def test_nothing_failed(small: Api) -> None:
    assert await small.get("failures") == {"items": [], "next": None, "groups": 0, "failures": 0}
    await fail(small, (await small.submit())["id"], BAD, 1)
    (group,) = (await small.get("failures?until=2999-01-01T00:00:00Z&since=0001-01-01T00:00:00Z"))["items"]
    assert sum(group["trend"]["counts"]) == 1
    assert (await small.get("failures?since=2999-01-01T00:00:00Z"))["items"] == []
    is_problem(await small.raw("GET", "failures?since=soon"), 422, field="since")
    is_problem(await small.raw("GET", "failures?cursor=xx"), 422, field="cursor")


def test_parts_of_a_trend_are_few_and_round() -> None:
    minute = 60 * 1_000_000
    assert [bucket_of(0, span * minute) for span in (0, 30, 60, 720, 1440, 10_080, 10**7, 10**12)] == [
        60, 300, 300, 1800, 3600, 21_600, 28 * 86_400, BUCKETS[-1],
    ]  # fmt: skip
