"""One child process as its worker sees it: started, spoken to, listened to, and known to be dead."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor as Threads
from typing import Any

from jobdeck.core.output.lines import LINE_PATIENCE
from jobdeck.core.tasks import Printed, TaskRequest
from jobdeck.executors.machine.sources import Stamp, changed
from jobdeck.executors.machine.users import UMASK, TaskUser, without_settings
from jobdeck.executors.pipes import at_end, waiting_in
from jobdeck.executors.processes.ends import Died, TaskAnswered
from jobdeck.executors.processes.exits import when_ended
from jobdeck.executors.processes.guard import Guard
from jobdeck.executors.processes.lines import Lines
from jobdeck.executors.processes.task import ProcessTask
from jobdeck.executors.tree import MARK, Tree
from jobdeck.executors.wire import BrokenWire, Unpacker, message_from_json, outcome_from_json, pack, request_to_json

START_WITHIN = 60.0
"""Seconds that a process may take from its start until it says that it has a task."""
_CHUNK = 64 * 1024


class ChildGone(Exception):
    """The process ended before it had the task; the task did not begin, so another process can have it."""


class ChildProcess:
    """Starts the process at once; raises OSError or RuntimeError when the system has none to give."""

    def __init__(self, guard: Guard, memory_limit: int | None, threads: Threads, user: TaskUser | None = None) -> None:
        self._user = user
        self.tasks = 0
        self.spoiled: str | None = None
        """What the last task changed or left, if this process is not to be used again."""
        self._sources: dict[str, Stamp] = {}
        """Files of job types that were loaded, as they were then."""
        self.last_lines: deque[str] = deque(maxlen=5)
        self.exited = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._guard = guard
        self._threads = threads
        self._task: ProcessTask | None = None
        self._began: asyncio.Future[str | None] | None = None
        self._has_begun = False
        self._killing: asyncio.Task[None] | None = None
        self._waiting: asyncio.Task[None] | None = None
        self._showing: asyncio.TimerHandle | None = None
        self._unpacker = Unpacker()
        self._setup = pack({"t": "setup", "path": sys.path, "memory_limit": memory_limit})
        self._start()

    def _start(self) -> None:
        self._guard.ready()
        mark = secrets.token_hex(16)
        self._sock, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-P", "-m", "jobdeck.executors.child", str(theirs.fileno())]
            try:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                    pass_fds=[theirs.fileno()], start_new_session=True, env=self._environment(mark), bufsize=0,
                    **_as(self._user),
                )  # fmt: skip
            except (OSError, RuntimeError):
                self._sock.close()
                raise
        out, err = self._process.stdout, self._process.stderr
        assert out is not None
        assert err is not None
        self._pipes = {out.fileno(): Lines("stdout"), err.fileno(): Lines("stderr")}
        self._open = {self._sock.fileno(), *self._pipes}
        for fd in self._open:
            os.set_blocking(fd, False)
        try:
            self.tree = Tree.of(self._process.pid, mark)
            when_ended(self.pid, self._loop, self._on_exit)
        except (OSError, RuntimeError):  # no file or thread to be had: a process that nobody could watch is none
            self._give_up()
            raise
        self._listen()
        self._guard.watch(self.tree)

    def _environment(self, mark: str) -> dict[str, str]:
        """The worker's, without its settings."""
        own = {} if self._user is None else self._user.environment()
        return {**without_settings(), **own, MARK: mark}

    def _give_up(self) -> None:
        """It has started nothing yet."""
        self._process.kill()
        self._process.wait()
        self._close()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def usable(self) -> bool:
        """Whether it can take another task: it lives, and the code that it has loaded is the one on disk."""
        return not self.exited.is_set() and self._killing is None and changed(self._sources) is None

    # Speaking.

    async def begin(self, task: ProcessTask, request: TaskRequest) -> None:
        """Hand over a task; returns when the process has it, raises ChildGone when it never got it."""
        task.pid = self.pid
        self._task = task
        self._began = self._loop.create_future()
        self._has_begun = False
        self.tasks += 1
        frame = {"t": "run", "number": task.number, "request": request_to_json(request)}
        data, self._setup = self._setup + pack(frame), b""
        try:
            async with asyncio.timeout(START_WITHIN):
                await self._loop.sock_sendall(self._sock, data)
                gone = await self._began
        except OSError as error:  # a timeout is one
            raise ChildGone(f"{type(error).__name__}: {error}") from error
        if gone is not None:
            raise ChildGone(gone)

    def ask_to_stop(self, number: int) -> None:
        with contextlib.suppress(OSError):
            self._sock.send(pack({"t": "stop", "number": number}))

    # Listening.

    def release(self) -> None:
        """The task has ended and the process is idle: hear the rest of what the task printed, then forget the task."""
        self._read_pipes()
        self._finish_lines()
        self._task = None

    def _listen(self) -> None:
        for fd in self._open:
            self._loop.add_reader(fd, self._pump)

    def _deafen(self) -> None:
        for fd in self._open:
            self._loop.remove_reader(fd)

    def _pump(self) -> None:
        """Keeps the order in which the task said it all: what was on the socket precedes what was in the pipes before
        the socket was read, because the child speaks on the socket only when it sees the pipes emptied."""
        waiting = {fd: waiting_in(fd) for fd in self._pipes if fd in self._open}
        self._read_socket()
        for fd, size in waiting.items():
            if size or at_end(fd):
                self._hear_pipe(fd, self._read(fd, min(size, _CHUNK) or 1))
        if self._task is not None and self._task.mailbox.full and self._killing is None and self._waiting is None:
            self._deafen()
            self._waiting = self._loop.create_task(self._listen_again(self._task))

    async def _listen_again(self, task: ProcessTask) -> None:
        await task.mailbox.room()
        self._waiting = None
        if self._killing is None:
            self._listen()

    def _read_socket(self) -> None:
        fd = self._sock.fileno()
        while fd in self._open and (data := self._read(fd)):
            try:
                for frame in self._unpacker.feed(data):
                    self._take(frame)
            except (BrokenWire, KeyError, TypeError) as error:
                self._useless(f"process {self.pid} spoke nonsense: {error}")
                return

    def _read_pipes(self) -> None:
        """All that is in the pipes."""
        for fd in self._pipes:
            while fd in self._open and (data := self._read(fd)):
                self._hear_pipe(fd, data)

    def _hear_pipe(self, fd: int, data: bytes) -> None:
        for line in self._pipes[fd].feed(data):
            self._heard(line)
        self._show_later()

    def _show_later(self) -> None:
        if self._showing is None and any(lines.open for lines in self._pipes.values()):
            ended = {fd: lines.ended for fd, lines in self._pipes.items() if lines.open}
            self._showing = self._loop.call_later(LINE_PATIENCE, self._show_lines, ended)

    def _show_lines(self, ended: Mapping[int, int]) -> None:
        """Lines that have been open all the while are not kept from people who wait for them."""
        self._showing = None
        for fd, lines in self._pipes.items():
            if ended.get(fd) == lines.ended:
                for line in lines.show():
                    self._heard(line)
        self._show_later()

    def _read(self, fd: int, size: int = _CHUNK) -> bytes:
        """Up to `size` bytes; empty when there is nothing now, or never again."""
        try:
            data = os.read(fd, size)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._closed(fd)
        return data

    def _closed(self, fd: int) -> None:
        self._open.discard(fd)
        self._loop.remove_reader(fd)
        if fd == self._sock.fileno() and self._killing is None:
            # Mostly its death is about to be known; a process that lives on without its socket is killed.
            why = f"process {self.pid} closed the socket to its worker"
            self._loop.call_later(0.5, self._useless, why)

    def _take(self, frame: Mapping[str, Any]) -> None:
        task = self._task
        if task is None or frame["number"] != task.number:
            return
        match frame["t"]:
            case "began" if self._began is not None and not self._began.done():
                self._has_begun = True
                self._began.set_result(None)
            case "message":
                task.mailbox.put(message_from_json(frame["message"]))
            case "ended":
                self.spoiled = frame.get("spoiled")
                self._loaded(frame.get("sources") or {})
                task.ended_by(TaskAnswered(outcome_from_json(frame["outcome"]), frame["clean"] is True))

    def _loaded(self, sources: Mapping[str, Sequence[int]]) -> None:
        """Of a file that was there before, what was loaded is the first."""
        for file, stamp in sources.items():
            self._sources.setdefault(file, (stamp[0], stamp[1]))

    def _heard(self, line: Printed) -> None:
        self.last_lines.append(line.text)
        if self._task is not None:
            self._task.mailbox.put(line)

    def _finish_lines(self) -> None:
        if self._showing is not None:
            self._showing.cancel()
            self._showing = None
        for lines in self._pipes.values():
            for line in lines.finish():
                self._heard(line)

    # Ending.

    def _useless(self, why: str) -> None:
        if self._killing is None:
            self._tell(why)
            self._killing = self._loop.create_task(self._kill())

    def _on_exit(self) -> None:
        self.exited.set()
        if self._killing is None:
            self._pump()
            self._tell(None)
            self._killing = self._loop.create_task(self._kill())

    def _tell(self, why: str | None) -> None:
        if self._began is not None and not self._began.done():
            self._began.set_result(why or "the process ended")
        if self._task is not None and self._has_begun:  # a task that did not begin is another process's now
            self._task.ended_by(Died(why))

    async def kill(self) -> None:
        """Kill it with all it started; returns when they are dead, it is reaped, and its last words are heard."""
        if self._killing is None:
            self._killing = self._loop.create_task(self._kill())
        await asyncio.shield(self._killing)

    async def _kill(self) -> None:
        await self._loop.run_in_executor(self._threads, self.tree.kill)
        await self.exited.wait()
        self._guard.forget(self.tree)
        self._process.wait()
        self._read_socket()
        self._read_pipes()
        self._finish_lines()
        self._close()
        self._tell(None)

    def _close(self) -> None:
        self._deafen()
        self._open.clear()
        self._sock.close()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    @property
    def killed(self) -> bool:
        """Whether something outside the process ended it, once it is reaped: the system when memory ran out, or a
        person."""
        return self._process.returncode == -signal.SIGKILL

    def obituary(self) -> str:
        """How it died, for people; once it is reaped."""
        code = self._process.returncode
        text = f"process {self.pid} ended with status {code}"
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                text = f"process {self.pid} was killed by signal {-code} ({signal.Signals(-code).name})"
        return f"{text}, because the lease of its worker ran out" if self._guard.expired else text


def _as(user: TaskUser | None) -> dict[str, Any]:
    """How to start a process as that user."""
    return {} if user is None else {"user": user.uid, "group": user.gid, "extra_groups": [], "umask": UMASK}
