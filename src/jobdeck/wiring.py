"""The composition root: the only place that picks a database, executors, job types, and puts the parts together."""

from __future__ import annotations

import asyncio
import os
import socket
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile

import structlog
from fastapi import FastAPI

from jobdeck import __version__
from jobdeck.access.first_admin import AdminElsewhere, first_admin, new_admin_token
from jobdeck.access.home_lock import Locks, lock_installation
from jobdeck.access.own_key import proved_vault
from jobdeck.access.own_storage import prove_storage
from jobdeck.access.private_home import make_files_private, make_private
from jobdeck.access.vault import Vault
from jobdeck.api.admin.login_links import link_at
from jobdeck.api.app import create_app
from jobdeck.api.http.frame import Doors
from jobdeck.api.http.server.connections import Bounds, bounds
from jobdeck.api.http.server.serving import BACKLOG, address_of, is_of_this_machine_only, listen, serve
from jobdeck.config import Config, InvalidConfiguration, load
from jobdeck.connectors import registry as connectors
from jobdeck.core.registry import TypeRegistry
from jobdeck.engine.bulk_runner import BulkRunner
from jobdeck.engine.control import Control
from jobdeck.engine.duties import (
    collect_garbage,
    end_silent,
    expire_leases,
    mark_dead,
    resume_paused,
    seal,
    sweep,
    tell_failures,
    trim_memory,
)
from jobdeck.engine.duties.prune import EVERY as PRUNE_EVERY
from jobdeck.engine.duties.prune import Prune, Retention
from jobdeck.engine.feed import Feed
from jobdeck.engine.garbage import GarbageCollector
from jobdeck.engine.hooks import HookProcesses
from jobdeck.engine.log_store import LogStore
from jobdeck.engine.loops import Loop, Loops, RepeatedLoop
from jobdeck.engine.planned import Plans
from jobdeck.engine.preview import Previewer
from jobdeck.engine.scheduling.scheduler import Leadership, Scheduler
from jobdeck.engine.submitting.submit import Submitter
from jobdeck.engine.worker.log_writer import LogShipper
from jobdeck.engine.worker.recorder import Recorder
from jobdeck.engine.worker.results import forget_abandoned
from jobdeck.engine.worker.worker import WorkerParts, WorkerService
from jobdeck.executors import open_files
from jobdeck.executors.choose import ByIsolation
from jobdeck.executors.machine.private import keep_out
from jobdeck.executors.machine.shared_files import share
from jobdeck.executors.machine.users import TaskUser, without_settings
from jobdeck.executors.processes import ProcessExecutor
from jobdeck.executors.threads import ThreadExecutor
from jobdeck.jobs.registry import load_types
from jobdeck.services.admin import moving
from jobdeck.services.admin.moving import Move
from jobdeck.services.core import Core, Installation
from jobdeck.services.data.environments import Environments
from jobdeck.services.jobs.bulk_permission import permission_lost
from jobdeck.services.masking import Masker, ParamVault
from jobdeck.services.seal_stored import seal_stored
from jobdeck.services.services import Services as UseCases
from jobdeck.storage import endpoints
from jobdeck.storage.blobs import Blobs
from jobdeck.store.awaiting import await_database
from jobdeck.store.migrate import migrate
from jobdeck.store.moving.copying import MovedTable
from jobdeck.store.running.killed import end_killed
from jobdeck.store.running.workers import StoredWorker
from jobdeck.store.segments.sealing import Sealer
from jobdeck.store.sql.database import Database
from jobdeck.store.sql.listen import Listener
from jobdeck.web.mount import check_prefix, mount

log = structlog.get_logger(__name__)
ASIDE = 4
"""Processes of a worker for what must not wait behind tasks: removing what canceled jobs left."""

_FEW_CONNECTIONS = 200
"""A server that can take in fewer tells it when it starts."""
Ready = Callable[[str, str | None], None]


@dataclass(frozen=True, slots=True)
class Foundation:
    """What every process of an installation stands on."""

    config: Config
    database: Database
    blobs: Blobs
    registry: TypeRegistry
    installation: Installation
    environments: Environments
    vault: Vault
    seals: ParamVault
    logs: LogStore
    garbage: GarbageCollector
    control: Control
    hooks: HookProcesses
    lock: Locks | None
    task_user: TaskUser | None = None


async def open_installation(config: Config, stop: asyncio.Event | None = None, *, serves: bool = False) -> Foundation:
    """Open home, database and storage, and bring the schema up to date; a PostgreSQL that is not there yet is waited
    for until `stop` is set. Raises Conflict when home or database is in use, WrongSecretKey where secrets could not be
    read, InvalidConfiguration for folders that must not be read."""
    _make_home(config.home)
    lock = lock_installation(config.home, config.sqlite_path) if config.sqlite_path else None
    database = Database(config.async_database_url)
    try:
        await await_database(database, stop)
        return await _found(config, database, lock, serves)
    except BaseException:
        await database.close()
        if lock is not None:
            lock.release()
        raise


