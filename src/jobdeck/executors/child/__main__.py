"""`python -m jobdeck.executors.child FD`: run the tasks that arrive on the socket FD, until that socket closes."""

from __future__ import annotations

import contextlib
import contextvars
import ctypes
import faulthandler
import resource
import socket
import sys
from pathlib import Path
from typing import Any

from jobdeck.core.errors import ErrorInfo
from jobdeck.core.outcome import Failed, Outcome, Succeeded
from jobdeck.core.tasks import TaskRequest
from jobdeck.executors.child.channel import Channel
from jobdeck.executors.child.output import Output
from jobdeck.executors.child.settings import recover
from jobdeck.executors.child.tidy import Traces, leave_if_forked
from jobdeck.executors.context import TaskContext
from jobdeck.executors.harness import describe, perform
from jobdeck.executors.machine.code import Code, code_changed, code_of
from jobdeck.executors.machine.sources import sources_of
from jobdeck.executors.wire import outcome_to_json, request_from_json

PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    """Take tasks until the worker is gone; never returns."""
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    output = Output()
    _become_reaper()
    channel.listen()
    traces = None
    while True:
        frame = channel.next()
        if frame["t"] == "setup":
            _set_up(frame, output)
        else:
            traces = traces or Traces()
            _run(frame, channel, output, traces)


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


def _run(frame: dict[str, Any], channel: Channel, output: Output, traces: Traces) -> None:
    stop, send = channel.begin(frame["number"]), channel.sender(frame["number"])
    output.attach(send)
    package, code = "", Code()
    outcome: Outcome
    try:
        request: TaskRequest = request_from_json(frame["request"])
        package = request.implementation.partition(":")[0].partition(".")[0]
        code = _code(request.implementation)
        run = TaskContext(request, send, stop)
        # In a context of its own: what it sets there, such as the precision of decimal numbers, ends with it.
        outcome = _refused(request, code) or contextvars.copy_context().run(perform, request, run)
        leave_if_forked(channel.pid)
        recover()
        if isinstance(outcome, Succeeded):
            _wait_for_threads(run, traces)
        run.close()
    except BaseException as error:  # noqa: BLE001 – a signal's exception may arrive between any two lines
        recover()
        outcome = Failed(ErrorInfo("unexpected_error", f"{type(error).__name__}: {error}"[:8000]))
    leave_if_forked(channel.pid)
    output.restore()
    spoiled = "memory" if _spent(outcome) else traces.removed(package)
    channel.send({
        "t": "ended", "number": frame["number"], "outcome": outcome_to_json(outcome), "clean": spoiled is None,
        "spoiled": spoiled, "sources": {**sources_of(package), **code.files},
    })  # fmt: skip


_LOADED: dict[str, Code] = {}


def _code(implementation: str) -> Code:
    """The code that this process has loaded, or is about to load: as it was before that was first asked for."""
    module = implementation.partition(":")[0]
    if module not in _LOADED:
        _LOADED[module] = code_of(implementation)
    return _LOADED[module]


def _refused(request: TaskRequest, code: Code) -> Outcome | None:
    """The failure of a task whose attempt began with other code."""
    if not request.code or not code.fingerprint or request.code == code.fingerprint:
        return None
    return Failed(describe(code_changed(request.type, code.newest), f"{request.type}.{request.step}"))


def _wait_for_threads(run: TaskContext, traces: Traces) -> None:
    """As a program waits at its end for its threads; what they did not get done is told."""
    left = traces.leftovers.wait_for_threads(lambda: run.should_stop)
    if left:
        names = ", ".join(sorted(left)[:10])
        run.warn(f"The step returned while {len(left)} of its threads ran ({names}); they are ended with its process.")


def _spent(outcome: Outcome) -> bool:
    return isinstance(outcome, Failed) and outcome.error.code == "out_of_memory"


if __name__ == "__main__":
    main()
