"""`jobdeck up`, `server`, `worker`: start the parts of Jobdeck and stop them in order."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import structlog
from cyclopts import Parameter

from jobdeck.cli.exits import DEFECT, DETACHED, DONE, UNREACHABLE, USAGE, say, tell
from jobdeck.cli.parting import Parting, told_in_log
from jobdeck.config import Config, load
from jobdeck.core.errors import JobdeckError, Unavailable
from jobdeck.core.home import ADDRESS, ADMIN_TOKEN

COMMANDS = {
    "up": ("Serve", "Start everything on this machine."),
    "server": ("Serve", "Start API and pages alone, for many machines."),
    "worker": ("Serve", "Start a worker alone, for many machines."),
    "admin-token": ("Administration", "Make a lost administrator's token anew."),
    "move-database": ("Administration", "Move everything from SQLite to PostgreSQL."),
}
EXAMPLES = """
jobdeck up
jobdeck up --home /srv/jobdeck --port 9000 --workers 4
jobdeck server --database-url postgresql://jobdeck@db/jobdeck --host 0.0.0.0
jobdeck move-database --to postgresql://jobdeck@db/jobdeck
jobdeck worker --database-url postgresql://jobdeck@db/jobdeck --workers 8
jobdeck admin-token
jobdeck admin-token --home /srv/jobdeck
"""

_HOW_TO_STOP = "Ctrl-C stops it; running jobs are handed back and go on at the next start."
_HOW_TO_LOG_IN = "Log in: `jobdeck login` prints a link. Here, where others may read it later, none is printed."
Runner = Callable[[Config, Callable[[str], None], asyncio.Event], Awaitable[None]]


def up(
    *,
    home: Path | None = None,
    host: str | None = None,
    port: int | None = None,
    workers: int | None = None,
    database_url: str | None = None,
    reload: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Start everything on this machine: API, scheduler and worker, on an embedded database unless another is named.

    Parameters
    ----------
    home
        Folder of the database, the storage and the administrator's token.
    host
        Address to listen on.
    port
        Port to listen on; 0 takes a free one.
    workers
        Jobs that need processes at the same time.
    database_url
        `postgresql://…` instead of the embedded SQLite.
    reload
        For development: start again whenever the code of an installed job type is changed.

    """
    given = {"home": home, "host": host, "port": port, "workers": workers, "database_url": database_url}
    if not reload:
        return _start(given, _up)
    from jobdeck.reloading import up_again

    return up_again(given)


def server(
    *, home: Path | None = None, host: str | None = None, port: int | None = None, database_url: str | None = None
) -> int:
    """Start API and scheduler without a worker; run `jobdeck worker` on as many machines as you like.

    Parameters
    ----------
    home
        Folder of the administrator's token and local files.
    host
        Address to listen on.
    port
        Port to listen on; 0 takes a free one.
    database_url
        `postgresql://…`; the same for all parts.

    """
    return _start({"home": home, "host": host, "port": port, "database_url": database_url}, _server)


def worker(*, home: Path | None = None, workers: int | None = None, database_url: str | None = None) -> int:
    """Start a worker for the installation whose PostgreSQL and storage are configured.

    Parameters
    ----------
    home
        Folder for local files, such as log lines on their way.
    workers
        Jobs that need processes at the same time.
    database_url
        `postgresql://…`; the same for all parts.

    """
    return _start({"home": home, "workers": workers, "database_url": database_url}, _worker)


def admin_token(*, home: Path | None = None, database_url: str | None = None) -> int:
    """Make a new token for the administrator, into the home of this machine; the one before it ends.

    It needs no token: whoever can read the home and the database is the installation's owner.

    Parameters
    ----------
    home
        Folder in which admin.token is written.
    database_url
        `postgresql://…` instead of the embedded SQLite.

    """
    return _start({"home": home, "database_url": database_url}, _admin_token)


async def _admin_token(config: Config, _ready: Callable[[str], None], _stop: asyncio.Event) -> None:
    from jobdeck.wiring import make_admin_token

    print(f"The administrator's token is now in {await make_admin_token(config)}. The one before it has ended.")