async def _found(config: Config, database: Database, lock: Locks | None, serves: bool) -> Foundation:
    await migrate(database)
    await moving.refuse_moved(database)
    if config.sqlite_path:
        make_files_private(config.sqlite_path)
    vault = await proved_vault(database, config.secret_key, config.home)
    installation = _installation(config)
    blobs = Blobs(config.blobs_url, config.storage_options)
    await blobs.check()
    await prove_storage(database, blobs, serves=serves)
    if config.sqlite_path:  # only once nothing refuses this start any more
        await end_killed(database)
    work_dir = config.home.resolve() / "work"
    work_dir.mkdir(exist_ok=True)
    forget_abandoned(work_dir)
    user = _task_user(config, work_dir)
    logs = LogStore(blobs)
    registry = load_types({"allow_commands": config.allow_commands})
    _tell_of_broken(registry)
    seals = ParamVault(Masker(registry), vault)
    environments = Environments(database, installation, str(work_dir), vault)
    garbage = GarbageCollector(database, blobs, partial(_clean_staged, environments))
    return Foundation(
        config, database, blobs, registry, installation, environments, vault, seals, logs, garbage,
        Control(database, garbage), _hooks(config, user, lock), lock, user,
    )  # fmt: skip


def _tell_of_broken(registry: TypeRegistry) -> None:
    """Say which job types and connectors of others could not be loaded, and why."""
    for job_type in registry.broken:
        log.error("job_type_not_loaded", type=job_type.name, reason=job_type.reason)
    for kind, reason in connectors.broken().items():
        log.error("connector_not_loaded", kind=kind, reason=reason)


def _task_user(config: Config, work_dir: Path) -> TaskUser | None:
    """Whom tasks run as, with what they need opened to them; None where they run as this process."""
    if not config.task_user:
        return None
    user = TaskUser.called(config.task_user)
    share(config.home.resolve(), work_dir, config.blobs_url, user)
    user.try_out(str(work_dir), without_settings())
    return user


def _hooks(config: Config, user: TaskUser | None, lock: Locks | None) -> HookProcesses:
    return HookProcesses(
        config.check_processes,
        check_seconds=config.check_seconds,
        plan_seconds=config.plan_seconds,
        memory_limit=_task_memory(config),
        user=user,
        held=lock.descriptors if lock else (),
    )


def _installation(config: Config) -> Installation:
    return Installation(
        version=__version__,
        storage_url=config.blobs_url,
        storage_options=config.storage_options,
        allowed_paths=tuple(str(p) for p in config.allowed_paths),
        allowed_endpoints=_checked_endpoints(config),
        forbidden_paths=config.forbidden_paths,
        own_folders=config.own_folders,
        storage_is_only_here=config.storage_is_only_here,
        project_limit=config.project_limit,
        worker_silence=config.lease_seconds * 0.75,
        max_upload=config.max_upload_mb * 1024 * 1024,
        session_days=config.session_days,
        session_max_days=config.session_max_days,
    )


def _make_home(home: Path) -> None:
    """Private to the user of this process, whatever its mode was."""
    try:
        make_private(home)
        with TemporaryFile(dir=home):
            return
    except OSError as error:
        raise InvalidConfiguration(
            f"The home {home} cannot be used: {error.strerror}.",
            field="home",
            hint="Choose another folder with --home or JOBDECK_HOME, or give the server's user the right to write.",
        ) from error


def _checked_endpoints(config: Config) -> tuple[str, ...]:
    """Raises InvalidStorageOption: a rule that cannot be read must not be taken for one that allows nothing."""
    endpoints.rules(config.allowed_endpoints)
    return config.allowed_endpoints


def core_of(base: Foundation) -> Core:
    """The parts that services stand on."""
    submitter = Submitter(base.database, base.registry, base.environments.of, base.hooks, base.seals)
    feed = Feed(base.database)
    return Core(
        base.database,
        base.registry,
        base.blobs,
        submitter,
        base.control,
        feed,
        base.logs,
        base.installation,
        base.garbage,
        base.vault,
        Previewer(_task_memory(base.config), user=base.task_user),
        Plans(base.hooks),
        broken_connectors=connectors.broken(),
    )


def _task_memory(config: Config) -> int | None:
    """Bytes that the process of a task may have."""
    return config.memory_limit_mb * 1024 * 1024 if config.memory_limit_mb else None


