"""A case for each rule that is a claim: who waits, for what, of which capacity, held by whom; once free, it starts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from jobdeck import JobType
from jobdeck.core.claims import Claim
from jobdeck.core.life.waiting import Reason
from tests.engine.harness import PROJECT_LIMIT, Engine, running
from tests.engine.scripted import Scripted
from tests.engine.test_claims import Holder


class Backup(Scripted):
    """One at a time of each connection, which is its label."""

    name = "backup"

    def claims(self) -> Iterable[Claim]:
        return [Claim.exclusive(f"backup:{self.params.label}")]


class Maintenance(Scripted):
    """One at a time in each space, which is its label."""

    name = "maintenance"

    def claims(self) -> Iterable[Claim]:
        return [Claim.exclusive(f"maintenance:{self.params.label}")]


class Transformation(Scripted):
    """Different tokens may run a configuration at the same time."""

    name = "transformation"
    parallel_per_token = True


TYPES: list[type[JobType]] = [Backup, Maintenance, Transformation]


@pytest.fixture
async def engine(url: str, home: Path) -> AsyncIterator[Engine]:
    """An engine that knows these types, with a worker that has more places than any limit here."""
    async with running(url, home, types=TYPES, light=3 * PROJECT_LIMIT) as engine:
        await engine.add_project("other")
        yield engine


@pytest.fixture
def holder(engine: Engine) -> Holder:
    return Holder(engine)


Facts = dict[str, Any]
"""What is said of a job when it is submitted."""


@dataclass(frozen=True)
class Case:
    """A rule. Of jobs, `PARENT` stands for one that runs all the while."""

    resource: str
    """As people read it."""
    capacity: int
    holds: Sequence[Facts]
    waits: Facts
    beside: Facts | None
    """Comes after the one that waits, and starts at once: the rule reaches no further than it says."""
    limit: str | None = None
    """The resource whose limit is set to the capacity."""
    must_end: int = 1
    """How many of the holders have to end before the other one starts."""


PARENT = "<its parent>"
CHILD: Facts = {"parent": PARENT}


def of_a_configuration(id: int, token: int | None) -> Facts:
    return {"configuration": id, "token_id": token}


def per_token(id: int, token: int | None) -> Facts:
    return {"type_name": "transformation", "configuration": id, "token_id": token}


def writer(name: str) -> Facts:
    return {"claims": [(f"object:lake/b/{name}", 1, "x")]}


def reader(name: str) -> Facts:
    return {"claims": [(f"object:lake/b/{name}", 1, "s")]}


def of(type_name: str, label: str) -> Facts:
    return {"type_name": type_name, "label": label}


CASES = {
    "project": Case("project:default", 10, [{}] * 10, {}, {"project": "other"}),
    "configuration": Case(
        "configuration:7", 1, [of_a_configuration(7, 1)], of_a_configuration(7, 2), of_a_configuration(8, 1)
    ),
    "configuration and token": Case("configuration:7/token:1", 1, [per_token(7, 1)], per_token(7, 1), per_token(7, 2)),
    "configuration with a token after one without": Case(
        "configuration:7", 1, [per_token(7, None)], per_token(7, 1), per_token(8, 1)
    ),
    "configuration after those with tokens": Case(
        "configuration:7", 1, [per_token(7, 1), per_token(7, 2)], of_a_configuration(7, 1), per_token(8, 1), must_end=2
    ),
    "configuration and token after the configuration": Case(
        "configuration:7", 1, [of_a_configuration(7, 1)], per_token(7, 2), per_token(8, 1)
    ),
    "writer of an object": Case("object:lake/b/t", 1, [writer("t")], writer("t"), writer("u")),
    "writer after readers": Case(
        "object:lake/b/t", 1, [reader("t"), reader("t")], writer("t"), reader("u"), must_end=2
    ),
    "reader after a writer": Case(
        "object:lake/b/t", 1, [writer("t")], reader("t"), {**writer("t"), "project": "other"}
    ),
    "backup of a connection": Case("backup:a", 1, [of("backup", "a")], of("backup", "a"), of("backup", "b")),
    "maintenance of a space": Case(
        "maintenance:a", 1, [of("maintenance", "a")], of("maintenance", "a"), of("maintenance", "b")
    ),
    "type": Case(
        "type:scripted", 2, [{}, {"project": "other"}], {}, of("backup", "a"), limit="type:scripted"
    ),
    "type in a project": Case(
        "type:scripted", 2, [{}, {}], {}, {"project": "other"}, limit="project:default/type:scripted"
    ),
    "instance": Case("instance", 2, [{}, {"project": "other"}], of("backup", "a"), None, limit="instance"),
    "children of a parent": Case(
        "children:<its parent>", 2, [CHILD, CHILD], CHILD, {}, limit="project:default/children:<its parent>"
    ),
}  # fmt: skip


async def prepare(engine: Engine, holder: Holder, case: Case) -> Case:
    """The case with a parent that runs, if it needs one, and with its limit set."""
    if PARENT in case.resource:
        parent = await holder.submit()
        await holder.runs(parent)
        child = {"parent": parent}
        case = replace(
            case,
            resource=case.resource.replace(PARENT, str(parent)),
            holds=[child] * len(case.holds),
            waits=child,
            limit=case.limit and case.limit.replace(PARENT, str(parent)),
        )
    if case.limit is not None:
        await engine.set_limit(case.limit, case.capacity)
    await engine.settled()
    return case


async def submit(holder: Holder, facts: Facts) -> int:
    return await holder.submit(*facts.get("claims", ()), **{k: v for k, v in facts.items() if k != "claims"})


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_who_waits_for_what_and_whom(engine: Engine, holder: Holder, case: Case) -> None:
    case = await prepare(engine, holder, case)
    holders = [await submit(holder, facts) for facts in case.holds]
    for job in holders:
        await holder.runs(job)
    waiter = await submit(holder, case.waits)
    await engine.waits_for(waiter, "claim")
    if case.beside is not None:
        await holder.runs(await submit(holder, case.beside))
    for ended in range(case.must_end):
        (reason,) = await engine.reasons(waiter)
        assert (reason.reason, reason.resource, reason.capacity) == (Reason.CLAIM, case.resource, case.capacity)
        assert reason.holders == tuple(holders[ended:])
        assert waiter not in await engine.leased()
        await holder.let_go(holders[ended])
    await holder.runs(waiter)


async def test_ten_jobs_of_a_project_run_unless_it_has_a_limit_of_its_own(engine: Engine, holder: Holder) -> None:
    here = [await holder.submit() for _ in range(11)]
    there = [await holder.submit(project="other") for _ in range(11)]
    for job in (*here[:10], *there[:10]):
        await holder.runs(job)
    for name, jobs in (("project:default", here), ("project:other", there)):
        reason = await engine.waits_for(jobs[10], "claim")
        assert (reason.resource, reason.capacity, reason.holders) == (name, 10, tuple(jobs[:10]))
    await engine.set_limit("project:other", 11)
    await holder.runs(there[10])
    await engine.settled()
    reason = await engine.waits_for(here[10], "claim")
    assert (reason.resource, reason.capacity, reason.holders) == ("project:default", 10, tuple(here[:10]))
    await holder.let_go(here[0])
    await holder.runs(here[10])
