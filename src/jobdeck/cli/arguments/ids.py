"""Ids on the command line: numbers, or `-` for those on standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Annotated, TypeVar

from cyclopts import Parameter

from jobdeck.cli.arguments.completing import job_ids
from jobdeck.cli.arguments.options import STDIN
from jobdeck.cli.exits import UsageError

T = TypeVar("T", str, int)
_NAME_SOME = "Name one or more, or - to read them from standard input."
_OR_FILTERS = " Filters name jobs, too, where the command has them: --state pending,running; a project alone does not."
Ids = Annotated[
    str,
    Parameter(
        name="ID",
        help="Job ids, or - to read them from standard input.",
        allow_leading_hyphen=True,
        completer=job_ids,
    ),
]


def numbers(ids: tuple[str, ...], thing: str = "job", lists: str = "jobdeck jobs list") -> list[int]:
    """The ids named, in order, each once; raises UsageError where one is none or there are none at all."""
    found = list(dict.fromkeys(_number(text, thing, lists) for text in _texts(ids)))
    if not found and STDIN not in ids:
        raise UsageError(f"No {thing} id was given.", _NAME_SOME + (_OR_FILTERS if thing == "job" else ""))
    return found


def no_options(texts: Iterable[str]) -> None:
    """Raise UsageError for an option that there is not: as an id may be `-`, it was taken for one."""
    for text in texts:
        if text.startswith("-") and text != STDIN:
            raise UsageError(f"'{text}' is not an option of this command.", "--help after the command lists those.")


def some(named: tuple[T, ...], thing: str, lists: str) -> tuple[T, ...]:
    """What was named, each once; raises UsageError where that is nothing, for then nothing would be done."""
    if not named:
        raise UsageError(f"No {thing} was named.", f"Name one or more; `{lists}` shows them.")
    return tuple(dict.fromkeys(named))


def _texts(ids: tuple[str, ...]) -> Iterator[str]:
    for text in ids:
        if text == STDIN:
            yield from sys.stdin.read().split()
        else:
            yield text


def _number(typed: str, thing: str, lists: str) -> int:
    text = typed.removeprefix("#")  # as pages and people write it
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        no_options([text])
        hint = f"{thing.capitalize()} ids are whole numbers; `{lists}` shows them."
        raise UsageError(f"'{typed}' is not a {thing} id.", hint)
    return int(text)


def file_numbers(ids: tuple[str, ...]) -> list[int]:
    """As `numbers`, for files, which may be written `file:7` as jobs name them."""
    return numbers(tuple(text.removeprefix("file:") for text in ids), "file", "jobdeck files list")
