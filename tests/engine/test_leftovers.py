"""What an undo could not remove stays visible: in the log with the traceback, and on the job by its event."""

from __future__ import annotations

from jobdeck.core.life.operations import Operation
from jobdeck.store.views import job_views
from tests.engine.harness import Engine, reached, script
from tests.engine.scripted import ToldForGood


async def test_what_undo_could_not_remove_is_told_in_the_log_and_on_the_job(engine: Engine) -> None:
    plot = script()
    gate = plot.hold("s0/0/0")
    plot.fail("undo/1", ToldForGood("the table staging.x7 is locked"))
    job = await engine.submit("undoable", key=plot.key)
    await reached(gate)
    await engine.done(Operation.CANCEL, job)
    row = await engine.until(job, "canceled")
    assert row["warnings"] == 1
    (ended,) = [e for e in await engine.events(job) if e.kind == "canceled"]
    assert "the table staging.x7 is locked" in ended.data["leftovers"]
    async with engine.database.read() as connection:
        left = await job_views.leftovers(connection, job)
    assert left is not None
    assert "What attempt 1 half made could not be removed" in left
    assert "the table staging.x7 is locked" in left
    log = await engine.log(job)
    assert any("the table staging.x7 is locked" in line for line in log)
    assert any("Traceback" in line for line in log)
    assert any("ToldForGood" in line for line in log)
