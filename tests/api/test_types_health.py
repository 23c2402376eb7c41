"""Types that could not be loaded, services that do not work, rows that nobody foresaw: each is told, nothing fails."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from jobdeck.core.claims import Claim
from jobdeck.core.registry import BrokenType, TypeRegistry
from jobdeck.engine.loops import LoopState
from tests.api.conftest import make_core
from tests.api.harness import Api, is_problem


@pytest.fixture
def broken(small: Api) -> Api:
    """An API whose installation has a type that could not be loaded."""
    registry = small.core.registry
    registry.broken = (BrokenType("ray", "ModuleNotFoundError: No module named 'ray' (x:Ray)"),)
    return small


async def test_a_broken_type_is_listed_with_its_reason(broken: Api) -> None:
    found = {t["name"]: t for t in (await broken.get("types"))["items"]}
    assert found["ray"]["broken"] == "ModuleNotFoundError: No module named 'ray' (x:Ray)"
    assert found["ray"]["enabled"] is False
    assert found["noop"]["broken"] is None
    assert (await broken.get("types/ray"))["broken"] == found["ray"]["broken"]
    assert [t["name"] for t in await broken.every("types?limit=1")] == sorted(found)


async def test_who_submits_it_is_told_why_not(broken: Api) -> None:
    answer = await broken.post("projects/default/jobs", {"type": "ray"}, 422)
    assert answer["code"] == "broken_job_type"
    assert "No module named 'ray'" in answer["detail"]


async def test_jobs_that_wait_for_it_say_why(broken: Api) -> None:
    (job,) = await broken.submit_many(1)
    await broken.put_job(job, type="ray")
    (wait, *_) = (await broken.get(f"jobs/{job}"))["wait"]
    assert wait["reason"] == "no_worker"
    assert wait["text"].startswith("The job type 'ray' could not be loaded: ModuleNotFoundError")


async def test_between_two_tries_a_job_says_which_comes(small: Api) -> None:
    (job,) = await small.submit_many(1)
    retry = {"step": "load", "task": 3, "key": "a.csv", "number": 2, "of": 4}
    later = 4_000_000_000_000_000
    await small.put_job(
        job, retry=json.dumps(retry), error_code="unexpected_error", error_message="OSError: gone", not_before=later
    )
    for found in (await small.get(f"jobs/{job}"), (await small.get("jobs"))["items"][0]):
        assert found["retry"] == {**retry, "at": found["wait"][0]["until"]}
        assert found["wait"][0]["reason"] == "not_before"
        assert found["wait"][0]["text"] == "Step 'load', task a.csv, failed: OSError: gone. Try 2 of 4 comes then."


async def test_health_names_what_is_broken_and_stays_well(broken: Api) -> None:
    parts = (await broken.get("health"))["parts"]
    assert parts["job_types"] == {"status": "broken", "broken": {"ray": broken.core.registry.broken[0].reason}}
    assert parts["services"] == {"status": "ok"}


async def test_health_tells_of_a_storage_that_other_machines_cannot_see(
    sqlite_ready_url: str, tmp_path: Path, home: Path
) -> None:
    """With one machine all is well, so the status is."""
    core = make_core(sqlite_ready_url, tmp_path)
    installation = replace(core.installation, storage_is_only_here=True)
    async with Api.over(replace(core, installation=installation), home) as api:
        found = (await api.get("health"))["parts"]["storage"]
        assert found["status"] == "only_on_this_machine"
        assert "JOBDECK_STORAGE_URL" in found["hint"]
    await core.database.close()


async def test_health_names_services_that_do_not_work(small: Api) -> None:
    states = small.core.loop_states
    states["scheduler"] = LoopState(errors=9, last_error="KeyError: 'threads'")
    states["prune"] = LoopState(restarts=2)
    found = await small.get("health")
    assert found["status"] == "degraded"
    assert found["parts"]["services"] == {
        "status": "failing", "failing": {"scheduler": "KeyError: 'threads'"}, "restarts": {"prune": 2},
    }  # fmt: skip


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


@pytest.mark.parametrize(
    "columns",
    [
        {"result": nested(200)}, {"result": nested(100_000)}, {"result": "NaN"}, {"result": "[1e999, NaN]"},
        {"result": "{"}, {"tags": "{"}, {"params": "]"}, {"fraction": float("inf")}, {"done": 2**63 - 1},
        {"category": ""}, {"isolation": "threads"}, {"description": "\ud7ff\u202e" * 100},
    ],
    ids=lambda c: next(iter(c)),
)  # fmt: skip
async def test_no_stored_row_makes_a_list_fail(api: Api, columns: dict[str, object]) -> None:
    odd, sound = await api.submit_many(2)
    await api.put_job(odd, **columns)
    found = await api.get("jobs")
    assert [job["id"] for job in found["items"]] == [sound, odd]
    json.dumps(found, allow_nan=False)
    assert (await api.get(f"jobs/{odd}"))["id"] == odd
    assert (await api.get("jobs/counts"))["pending"] == 2


async def test_a_type_with_rates_that_are_none(small: Api) -> None:
    (job,) = await small.submit_many(1)
    (noop,) = [t for t in small.core.registry if t.name == "noop"]
    strange = type("Strange", (noop.job_type,), {"credits_per_hour": None})
    registry = small.core.registry
    registry._types = {**registry._types, "noop": replace(noop, job_type=strange)}
    assert isinstance(registry, TypeRegistry)
    (found,) = (await small.get("jobs"))["items"]
    assert found["id"] == job
    assert "cannot be shown" in found["description"]


async def test_attempts_and_claims_come_in_pages(api: Api) -> None:
    from sqlalchemy import insert

    from jobdeck.store.schema import attempts

    (job,) = await api.submit_many(1)
    claims = [Claim(f"r{n:02}").to_json() for n in range(5)]
    await api.put_job(job, attempt=7, claims=json.dumps(claims))
    rows = [{"job_id": job, "attempt": n, "state": "failed", "started_at": n} for n in range(1, 8)]
    await api.core.database.transact(lambda tx: tx.connection.execute(insert(attempts), rows))
    for noun, field, wanted in (
        ("attempts", "attempt", list(range(1, 8))),
        ("claims", "resource", [f"r{n:02}" for n in range(5)]),
    ):
        assert len((await api.get(f"jobs/{job}/{noun}?limit=2"))["items"]) == 2
        assert [item[field] for item in await api.every(f"jobs/{job}/{noun}?limit=2")] == wanted
        assert is_problem(await api.raw("GET", f"jobs/{job}/{noun}?cursor=abc"), 422)


async def test_a_job_for_later_is_not_waiting_long(api: Api) -> None:
    later, now = await api.submit_many(2)
    await api.put_job(later, state_since=1, not_before=2**60)
    text = await api.ask("GET", "/metrics", 200)
    (line,) = [x for x in text.splitlines() if x.startswith('jobdeck_oldest_pending_seconds{project="default"}')]
    assert float(line.split()[-1]) < 3600
    await api.put_job(now, state_since=1)
    text = await api.ask("GET", "/metrics", 200)
    (line,) = [x for x in text.splitlines() if x.startswith('jobdeck_oldest_pending_seconds{project="default"}')]
    assert float(line.split()[-1]) > 1e9
