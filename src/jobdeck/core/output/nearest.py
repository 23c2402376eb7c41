"""Did you mean …? The word that somebody probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

CLOSE = 0.75
"""How like a word must be to be suggested, from 0 to 1; `users` is like `pauses` by 0.73, and means something else."""

SAME = {
    "succeeded": "done complete completed success successful finished ok passed",
    "failed": "error errored errors failure crashed broken dead",
    "pending": "queued waiting scheduled created new submitted",
    "running": "active started executing busy processing working",
    "canceled": "cancelled stopped aborted killed terminated revoked",
    "canceling": "cancelling stopping aborting",
    "paused": "suspended held hold",
    "replace": "overwrite truncate recreate",
    "append": "insert add",
    "upsert": "merge update",
    "jsonl": "ndjson jsonlines",
    "csv": "tsv text txt",
    "numpy": "npy",
    "parquet": "pq",
    "reject": "skip ignore",
    "fail": "abort error stop",
    "warning": "warn",
    "error": "err",
    "admin": "administrator owner root",
    "operator": "editor writer user member write",
    "viewer": "reader readonly read guest",
    "retries": "retry max_retries attempts max_attempts tries",
    "backoff": "delay retry_delay wait",
    "timeout": "time_limit deadline",
    "parallel": "concurrency max_parallel workers",
    "each": "map foreach for_each over",
    "run-again": "rerun",
}
"""Words of other tools for a word of ours; suggested where ours is one of those that are known."""
_OURS = [(other, ours) for ours, others in SAME.items() for other in others.split()]


def closest(word: str, known: Iterable[str], alike: float = CLOSE) -> str | None:
    """The one of `known` that is most like `word`, or means the same, if any does."""
    by_lower = {name.lower(): name for name in known}
    lower = word.lower()
    found = get_close_matches(lower, by_lower, n=1, cutoff=alike)
    same = [ours for other, ours in _OURS if other == lower and ours in by_lower]
    mixed = [name for name in by_lower if len(name) > 2 and sorted(name) == sorted(lower)]
    near = [*(found if lower in by_lower else []), *same, *found, *mixed]
    return by_lower[near[0]] if near else None


def nearest(word: str, known: Iterable[str]) -> str:
    """`Did you mean 'load'? ` with a space behind it, or nothing."""
    found = closest(word, known)
    return f"Did you mean '{found}'? " if found else ""
