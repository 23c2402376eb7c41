"""What a list of jobs is narrowed to, how it is ordered, and where a page begins."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

Span: TypeAlias = tuple[int | None, int | None]
"""From, and up to but not including; None is no bound."""

_FINGERPRINT = re.compile(r"[0-9a-f]{12}")
_PASTED_ID = re.compile(r"(?:#|job #?|.{0,100}/jobs/)?([0-9]{1,19}(?:\.[0-9]{1,19})*)", re.IGNORECASE)
"""An id or a run id as it is written in texts and in the addresses of pages."""
_WORD = re.compile(r'"([^"]+)"|(\S+)')


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
    """Words, each of which is somewhere in what is searched of a job (segments/searched.py); or an id or the beginning
    of a run id."""
    workers: tuple[str, ...] | None = None
    """Names of workers that had it last."""
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
        return self.error is not None and is_fingerprint(self.error)

    @property
    def q_words(self) -> tuple[str, ...]:
        """What `q` asks for: pieces of text, all of which must be there; A to Z are small."""
        return words_of(self.q or "")

    @property
    def q_run(self) -> str | None:
        """`q` where it may be an id or the beginning of a run id."""
        found = _PASTED_ID.fullmatch((self.q or "").strip())
        return found[1] if found else None

    @property
    def q_id(self) -> int | None:
        """`q` where it may be an id."""
        run = self.q_run
        return own_id(run) if run else None


def is_fingerprint(text: str) -> bool:
    """Whether a text looks like a fingerprint."""
    return _FINGERPRINT.fullmatch(text) is not None


def words_of(q: str) -> tuple[str, ...]:
    """The pieces of text that a search asks for, the longest first: words, and what stands between quotes as a whole.

    Blanks and breaks of lines between words do not matter: what is pasted has others than what was written."""
    found = dict.fromkeys(folded(quoted.strip() or word) for quoted, word in _WORD.findall(q))
    return tuple(sorted((word for word in found if word), key=lambda word: (-len(word), word)))


def folded(text: str) -> str:
    """As text is searched: A to Z small, all else as it is; the same on every database."""
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


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
