"""How one run of a task ended, as a value; an executor answers with one of these and never with an exception."""

from __future__ import annotations

from dataclasses import dataclass

from jobdeck.core.errors import ErrorInfo
from jobdeck.core.values import Json


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The task's method returned; `result` is what it returned, as JSON."""

    result: Json = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The task's method raised, or it ran past its timeout."""

    error: ErrorInfo


@dataclass(frozen=True, slots=True)
class Stopped:
    """It stopped on request, politely or by force; its process is dead and reaped. Its last checkpoint counts."""

    killed: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """Its process died without a word. It is dead; what it did since its last checkpoint is unknown."""

    reason: str
    outside: bool = False
    """Whether something outside the task may have ended it, such as the system when it ran out of memory."""


Outcome = Succeeded | Failed | Stopped | Lost
