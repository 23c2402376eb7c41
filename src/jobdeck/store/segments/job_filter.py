"""What a list of jobs is narrowed to, how it is ordered, and where a page begins."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

Span: TypeAlias = tuple[int | None, int | None]
"""From, and up to but not including; None is no bound."""

_FINGERPRINT = re.compile(r"[0-9a-f]{12}")
_RUN_ID = re.compile(r"[0-9]{1,19}(\.[0-9]{1,19})*")


@dataclass(frozen=True, slots=True)
class JobFilter:
    """What a list is narrowed to. Tuples mean any of them; None and empty tuples mean no narrowing. Times in µs."""

    project_ids: tuple[int, ...] | None = None
    states: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subject: str | None = None
    created_by: str | None = None
    token: int | None = None
    configuration: int | None = None
    parent: int | None = None
    run_id: str | None = None
    """A prefix, by whole numbers."""
    priorities: tuple[int, ...] = ()
    error: str | None = None
    """A code or a fingerprint."""
    tags: tuple[str, ...] = ()
    q: str | None = None
    """A part of the description, subject, type or command line, or an id or the beginning of a run id."""
    created: Span = (None, None)
    started: Span = (None, None)
    ended: Span = (None, None)
    duration: Span = (None, None)
    """µs that it ran, up to `at` where it runs still."""
    top_level: bool = False
    at: int = 0
    """When it is asked."""

    @property
    def fingerprint(self) -> bool:
        """Whether `error` is a fingerprint; no code looks like one."""
        return self.error is not None and _FINGERPRINT.fullmatch(self.error) is not None

    @property
    def q_run(self) -> str | None:
        """`q` where it may be an id or the beginning of a run id."""
        return self.q if self.q and _RUN_ID.fullmatch(self.q) else None

    @property
    def q_id(self) -> int | None:
        """`q` where it may be an id."""
        return own_id(self.q) if self.q else None


def own_id(run_id: str) -> int | None:
    """The id of the job with this run id if it is at the top, else None."""
    if not (run_id.isascii() and run_id.isdigit()) or len(run_id) > 19:
        return None
    found = int(run_id)
    return found if str(found) == run_id and found < 2**63 else None


@dataclass(frozen=True, slots=True)
class Sort:
    """What a list is ordered by, one of SORTS of job_lists, and the direction."""

    by: str = "created_at"
    descending: bool = True


@dataclass(frozen=True, slots=True)
class Position:
    """The last job of a page: the value it is sorted by, and its id."""

    value: int | str
    id: int
