"""Who goes first: the project with the smallest share, then priority and age; and what re-ordering does."""

from __future__ import annotations

from jobdeck.core.life.operations import Operation
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
