"""Who goes first: the project with the smallest share, then priority and age; and what re-ordering does."""

from __future__ import annotations

from jobdeck.core.life.operations import Operation
from jobdeck.store import projects
from jobdeck.store.sql.database import Tx
from tests.engine.harness import Engine, reached, script
from tests.engine.scripted import Script


async def held(engine: Engine, count: int, project: str) -> dict[int, Script]:
    plots = [script() for _ in range(count)]
    for plot in plots:
        plot.hold("s0/0/0")
    wanted = [engine.submission("scripted", {"key": plot.key}, project=project) for plot in plots]
    return dict(zip(await engine.submit_all(*wanted), plots, strict=True))


async def test_projects_share_by_weight(quiet: Engine) -> None:
    """A project with thrice the weight gets thrice the places, however long the other one's queue is."""
    await quiet.add_project("light", 1.0)
    await quiet.add_project("heavy", 3.0)
    await quiet.settled()
    light, heavy = await held(quiet, 30, "light"), await held(quiet, 9, "heavy")
    await quiet.hire(light=8)

    async def full() -> bool:
        return len(await quiet.leased()) == 8

    await quiet.true(full)
    running = await quiet.leased()
    assert (len(running & light.keys()), len(running & heavy.keys())) == (2, 6)
    # A place that becomes free goes to the one that is now below its share.
    gone = next(iter(running & heavy.keys()))
    heavy[gone].gates["s0/0/0"].opened.set()
    await quiet.until(gone, "succeeded")
    await quiet.true(full)
    assert len(await quiet.leased() & heavy.keys()) == 6


async def test_a_weight_that_changes_while_jobs_wait_counts_at_once(quiet: Engine) -> None:
    """Places that become free go to the project whose weight has grown, until it has thrice as many as the other."""
    await quiet.add_project("one")
    await quiet.add_project("two")
    await quiet.settled()
    jobs = await held(quiet, 8, "one"), await held(quiet, 8, "two")
    await quiet.hire(light=8)

    async def running(*expected: int) -> None:
        async def so() -> bool:
            leased = await quiet.leased()
            return tuple(len(leased & part.keys()) for part in jobs) == expected

        await quiet.true(so)

    await running(4, 4)
    await set_weight(quiet, "two", 3.0)
    await quiet.settled()
    assert len(await quiet.leased() & jobs[0].keys()) == 4, "what runs is left alone"
    for expected in ((3, 5), (2, 6)):
        await end_one(quiet, jobs[0])
        await running(*expected)
    await end_one(quiet, jobs[1])
    await running(2, 6)
    await set_weight(quiet, "two", 1.0)
    await quiet.settled()
    for expected in ((3, 5), (4, 4)):
        await end_one(quiet, jobs[1])
        await running(*expected)


async def set_weight(engine: Engine, project: str, weight: float) -> None:
    async def work(tx: Tx) -> None:
        found = await projects.by_name(tx.connection, project)
        assert found is not None
        await projects.change(tx, found, found.title, weight, "me")

    await engine.database.transact(work)


async def end_one(engine: Engine, jobs: dict[int, Script]) -> None:
    """One of these jobs that runs comes to its end."""
    job = min(await engine.leased() & jobs.keys())
    jobs[job].gates["s0/0/0"].opened.set()
    await engine.until(job, "succeeded")


async def test_priority_and_its_change_while_waiting(quiet: Engine) -> None:
    jobs = [await quiet.submit_with("scripted", {}, priority=p) for p in (3, 5, 7)]
    assert (await quiet.control.set_priority(jobs[0], 9, actor="me")).changed
    assert not (await quiet.control.set_priority(jobs[0], 9, actor="me")).changed
    assert (await quiet.control.set_priority(jobs[2], 0, actor="me")).changed
    await quiet.settled()
    await quiet.hire(light=1)
    rows = [await quiet.until(job, "succeeded") for job in jobs]
    assert rows[0]["started_at"] < rows[1]["started_at"] < rows[2]["started_at"]
    told = [e for e in await quiet.events(jobs[0]) if e.kind == "reprioritized"]
    assert [(e.data["from"], e.data["priority"]) for e in told] == [(3, 9)]


async def test_a_resumed_job_keeps_its_place(quiet: Engine) -> None:
    plot = script()
    gate = plot.hold("s0/0/0")
    old = await quiet.submit(key=plot.key)
    hand = await quiet.hire(light=1)
    await reached(gate)
    await quiet.done(Operation.PAUSE, old)
    await quiet.until(old, "paused")
    await quiet.fire(hand)
    young = [await quiet.submit() for _ in range(3)]
    await quiet.done(Operation.RESUME, old)
    gate.opened.set()
    await quiet.settled()
    await quiet.hire(light=1)
    ended = [(await quiet.until(job, "succeeded"))["ended_at"] for job in (old, *young)]
    assert ended == sorted(ended)
