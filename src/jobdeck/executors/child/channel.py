"""The child's end of the socket to its worker. When that socket closes, the worker is gone and so is this process."""

from __future__ import annotations

import contextlib
import fcntl
import os
import queue
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from jobdeck.core.tasks import Printed, TaskMessage
from jobdeck.executors.pipes import settle
from jobdeck.executors.wire import BrokenWire, Unpacker, message_to_json, pack

_HIGH = 200
AFTER_GUARDIAN = 0.5
"""Seconds that the guardian has for finding what this process started, which it does by this process being there."""


class Channel:
    """Sends from any thread; a thread of its own listens, so that a wish to stop arrives while a task computes."""

    def __init__(self, sock: socket.socket) -> None:
        self.pid = os.getpid()
        self._sock = _raised(sock)
        self._lock = threading.Lock()
        self._frames: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._number = 0
        self._stop = threading.Event()

    def listen(self) -> None:
        threading.Thread(target=self._listen, name="jobdeck-control", daemon=True).start()

    def next(self) -> dict[str, Any]:
        """The next task, or set-up; waits for it."""
        return self._frames.get()

    def begin(self, number: int) -> threading.Event:
        """Say that task `number` has arrived; the event that is set when it should stop."""
        with self._lock:
            self._number = number
            self._stop = threading.Event()
        self.send({"t": "began", "number": number})
        return self._stop

    def send(self, frame: dict[str, Any]) -> None:
        """One frame, whole. In a fork of this process (task code may fork) nothing: the socket is not its own."""
        if os.getpid() != self.pid:
            return
        data = pack(frame)
        with self._lock:
            try:
                self._sock.sendall(data)
            except OSError:
                _die()

    def sender(self, number: int) -> Callable[[TaskMessage], None]:
        """What sends the messages of task `number`, and of no other, however long somebody keeps it."""
        return lambda message: self._send_message(number, message)

    def _send_message(self, number: int, message: TaskMessage) -> None:
        if isinstance(message, Printed):
            if os.getpid() != self.pid:  # a fork made by task code: the pipes are safe to share
                os.write(2, (message.text + "\n").encode("utf-8", "replace"))
                return
            settle(1, 2)
        self.send({"t": "message", "number": number, "message": message_to_json(message)})

    def _listen(self) -> None:
        unpacker = Unpacker()
        while True:
            with contextlib.suppress(InterruptedError):
                try:
                    data = self._sock.recv(1 << 20)
                    if not data:
                        _die()
                    for frame in unpacker.feed(data):
                        self._take(frame)
                except (OSError, BrokenWire):
                    _die()

    def _take(self, frame: dict[str, Any]) -> None:
        if frame["t"] != "stop":
            self._frames.put(frame)
            return
        with self._lock:
            if frame["number"] == self._number:
                self._stop.set()


def _raised(sock: socket.socket) -> socket.socket:
    """The same socket under a high descriptor, which task code that closes low ones does not hit."""
    high = fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD_CLOEXEC, _HIGH)
    sock.close()
    return socket.socket(fileno=high)


def _die() -> None:
    """The worker is gone. Its guardian kills this process with all it started; this is for when that is gone, too."""
    time.sleep(AFTER_GUARDIAN)
    os.killpg(0, signal.SIGKILL)
