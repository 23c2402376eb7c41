"""`python -m jobdeck.executors.child FD`: run the tasks that arrive on the socket FD, until that socket closes."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import resource
import socket
import sys
from pathlib import Path
from typing import Any

from jobdeck.core.errors import ErrorInfo
from jobdeck.core.outcome import Failed, Outcome
from jobdeck.core.tasks import TaskRequest
from jobdeck.executors.child.channel import Channel
from jobdeck.executors.child.output import Output
from jobdeck.executors.child.tidy import Traces, leave_if_forked
from jobdeck.executors.context import TaskContext
from jobdeck.executors.harness import perform
from jobdeck.executors.wire import outcome_to_json, request_from_json

PR_SET_CHILD_SUBREAPER = 36
MAX_RSS = 1024 * 1024 * 1024
"""Bytes; a process that grew beyond this is not used for another task."""


def main() -> None:
    """Take tasks until the worker is gone; never returns."""
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    output = Output()
    _become_reaper()
    channel.listen()
    while True:
        frame = channel.next()
        if frame["t"] == "setup":
            _set_up(frame, output)
        else:
            _run(frame, channel, output)


def _become_reaper() -> None:
    """Orphans of what a task starts become children of this process, so that none of them gets out of sight."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")  # where memory ends, a task dies before its worker does


def _set_up(frame: dict[str, Any], output: Output) -> None:
    sys.path[:] = frame["path"]
    faulthandler.enable(file=output.kept_stderr)
    limit = frame.get("memory_limit")
    if limit is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        top = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (top, top))


def _run(frame: dict[str, Any], channel: Channel, output: Output) -> None:
    stop = channel.begin(frame["number"])
    traces = Traces()
    output.attach(channel)
    outcome: Outcome
    try:
        request: TaskRequest = request_from_json(frame["request"])
        run = TaskContext(request, channel.send_message, stop)
        outcome = perform(request, run)
        leave_if_forked(channel.pid)
        run.close()
    except BaseException as error:  # noqa: BLE001 – a signal's exception may arrive between any two lines
        outcome = Failed(ErrorInfo("unexpected_error", f"{type(error).__name__}: {error}"[:8000]))
    leave_if_forked(channel.pid)
    output.restore()
    clean = traces.removed() and not _spent(outcome)
    channel.send({"t": "ended", "number": frame["number"], "outcome": outcome_to_json(outcome), "clean": clean})


def _spent(outcome: Outcome) -> bool:
    if isinstance(outcome, Failed) and outcome.error.code == "out_of_memory":
        return True
    # Not `ru_maxrss`, which counts what the worker had when it started this process.
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() > MAX_RSS


if __name__ == "__main__":
    main()
