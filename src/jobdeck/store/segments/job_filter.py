"""What a list of jobs is narrowed to, how it is ordered, and where a page begins."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from jobdeck.core.filters.jobs import BY_KEY, FILTERS
from jobdeck.core.filters.rules import HasWords, Holds, OneOf, Rule

Span: TypeAlias = tuple[int | None, int | None]
"""From, and up to but not including; None is no bound."""

_FINGERPRINT = re.compile(r"[0-9a-f]{12}")
_PASTED_ID = re.compile(r"(?:#|job #?|.{0,100}/jobs/)?([0-9]{1,19}(?:\.[0-9]{1,19})*)", re.IGNORECASE)
"""An id or a run id as it is written in texts and in the addresses of pages."""
_WORD = re.compile(r'"([^"]+)"|(\S+)')


class JobFilter:
    """What a list is narrowed to: values of the filters in core/filters/jobs.py by their keys. Times in µs.

    None is no narrowing. A `OneOf` or `Holds` takes one value or a tuple, of which none matches nothing; a `Between`
    two bounds. `at` is when it is asked: up to then jobs that run still have run."""

    __slots__ = ("at", "values")

    def __init__(self, *, at: int = 0, **values: Any) -> None:
        unknown = values.keys() - BY_KEY.keys()
        if unknown:
            raise TypeError(f"jobs have no filter {unknown.pop()!r}")
        self.at = at
        self.values: Mapping[str, Any] = {
            key: _compared(BY_KEY[key].rule, value) for key, value in values.items() if _narrows(value)
        }

    def changed(self, **values: Any) -> JobFilter:
        """With other values of some filters."""
        return JobFilter(at=self.at, **{**self.values, **values})

    @property
    def asked(self) -> list[tuple[Rule, Any]]:
        """The rules that jobs must meet, with their values."""
        return [(f.rule, self.values[f.key]) for f in FILTERS if f.key in self.values]

    @property
    def words(self) -> tuple[str, ...]:
        """What is searched for."""
        return tuple(word for rule, q in self.asked if isinstance(rule, HasWords) for word in Search(q).words)


def _narrows(value: Any) -> bool:
    return value is not None and value is not False and value != (None, None)


def _compared(rule: Rule, value: Any) -> Any:
    return (value,) if isinstance(rule, OneOf | Holds) and not isinstance(value, tuple) else value


@dataclass(frozen=True, slots=True)
class Search:
    """What a search may mean: words, each of which is somewhere in what is searched of a job (segments/searched.py);
    or an id or the beginning of a run id."""

    q: str

    @property
    def words(self) -> tuple[str, ...]:
        """Pieces of text, all of which must be there; A to Z are small."""
        return words_of(self.q)

    @property
    def run(self) -> str | None:
        """`q` where it may be an id or the beginning of a run id."""
        found = _PASTED_ID.fullmatch(self.q.strip())
        return found[1] if found else None

    @property
    def id(self) -> int | None:
        """`q` where it may be an id."""
        return own_id(self.run) if self.run else None


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
