"""One bound to a project learns nothing of other projects' work: neither ids nor counts, in no sentence."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.api.harness import Api

SHARED = ("type:sleep", "instance")


@pytest.fixture
async def full(api: Api) -> Api:
    """A limit of all projects is used up by two jobs of `other` and one of `default`; jobs of both wait."""
    await api.post("projects", {"name": "other"}, 201)
    await api.token("bound", "admin", "default")
    for resource, capacity in (("type:sleep", 3), ("instance", 3)):
        await api.ask("PUT", f"limits/{resource}", 200, json={"capacity": capacity})
    for project in ("other", "other", "default"):
        job = await api.submit("sleep", project=project)
        claims = [["instance", 1, "s"], ["type:sleep", 1, "s"], [f"project:{project}", 1, "s"]]
        await api.lease(job["id"], *claims)
    return api


async def test_a_waiting_job_names_only_ones_own(full: Api) -> None:
    job = await full.submit("sleep")
    seen = await full.get(f"jobs/{job['id']}", token="bound")
    claims = [w for w in seen["wait"] if w["reason"] == "claim"]
    assert {w["resource"] for w in claims} == set(SHARED)
    for reason in claims:
        assert reason["holders"] == [3]
        assert reason.get("capacity") is None
        assert re.findall(r"\d+", reason["text"].replace("type:sleep", "")) == ["3"]
    whole = await full.get(f"jobs/{job['id']}")
    assert {tuple(w["holders"]) for w in whole["wait"] if w["reason"] == "claim"} == {(1, 2, 3)}


async def test_it_is_not_told_whether_others_work_at_all(full: Api) -> None:
    """The sentence is the same when all that holds the resource is one's own."""
    job = await full.submit("sleep")
    before = (await full.get(f"jobs/{job['id']}", token="bound"))["wait"]
    for held in (1, 2):
        await full.put_job(held, project_id=1)
        await _move(full, held)
    after = (await full.get(f"jobs/{job['id']}", token="bound"))["wait"]
    shape = [re.sub(r"jobs? [\d, ]+holds?", "H", w["text"]) for w in (*before, *after) if w["reason"] == "claim"]
    assert len(set(shape)) == 2, shape


async def _move(api: Api, job: int) -> None:
    from sqlalchemy import update

    from jobdeck.store.schema import leases
    from jobdeck.store.sql.database import Tx

    claims = json.dumps([["instance", 1, "s"], ["type:sleep", 1, "s"], ["project:default", 1, "s"]])

    async def work(tx: Tx) -> None:
        await tx.connection.execute(update(leases).where(leases.c.job_id == job).values(claims=claims))

    await api.core.database.transact(work)


async def test_claims_and_dry_runs_count_ones_own(full: Api) -> None:
    job = await full.submit("sleep")
    held = (await full.get(f"jobs/{job['id']}/claims", token="bound"))["items"]
    plan = await full.post("projects/default/jobs?dry_run=true", {"type": "sleep", "params": {"seconds": 1}}, 200,
                           token="bound")  # fmt: skip
    for claims in (held, plan["claims"]):
        shared = [c for c in claims if c["resource"] in SHARED and not c["free"]]
        assert len(shared) == 2
        for claim in shared:
            assert (claim["used"], claim["capacity"], claim["holders"]) == (1, None, [3])
    assert not any(_ids(w) - {3} for w in plan["wait"])


def _ids(reason: dict[str, Any]) -> set[int]:
    return {int(n) for n in re.findall(r"\d+", reason["text"].replace("type:sleep", ""))} | set(reason["holders"])


async def test_lists_say_the_same(full: Api) -> None:
    await full.submit("sleep")
    listed = await full.get("jobs?state=pending", token="bound")
    assert listed["items"]
    for job in listed["items"]:
        assert not any(_ids(w) - {3} for w in job["wait"] if w["reason"] == "claim")
