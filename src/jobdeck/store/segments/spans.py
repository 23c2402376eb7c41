"""Which ids belong to which segment."""

from __future__ import annotations

from collections.abc import Collection

SHIFT = 14
SIZE = 1 << SHIFT
"""Ids of one segment."""


def segment_of(job_id: int) -> int:
    """The number of the segment that an id belongs to."""
    return job_id >> SHIFT


def first_id(segment: int) -> int:
    """The lowest id of a segment."""
    return segment << SHIFT


def gaps(sealed: Collection[int]) -> list[tuple[int, int | None]]:
    """The ids of no sealed segment, newest first: ranges from, and up to but not including; the first has no end."""
    there = set(sealed)
    found: list[tuple[int, int | None]] = []
    end: int | None = None
    number = max(there, default=-1) + 1
    while number > 0:
        begin = number
        while begin > 0 and begin - 1 not in there:
            begin -= 1
        if begin < number or end is None:
            found.append((first_id(begin), end))
        number = begin
        while number > 0 and number - 1 in there:
            number -= 1
        end = first_id(number)
    return found or [(0, None)]
