"""An operation on many jobs outlives the server that carries it out."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from jobdeck.core.home import ADMIN_TOKEN
from jobdeck.wire.jobs import SubmitRequest
from tests.faults.installation import Installation, installation, until

JOBS = 5_000


@pytest.fixture
def database(request: pytest.FixtureRequest, home: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{home / 'jobdeck.db'}"
    url: str = request.getfixturevalue("postgres_database_url")
    return url


@pytest.mark.parametrize("database", ["sqlite", "postgres"], indirect=True)
def test_after_kill_9_it_goes_on_and_no_job_is_treated_twice(home: Path, database: str) -> None:
    with installation(home, database) as jobdeck:
        first = jobdeck.server()
        with jobdeck.client() as client:
            ids = client.jobs.submit_ids([SubmitRequest(type="noop")] * JOBS)
            pausing = client.bulk.preview("pause", type="noop")
            client.bulk.run(pausing)
            client.bulk.wait(pausing.id, 60)
            plan = client.bulk.preview("restart", type="noop")
            client.bulk.run(plan)
            until(lambda: client.bulk.get(plan.id).done, "some jobs are restarted")
        first.kill()
        jobdeck.server()
        with jobdeck.client() as client:
            # The dead server leads for some seconds still, so this is how it left it.
            assert 0 < client.bulk.get(plan.id).done < JOBS
            bulk = client.bulk.wait(plan.id, 60)
            assert (bulk.state, bulk.done, bulk.skipped, bulk.failed) == ("finished", JOBS, 0, 0)
            assert [item.job for item in client.bulk.items(plan.id, "done")] == ids
        # A restart begins an attempt: a job that was asked twice would be in its third.
        assert attempts(jobdeck) == dict.fromkeys(ids, 2)


def attempts(jobdeck: Installation) -> dict[int, int]:
    """The present attempt of every job."""
    token = (jobdeck.home / ADMIN_TOKEN).read_text().strip()
    query = {"fields": "attempt", "limit": "500", "sort": "created_at"}
    found: dict[int, int] = {}
    with httpx2.Client(base_url=jobdeck.url, headers={"Authorization": f"Bearer {token}"}, timeout=60) as http:
        while True:
            page = http.get("/api/v1/jobs", params=query).raise_for_status().json()
            found |= {job["id"]: job["attempt"] for job in page["items"]}
            if page["next"] is None:
                return found
            query["cursor"] = page["next"]
