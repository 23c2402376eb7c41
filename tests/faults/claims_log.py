"""A log of what was held, by the database's own view of it, taken all the time while things are killed."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg

from tests.faults.history import connect

EVERY = 0.03
_HELD = """SELECT resource, sum(units), count(*), max(CASE mode WHEN 'x' THEN 1 ELSE 0 END)
           FROM claims_held GROUP BY resource"""
_NOTHING_RUNS = "('pending', 'paused', 'failed', 'succeeded', 'canceled')"
_WRONG = f"""SELECT j.id, j.state FROM jobs j LEFT JOIN leases l ON l.job_id = j.id
             WHERE (l.job_id IS NOT NULL AND j.state IN {_NOTHING_RUNS})
                OR (l.job_id IS NULL AND j.state IN ('running', 'pausing'))
                OR (l.job_id IS NOT NULL AND l.epoch <> j.epoch)"""


class ClaimsLog:
    """Samples in a thread; `wrong` has whatever went beyond `capacities` or contradicted the jobs' states."""

    def __init__(self, url: str, capacities: Mapping[str, int]) -> None:
        self._url = url
        self._capacities = dict(capacities)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.samples = 0
        self.most: Counter[str] = Counter()
        """The most units of each resource that were ever seen held at once."""
        self.wrong: list[str] = []

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._stop.set()
        self._thread.join(30)

    def assert_kept(self) -> None:
        """Nothing was wrong, and it could have been: all there is of each resource was held at some time."""
        assert not self.wrong, self.wrong[:5]
        assert self.samples > 10, "the log of held claims has hardly an entry"
        idle = {r: f"{self.most[r]} of {most}" for r, most in self._capacities.items() if self.most[r] < most}
        assert not idle, f"limits that were never reached, and so could not be exceeded: {idle}"

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                with contextlib.closing(connect(self._url)) as connection:
                    while not self._stop.wait(EVERY):
                        self._look(connection)
            except (psycopg.Error, sqlite3.OperationalError):
                time.sleep(EVERY)  # the database is away, as it is meant to be now and then

    def _look(self, connection: Any) -> None:
        found, wrong = _both(connection)
        self.samples += 1
        for resource, units, holders, exclusive in found:
            self.most[resource] = max(self.most[resource], int(units))
            if exclusive and holders > 1:
                self._note(f"{holders} hold {resource}, one of them for itself")
            if units > self._capacities.get(resource, units):
                self._note(f"{units} units held of {resource}, which has {self._capacities[resource]}")
        for job, state in wrong:
            self._note(f"job {job} is {state}, which its lease contradicts")

    def _note(self, text: str) -> None:
        if text not in self.wrong:
            self.wrong.append(text)


def _both(connection: Any) -> tuple[list[Any], list[Any]]:
    """What is held and what contradicts, each of one moment."""
    if isinstance(connection, sqlite3.Connection):
        return connection.execute(_HELD).fetchall(), connection.execute(_WRONG).fetchall()
    with connection.transaction():
        return connection.execute(_HELD).fetchall(), connection.execute(_WRONG).fetchall()


@contextlib.contextmanager
def claims_log(url: str, capacities: Mapping[str, int], *, judge: bool = True) -> Iterator[ClaimsLog]:
    """A log over the block; at its end nothing went beyond what is allowed, which was held in full at some time.

    Resources as the database names them."""
    made = ClaimsLog(url, capacities)
    made.start()
    try:
        yield made
    finally:
        made.end()
    if judge:
        made.assert_kept()
