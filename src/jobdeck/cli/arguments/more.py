"""How much of a list is printed, and the remark where that is not all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from jobdeck.cli.exits import UsageError, say
from jobdeck.cli.show.output import Output, print_all
from jobdeck.cli.show.table import TableColumn

if TYPE_CHECKING:
    from pydantic import BaseModel

    from jobdeck.wire.base import Page

M = TypeVar("M", bound="BaseModel")


@dataclass(frozen=True, slots=True)
class More:
    """How much of a list is printed: what was asked for, else a page of it in a table, and all to programs."""

    limit: int | None = None
    page: int = 50

    def of(self, output: Output) -> int | None:
        """How many items; None for all."""
        return self.page if self.limit is None and output == "table" else self.limit


def print_list(
    output: Output,
    items: Iterable[M],
    columns: Sequence[TableColumn[M]],
    id_of: Callable[[M], object],
    more: More,
    none: str,
) -> None:
    """A list as long as `more` says; where it goes on or is empty, a remark says so on standard error."""
    most = more.of(output)
    if most is None:
        print_all(output, items, columns, id_of, none)
        return
    if most < 1:
        raise UsageError("--limit is at least 1.")
    every = iter(items)
    print_all(output, islice(every, most), columns, id_of, none)
    if next(every, None) is not None:
        say(f"There are more than these {most}; --limit shows more.")


def tell_more(page: Page[M], output: Output) -> None:
    """Say on standard error that the list goes on behind this page; to programs, also how."""
    if page.next is not None:
        then = "" if output == "table" else f", --cursor {page.next} the next page"
        say(f"There are more than these {len(page.items)}; --limit shows more{then}.")
