"""The worker's side of logs: every line goes to a local file at once and to the object storage within moments.

While the storage is away, lines wait in files; what is in memory does not grow with them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from jobdeck.core.errors import Unavailable
from jobdeck.engine.logs import LogEntry, pack
from jobdeck.engine.loops import Backoff, sleep_unless
from jobdeck.engine.worker.job_log import MAX_LOG_BYTES, ChunkKey, JobLog, Room
from jobdeck.engine.worker.spool import Spool
from jobdeck.storage.blobs import Blobs

log = structlog.get_logger(__name__)

SHIP_SECONDS = 0.5
CLOSE_SECONDS = 5.0
"""Seconds that the end of a job waits for the storage to take its last lines."""
SPOOL_BYTES = 4 * 1024**3
AT_ONCE = 8
"""Logs that are shipped at the same time, each with a chunk in memory."""


class LogShipper:
    """A loop: ships the open logs of a worker, and those that a killed worker left behind in the same home.

    `max_log`: bytes of the log of one attempt of a job; `max_spool`: bytes of all lines that wait for the storage."""

    name = "log_shipper"

    def __init__(self, blobs: Blobs, home: Path, *, max_log: int = MAX_LOG_BYTES, max_spool: int = SPOOL_BYTES) -> None:
        self._blobs = blobs
        self._spool = Spool(home / "spool")
        self._room = Room(max_spool)
        self._max_log = max_log
        self._open: set[JobLog] = set()
        self._backoff = Backoff(self.name)
        self._away = False
        """The storage did not take what it was given last: then only one log at a time tries it."""
        self._full: str | None = None
        self._left_behind = True
        """Whether there may be lines of workers that are gone."""

    def open(self, job: int, attempt: int, epoch: int) -> JobLog:
        opened = JobLog(self._spool.folder, job, attempt, epoch, self._room, self._max_log)
        self._open.add(opened)
        return opened

    async def close(self, job_log: JobLog) -> None:
        """Finish a log; if the storage does not answer, the shipping loop goes on trying."""
        job_log.finish()
        if job_log.untouched:
            self._open.discard(job_log)
        elif not self._away:
            await self._ship(job_log, CLOSE_SECONDS)

    async def run(self, stop: asyncio.Event) -> None:
        await self._recover()
        while not stop.is_set():
            await self._round()
            await sleep_unless(stop, SHIP_SECONDS)
        self._away = False
        for job_log in list(self._open):
            await self.close(job_log)
        self._spool.leave()

    async def _round(self) -> None:
        """Ship all that is due; while the storage is away, find out whether it is back."""
        self._tell_if_full()
        if self._left_behind and not await self._recover():
            return
        waiting = list(self._open)
        while self._away and waiting:
            if not await self._ship(waiting.pop()):
                return
        places = asyncio.Semaphore(AT_ONCE)

        async def ship(job_log: JobLog) -> bool:
            async with places:
                return not self._away and await self._ship(job_log)

        if all(await asyncio.gather(*map(ship, waiting))):
            self._backoff.succeeded()

    async def _ship(self, job_log: JobLog, patience: float | None = None) -> bool:
        """Whether its lines are stored; else they are kept for the next time."""
        try:
            if job_log.ended:
                async with asyncio.timeout(patience):
                    stored = await job_log.close(self._blobs)
                self._open.discard(job_log)
            else:
                stored = await job_log.ship(self._blobs, all=self._away)
        except Exception as error:  # noqa: BLE001  (a log must never keep a worker from its work, or a job from ending)
            self._met(error)
            return False
        self._away = self._away and not stored
        return True

    def _met(self, error: Exception) -> None:
        self._away = True
        # Told once, and not twice a second for each log, perhaps onto a disk that is full.
        self._backoff.failed(Unavailable(f"Logs are not stored: {str(error) or type(error).__name__}"))

    def _tell_if_full(self) -> None:
        """Once, and not for each line."""
        if self._room.trouble is not None and self._full is None:
            log.warning("log_spool_full", reason=self._room.trouble, then="lines are lost; the logs of their jobs tell")
        self._full = self._room.trouble

    async def _recover(self) -> bool:
        """Store what worker processes that are gone wrote and could not ship; whether the storage took it."""
        for folder in self._spool.abandoned():
            for file in sorted(folder.glob("*.jsonl"), key=_order):
                if not await self._recover_file(file):
                    return False
        self._left_behind = self._away = False
        return True

    async def _recover_file(self, file: Path) -> bool:
        try:
            key = ChunkKey.parse(file.name)
            content = await asyncio.to_thread(_whole_lines, file)
        except Exception as error:  # noqa: BLE001  (one file must not keep the others from being recovered)
            log.warning("log_not_recovered", file=file.name, error=str(error))
            return True
        try:
            await self._blobs.put(key.path, content)
        except Exception as error:  # noqa: BLE001  (it is tried again)
            self._met(error)
            return False
        file.unlink()
        return True


def _order(file: Path) -> tuple[int, ...]:
    """Chunks of a log in their order."""
    return tuple(int(part) if part.isdecimal() else 0 for part in file.stem.split("-"))


def _whole_lines(file: Path) -> bytes:
    lines = file.read_bytes().decode(errors="replace").split("\n")
    return pack(line for line in lines if _is_whole(line))


def _is_whole(text: str) -> bool:
    """Whether it is a line as it was written: the last one of a killed process may be cut."""
    try:
        LogEntry.from_json(text)
    except (ValueError, TypeError):
        return False
    return True
