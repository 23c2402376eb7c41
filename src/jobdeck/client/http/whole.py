"""Writes what is downloaded: a file appears whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def write_whole(target: Path, pieces: Iterable[bytes]) -> Path:
    """`target`, made of `pieces`; raises OSError where it cannot be written."""
    partial = target.with_name(f".{target.name}.part")
    try:
        with partial.open("wb") as out:
            for piece in pieces:
                out.write(piece)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target
