"""A worker: takes the jobs it was assigned, executes each, passes on what is asked of them."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import structlog
from cachetools import FIFOCache

from jobdeck.core.environment import Environment
from jobdeck.core.errors import ErrorInfo, LeaseLost, Unavailable
from jobdeck.core.identity.sealed import ParamSeals
from jobdeck.core.life.endings import Broke, Ending, Halted, HandedBack
from jobdeck.core.life.records import JobLeft, Record
from jobdeck.core.registry import RegisteredType, TypeRegistry
from jobdeck.core.tasks import Executor, Printed
from jobdeck.core.values import encode
from jobdeck.engine.hooks import HookProcesses
from jobdeck.engine.logs import LogEntry
from jobdeck.engine.loops import Backoff, Loop, Loops, first_of, sleep_unless
from jobdeck.engine.own_thread import OwnThread
from jobdeck.engine.worker.execute import Execution
from jobdeck.engine.worker.job_log import JobLog
from jobdeck.engine.worker.log_writer import LogShipper
from jobdeck.engine.worker.planning import Version
from jobdeck.engine.worker.recorder import JobCheckpoints, Recorder
from jobdeck.engine.worker.renewal import DatabaseTime, Renewal
from jobdeck.engine.worker.stop_control import StopRequest
from jobdeck.engine.worker.undoing import UNDO_SECONDS
from jobdeck.executors.harness import describe
from jobdeck.executors.machine.code import code_of
from jobdeck.store.running import leases, workers
from jobdeck.store.running.leases import UNDO, Assignment, Lease
from jobdeck.store.running.workers import GONE, LEAVING
from jobdeck.store.sql.database import Database

log = structlog.get_logger(__name__)

POLL_SECONDS = 1.0
LEAVE_SECONDS = 12.0
PARTING_SECONDS = 2.0
"""Seconds in which jobs that were not handed back die; code in threads that does not return ends with the process."""
LISTEN_SECONDS = 0.05
"""Until the scheduler has heard that the worker leaves, most of the time; what it assigns later waits for its lease."""
FRESH_SECONDS = 1.0
ANEW_SECONDS = 0.5
"""Of this age one is looked up anew, while jobs go on with the one that is known."""
REMEMBERED = 10_000
_REQUESTS = {"pause": StopRequest.PAUSE, "cancel": StopRequest.CANCEL}


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """What a worker works with; made by wiring."""

    database: Database
    registry: TypeRegistry
    environments: Callable[[str], Awaitable[Environment]]
    executor: Executor
    recorder: Recorder
    logs: LogShipper
    lease_seconds: float = 10.0
    parallel: int = 4
    """Tasks of one job at the same time, at most."""
    apart: Callable[[Loop], Loop] = OwnThread
    """Where leases are renewed from: not from the loop in which jobs run, unless time itself is simulated."""
    hooks: HookProcesses | None = None
    """Where types are asked for their steps; without them in this process, which is for tests."""
    undo_seconds: float = UNDO_SECONDS
    seals: ParamSeals | None = None
    """Opens the secrets among parameters."""


@dataclass(slots=True)
class JobRun:
    """A job while it is on this worker."""

    epoch: int
    task: asyncio.Task[None]
    execution: Execution | None = None
    asked: StopRequest = StopRequest.NOTHING

    def ask(self, what: StopRequest) -> None:
        self.asked = max(self.asked, what)
        if self.execution is not None:
            self.execution.stop_control.ask(what)


class _JobLines:
    """A job's log as its run sees it. It is opened with its first line: many a job says nothing."""

    def __init__(self, logs: LogShipper, job: Assignment) -> None:
        self._logs = logs
        self._job = job
        self._job_log: JobLog | None = None

    @property
    def left_out(self) -> int:
        """Lines that are not in the log."""
        return self._job_log.left_out if self._job_log is not None else 0

    def say(self, step: str, task: int, line: Printed) -> None:
        self.write(LogEntry(line.at, line.level, step, task, line.text))

    def write(self, line: LogEntry) -> None:
        if self._job_log is None:
            self._job_log = self._logs.open(self._job.id, self._job.attempt, self._job.epoch)
        self._job_log.write(line)

    async def close(self) -> None:
        if self._job_log is not None:
            await self._logs.close(self._job_log)


@dataclass(slots=True)
class _Known:
    """What is known of one project."""

    answer: Environment | None = None
    asked: float = 0.0
    """When the answer was asked for, by the clock of the event loop, in seconds."""
    asking: asyncio.Task[Environment] | None = None


