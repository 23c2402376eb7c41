"""Errors are classes named after their cause; what a person sees names the thing, the reason and the next step."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

ErrorKind = Literal["invalid", "unauthenticated", "forbidden", "not_found", "refused", "too_large", "unavailable"]


class JobdeckError(Exception):
    """Something a person can act on. `code` is stable, `message` is for people, `field` names the input at fault."""

    code: ClassVar[str] = "error"
    kind: ClassVar[ErrorKind] = "invalid"

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


class InvalidInput(JobdeckError):
    """A value that was sent cannot be used; `field` says which one (`params.into`, `limit`, …)."""

    code = "invalid_input"


class UnknownJobType(InvalidInput):
    """No installed job type has this name."""

    code = "unknown_job_type"


class BrokenJobType(InvalidInput):
    """A job type of this name is installed and could not be loaded."""

    code = "broken_job_type"


class JobTypeDisabled(InvalidInput):
    """The job type is installed, and this installation's configuration keeps it off."""

    code = "job_type_disabled"


class TooLarge(JobdeckError):
    """A value is beyond its documented bound."""

    code = "too_large"
    kind = "too_large"


class NotFound(JobdeckError):
    """There is no such thing, or it is not visible to the one who asks."""

    code = "not_found"
    kind = "not_found"


class OperationRefused(JobdeckError):
    """The job's state does not allow this operation; `facts` carry state, operation and the allowed operations."""

    code = "operation_refused"
    kind = "refused"


class Conflict(JobdeckError):
    """The request contradicts something recorded before (a name taken, a key reused with another body)."""

    code = "conflict"
    kind = "refused"


class Unauthenticated(JobdeckError):
    """No token, or one that is unknown, expired or revoked."""

    code = "unauthenticated"
    kind = "unauthenticated"


class Forbidden(JobdeckError):
    """The token is good and its role does not include this."""

    code = "forbidden"
    kind = "forbidden"


class Unavailable(JobdeckError):
    """A part that is needed does not answer just now; the same request may succeed later."""

    code = "unavailable"
    kind = "unavailable"


class DiskFull(Unavailable):
    """A disk that is needed has no room left; everything goes on by itself once there is some."""

    code = "disk_full"


class LeaseLost(JobdeckError):
    """The writer's lease is gone: its epoch is old, so nothing it writes can land and its work must die."""

    code = "lease_lost"
    kind = "refused"


class NotLeader(JobdeckError):
    """Another scheduler leads; a decision of this one must not land."""

    code = "not_leader"
    kind = "refused"


class TaskFailure(JobdeckError):
    """Raised by task code to fail with a stable code and a message that names the object.

    `retryable=False` says that another try cannot help (a bad file, a missing column)."""

    code = "task_failed"
    retryable: ClassVar[bool] = True


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
