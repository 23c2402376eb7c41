"""Parents and children: who waits for whom, what a child's end does to its parent, what reaches them all."""

from __future__ import annotations

import pytest

from jobdeck.core.errors import InvalidInput, OperationRefused
from jobdeck.core.life.family import HasChildren
from jobdeck.core.life.job import ChildPolicy
from jobdeck.core.life.operations import Operation
from jobdeck.engine.control import all_along
from tests.engine.harness import Engine, reached, script
from tests.engine.scripted import ToldForGood
from tests.engine.test_operations import FAR


async def parent_of(engine: Engine, *keys: str, **facts: object) -> tuple[int, list[int]]:
    """A job that is held until it has children, one for each script; then its own work is done."""
    plot = script()
    gate = plot.hold("s0/0/0")
    parent = await engine.submit_with("scripted", {"key": plot.key}, **facts)
    await reached(gate)
    children = [await engine.submit_with("scripted", {"key": key}, parent=parent) for key in keys]
    gate.opened.set()
    return parent, children


async def test_a_parent_waits_for_its_children_and_holds_nothing(engine: Engine) -> None:
    plots = [script(), script()]
    gates = [plot.hold("s0/0/0") for plot in plots]
    parent, children = await parent_of(engine, *(plot.key for plot in plots))
    for gate in gates:
        await reached(gate)
    await engine.until(parent, "pending")
    (reason,) = await engine.reasons(parent)
    assert reason.reason == "dependency"
    assert reason.holders == tuple(children)
    assert await engine.leased() == set(children)
    gates[0].opened.set()
    await engine.until(children[0], "succeeded")
    assert (await engine.waits_for(parent, "dependency")).holders == (children[1],)
    gates[1].opened.set()
    row = await engine.until(parent, "succeeded")
    assert row["fraction"] == 1.0
    rows = [await engine.job(child) for child in children]
    assert [r["run_id"] for r in rows] == [f"{parent}.{child}" for child in children]
    assert [e.job_id for e in await engine.events() if e.kind == "succeeded"] == [*children, parent]


@pytest.mark.parametrize("policy", ChildPolicy)
@pytest.mark.parametrize("end", ["failed", "canceled"])
async def test_what_a_child_that_does_not_succeed_does(engine: Engine, policy: ChildPolicy, end: str) -> None:
    plot = script()
    gate = plot.hold("s0/0/0")
    if end == "failed":
        plot.fail("s0/0/0", ToldForGood("no"))
    parent, (child,) = await parent_of(engine, plot.key, on_child_failure=policy)
    await reached(gate)
    await engine.until(parent, "pending")
    if end == "canceled":
        await engine.done(Operation.CANCEL, child)
    else:
        gate.opened.set()
    await engine.until(child, end)
    row = await engine.until(parent, "failed" if policy is ChildPolicy.FAIL else "succeeded")
    assert row["warnings"] == (1 if policy is ChildPolicy.WARN else 0)
    if policy is ChildPolicy.FAIL:
        assert row["error_code"] == "child_failed"
        assert str(child) in row["error_message"]


async def test_a_parent_is_resumed_after_its_child(engine: Engine) -> None:
    plot = script()
    plot.fail("s0/0/0", ToldForGood("no"))
    parent, (child,) = await parent_of(engine, plot.key)
    await engine.until(parent, "failed")
    await engine.done(Operation.RESUME, parent)
    again = await engine.until_event("failed", lambda e: e.job_id == parent and e.data["from"] != "pending")
    assert again.data["code"] == "child_failed"
    await engine.done(Operation.RESUME, child)
    await engine.until(child, "succeeded")
    await engine.done(Operation.RESUME, parent)
    await engine.until(parent, "succeeded")


