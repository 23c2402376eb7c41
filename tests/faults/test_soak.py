"""A short soak, so that the long one works when it is wanted; and that its account can say no."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any, LiteralString

import psycopg
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from tests.faults import soak_account
from tests.faults.claims_log import ClaimsLog
from tests.faults.soak import soak
from tests.faults.soak_account import Account, account_of
from tests.faults.soak_faults import Faults, plan
from tests.faults.soak_load import Load, Wanted


@pytest.mark.timeout(900)
def test_a_short_soak(tmp_path: Path) -> None:
    account = soak(20.0, seed=1, folder=tmp_path)
    assert account.good, account.text()


def test_the_same_seed_is_the_same_faults() -> None:
    assert list(islice(plan(5), 50)) == list(islice(plan(5), 50))
    assert list(islice(plan(5), 50)) != list(islice(plan(6), 50))


def test_an_account_with_one_wrong_line_is_not_good() -> None:
    account = Account()
    account.check([1], "something")
    assert account.good
    account.check([], "a job was lost")
    assert not account.good
    assert "WRONG: a job was lost" in account.text()


_RECORD = """
CREATE TEMP TABLE jobs (id int, type text, state text, attempt int, epoch int, error_code text);
CREATE TEMP TABLE events (job_id int, kind text, data text);
CREATE TEMP TABLE leases (job_id int);
CREATE TEMP TABLE claims_held (job_id int);
INSERT INTO jobs VALUES (1, 'noop', 'succeeded', 1, 1), (2, 'sleep', 'canceled', 1, 1),
                        (3, 'import', 'succeeded', 2, 2), (4, 'import', 'canceled', 1, 1);
INSERT INTO events VALUES (1, 'step.succeeded', '{"step": "a", "attempt": 1}'), (1, 'succeeded', '{}'),
                          (2, 'canceled', '{}'), (3, 'step.succeeded', '{"step": "a", "attempt": 1}'),
                          (3, 'step.succeeded', '{"step": "a", "attempt": 2}'), (3, 'succeeded', '{}'),
                          (4, 'canceled', '{}')