def scheduling(base: Foundation) -> list[Loop]:
    """The scheduler and the duties; of most of them, the one that leads does them."""
    database, config = base.database, base.config
    leadership = Leadership(database, f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}")
    retention = Retention(config.keep_jobs_days, config.keep_events_days)
    prune = Prune(database, leadership, base.control, retention, base.garbage)
    return [
        leadership,
        Scheduler(database, leadership, project_limit=config.project_limit, lease_seconds=config.lease_seconds),
        RepeatedLoop(
            "expire_leases",
            expire_leases.EVERY,
            expire_leases.ExpireLeases(database, leadership, config.lease_seconds),
        ),
        RepeatedLoop(
            "resume_paused",
            resume_paused.EVERY,
            partial(resume_paused.resume_paused, database, leadership, base.control),
        ),
        RepeatedLoop("end_silent", end_silent.EVERY, partial(end_silent.end_silent, database)),
        RepeatedLoop("tell_failures", tell_failures.EVERY, tell_failures.TellFailures(database, leadership)),
        RepeatedLoop("mark_dead_workers", mark_dead.EVERY, partial(mark_dead.mark_dead_workers, database, leadership)),
        BulkRunner(database, leadership, base.control, permission_lost),
        RepeatedLoop("prune", PRUNE_EVERY, prune),
        RepeatedLoop(
            "collect_garbage",
            collect_garbage.EVERY,
            partial(collect_garbage.collect_garbage, leadership, base.garbage),
        ),
        RepeatedLoop("seal", seal.EVERY, partial(seal.seal, leadership, Sealer(database))),
        RepeatedLoop("sweep", sweep.EVERY, partial(sweep.sweep, database, leadership, partial(_clean_lake, base))),
    ]


async def _clean_lake(base: Foundation, project: str, alive: sweep.Attempts) -> list[str]:
    """Sweep the tables of a project, off the loop: it lists folders and reads table logs."""
    from jobdeck.connectors.lake.sweep import (
        sweep as sweep_lake,  # loads the table formats, which a server else never does
    )

    return await asyncio.to_thread(sweep_lake, await base.environments.of(project), set(alive))


async def _clean_staged(environments: Environments, prefix: str) -> None:
    """Remove what a deleted job staged beside a table, off the loop: it reads the table's log."""
    from jobdeck.connectors.lake.sweep import remove_staged  # loads the table formats, which a server else never does

    project = prefix.split("/")[1]
    await asyncio.to_thread(remove_staged, await environments.of(project), prefix)


def working(base: Foundation) -> list[Loop]:
    """A worker with what it needs, in the order in which it is started."""
    config = base.config
    recorder = Recorder(base.database)
    shipper = LogShipper(
        base.blobs, config.home, max_log=config.max_log_mb * 1024**2, max_spool=config.log_spool_mb * 1024**2
    )
    held = base.lock.descriptors if base.lock else ()
    executor = ByIsolation({
        "process": ProcessExecutor(
            max(1, config.workers), memory_limit=_task_memory(config), user=base.task_user, held=held
        ),
        "thread": ThreadExecutor(max(1, config.light_slots)),
        "aside": ProcessExecutor(ASIDE, memory_limit=_task_memory(config), user=base.task_user, held=held),
    })  # fmt: skip
    me = StoredWorker(
        id=uuid.uuid4().hex, name=config.worker_name, host=socket.gethostname(), pid=os.getpid(), slots=config.workers,
        light_slots=config.light_slots, types=tuple(base.registry.enabled_names()), version=__version__,
    )  # fmt: skip
    parts = WorkerParts(
        base.database,
        base.registry,
        base.environments.for_tasks,
        executor,
        recorder,
        shipper,
        config.lease_seconds,
        config.parallel,
        hooks=base.hooks,
        undo_seconds=config.undo_seconds,
        seals=base.seals,
    )
    return [recorder, shipper, WorkerService(me, parts)]


async def run_server(config: Config, *, worker: bool, ready: Ready, stop: asyncio.Event) -> None:
    """Serve API and pages, and schedule, with a worker in the same process if `worker`, until `stop` is set.

    `ready` is called with the address once it answers, and with an administrator's login link; None: this home has
    no token of the administrator, another one has."""
    keep_out()
    check_prefix(config.path_prefix)
    allowed = _allowed_connections(config, config.workers if worker else 0)
    listening = listen(config.host, config.port)
    if not is_of_this_machine_only(listening) and not config.trusted_proxies:
        _warn_of_plain_http(address_of(listening))
    base = await open_installation(config, stop, serves=True)
    try:
        if config.storage_is_only_here:
            _warn_of_own_storage(base.blobs.url)
        core = core_of(base)
        use_cases = UseCases(core)
        address = address_of(listening)
        link = await _admins_link(base, use_cases, address)
        await seal_stored(base.database, base.seals, config.sqlite_path)
        await use_cases.metrics.start()
        app = _app_of(use_cases, config)
        services = Loops([
            *_always(base), *(working(base) if worker else []), *scheduling(base), app.state.readiness,
        ])  # fmt: skip
        core.loop_states.update(services.states)
        await services.start()
        try:
            await serve(app, listening, lambda: ready(address, link), stop, allowed)
        finally:
            await core.feed.close()
            await services.stop()
    finally:
        await _close(base)


