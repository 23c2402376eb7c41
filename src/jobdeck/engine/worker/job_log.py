"""The log of one run of a job on a worker: bounded, and told where lines had to be left out.

Until the storage has them, its lines are in chunks: in local files, and in memory where the disk takes none."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from jobdeck.core import amounts
from jobdeck.engine.logs import SEAL_BYTES, LogEntry, chunk_name, chunk_path, pack_bytes
from jobdeck.storage.blobs import Blobs
from jobdeck.storage.places import log_prefix

MEMORY_BYTES = 16 * 1024 * 1024
"""Bytes of lines that all logs of a worker keep in memory while its disk takes none."""


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


def encoded(line: LogEntry) -> bytes:
    """A line as it is in files."""
    return f"{line.to_json()}\n".encode(errors="replace")


class Room:
    """What all lines that wait for the storage may take, in bytes; and why there is none, once that is so."""

    def __init__(self, disk: int, memory: int = MEMORY_BYTES) -> None:
        self._size = disk
        self._disk, self._memory = disk, memory
        self.trouble: str | None = None
        """Why the disk took no line the last time."""

    def refusal(self, size: int) -> str | None:
        """Why the disk cannot take so many more."""
        if size <= self._disk:
            return None
        return f"{self._size // 1024**2} MiB of lines wait for the storage (setting log_spool_mb)"

    def take_disk(self, size: int) -> None:
        self.trouble = None
        self._disk -= size

    def take_memory(self, size: int) -> bool:
        """Whether there was enough."""
        if size > self._memory:
            return False
        self._memory -= size
        return True

    def give_back(self, disk: int, memory: int) -> None:
        self._disk += disk
        self._memory += memory


class Chunk:
    """Takes lines one by one; what it holds can be packed at any time."""

    def __init__(self, folder: Path, key: ChunkKey, room: Room) -> None:
        self.key = key
        self.lines = 0
        self._path = folder / key.file_name
        self._room = room
        self._file: int | None = None
        self._on_disk = 0
        self._held: list[bytes] = []
        self._held_size = 0

    @property
    def size(self) -> int:
        """Bytes of its lines."""
        return self._on_disk + self._held_size

    def add(self, line: bytes) -> bool:
        """Whether the line was taken."""
        if self._held or not self._write(line):  # what follows a line in memory stays behind it
            if not self._room.take_memory(len(line)):
                return False
            self._held.append(line)
            self._held_size += len(line)
        self.lines += 1
        return True

    def _write(self, line: bytes) -> bool:
        trouble = self._room.refusal(len(line)) or self._append(line)
        if trouble is not None:
            self._room.trouble = trouble
            return False
        self._on_disk += len(line)
        self._room.take_disk(len(line))
        return True

    def _append(self, line: bytes) -> str | None:
        """Append to the local file, all or nothing; why that could not be done: a full disk must not stop the job."""
        try:
            if self._file is None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
                self._file = os.open(self._path, flags, 0o600)
            if os.write(self._file, line) == len(line):
                return None
            reason = "No space left on device"
        except OSError as error:
            reason = error.strerror or str(error)
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._on_disk)
        return f"the disk of the worker takes no more: {reason}"

    def close(self) -> None:
        """Keep no file open; lines can still be added."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def packed(self, on_disk: int, held: list[bytes]) -> bytes:
        """Its first bytes in the file and these lines, as the storage keeps them; for a thread."""
        return pack_bytes((self._read(on_disk) if on_disk else b"") + b"".join(held))

    def _read(self, size: int) -> bytes:
        try:
            with self._path.open("rb") as file:
                return file.read(size)
        except OSError as error:
            # The log goes on without them: whoever removed the file, trying again would not bring it back.
            text = f"{size} bytes of this log cannot be read on the worker's disk: {error.strerror}."
            return encoded(LogEntry(time.time_ns() // 1000, "warning", None, None, text))

    def now(self) -> tuple[int, list[bytes]]:
        """What `packed` is to be given for all lines that there are now."""
        return self._on_disk, list(self._held)

    def drop(self) -> None:
        """Remove it: the storage has it."""
        self.close()
        self._path.unlink(missing_ok=True)
        self._room.give_back(self._on_disk, self._held_size)
        self._on_disk, self._held, self._held_size = 0, [], 0


MAX_LOG_BYTES = 256 * 1024 * 1024
RESERVE_BYTES = 1024 * 1024
"""Bytes beyond the bound for warnings and errors."""
SHIP_FULL_SECONDS = 1.0
"""Seconds more, for a chunk that is nearly full, until it is stored again: its cost grows with its size."""
_URGENT = ("warning", "error")


class JobLog:
    """`write` is cheap and survives the worker being killed. `max_bytes`: of one attempt of the job."""

    left_out = 0
    """Lines that are not in the log."""

    def __init__(
        self, folder: Path, job: int, attempt: int, epoch: int, room: Room, max_bytes: int = MAX_LOG_BYTES
    ) -> None:
        self._folder = folder
        self._room = room
        self._chunk = Chunk(folder, ChunkKey(job, attempt, epoch, 0), room)
        self._sealed: deque[Chunk] = deque()
        self._max = max_bytes
        self._size = 0
        self._earlier: int | None = None
        """Bytes of earlier runs of this attempt, once they were looked up."""
        self._capped = 0
        """Lines that were left out because the log is full."""
        self._lost = 0
        """Lines that could not be kept, and of which the log does not tell yet."""
        self._at = 0
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
        return not self._chunk.key.number and not self._chunk.lines and not self.left_out

    def write(self, line: LogEntry) -> None:
        content = encoded(line)
        self._at = line.at
        if not self._has_room(line.level, len(content)):
            self._leave_out()
            return
        self._tell_lost()
        self._put(content)

    def finish(self) -> None:
        """Nothing more will be written: the log ends with how many lines it lacks, if any."""
        if self.ended:
            return
        self.ended = True
        self._tell_lost()
        if self._capped:
            self._say(f"{_lines(self._capped)} left out: this log had reached {self._bound}.")
        self._chunk.close()

    @property
    def _bound(self) -> str:
        return f"the bound of {max(1, self._max // 1024**2)} MiB (setting max_log_mb)"

    def _has_room(self, level: str, size: int) -> bool:
        free = self._max - self._size - (self._earlier or 0)
        return size <= free + (RESERVE_BYTES if level in _URGENT else 0) and not (self._capped and level not in _URGENT)

    def _leave_out(self) -> None:
        self._capped += 1
        self.left_out += 1
        if self._capped == 1:
            self._say(f"This log has reached {self._bound}: further lines are left out, but warnings and errors.")

    def _tell_lost(self) -> None:
        if self._lost and self._say(f"{_lines(self._lost)} lost here: {self.lost}."):
            self._lost = 0

    def _say(self, text: str) -> bool:
        """A line of our own, whatever the bound."""
        return self._put(encoded(LogEntry(self._at, "warning", None, None, text)), ours=True)

    def _put(self, content: bytes, *, ours: bool = False) -> bool:
        taken = self._chunk.add(content)
        self.lost = self._room.trouble or self.lost
        if taken:
            self._size += len(content)
        elif not ours:
            self._lost += 1
            self.left_out += 1
        if self._chunk.size >= SEAL_BYTES or (not taken and self._chunk.lines):
            self._seal()
        return taken

    def _seal(self) -> None:
        self._chunk.close()
        self._sealed.append(self._chunk)
        key = self._chunk.key
        self._chunk = Chunk(self._folder, ChunkKey(key.job, key.attempt, key.epoch, key.number + 1), self._room)
        self._shipped = 0

    async def ship(self, blobs: Blobs, *, all: bool = False) -> bool:
        """Bring the storage up to date: full chunks, and the present one when it is due (or `all` is wanted). Whether
        there was anything.

        What cannot be stored now stays for the next time."""
        stored = False
        async with self._shipping:  # two at once could store an older version of a chunk over a newer one
            if self._sealed and self._earlier is None:
                self._earlier = await _bytes_of_earlier_stays(blobs, self._chunk.key)
            while self._sealed:
                await _store(blobs, self._sealed[0])
                self._sealed.popleft().drop()
                stored = True
            chunk, now = self._chunk, asyncio.get_running_loop().time()
            if chunk.lines > self._shipped and (all or now >= self._due):
                count = chunk.lines
                self._due = now + SHIP_FULL_SECONDS * chunk.size / SEAL_BYTES
                await _store(blobs, chunk)
                stored = True
                if chunk is self._chunk:
                    self._shipped = count
        return stored

    async def close(self, blobs: Blobs) -> bool:
        """Ship the rest, if there is any; the local file goes once everything is stored."""
        stored = await self.ship(blobs, all=True)
        self._chunk.drop()
        return stored


async def _store(blobs: Blobs, chunk: Chunk) -> None:
    await blobs.put(chunk.key.path, await asyncio.to_thread(chunk.packed, *chunk.now()))


async def _bytes_of_earlier_stays(blobs: Blobs, key: ChunkKey) -> int:
    """About: all chunks of a job run but its last are full, and that one counts as it is packed."""
    sizes: dict[str, list[int]] = {}
    for blob in await blobs.list(log_prefix(key.job, key.attempt)):
        sizes.setdefault(chunk_name(blob.path).partition("-")[0], []).append(blob.size)
    sizes.pop(chunk_name(key.path).partition("-")[0], None)
    return sum((len(stay) - 1) * SEAL_BYTES + stay[-1] for stay in sizes.values())


def _lines(count: int) -> str:
    return "1 line was" if count == 1 else f"{amounts.number(count)} lines were"