"""


@dataclass
class Record:
    """What a soak leaves behind in which all is well, small and made by hand, to be spoilt."""

    site: Any
    load: Load
    claims: ClaimsLog
    connection: psycopg.Connection[Any]

    def wrong(self, left: Sequence[int] = ()) -> list[str]:
        return account_of(self.site, self.load, Faults(self.site, 1), self.claims, list(left)).wrong

    def write(self, table: int, ids: list[int], texts: list[str] | None = None) -> None:
        data = pa.table({"id": pa.array(ids, pa.int64()), "text": texts or [f"row {i}" for i in ids]})
        write_deltalake(self.table(table).as_uri(), data, mode="overwrite")

    def table(self, number: int) -> Path:
        path: Path = self.site.storage / f"projects/default/lake/in.soak/t{number}"
        return path


@pytest.fixture
def record(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Record]:
    monkeypatch.setattr(soak_account, "ROWS", 3)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(_RECORD)
        log = tmp_path / "worker.log"
        log.write_text("task_killed host=h after=0.3\n")
        site: Any = SimpleNamespace(
            folder=tmp_path, storage=tmp_path, logs=[log], rows=lambda: nullcontext(connection), servers=[], workers=[]
        )
        load = Load(site, seed=1)
        load.jobs = {
            1: Wanted(1, "noop"), 2: Wanted(2, "sleep", asked=["pause", "cancel"]), 3: Wanted(3, "import", (6, 1)),
            4: Wanted(4, "import", (0, 0), asked=["cancel"]),
        }  # fmt: skip
        claims = ClaimsLog(postgres_url, {})
        claims.samples = 1000
        made = Record(site, load, claims, connection)
        made.write(1, [6, 7, 8])
        yield made


def test_at_the_end_all_that_is_paused_goes_on_but_not_what_failed_of_itself(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    record.connection.execute("""
        INSERT INTO jobs VALUES (5, 'sleep', 'paused', 1, 1, 'task_failed'), (6, 'sleep', 'paused', 1, 1, NULL),
                                (7, 'sleep', 'failed', 1, 1, 'worker_lost'), (8, 'sleep', 'failed', 1, 1, 'task_failed')
    """)
    resumed: list[int] = []
    client: Any = SimpleNamespace(jobs=SimpleNamespace(resume=resumed.append))
    monkeypatch.setattr(record.load, "_insist", lambda ask: ask(client))
    assert record.load.unended() == [5, 6, 7, 8]
    assert sorted(resumed) == [5, 6, 7]


def test_an_account_of_what_is_well_is_good(record: Record) -> None:
    assert record.wrong() == []


@pytest.mark.parametrize(("statement", "told"), [
    ("DELETE FROM jobs WHERE id = 1", "accepted and lost: [1]"),
    ("INSERT INTO jobs VALUES (9, 'noop', 'succeeded', 1, 1)", "there and not accepted: [9]"),
    ("UPDATE jobs SET state = 'canceled' WHERE id = 1", "job 1 was canceled by no one"),
    ("UPDATE jobs SET state = 'failed', error_code = 'odd' WHERE id = 2", "job 2 (sleep) failed: odd"),
    ("INSERT INTO events SELECT * FROM events WHERE kind LIKE 'step%' AND job_id = 1", "steps that succeeded twice"),
    ("INSERT INTO events VALUES (2, 'canceled', '{}')", "jobs that ended more than once: [(2, 2)]"),
    ("INSERT INTO events VALUES (2, 'succeeded', '{}')", "jobs that ended more than once: [(2, 2)]"),
    ("INSERT INTO leases VALUES (2)", "1 leases and 0 claims were not given back"),
    ("INSERT INTO claims_held VALUES (2)", "0 leases and 1 claims were not given back"),
    ("UPDATE jobs SET state = 'succeeded' WHERE id = 4", "table t0 is missing"),
])  # fmt: skip
def test_the_account_sees_what_the_database_has_wrong(record: Record, statement: LiteralString, told: str) -> None:
    record.connection.execute(statement)
    (wrong,) = record.wrong()
    assert told in wrong


@pytest.mark.parametrize(("ids", "texts", "told"), [
    ([6, 7], None, "table t1 has 2 rows, not those of 1 imports"),
    ([6, 7, 8, 8], None, "table t1 has 4 rows"),
    ([6, 7, 8, 0, 1, 2], None, "table t1 has 6 rows"),
    ([6, 7, 8], ["row 6", "row 8", "row 7"], "texts of t1 are mixed up"),
])  # fmt: skip
def test_the_account_sees_what_a_table_has_wrong(
    record: Record, ids: list[int], texts: list[str] | None, told: str
) -> None:
    record.write(1, ids, texts)
    (wrong,) = record.wrong()
    assert told in wrong


def test_the_account_sees_a_table_that_nobody_should_have_filled(record: Record) -> None:
    record.write(0, [0, 1, 2])
    (wrong,) = record.wrong()
    assert "table t0 has 3 rows, not those of 0 imports" in wrong


def test_the_account_sees_what_was_held_beyond_its_limit_or_not_looked_at(record: Record) -> None:
    record.claims.wrong = ["3 units of a thing"]
    assert record.wrong() == ["3 units of a thing"]
    record.claims.wrong = []
    record.claims.samples = 100
    assert record.wrong() == ["held claims were hardly looked at"]


@pytest.mark.parametrize("line", [
    "event=execution_broke", "event=job_run_broke", "event=job_run_not_ended", "event=record_refused",
    "event=loop_broke", "Traceback (most recent call last):",
])  # fmt: skip
def test_the_account_sees_what_a_process_said_of_itself(record: Record, line: str) -> None:
    second = record.site.folder / "server.log"
    second.write_text(f"all is well\n{line} job=1\n")
    record.site.logs.append(second)
    (wrong,) = record.wrong()
    assert wrong.startswith("server.log: ")
    assert line in wrong


def test_the_account_sees_the_rest(record: Record) -> None:
    assert record.wrong(left=[2]) == ["jobs that did not end: [2]"]
    record.load.broken.append("KeyError")
    assert record.wrong() == ["the load broke: ['KeyError']"]
    record.load.broken.clear()
    (record.site.folder / "alone.overlap").touch()
    assert record.wrong() == ["two commands ran at once, of which there may be one"]