def _app_of(use_cases: UseCases, config: Config) -> FastAPI:
    """The API with the pages beside it."""
    app = create_app(use_cases, Doors(config.trusted_proxies, config.allowed_hosts, config.path_prefix))
    mount(app)
    return app


async def _admins_link(base: Foundation, use_cases: UseCases, address: str) -> str | None:
    """A link that logs in as the administrator; None where another home has the token."""
    token = await _admin(base)
    reachable = address.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
    return None if token is None else link_at(reachable + base.config.path_prefix, await _login_code(use_cases, token))


def _allowed_connections(config: Config, processes: int) -> Bounds:
    """So many that strangers never use up the files that jobs and the database need."""
    limit = open_files.raise_limit()
    files = open_files.left_for_others(limit, processes) - BACKLOG
    allowed = bounds(config.max_connections, config.max_connections_per_address, files, config.trusted_proxies)
    if allowed.in_all < min(config.max_connections, _FEW_CONNECTIONS):
        hint = "Raise the limit of open files (`ulimit -n`, `LimitNOFILE=`)."
        log.warning("few_connections", connections=allowed.in_all, open_files=limit, hint=hint)
    return allowed


def _warn_of_plain_http(address: str) -> None:
    hint = (
        "Tokens and data travel unencrypted. Put a proxy with TLS in front and name it in `trusted_proxies`, or listen "
        "on 127.0.0.1."
    )
    log.warning("serves_without_tls", address=address, hint=hint)


def _warn_of_own_storage(url: str) -> None:
    hint = (
        "Workers and servers on other machines cannot see it, and will not start. Set JOBDECK_STORAGE_URL to a folder "
        "that all of them mount, or to an S3 bucket; with one machine all is well."
    )
    log.warning("storage_only_on_this_machine", storage=url, hint=hint)


async def _admin(base: Foundation) -> str | None:
    try:
        return await first_admin(base.database, base.config.home)
    except AdminElsewhere:
        log.info("admin_elsewhere", home=str(base.config.home))
        return None


async def make_admin_token(config: Config) -> Path:
    """A new token for the administrator, also while servers run; the file that has it."""
    _make_home(config.home)
    database = Database(config.async_database_url)
    try:
        await migrate(database)
        return await new_admin_token(database, config.home)
    finally:
        await database.close()


async def move_database(config: Config, to: str) -> list[MovedTable]:
    """Move the control database from SQLite to the PostgreSQL at `to`; the tables with their rows."""
    if config.sqlite_path is None:
        raise InvalidConfiguration(
            "The installation is on PostgreSQL already.",
            field="database_url",
            hint="Name the SQLite database that is to be moved with --database-url sqlite:///path.",
        )
    if not config.sqlite_path.is_file():
        raise InvalidConfiguration(
            f"There is no database {config.sqlite_path} to move.",
            field="home",
            hint="Name the installation's home with --home or JOBDECK_HOME.",
        )
    target = load(home=config.home, database_url=to)
    if target.is_sqlite:
        raise InvalidConfiguration("--to names no PostgreSQL.", field="to", hint="Write postgresql://user@host/name.")
    move = Move(config.home, config.sqlite_path, config.async_database_url, target.async_database_url)
    return await moving.move_database(move)


async def _login_code(use_cases: UseCases, token: str) -> str:
    return (await use_cases.sessions.make_link(await use_cases.authenticator.caller(token))).code


async def run_worker(config: Config, *, ready: Callable[[str], None], stop: asyncio.Event) -> None:
    """Run a worker alone, beside servers elsewhere, until `stop` is set."""
    if config.is_sqlite:
        raise InvalidConfiguration(
            "A worker of its own needs PostgreSQL; SQLite serves one process.",
            field="database_url",
            hint="Set JOBDECK_DATABASE_URL.",
        )
    keep_out()
    open_files.raise_limit()
    base = await open_installation(config, stop)
    try:
        services = Loops([*_always(base), *working(base)])
        await services.start()
        ready(config.worker_name)
        await stop.wait()
        await services.stop()
    finally:
        await _close(base)


def _always(base: Foundation) -> list[Loop]:
    """What runs in every process."""
    hearing = [] if base.config.is_sqlite else [Listener(base.database.url, base.database.wakeups)]
    return [RepeatedLoop("trim_memory", trim_memory.EVERY, trim_memory.trim_memory), *hearing]


async def _close(base: Foundation) -> None:
    await base.hooks.aclose()
    await base.database.close()
    if base.lock is not None:
        base.lock.release()
