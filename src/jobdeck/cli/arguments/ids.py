"""Ids on the command line: numbers, or `-` for those on standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Annotated

from cyclopts import Parameter

from jobdeck.cli.arguments.completing import job_ids
from jobdeck.cli.arguments.options import STDIN
from jobdeck.cli.exits import UsageError

Ids = Annotated[
    str,
    Parameter(
        name="ID",
        help="Job ids, or - to read them from standard input.",
        allow_leading_hyphen=True,
        completer=job_ids,
    ),
]


def numbers(ids: tuple[str, ...]) -> list[int]:
    """The ids named, in order, each once; raises UsageError where one is none or there are none at all."""
    found = list(dict.fromkeys(_number(text) for text in _texts(ids)))
    if not found and STDIN not in ids:
        raise UsageError("No job id was given.", "Name one or more, or - to read them from standard input.")
    return found


def _texts(ids: tuple[str, ...]) -> Iterator[str]:
    for text in ids:
        if text == STDIN:
            yield from sys.stdin.read().split()
        else:
            yield text


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        kind = "an option of this command" if text.startswith("-") else "a job id"
        raise UsageError(f"'{text}' is not {kind}.", "Job ids are whole numbers; `jobdeck jobs list` shows them.")
    return int(text)


def file_numbers(ids: tuple[str, ...]) -> list[int]:
    """As `numbers`, for files, which may be written `file:7` as jobs name them."""
    return numbers(tuple(text.removeprefix("file:") for text in ids))