class EnvironmentCache:
    """Looks up a project's environment at most every half second; jobs that ask at the same moment share one call."""

    def __init__(self, look_up: Callable[[str], Awaitable[Environment]]) -> None:
        self._look_up = look_up
        self._known: dict[str, _Known] = {}

    async def of(self, project: str) -> Environment:
        """The environment of the project, at most a second old; raises what `look_up` raises."""
        known = self._known.setdefault(project, _Known())
        age = asyncio.get_running_loop().time() - known.asked
        if (known.answer is None or age > ANEW_SECONDS) and known.asking is None:
            known.asking = asyncio.create_task(self._ask(project, known), name=f"environment of {project}")
            known.asking.add_done_callback(_heard)
        if known.answer is not None and age <= FRESH_SECONDS:
            return known.answer
        assert known.asking is not None
        return await asyncio.shield(known.asking)

    async def _ask(self, project: str, known: _Known) -> Environment:
        asked = asyncio.get_running_loop().time()
        try:
            known.answer = await self._look_up(project)
            known.asked = asked
            return known.answer
        finally:
            known.asking = None


def _heard(asking: asyncio.Task[Environment]) -> None:
    """Whoever waits for it is told how it ended; nobody may."""
    if not asking.cancelled():
        asking.exception()


class WorkerService:
    """A loop; its worker joins when it starts and is gone when it ends."""

    def __init__(self, me: workers.StoredWorker, parts: WorkerParts) -> None:
        self.name = f"worker {me.name}"
        self.me = me
        self._parts = parts
        self._clock = DatabaseTime()
        self._environments = EnvironmentCache(parts.environments)
        self._loaded = {t.name: code_of(t.implementation) for t in parts.registry}
        """The code of job types as this process has it."""
        self._job_runs: dict[int, JobRun] = {}
        self._left: FIFOCache[tuple[int, int], None] = FIFOCache(REMEMBERED)
        self._poke = asyncio.Event()
        self._marked_dead = False
        self._has_run = False
        self._lapse: asyncio.TimerHandle | None = None
        """Set while the leases hold."""
        self._until = 0.0
        """Until when they hold (loop time), as soon as it is known, though the loop be blocked."""

    async def run(self, stop: asyncio.Event) -> None:
        """Take and run jobs until `stop` is set. Run again after it died, it joins as another worker."""
        if self._has_run:
            await self._rejoin(stop)
        else:
            await self._join(stop)
        self._has_run = True
        loop = asyncio.get_running_loop()

        def heard(worker_id: str, state: str | None, until: float) -> None:
            self._until = until
            loop.call_soon_threadsafe(self._hear, worker_id, state, until)

        parts = self._parts
        renewal = Renewal(
            parts.database, lambda: self.me.id, parts.lease_seconds, parts.executor, self._clock, heard
        )  # fmt: skip
        beating = Loops([parts.apart(renewal)])
        await beating.start()
        try:
            await self._serve(stop)
            await self._leave()
        finally:
            if stop.is_set():
                await self._parts.executor.aclose()
            await beating.stop()
        await self._say_gone()

    def _hear(self, worker_id: str, state: str | None, until: float) -> None:
        """The heart has beaten: the leases hold until then (loop time)."""
        self._marked_dead = state is None and worker_id == self.me.id
        if self._lapse is not None:
            self._lapse.cancel()
        self._lapse = asyncio.get_running_loop().call_at(until, self._let_go, until)
        self._poke.set()

    def _let_go(self, until: float) -> None:
        """The leases were not renewed in time: the work is dead, and nothing of it may be started again from here."""
        # Not the time is compared: a timer may ring a little before it.
        if until < self._until:
            return  # they were, while this loop was blocked: it is still to hear of it
        self._lapse = None
        for job_run in self._job_runs.values():
            job_run.ask(StopRequest.HAND_BACK)

    async def _join(self, stop: asyncio.Event) -> None:
        backoff = Backoff(self.name)
        while not stop.is_set():
            try:
                self._clock.hear(await self._parts.database.now())
                return await workers.join(self._parts.database, self.me)
            except Exception as error:  # noqa: BLE001  (the database may be coming up)
                await sleep_unless(stop, backoff.failed(error))
        return None

    async def _rejoin(self, stop: asyncio.Event) -> None:
        """It was silent for so long that it counts as gone: what it held is lost; it joins again as another worker."""
        log.warning("worker_was_marked_dead", worker=self.me.id)
        for job_run in list(self._job_runs.values()):
            job_run.ask(StopRequest.DIE)
        if self._job_runs:
            await asyncio.wait([s.task for s in self._job_runs.values()])
        self.me = replace(self.me, id=uuid.uuid4().hex)
        self._marked_dead = False
        await self._join(stop)

    async def _serve(self, stop: asyncio.Event) -> None:
        wakeup = self._parts.database.wakeups.subscribe(self.me.id)
        backoff = Backoff(self.name)
        try:
            while not stop.is_set():
                try:
                    if self._marked_dead:
                        await self._rejoin(stop)
                        wakeup.name = self.me.id
                    await self.reconcile()
                    backoff.succeeded()
                    await first_of(wakeup.wait(POLL_SECONDS), stop, self._poke)
                    self._poke.clear()
                except Exception as error:  # noqa: BLE001  (what runs, goes on; the look is repeated)
                    await sleep_unless(stop, backoff.failed(error))
        finally:
            wakeup.close()

    async def reconcile(self) -> None:
        """Make what runs here agree with the leases: start what is new, pass on what is asked, kill what is lost."""
        async with self._parts.database.read(often=True) as connection:
            held = {lease.job: lease for lease in await leases.of_worker(connection, self.me.id)}
            new = [i for i, lease in held.items() if i not in self._job_runs and (i, lease.epoch) not in self._left]
            assigned = await leases.assignments(connection, self.me.id, new) if new else []
        for job_id, job_run in self._job_runs.items():
            lease = held.get(job_id)
            if lease is None or lease.epoch != job_run.epoch:
                job_run.ask(StopRequest.DIE)
            elif lease.ask:
                job_run.ask(_REQUESTS[lease.ask])
        if self._lapse is None:
            return
        for job in assigned:
            self._begin(job, held[job.id])

    def _begin(self, job: Assignment, lease: Lease) -> None:
        job_run = JobRun(job.epoch, asyncio.create_task(self._run_and_record(job), name=f"job {job.id}"))
        self._job_runs[job.id] = job_run
        if lease.ask:
            job_run.ask(_REQUESTS[lease.ask])

    async def _run_and_record(self, job: Assignment) -> None:
        """A job's whole time here; whatever happens, it ends with its lease given back or lost."""
        lines = _JobLines(self._parts.logs, job)
        try:
            ending = await self._run(job, lines)
            await lines.close()
            if ending is None:
                log.info("lease_lost", job=job.id, epoch=job.epoch)
            else:
                left = JobLeft(ending, warnings=int(lines.left_out > 0))
                await self._parts.recorder.write(job.id, job.epoch, (*self._last_records(job), left))
        except LeaseLost:
            log.info("lease_lost", job=job.id, epoch=job.epoch)
        except Exception as error:
            log.exception("job_run_broke", job=job.id)
            await self._give_up(job, error)
        finally:
            self._remember_left(job)
            job_run = self._job_runs.pop(job.id)
            if job_run.asked is StopRequest.DIE:
                # The job may have come back to this worker under a new lease, which waits for the end of the old one.
                self._poke.set()

    def _last_records(self, job: Assignment) -> tuple[Record, ...]:
        execution = self._job_runs[job.id].execution
        return execution.unwritten if execution is not None else ()

    async def _give_up(self, job: Assignment, error: Exception) -> None:
        """How the job run ended could not be recorded: say at least that, or the job would hold its lease for ever."""
        try:
            await self._parts.recorder.write(job.id, job.epoch, (JobLeft(_own_error(job, error)),))
        except Exception:
            log.exception("job_run_not_ended", job=job.id)

    async def _environment(self, project: str, job_run: JobRun) -> Environment | None:
        """The job's environment, as soon as it is to be had; None when something is asked of the job before."""
        backoff = None
        while job_run.asked is StopRequest.NOTHING:
            try:
                return await self._environments.of(project)
            except Unavailable as error:
                backoff = backoff or Backoff(f"environment of {project}")
                await asyncio.sleep(backoff.failed(error))
        return None if job_run.asked is StopRequest.DIE else await self._environments.of(project)

    async def _run(self, job: Assignment, lines: _JobLines) -> Ending | None:
        parts = self._parts
        job_run = self._job_runs[job.id]
        registered = parts.registry.find(job.type)
        if registered is None:
            hint = "Start a worker that has it installed; then resume the job."
            text = f"This worker does not know the job type '{job.type}'."
            return _cannot_begin(job, ErrorInfo("unknown_job_type", text, hint))
        try:
            environment = await self._environment(job.project, job_run)
        except Unavailable:
            return HandedBack()
        except Exception as error:  # noqa: BLE001  (what a project holds can be beyond use; that is this job's trouble)
            return _cannot_begin(job, describe(error, f"{job.type}.environment"))
        if environment is None:
            return None
        version = self._version(registered, lines)
        try:
            job = self._opened(job)
        except Exception as error:  # noqa: BLE001  (a box that was tampered with is this job's trouble)
            return _cannot_begin(job, describe(error, f"{job.type}.params"))
        execution = Execution(
            job, registered, environment,
            JobCheckpoints(parts.database, parts.recorder, job.id, job.attempt, job.epoch),
            parts.executor, lines, self._clock, parts.parallel, parts.hooks, parts.undo_seconds, version,
        )  # fmt: skip
        job_run.execution = execution
        execution.stop_control.ask(job_run.asked)
        try:
            return await execution.execute()
        except LeaseLost:
            raise
        except Exception as error:
            log.exception("execution_broke", job=job.id)
            return _own_error(job, error)

    def _version(self, registered: RegisteredType, lines: _JobLines) -> Version:
        """The code that a job run has: processes load it as it is on disk, threads have it as it was at the start."""
        loaded = self._loaded.get(registered.name)
        if loaded is None:
            loaded = self._loaded[registered.name] = code_of(registered.implementation)
        if registered.job_type.isolation == "thread":
            return Version(loaded.fingerprint, newest=loaded.newest)
        now = code_of(registered.implementation)
        edited = now.fingerprint != loaded.fingerprint
        if edited:
            text = f"{now.newest} was changed after this worker had loaded it: plan and tasks run the new code."
            hint = "Restart the worker, so that what the class says of itself is new as well."
            lines.write(LogEntry(self._clock(), "warning", "", 0, f"{text} {hint}"))
        return Version(now.fingerprint, edited, now.newest)

    def _opened(self, job: Assignment) -> Assignment:
        """With the secrets among its parameters, which leave this process only for that of its tasks."""
        if job.secrets is None:
            return job
        if self._parts.seals is None:
            raise Unavailable("This worker has no key to read the job's secrets with.", hint="Set JOBDECK_SECRET_KEY.")
        params = self._parts.seals.open(job.project_id, json.loads(job.params), job.secrets)
        return job._replace(params=encode(params), secrets=None)

    def _remember_left(self, job: Assignment) -> None:
        """A look that was under way when the lease was given back must not start the job again."""
        self._left[job.id, job.epoch] = None

    async def _leave(self) -> None:
        """Take nothing more, let the jobs stop at their next checkpoint, hand them back."""
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await workers.set_state(self._parts.database, self.me.id, LEAVING)
                # What was assigned before the scheduler heard of it is handed back as well.
                while await self._hand_back() or await self._hand_back(after=LISTEN_SECONDS):
                    continue
        except Exception as error:  # noqa: BLE001  (leaving goes on without the database)
            log.warning("leaving_in_haste", error=str(error) or type(error).__name__, jobs=list(self._job_runs))
        left = [job_run.task for job_run in self._job_runs.values()]
        for task in left:
            task.cancel()
        if left and (await asyncio.wait(left, timeout=PARTING_SECONDS))[1]:
            log.warning("jobs_do_not_stop", jobs=list(self._job_runs), then="they end with this process")

    async def _hand_back(self, after: float = 0.0) -> bool:
        """Hand back all that is here `after` so many seconds; whether there was anything."""
        await asyncio.sleep(after)
        await self.reconcile()
        for job_run in list(self._job_runs.values()):
            job_run.ask(StopRequest.HAND_BACK)
        if self._job_runs:
            await asyncio.wait([s.task for s in self._job_runs.values()])
            return True
        return False

    async def _say_gone(self) -> None:
        try:
            await workers.set_state(self._parts.database, self.me.id, GONE)
        except Exception as error:  # noqa: BLE001  (its heartbeat will be missed)
            log.warning("gone_without_word", error=str(error))


def _cannot_begin(job: Assignment, error: ErrorInfo) -> Ending:
    """A job run that ends before any code of the job ran; leftovers that cannot be removed are told of."""
    return Halted(undone=True, trouble=error.message) if job.purpose == UNDO else Broke(error)


def _own_error(job: Assignment, error: Exception) -> Ending:
    text = describe(error, job.type).message
    return _cannot_begin(
        job, ErrorInfo("internal_error", f"Jobdeck failed while running the job: {text}", "Please report it.")
    )
