"""A chunk of a job's log until the storage has it: lines in a local file, and in memory where the disk takes none."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from jobdeck.engine.logs import LogLine, chunk_path, pack_bytes

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


def encoded(line: LogLine) -> bytes:
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
            return encoded(LogLine(time.time_ns() // 1000, "warning", None, None, text))

    def now(self) -> tuple[int, list[bytes]]:
        """What `packed` is to be given for all lines that there are now."""
        return self._on_disk, list(self._held)

    def drop(self) -> None:
        """Remove it: the storage has it."""
        self.close()
        self._path.unlink(missing_ok=True)
        self._room.give_back(self._on_disk, self._held_size)
        self._on_disk, self._held, self._held_size = 0, [], 0