def move_database(*, to: str, home: Path | None = None, database_url: str | None = None) -> int:
    """Move the control database of this installation from SQLite to an empty PostgreSQL database.

    All tables are copied in one transaction, read back, and compared by counts and checksums before they count. The
    server must not run. The storage and the home stay where they are; the old file stays, and is not used any more.

    Parameters
    ----------
    to
        `postgresql://user@host/database`, an empty one. A password may stand in ~/.pgpass or PGPASSWORD instead.
    home
        Folder of the installation.
    database_url
        `sqlite:///path`, where it does not lie in the home.

    """

    async def move(config: Config, _ready: Callable[[str], None], _stop: asyncio.Event) -> None:
        from jobdeck.wiring import move_database

        moved = await move_database(config, to)
        width = max(len(table.table) for table in moved)
        for table in moved:
            print(f"  {table.table:<{width}}  {table.rows:>12,}".replace(",", " "))
        rows = f"{sum(table.rows for table in moved):,}".replace(",", " ")
        print(f"Moved {rows} rows in {len(moved)} tables; counts and checksums agree.")
        print("Now set JOBDECK_DATABASE_URL to the new address for every server and worker, and start them.")
        print(f"The storage stays: {config.blobs_url}. The old database is kept, and no server starts on it.")

    return _start({"home": home, "database_url": database_url}, move)


async def _up(config: Config, ready: Callable[[str], None], stop: asyncio.Event) -> None:
    await _serve(config, ready, stop, worker=config.workers > 0, to_person=True)


async def _server(config: Config, ready: Callable[[str], None], stop: asyncio.Event) -> None:
    await _serve(config, ready, stop, worker=False, to_person=False)


async def _serve(
    config: Config, ready: Callable[[str], None], stop: asyncio.Event, *, worker: bool, to_person: bool
) -> None:
    """`to_person`: what it says is read by who started it. Elsewhere it goes to a log, which is no place for a key;
    `jobdeck login` makes one."""
    from jobdeck.wiring import run_server

    _spare_collector()

    def serves(where: str, link: str | None) -> None:
        _note_address(config, where)
        ready(where)
        _say_whose(config, link)
        if to_person and link is not None:
            print(f"Log in, once and within an hour: {link}" if sys.stdout.isatty() else _HOW_TO_LOG_IN, flush=True)
        print(_HOW_TO_STOP, flush=True)

    with told_in_log("server", stop):
        await run_server(config, worker=worker, ready=serves, stop=stop)


async def _worker(config: Config, ready: Callable[[str], None], stop: asyncio.Event) -> None:
    from jobdeck.wiring import run_worker

    _spare_collector()

    with told_in_log("worker", stop):
        await run_worker(config, ready=ready, stop=stop)


def _start(given: dict[str, Any], runner: Runner) -> int:
    try:
        config = load(**given)
        from jobdeck.server_log import set_up_log

        set_up_log(config.log_level, as_json=config.log_json)
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
            loop.run(_until_signal(config, runner))
    except JobdeckError as error:
        tell(error)
        return UNREACHABLE if error.kind == "unavailable" else USAGE
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        hint = "Look at the folders of the home, their owner and mode, and at the room on the disk."
        return _refused(f"It cannot start: {where}{error.strerror or error}.", hint, USAGE)
    except KeyboardInterrupt:
        return DETACHED
    except Exception as error:
        if sys.flags.dev_mode:
            raise
        structlog.get_logger(__name__).exception("ended_by_a_mistake")
        text = f"The server ended by a mistake of its own: {type(error).__name__}: {error}."
        return _refused(text, "Please report it with the lines above.", DEFECT)
    return DONE


def _refused(message: str, hint: str, code: int) -> int:
    """Say why there is no server; the exit code."""
    say(f"error: {message}")
    say(f"hint: {hint}")
    return code


def _spare_collector() -> None:
    """What was loaded stays; looking through all of it for garbage, again and again, takes half of a worker's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


async def _until_signal(config: Config, runner: Runner) -> None:
    stop = asyncio.Event()
    loop, parting = asyncio.get_running_loop(), Parting(stop)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, parting.asked)
    try:
        await runner(config, _say_ready, stop)
    except Unavailable:
        if not stop.is_set():
            raise
    parting.in_order()


def _say_ready(where: str) -> None:
    if not where.startswith("http"):
        print(f"Worker '{where}' is ready.", flush=True)
        return
    print(f"Jobdeck serves {where}", flush=True)


def _note_address(config: Config, where: str) -> None:
    """So that the command line of this home finds its server at whatever port."""
    with suppress(OSError):  # then it is named with --url
        path = config.home / ADDRESS
        path.touch(mode=0o600)
        path.write_text(f"{_reachable(where)}\n", encoding="utf-8")


def _reachable(address: str) -> str:
    """The address at which this machine reaches a server that listens everywhere."""
    return address.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")


def _say_whose(config: Config, link: str | None) -> None:
    """Where the administrator's token is."""
    if link is not None:
        print(f"Token of the administrator: {config.home / ADMIN_TOKEN}", flush=True)
        return
    print("The administrator's token is in the home in which this installation was begun, not in this one.", flush=True)
    print("If it is lost, `jobdeck admin-token` makes a new one here and ends the old one.", flush=True)
