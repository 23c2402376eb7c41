"""The account at the end of a soak: every job and its end, what was held, what the data is, and whether all is well."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pyarrow.compute as pc
from deltalake import DeltaTable

from tests.faults.claims_log import ClaimsLog
from tests.faults.soak_faults import Faults
from tests.faults.soak_load import ROWS, Load
from tests.faults.soak_site import TABLES, Site

_UNEXPECTED = re.compile(r"execution_broke|job_run_broke|job_run_not_ended|record_refused|loop_broke|Traceback")


@dataclass
class Account:
    """`wrong` is empty when all is well."""

    lines: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not self.wrong

    def text(self) -> str:
        return "\n".join([*self.lines, *(f"WRONG: {text}" for text in self.wrong)])

    def check(self, holds: object, text: str) -> None:
        if not holds:
            self.wrong.append(text)


def account_of(site: Site, load: Load, faults: Faults, claims: ClaimsLog, left: list[int]) -> Account:
    """Everything that can be told of a soak whose jobs have ended."""
    account = Account()
    account.lines.append("faults: " + ", ".join(f"{count} × {kind}" for kind, count in sorted(faults.done.items())))
    account.check(not left, f"jobs that did not end: {left[:20]}")
    account.check(not load.broken, f"the load broke: {load.broken[:3]}")
    with site.rows() as rows:
        _jobs(account, rows, load)
        _history(account, rows)
    _claims(account, claims)
    _data(account, site, load)
    overlaps = site.folder / "alone.overlap"
    account.check(not overlaps.exists(), "two commands ran at once, of which there may be one")
    _logs(account, site)
    return account


def _jobs(account: Account, rows: Any, load: Load) -> None:
    found = {row[0]: row for row in rows.execute("SELECT id, type, state, attempt, epoch, error_code FROM jobs")}
    ends: dict[str, Counter[str]] = {}
    for _, type_name, state, *_ in found.values():
        ends.setdefault(type_name, Counter())[state] += 1
    account.lines.append(f"jobs: {len(load.jobs)} accepted, {len(found)} there")
    account.lines += [f"  {name:8} " + ", ".join(f"{n} {state}" for state, n in sorted(count.items()))
                      for name, count in sorted(ends.items())]  # fmt: skip
    account.lines.append(f"  {sum(r[3] for r in found.values())} attempts, {sum(r[4] for r in found.values())} leases")
    account.check(not set(load.jobs) - set(found), f"accepted and lost: {sorted(set(load.jobs) - set(found))[:20]}")
    account.check(not set(found) - set(load.jobs), f"there and not accepted: {sorted(set(found) - set(load.jobs))[:9]}")
    for job, wanted in load.jobs.items():
        row = found.get(job)
        if row is None:
            continue
        account.check(row[2] != "canceled" or "cancel" in wanted.asked, f"job {job} was canceled by no one")
        account.check(row[2] != "failed", f"job {job} ({wanted.type}) failed: {row[5]}")


def _history(account: Account, rows: Any) -> None:
    kinds = dict(rows.execute("SELECT kind, count(*) FROM events GROUP BY kind").fetchall())
    told = ("worker_lost", "handed_back", "retrying", "paused", "resumed", "restarted", "canceled")
    account.lines.append("events: " + ", ".join(f"{kinds.get(kind, 0)} {kind}" for kind in told))
    twice = """SELECT e.job_id, e.data::json ->> 'step', e.data::json ->> 'attempt', count(*) FROM events e
               WHERE e.kind = 'step.succeeded' GROUP BY 1, 2, 3 HAVING count(*) > 1"""
    found = rows.execute(twice).fetchall()
    account.check(not found, f"steps that succeeded twice in one attempt: {found[:5]}")
    finals = """SELECT job_id, count(*) FROM events WHERE kind IN ('succeeded', 'canceled')
                GROUP BY job_id HAVING count(*) > 1"""
    found = rows.execute(finals).fetchall()
    account.check(not found, f"jobs that ended more than once: {found[:5]}")
    (leases,), (held,) = (
        rows.execute(f"SELECT count(*) FROM {table}").fetchone() for table in ("leases", "claims_held")
    )
    account.check(leases == 0 and held == 0, f"{leases} leases and {held} claims were not given back")


def _claims(account: Account, claims: ClaimsLog) -> None:
    most = ", ".join(
        f"{resource} {units}" for resource, units in sorted(claims.most.items()) if "/object" not in resource
    )
    account.lines.append(f"claims: {claims.samples} samples; the most held at once: {most}")
    account.check(claims.samples > 100, "held claims were hardly looked at")
    account.wrong += claims.wrong


def _data(account: Account, site: Site, load: Load) -> None:
    """Each table has the rows of the imports that succeeded, once, and no others."""
    with site.rows() as rows:
        done = {row[0] for row in rows.execute("SELECT id FROM jobs WHERE state = 'succeeded' AND type = 'import'")}
    for table in range(TABLES):
        wanted = sorted(w.rows[0] for w in load.jobs.values() if w.rows and w.rows[1] == table and w.id in done)
        uri = site.storage / f"projects/default/lake/in.soak/t{table}"
        if not (uri / "_delta_log").exists():
            account.check(not wanted, f"table t{table} is missing")
            continue
        data = DeltaTable(uri.as_uri()).to_pyarrow_table(columns=["id", "text"])
        ids = data.column("id").to_pylist()
        account.check(sorted(ids) == [i for first in wanted for i in range(first, first + ROWS)],
                      f"table t{table} has {len(ids)} rows, not those of {len(wanted)} imports")  # fmt: skip
        account.check(data.column("text").to_pylist() == [f"row {i}" for i in ids], f"texts of t{table} are mixed up")
        account.lines.append(f"table t{table}: {len(ids)} rows of {len(wanted)} imports, sum {pc.sum(data['id'])}")


def _logs(account: Account, site: Site) -> None:
    """What the processes said of themselves that nobody should have to read."""
    for path in site.logs:
        text = path.read_text(errors="replace")
        found = _UNEXPECTED.search(text)
        account.check(found is None, f"{path.name}: {text[found.start() - 300 : found.end() + 1500] if found else ''}")
