"""The worker's side of logs: every line goes to a local file at once and to the object storage within moments."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

import structlog

from jobdeck.core.errors import Unavailable
from jobdeck.engine.logs import SEAL_BYTES, LogLine, chunk_path, pack
from jobdeck.engine.service import Trouble, sleep_unless
from jobdeck.engine.worker.spool import Spool
from jobdeck.storage.blobs import Blobs

log = structlog.get_logger(__name__)

SHIP_SECONDS = 0.5
SHIP_FULL_SECONDS = 1.0
"""Seconds more, for a chunk that is nearly full, until it is stored again: its cost grows with its size."""
CLOSE_SECONDS = 5.0
"""Seconds that the end of a job waits for the storage to take its last lines."""


@dataclass(frozen=True, slots=True)
class ChunkKey:
    """Which chunk of which log; also the name of its local file."""

    job: int
    attempt: int
    epoch: int
    number: int

    @property
    def file_name(self) -> str:
        return f"{self.job}-{self.attempt}-{self.epoch}-{self.number}.jsonl"

    @classmethod
    def parse(cls, file_name: str) -> ChunkKey:
        return cls(*(int(part) for part in file_name.removesuffix(".jsonl").split("-")))

    @property
    def path(self) -> str:
        return chunk_path(self.job, self.attempt, self.epoch, self.number)


class JobLog:
    """The log of one stay of a job on this worker. `write` is cheap and survives the worker being killed."""

    def __init__(self, folder: Path, job: int, attempt: int, epoch: int) -> None:
        self._folder = folder
        self._key = ChunkKey(job, attempt, epoch, 0)
        self._lines: list[str] = []
        self._size = 0
        self._file: int | None = None
        self._sealed: list[tuple[ChunkKey, list[str]]] = []
        self._shipped = 0
        self._shipping = asyncio.Lock()
        self._due = 0.0
        self.ended = False
        """Nothing more will be written; it is to be closed as soon as the storage takes it."""
        self.lost: str | None = None
        """Why lines may be missing, once that happened."""

    @property
    def untouched(self) -> bool:
        """Whether nothing was ever written."""
        return not self._key.number and not self._lines

    def write(self, line: LogLine) -> None:
        text = line.to_json()
        self._keep(text)
        self._lines.append(text)
        self._size += len(text)
        if self._size >= SEAL_BYTES:
            self._seal()

    def _keep(self, text: str) -> None:
        """Append to the local file; a full disk must not stop the job."""
        try:
            if self._file is None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
                self._file = os.open(self._folder / self._key.file_name, flags, 0o600)
            os.write(self._file, f"{text}\n".encode())
        except OSError as error:
            self.lost = str(error)

    def _seal(self) -> None:
        self._sealed.append((self._key, self._lines))
        self._close_file()
        self._key = ChunkKey(self._key.job, self._key.attempt, self._key.epoch, self._key.number + 1)
        self._lines, self._size, self._shipped = [], 0, 0

    def _close_file(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    async def ship(self, blobs: Blobs, *, all: bool = False) -> None:
        """Bring the storage up to date: full chunks, and the present one when it is due (or `all` is wanted).

        What cannot be stored now stays for the next time."""
        async with self._shipping:  # two at once could store an older version of a chunk over a newer one
            while self._sealed:
                key, lines = self._sealed[0]
                await _store(blobs, key, lines)
                self._sealed.pop(0)
                (self._folder / key.file_name).unlink(missing_ok=True)
            now = asyncio.get_running_loop().time()
            if len(self._lines) > self._shipped and (all or now >= self._due):
                count, key = len(self._lines), self._key
                self._due = now + SHIP_FULL_SECONDS * self._size / SEAL_BYTES
                await _store(blobs, key, self._lines[:count])
                if key == self._key:
                    self._shipped = count

    async def close(self, blobs: Blobs) -> None:
        """Ship the rest; the local file goes once everything is stored."""
        await self.ship(blobs, all=True)
        if self._file is not None:
            self._close_file()
            (self._folder / self._key.file_name).unlink(missing_ok=True)


async def _store(blobs: Blobs, key: ChunkKey, lines: list[str]) -> None:
    await blobs.put(key.path, await asyncio.to_thread(pack, lines))


class LogShipper:
    """A service: ships the open logs of a worker, and those that a killed worker left behind in the same home."""

    name = "log_shipper"

    def __init__(self, blobs: Blobs, home: Path) -> None:
        self._blobs = blobs
        self._spool = Spool(home / "spool")
        self._open: set[JobLog] = set()
        self._trouble = Trouble(self.name)

    def open(self, job: int, attempt: int, epoch: int) -> JobLog:
        opened = JobLog(self._spool.folder, job, attempt, epoch)
        self._open.add(opened)
        return opened

    async def close(self, job_log: JobLog) -> None:
        """Finish a log; if the storage does not answer, the shipping loop goes on trying."""
        job_log.ended = True
        if job_log.untouched:
            self._open.discard(job_log)
            return
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await job_log.close(self._blobs)
        except Exception as error:  # noqa: BLE001  (a log must never keep a job from ending)
            log.warning("log_not_shipped", error=str(error) or type(error).__name__)
            return
        self._open.discard(job_log)

    async def run(self, stop: asyncio.Event) -> None:
        await self._recover()
        while not stop.is_set():
            if all(await asyncio.gather(*map(self._ship, list(self._open)))):
                self._trouble.over()
            await sleep_unless(stop, SHIP_SECONDS)
        for job_log in list(self._open):
            await self.close(job_log)
        self._spool.leave()

    async def _ship(self, job_log: JobLog) -> bool:
        """Whether its lines are stored; else they are kept for the next time."""
        try:
            if job_log.ended:
                async with asyncio.timeout(CLOSE_SECONDS):
                    await job_log.close(self._blobs)
                self._open.discard(job_log)
            else:
                await job_log.ship(self._blobs)
        except Exception as error:  # noqa: BLE001  (a log must never keep a worker from its work)
            # Told once, and not twice a second for each log, perhaps onto a disk that is full.
            self._trouble.met(Unavailable(f"Logs are not stored: {str(error) or type(error).__name__}"))
            return False
        return True

    async def _recover(self) -> None:
        """Store what worker processes that are gone wrote and could not ship."""
        for folder in self._spool.abandoned():
            for file in sorted(folder.glob("*.jsonl")):
                await self._recover_file(file)

    async def _recover_file(self, file: Path) -> None:
        try:
            lines = file.read_bytes().decode(errors="replace").split("\n")
            await _store(self._blobs, ChunkKey.parse(file.name), [line for line in lines if _is_whole(line)])
            file.unlink()
        except Exception as error:  # noqa: BLE001  (one file must not keep the others from being recovered)
            log.warning("log_not_recovered", file=file.name, error=str(error))


def _is_whole(text: str) -> bool:
    """Whether it is a line as it was written: the last one of a killed process may be cut."""
    try:
        LogLine.from_json(text)
    except (ValueError, TypeError):
        return False
    return True
