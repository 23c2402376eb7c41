"""A job type may let different tokens run one configuration at the same time: what dry runs and claims then show."""

from __future__ import annotations

from typing import Any

import pytest

from jobdeck.jobs.sleep import Sleep
from tests.api.harness import Api

JOBS = "projects/default/jobs"


def of_configuration(claims: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return sorted((c["resource"], c["mode"]) for c in claims if c["resource"].startswith("configuration:"))


@pytest.fixture
async def saved(api: Api) -> int:
    """The id of a configuration."""
    body = {"name": "nightly", "type": "sleep", "params": {"seconds": 1}}
    return int((await api.post("projects/default/configurations", body, 201))["id"])


@pytest.mark.parametrize("how", ["submitted", "run again"])
async def test_each_token_claims_a_share_of_its_own(
    api: Api, saved: int, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await api.token("ann", "operator", "default")
    await api.token("bob", "operator", "default")
    tokens = {t["name"]: t["id"] for t in (await api.get("tokens"))["items"]}
    body: dict[str, Any] = {"type": "sleep", "configuration": saved}
    whole = await api.post(JOBS, body, 202, token="ann")
    assert of_configuration((await api.get(f"jobs/{whole['id']}/claims"))["items"]) == [
        (f"configuration:{saved}", "exclusive")
    ]
    monkeypatch.setattr(Sleep, "parallel_per_token", True)
    path, body = (JOBS, body) if how == "submitted" else (f"jobs/{whole['id']}/run-again", {})
    for name in ("ann", "bob"):
        expected = [
            (f"configuration:{saved}", "shared"),
            (f"configuration:{saved}/token:{tokens[name]}", "exclusive"),
        ]
        plan = await api.post(f"{path}?dry_run=true", body, 200, token=name)
        assert of_configuration(plan["claims"]) == expected
        job = await api.post(path, body, 202, token=name)
        assert of_configuration((await api.get(f"jobs/{job['id']}/claims"))["items"]) == expected


async def test_a_dry_run_names_who_runs_the_configuration(
    api: Api, saved: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sleep, "parallel_per_token", True)
    await api.token("ann", "operator", "default")
    await api.token("bob", "operator", "default")
    tokens = {t["name"]: t["id"] for t in (await api.get("tokens"))["items"]}
    body = {"type": "sleep", "configuration": saved}
    holder = (await api.post(JOBS, body, 202, token="ann"))["id"]
    whole, own = f"project:default/configuration:{saved}", f"configuration:{saved}/token:{tokens['ann']}"
    await api.lease(holder, [whole, 1, "s"], [f"project:default/{own}", 1, "x"])
    plans = {name: await api.post(f"{JOBS}?dry_run=true", body, 200, token=name) for name in ("ann", "bob")}
    (reason,) = plans["ann"]["wait"]
    assert (reason["reason"], reason["resource"], reason["holders"]) == ("claim", own, [holder])
    assert plans["bob"]["wait"] == []
