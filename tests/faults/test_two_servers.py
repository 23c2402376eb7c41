"""Two servers schedule one after the other, and for a moment both may believe they do: nothing is given out twice."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from jobdeck.engine.scheduling.scheduler import LEAD_SECONDS as LEAD
from jobdeck.wire.jobs import SubmitRequest
from tests.faults.claims_log import claims_log
from tests.faults.history import LEAD_SECONDS, ask, begun, leader, on_this_machine, running_on
from tests.faults.installation import installation, until
from tests.faults.test_many_processes import all_succeeded

MOST = 4
ENOUGH = 40
"""Short jobs that keep the queue full while one server is frozen."""
FROZEN_SECONDS = LEAD + 4.0
LONG, SHORT = ([SubmitRequest(type="sleep", params={"seconds": seconds})] for seconds in (FROZEN_SECONDS, 0.4))
_WAITING = "SELECT count(*) FROM jobs WHERE state = 'pending'"


def test_the_leading_server_freezes_and_wakes(home: Path, postgres_database_url: str) -> None:
    """The queue is full before, meanwhile and after, and some jobs run all the while, which the other server has to
    find out; the worker is well, so no job is begun twice."""
    url = postgres_database_url
    with installation(home, url, project_limit=str(MOST), workers="8") as jobdeck:
        first = jobdeck.server()
        old = until(lambda: leader(url), "the first server leads")
        jobdeck.server()
        jobdeck.worker("w1")
        with claims_log(url, {"project:default": MOST}), jobdeck.client() as client:
            jobs = client.jobs.submit_ids(LONG * 2 + SHORT * ENOUGH)
            until(lambda: len(running_on(url, "w1")) == MOST, "as many run as may")
            first.signal(signal.SIGSTOP)
            frozen = time.monotonic()
            until(lambda: leader(url) != old, "the other server leads", on_this_machine(LEAD_SECONDS))
            waiting = ask(url, _WAITING)
            until(lambda: ask(url, _WAITING) < waiting, "it goes on")
            time.sleep(max(0.0, frozen + FROZEN_SECONDS - time.monotonic()))  # how long, which is what is tested
            jobs += client.jobs.submit_ids(SHORT * (ENOUGH // 2))  # that both could want
            first.signal(signal.SIGCONT)
            all_succeeded(jobdeck, jobs)
        assert {now.epoch for now in begun(url, jobs).values()} == {1}
        assert leader(url) != old
        assert first.stop() == 0
