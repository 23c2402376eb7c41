"""Errors are classes named after their cause; what a person sees names the thing, the reason and the next step."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

ErrorKind = Literal["invalid", "unauthenticated", "forbidden", "not_found", "refused", "too_large", "unavailable"]


class JobdeckError(Exception):
    """Something a person can act on. `code` is stable, `message` is for people, `field` names the input at fault.

    A class says what sets it apart where it is named: `class Taken(Conflict, code="taken")`."""

    code: ClassVar[str] = "error"
    kind: ClassVar[ErrorKind] = "invalid"
    retryable: ClassVar[bool]
    """Whether another try can help; where no class says so, the kind tells."""

    def __init_subclass__(
        cls, *, code: str | None = None, kind: ErrorKind | None = None, retryable: bool | None = None
    ) -> None:
        super().__init_subclass__()
        for name, value in {"code": code, "kind": kind, "retryable": retryable}.items():
            if value is not None:
                setattr(cls, name, value)

    def __init__(self, message: str, *, field: str | None = None, hint: str | None = None, **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.hint = hint
        self.facts = facts

    @property
    def public(self) -> str:
        """The message for whoever asks a server; shorter where the whole of it tells of the machine's inside."""
        return self.message


class InvalidInput(JobdeckError, code="invalid_input"):
    """A value that was sent cannot be used; `field` says which one (`params.into`, `limit`, …)."""


class UnknownJobType(InvalidInput, code="unknown_job_type"):
    """No installed job type has this name."""


class BrokenJobType(InvalidInput, code="broken_job_type"):
    """A job type of this name is installed and could not be loaded."""


class JobTypeDisabled(InvalidInput, code="job_type_disabled"):
    """The job type is installed, and this installation's configuration keeps it off."""


class TooLarge(JobdeckError, code="too_large", kind="too_large"):
    """A value is beyond its documented bound."""


class NotFound(JobdeckError, code="not_found", kind="not_found"):
    """There is no such thing, or it is not visible to the one who asks."""


class OperationRefused(JobdeckError, code="operation_refused", kind="refused"):
    """The job's state does not allow this operation; `facts` carry state, operation and the allowed operations."""


class Conflict(JobdeckError, code="conflict", kind="refused"):
    """The request contradicts something recorded before (a name taken, a key reused with another body)."""


class Unauthenticated(JobdeckError, code="unauthenticated", kind="unauthenticated"):
    """No token, or one that is unknown, expired or revoked."""


class Forbidden(JobdeckError, code="forbidden", kind="forbidden"):
    """The token is good and its role does not include this."""


class Unavailable(JobdeckError, code="unavailable", kind="unavailable"):
    """A part that is needed does not answer just now; the same request may succeed later."""


class DiskFull(Unavailable, code="disk_full"):
    """A disk that is needed has no room left; everything goes on by itself once there is some."""


class LeaseLost(JobdeckError, code="lease_lost", kind="refused"):
    """The writer's lease is gone: its epoch is old, so nothing it writes can land and its work must die."""


class NotLeader(JobdeckError, code="not_leader", kind="refused"):
    """Another scheduler leads; a decision of this one must not land."""


class TaskFailure(JobdeckError, code="task_failed"):
    """Raised by task code to fail with a stable code and a message that names the object.

    `retryable=False` says that another try cannot help (a bad file, a missing column)."""

    retryable = True


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """What is recorded of a failure: stable code, text for people, and the fingerprint that groups like failures."""

    code: str
    message: str
    hint: str | None = None
    traceback: str | None = None
    retryable: bool = True
    place: str = ""

    @property
    def fingerprint(self) -> str:
        """12 hex digits over code, place and the message without its numbers, ids, paths and what it quotes."""
        text = _VARIABLE.sub("?", self.message)
        same = f"{self.code}|{self.place}|{text}".encode("utf-8", "replace")
        return hashlib.sha256(same).hexdigest()[:12]

    def at(self, place: str) -> ErrorInfo:
        """The same error, said to have happened in `place` (type and step)."""
        return replace(self, place=place)


def tells_more(code: str, traceback: str | None) -> bool:
    """Whether a person wants to see the traceback: not where one of Jobdeck's own job types foresaw the failure."""
    if not traceback:
        return False
    places = _PLACE.findall(traceback)
    return code == _UNFORESEEN or not places or _OWN_TYPES.search(places[-1]) is None


_UNFORESEEN = "unexpected_error"
_PLACE = re.compile(r'^\s*File "([^"\n]*)", line', re.MULTILINE)
_OWN_TYPES = re.compile(r"[/\\]jobdeck[/\\](?:jobs|connectors|storage)[/\\]")

_HEX_ID = r"\b(?=[0-9a-f-]*\d)[0-9a-f]{8,}(?:-[0-9a-f]{4,})*\b"
_PATH = r"(?<!\S)[^\s/\\]*[/\\]\S*"
_FILE = r"(?<!\S)[^\s.]+(?:\.[^\s.]+)*?\.(?:csv|tsv|txt|jsonl?|ndjson|parquet|np[yz]|gz|zst|bz2|xlsx?|zip|log)\b"
_PROJECT_FILE = r"^[^:']{1,130}? \(file:\d+\)"
_QUOTED = r"'[^']*'|\"[^\"]*\"|«[^»]*»"
_VARIABLE = re.compile(rf"{_PROJECT_FILE}|{_QUOTED}|{_PATH}|{_FILE}|\b0x[0-9a-f]+\b|{_HEX_ID}|\d+", re.IGNORECASE)
"""Each part looks at a character a few times at most: messages may be long, and come from anywhere."""