async def test_cancel_reaches_three_generations(engine: Engine) -> None:
    plot = script()
    gate = plot.hold("s0/0/0")
    top = await engine.submit_with("scripted", {}, not_before=FAR)
    middle = await engine.submit_with("scripted", {}, not_before=FAR, parent=top)
    bottom = await engine.submit_with("undoable", {"key": plot.key}, parent=middle)
    await reached(gate)
    await engine.until(bottom, "running")
    await engine.done(Operation.CANCEL, top)
    rows = [await engine.until(job, "canceled") for job in (bottom, middle, top)]
    assert [r["cause"] for r in rows] == ["parent", "parent", "user"]
    # The order of commits: the time of a transaction is that of its beginning, and the parent's may begin before.
    assert [e.job_id for e in await engine.events() if e.kind == "canceled"] == [bottom, middle, top]
    assert "undo/1" in plot.did


async def test_pause_of_a_parent_that_waits(engine: Engine) -> None:
    plot = script()
    gate = plot.hold("s0/0/0")
    parent, (child,) = await parent_of(engine, plot.key)
    await engine.waits_for(parent, "dependency")
    await engine.done(Operation.PAUSE, parent)
    gate.opened.set()
    await engine.until(child, "succeeded")
    await engine.settled()
    assert await engine.state(parent) == "paused"
    await engine.done(Operation.RESUME, parent)
    await engine.until(parent, "succeeded")


async def test_deleting_a_tree(engine: Engine) -> None:
    plots = [script(), script()]
    gate = plots[1].hold("s0/0/0")
    parent, children = await parent_of(engine, *(plot.key for plot in plots))
    await engine.until(children[0], "succeeded")
    (refused,) = await engine.operate(Operation.DELETE, parent)
    assert isinstance(refused.error, OperationRefused)
    gate.opened.set()
    await engine.until(parent, "succeeded")
    family = [parent, *children]
    (refused, _) = await engine.operate(Operation.DELETE, parent, children[0])
    assert isinstance(refused.error, HasChildren)
    assert refused.error.facts["children"] == {"succeeded": 1}
    results = await engine.control.delete([parent, parent], actor="me", chosen=all_along)
    assert all(r.changed for r in results)
    assert [len(r.along) for r in results] == [1, 0]
    told = [e for e in await engine.events() if e.kind == "deleted"]
    assert [e.job_id for e in told] == [children[0], parent, children[1]]
    assert told[1].data["children"] == {"succeeded": 1}
    assert told[2].data["with"] == parent
    assert [e for e in await engine.events() if e.job_id in family] == told
    assert await engine.steps(parent) == []


async def test_who_may_be_a_parent(engine: Engine) -> None:
    await engine.add_project("other")
    ended = await engine.submit()
    await engine.until(ended, "succeeded")
    elsewhere = await engine.submit_with("scripted", {}, project="other", not_before=FAR)
    here = await engine.submit_with("scripted", {}, not_before=FAR)
    for parent in (ended, elsewhere, 999_999):
        with pytest.raises(InvalidInput) as refused:
            await engine.submit_with("scripted", {}, parent=parent)
        assert refused.value.field == "parent"
    with pytest.raises(InvalidInput) as refused:
        await engine.submit_all(
            engine.submission("scripted", {}, parent=here),
            engine.submission("scripted", {}, parent=here, project="other"),
            engine.submission("scripted", {}, parent=here),
        )
    assert refused.value.field == "jobs[1].parent"


async def test_children_at_the_same_time(engine: Engine) -> None:
    plots = [script() for _ in range(3)]
    for plot in plots:
        plot.hold("s0/0/0")
    held = script()
    gate = held.hold("s0/0/0")
    parent = await engine.submit(key=held.key)
    await reached(gate)
    await engine.set_limit(f"project:default/children:{parent}", 1)
    await engine.settled()
    children = [await engine.submit_with("scripted", {"key": plot.key}, parent=parent) for plot in plots]
    for plot, child in zip(plots, children, strict=True):
        await reached(plot.gates["s0/0/0"])
        assert await engine.leased() & set(children) == {child}
        plot.gates["s0/0/0"].opened.set()
        await engine.until(child, "succeeded")
