"""What must hold after every commit and at every start of a task, whatever happened (engine.md and lifecycle.md)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from jobdeck.core.claims import Held
from jobdeck.core.life.states import ENDED, FINAL, State
from jobdeck.core.life.waiting import Waiting, obstacles
from jobdeck.core.tasks import UNDO
from jobdeck.engine.duties.sweep import Attempts
from tests.simulation.apart import Apart
from tests.simulation.decisions import Decisions, Knew
from tests.simulation.executor import SimulatedRun
from tests.simulation.facts import Facts, Reader, Row, Rules, View, claims_of
from tests.simulation.scripts import TYPES
from tests.simulation.virtual_time import Machine

_FINAL = {str(s) for s in FINAL}
_ENDED = {str(s) for s in ENDED}

IN_FLIGHT = 1.5
"""Seconds that a transaction may take from reading the time to its commit."""
YOUNG = 3.0
"""Seconds within which nothing is swept away; in truth it is hours."""
KEPT = 2.0
"""Seconds that ended jobs are kept; in truth it is days or for ever."""
NOTICED_WITHIN = 1.5
"""Seconds that a task of a worker which was cut off may outlive its lease: what it writes cannot land any more."""


class Guarantees:
    """Compares each commit with the one before; `broken` is called with the words for what does not hold."""

    def __init__(self, reader: Reader, project_limit: int | None, apart: Apart, broken: Callable[[str], None]) -> None:
        self._reader = reader
        self._project_limit = project_limit
        self._broken = broken
        self.commit = 0
        self.facts = reader.facts(0, None, set())
        self.alive: dict[int, SimulatedRun] = {}
        self.dirty: dict[tuple[int, int], float] = {}
        """Job and attempt where something half made lies about, and since when."""
        self.stepped = -1.0
        """When (loop time) the database's clock was last put forward."""
        self._renewed: dict[tuple[int, int], float] = {}
        """Job and epoch of leases, and when each was last given more time."""
        self._cut_short: set[tuple[int, int]] = set()
        """Job and epoch of leases that a step of the clock ended before their time."""
        self._now = 0.0
        self._rules: list[Rules] = [self.facts.rules]
        self._event = 0
        self._apart = apart
        self._decisions = Decisions(project_limit, apart, broken)

    # Commits.

    def committed(self, machine: Machine | None, touched: set[str], knew: Knew, latest: int, now: float) -> None:
        """`knew`: what the machine surely knew when it decided; `latest`: the latest time that
        the database told it since."""
        self.commit += 1
        self._now = now
        before, self.facts = self.facts, self._reader.facts(self.commit, self.facts, touched)
        after = self.facts
        if after.rules is not before.rules:
            self._rules.append(after.rules)
        news = self._news() if "events" in touched else []
        self._decisions.committed(machine, self.commit, touched, knew, news, before, after, now)
        if touched & {"jobs", "leases"}:
            self._apart.begun(before, after, knew.at, now)
        if touched & {"jobs", "leases"}:
            self._check_jobs(before, after, news)
            self._note_times(before, after, now)
            self._check_leases(before, after, knew.followed, latest)
            self._check_fences(machine, before, after, now)
        if touched & {"tasks", "jobs"}:
            self._check_tasks(before, after)

    def _check_jobs(self, before: Facts, after: Facts, news: list[Row]) -> None:
        told = _states(news)
        pruned = {row["job_id"]: row["at"] for row in news if row["kind"] == "deleted" and row["actor"] == "jobdeck"}
        for job_id, job in after.jobs.items():
            old = before.jobs.get(job_id)
            self._check_lease_of(job, after.leases.get(job_id))
            if old is not None and tuple(old) != tuple(job):
                self._check_change(old, job, before, after)
            if old is None or old["state"] != job["state"]:
                self._expect(
                    told.get(job_id) == job["state"], f"job {job_id} became {job['state']} without an event of it"
                )
        for gone in before.jobs.keys() - after.jobs.keys():
            self._expect(told.get(gone) == "deleted", f"job {gone} ({before.jobs[gone]['state']}) was lost")
            old = before.jobs[gone]
            self._expect(old["state"] in _ENDED, f"job {gone} was deleted while it could run")
            if gone in pruned:
                kept = (pruned[gone] - old["state_since"]) / 1e6
                self._expect(kept >= KEPT, f"job {gone} ({old['state']}) was removed {kept} s after its end")
                self._expect(old["parent_id"] not in after.jobs, f"job {gone} was deleted before its parent")

    def _news(self) -> list[Row]:
        """The events since the last look."""
        query = "SELECT id, at, job_id, kind, actor, data FROM events WHERE id > ? AND job_id IS NOT NULL ORDER BY id"
        news = self._reader.rows(query, self._event)
        self._event = news[-1]["id"] if news else self._event
        return news

    def _check_lease_of(self, job: Row, lease: Row | None) -> None:
        state, name = job["state"], f"job {job['id']}"
        self._expect(bool(job["leased"]) == (lease is not None), f"{name}: leased={job['leased']}, lease {_t(lease)}")
        if state in (State.RUNNING, State.PAUSING):
            self._expect(lease is not None, f"{name} is {state} without a lease")
        elif state != State.CANCELING:
            self._expect(lease is None, f"{name} is {state} and holds a lease")
        if lease is not None:
            self._expect(lease["epoch"] == job["epoch"], f"{name} has epoch {job['epoch']}, its lease {lease['epoch']}")

    def _check_change(self, old: Row, job: Row, before: Facts, after: Facts) -> None:
        name, state = f"job {job['id']}", job["state"]
        if old["state"] in _FINAL:
            same = all(old[k] == job[k] for k in ("state", "attempt", "result", "epoch"))
            self._expect(same, f"{name} was {old['state']} for good and changed to {state}")
        self._expect(job["attempt"] >= old["attempt"], f"{name}: its attempt went back")
        self._expect(job["epoch"] >= old["epoch"], f"{name}: its epoch went back")
        if job["attempt"] == old["attempt"]:
            self._expect(
                job["fraction"] >= old["fraction"], f"{name}: progress from {old['fraction']} to {job['fraction']}"
            )
        self._expect(
            (job["fraction"] >= 1) == (state == State.SUCCEEDED), f"{name} is {state} at {job['fraction']:.0%}"
        )
        if state != old["state"] and state in (State.SUCCEEDED, State.FAILED):
            self._expect(old["leased"] or old["waits_for_children"], f"{name} became {state} and nobody had it")
        if state != old["state"] and state in _ENDED:
            for child in (c for c in after.jobs.values() if c["parent_id"] == job["id"]):
                # A failed one may be taken up again, in the same moment or later.
                was = before.jobs.get(child["id"], child)
                self._expect(
                    child["state"] in _ENDED or was["state"] in _ENDED,
                    f"{name} ended {state} before its child {child['id']} ({child['state']})",
                )
        if state == State.CANCELED != old["state"] and not job["warnings"]:
            left = self._leftovers(job, job["attempt"] + 1)
            self._expect(not left, f"{name} was canceled, and leftovers of its attempts {left} are there")

    # Leases.

    def _check_leases(self, before: Facts, after: Facts, followed: int, latest: int) -> None:
        epochs = {job_id: lease["epoch"] for job_id, lease in before.leases.items()}
        new = [lease for job_id, lease in after.leases.items() if epochs.get(job_id) != lease["epoch"]]
        if not new:
            return
        held = Held()
        for job_id, lease in after.leases.items():
            if lease not in new:
                held.take(job_id, claims_of(lease))
        for lease in new:
            job = before.jobs[lease["job_id"]]
            self._check_grant(job, lease, held, followed, latest)
            self._check_place(after, lease)
            held.take(job["id"], claims_of(lease))
        self._check_sums(after, new, followed)

    def _check_sums(self, after: Facts, new: list[Row], followed: int) -> None:
        """Adds up by itself what is held of what was just granted, and not with the scheduler's own rule."""
        holders: dict[str, list[list[Any]]] = {}
        for lease in after.leases.values():
            for resource, units, mode in json.loads(lease["claims"]):
                holders.setdefault(resource, []).append([lease["job_id"], units, mode])
        for resource in {claim[0] for lease in new for claim in json.loads(lease["claims"])}:
            held = holders[resource]
            used = sum(units for _, units, _ in held)
            views = [View(Held(), rules, self._project_limit) for rules in self._rules_since(followed)]
            fits = any((c := view.capacity(resource)) is None or used <= c for view in views)
            self._expect(fits, f"{used} units of {resource} were granted, to {held}")
            alone = len(held) == 1 or all(mode == "s" for _, _, mode in held)
            self._expect(alone, f"{resource} was granted to several, one of them for itself: {held}")

    def _check_grant(self, job: Row, lease: Row, held: Held, followed: int, latest: int) -> None:
        name = f"job {job['id']} was started"
        if lease["purpose"] == UNDO:
            self._expect(
                job["state"] == State.CANCELING and job["dirty_since"], f"{name} to be undone, and was {_t(job)}"
            )
            return
        self._expect(job["state"] == State.PENDING, f"{name}, and was {job['state']}")
        self._expect(not job["waits_for_children"], f"{name} while it waits for its children")
        self._expect(lease["claims"] == job["claims"], f"{name} with other claims than its own")
        waiting = Waiting(job["id"], f"p{job['project_id']}", job["type"], claims_of(job), job["not_before"])
        reasons: list[Any] = []
        for rules in self._rules_since(followed):
            reasons = list(obstacles(waiting, View(held, rules, self._project_limit), latest))
            if not reasons:
                return
        self._broken(f"{name} although {'; '.join(r.text for r in reasons)}")

    def _rules_since(self, commit: int) -> Iterator[Rules]:
        """Those that held at `commit` or later: the machine decided by one of them."""
        for rules, following in zip(self._rules, [*self._rules[1:], None], strict=True):
            if following is None or following.since > commit:
                yield rules

    def _check_place(self, after: Facts, lease: Row) -> None:
        worker, job = after.workers[lease["worker_id"]], after.jobs[lease["job_id"]]
        self._expect(job["type"] in json.loads(worker["types"]), f"{worker['name']} cannot run job {job['id']}")
        if lease["purpose"] == UNDO:
            return
        mates = [m for m in after.leases.values() if m["worker_id"] == worker["id"] and m["purpose"] != UNDO]
        used = sum(after.jobs[m["job_id"]]["isolation"] == job["isolation"] for m in mates)
        slots = worker["light_slots"] if job["isolation"] == "thread" else worker["slots"]
        self._expect(used <= slots, f"{worker['name']} has {slots} places and got {used} jobs")

    # Tasks: the rows, and what is really alive.

    def _check_tasks(self, before: Facts, after: Facts) -> None:
        for key, task in after.tasks.items():
            old = before.tasks.get(key)
            if old is task or (old is not None and tuple(old) == tuple(task)):
                continue
            job = after.jobs[key[0]]
            name = f"task {key[2]}[{key[3]}] of job {key[0]}"
            self._expect(key[0] in before.leases, f"{name}: a write without a lease")
            # By this very commit a restart may begin another one.
            attempt = before.jobs[key[0]]["attempt"]
            self._expect(key[1] == attempt, f"{name}: a write to attempt {key[1]} in attempt {attempt}")
            if old is not None and old["state"] == "succeeded":
                same = all(old[k] == task[k] for k in ("state", "result"))
                self._expect(same, f"{name} had succeeded and changed to {_t(task)}")
            self._check_epochs(name, old, task, job["epoch"])

    def _check_epochs(self, name: str, old: Row | None, task: Row, epoch: int) -> None:
        """Cursors, results and hosts say in which epoch they were made."""
        for column, read in _EPOCHS.items():
            value = task[column]
            if value and (old is None or old[column] != value):
                made = read(value)
                self._expect(made == epoch, f"{name}: a {column} of epoch {made} was recorded in epoch {epoch}")

    def task_started(self, run: SimulatedRun) -> None:
        request = run.request
        self.alive[run.serial] = run
        if self._is_fenced(run):
            run.fenced_since = run.born  # its worker was about to start it when it was cut off
            return
        key = (request.job, request.attempt, request.step_index, request.index)
        task = self.facts.tasks.get(key)
        if request.method == UNDO:
            working = [
                r for r in self.alive.values() if r is not run and self._same_work(r, request.job, request.attempt)
            ]
            self._expect(not working or self._may_linger(working), f"{run} began while {working} are alive")
            return
        done = task is not None and task["state"] == "succeeded"
        self._expect(not done, f"{run} began although its result is recorded")
        twice = [
            r for r in self.alive.values() if r is not run and r.request.job == request.job and _place(r) == _place(run)
        ]
        self._expect(not twice or self._may_linger(twice), f"{run} began while {twice} is alive")
        if TYPES[request.type].has_undo():
            left = self._leftovers(self.facts.jobs[request.job], request.attempt)
            self._expect(not left, f"{run} began over the leftovers of attempts {left}")
            self.dirty.setdefault((request.job, request.attempt), run.born)

    def _leftovers(self, job: Row, before: int) -> list[int]:
        """Attempts before `before` that left something half made: none of them came to its end."""
        return [a for j, a in sorted(self.dirty) if j == job["id"] and a < before and not self._came_to_its_end(job, a)]

    def _came_to_its_end(self, job: Row, attempt: int) -> bool:
        done = {
            k[2] for k, t in self.facts.tasks.items() if k[:2] == (job["id"], attempt) and t["state"] == "succeeded"
        }
        undone = {
            k[2] for k, t in self.facts.tasks.items() if k[:2] == (job["id"], attempt) and t["state"] != "succeeded"
        }
        return not undone and len(done) == len(json.loads(job["params"])["steps"])

    def task_undone(self, run: SimulatedRun) -> None:
        self.dirty.pop((run.request.job, run.request.attempt), None)

    async def sweep(self, _project: str, needed: Attempts) -> list[str]:
        """What a sweep would remove, which is all that is old and of none of the attempts `needed`, nobody needs."""
        for key, since in self.dirty.items():
            job = self.facts.jobs.get(key[0])
            if job is not None and job["state"] not in _FINAL and self._now - since > YOUNG:
                self._expect(key in needed or self._came_to_its_end(job, key[1]), f"leftovers of {key} are swept away")
        return []

    def task_ended(self, run: SimulatedRun) -> None:
        del self.alive[run.serial]

    def _same_work(self, run: SimulatedRun, job: int, attempt: int) -> bool:
        return run.request.job == job and run.request.attempt == attempt and run.request.method != UNDO

    def _is_fenced(self, run: SimulatedRun) -> bool:
        lease = self.facts.leases.get(run.request.job)
        return lease is None or lease["epoch"] != run.request.epoch

    def _may_linger(self, runs: list[SimulatedRun]) -> bool:
        return all(r.fenced_since is not None and self._excused(r) for r in runs)

    def _excused(self, run: SimulatedRun) -> bool:
        """A task outlives its lease only where nothing can be done: in a thread, and, where a step of the clock ended
        the lease before its time, until the time that its worker had set for it."""
        since = self._now - (run.fenced_since if run.fenced_since is not None else 0.0)
        if run.light or since <= NOTICED_WITHIN:
            return True
        return (run.request.job, run.request.epoch) in self._cut_short and self._now <= (run.executor.deadline or 0.0)

    def _note_times(self, before: Facts, after: Facts, now: float) -> None:
        """When leases were given more time, and which a step of the clock ended before their time: those that ran out
        and had been given more before the step, or in a transaction that had begun before it."""
        for job_id, lease in after.leases.items():
            old = before.leases.get(job_id)
            if old is not lease and (old is None or old["expires_at"] != lease["expires_at"]):
                self._renewed[job_id, lease["epoch"]] = now
        for job_id in before.leases.keys() - after.leases.keys():
            lease = before.leases[job_id]
            key = (job_id, lease["epoch"])
            job = after.jobs.get(job_id)
            ran_out = job is not None and lease["expires_at"] <= job["state_since"]
            if ran_out and self._renewed[key] <= self.stepped + IN_FLIGHT:
                self._cut_short.add(key)

    def _check_fences(self, machine: Machine | None, before: Facts, after: Facts, now: float) -> None:
        gone = {(j, lease["epoch"]) for j, lease in before.leases.items()}
        gone -= {(j, lease["epoch"]) for j, lease in after.leases.items()}
        for run in self.alive.values():
            key = (run.request.job, run.request.epoch)
            if not self._is_fenced(run):
                continue
            if key in gone:
                run.fenced_since = now
                # The machine may lead as well: then it is the leader's business to end leases that ran out.
                ran_out = before.leases[key[0]]["expires_at"] <= after.jobs[key[0]]["state_since"]
                given_back = machine is run.machine and not ran_out
                self._expect(not given_back, f"{run.machine} gave job {key[0]} back, and {run} is alive")
            since = now - (run.fenced_since or now)
            self._expect(self._excused(run), f"{run} was fenced {since:.1f} s ago and is alive")

    def _expect(self, holds: object, words: str) -> None:
        if not holds:
            self._broken(words)


def _states(news: list[Row]) -> dict[int, str]:
    """The state that the last new event of each job tells."""
    told = {}
    for row in news:
        state = "deleted" if row["kind"] == "deleted" else json.loads(row["data"]).get("state")
        if state and not row["kind"].startswith("step."):
            told[row["job_id"]] = state
    return told


def _place(run: SimulatedRun) -> tuple[int, int]:
    return run.request.step_index, run.request.index


def _t(row: Row | None) -> dict[str, Any] | None:
    return dict(row) if row is not None else None


_EPOCHS: dict[str, Callable[[str], int]] = {
    "cursor": lambda text: int(json.loads(text)["epoch"]),
    "result": lambda text: int(json.loads(text)[0]),
    "host": lambda text: int(text.rpartition(":")[2]),
}
