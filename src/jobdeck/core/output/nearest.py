"""Did you mean …? The word that somebody probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

CLOSE = 0.75
"""How like a word must be to be suggested, from 0 to 1; `users` is like `pauses` by 0.73, and means something else."""


def closest(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that is most like `word`, if any is like it."""
    by_lower = {name.lower(): name for name in known}
    found = get_close_matches(word.lower(), by_lower, n=1, cutoff=CLOSE)
    return by_lower[found[0]] if found else None


def nearest(word: str, known: Iterable[str]) -> str:
    """`Did you mean 'load'? ` with a space behind it, or nothing."""
    found = closest(word, known)
    return f"Did you mean '{found}'? " if found else ""
