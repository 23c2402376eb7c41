"""Import others' modules in a process of its own first: one that exits, crashes or hangs there is left out here.

`python -m jobdeck.jobs.trial module:Class …` imports them in order and writes a line for each that came back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module

PATIENCE = 60.0
"""Seconds that importing all of them may take, from one that returns to the next."""


def try_imports(places: Sequence[str]) -> Mapping[str, str]:
    """Of `places` (`module:Class`) those whose import does not return, each with the reason.

    An import that raises an Exception returns: it is told where it is loaded."""
    fatal: dict[str, str] = {}
    left = list(places)
    while left:
        returned, reason = _try(left)
        left = left[returned:]
        if left and reason:
            fatal[left.pop(0)] = reason
        elif not reason:
            return fatal
    return fatal


def _try(places: Sequence[str]) -> tuple[int, str]:
    """How many imports returned, and what ended or held up the next one; no reason if all returned."""
    surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    command = [sys.executable, "-P", "-m", __name__, *places]
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=surroundings,
        start_new_session=True,
    )  # fmt: skip
    try:
        told, _ = child.communicate(timeout=PATIENCE)
        reason = "" if child.returncode == 0 else _how_it_ended(child.returncode)
    except subprocess.TimeoutExpired:
        _kill(child)
        told, _ = child.communicate()
        reason = f"its import did not return within {PATIENCE:g} seconds"
    finally:
        _kill(child)
    return told.count(b"\n"), reason


def _how_it_ended(code: int) -> str:
    if code < 0:
        return f"its import ended the process with signal {signal.Signals(-code).name}"
    return f"its import ended the process with status {code}"


def _kill(child: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def main() -> None:
    """What the process does; what the modules print goes nowhere, so that only returns are counted."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    for place in sys.argv[1:]:
        try:
            import_module(place.partition(":")[0].strip())
        except BaseException:  # noqa: BLE001, S110  (it returned, which is all that is asked here)
            pass
        answers.write(b".\n")
    os._exit(0)


if __name__ == "__main__":
    main()
