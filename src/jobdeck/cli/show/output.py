"""Prints answers in the form that was asked for: `table` for people, `json` as the API gave it, `ids` for pipes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from textwrap import indent
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from jobdeck.cli.exits import UsageError, say
from jobdeck.cli.show.table import Column, print_table

if TYPE_CHECKING:
    from pydantic import BaseModel

    from jobdeck.wire.base import Page

M = TypeVar("M", bound="BaseModel")
Output = Literal["table", "json", "ids"]


def print_page(output: Output, page: Page[M], columns: Sequence[Column[M]], id_of: Callable[[M], object]) -> None:
    """A page of a list."""
    if output == "json":
        print_json(page)
    else:
        print_all(output, page.items, columns, id_of)


@dataclass(frozen=True, slots=True)
class More:
    """How much of a list is printed: what was asked for, else a page of it in a table, and all to programs."""

    limit: int | None = None
    page: int = 50

    def of(self, output: Output) -> int | None:
        """How many items; None for all."""
        return self.page if self.limit is None and output == "table" else self.limit


def print_list(
    output: Output, items: Iterable[M], columns: Sequence[Column[M]], id_of: Callable[[M], object], more: More
) -> None:
    """A list as long as `more` says; where it goes on, a remark says so on standard error."""
    most = more.of(output)
    if most is None:
        print_all(output, items, columns, id_of)
        return
    if most < 1:
        raise UsageError("--limit is at least 1.")
    every = iter(items)
    print_all(output, islice(every, most), columns, id_of)
    if next(every, None) is not None:
        say(f"There are more than these {most}; --limit shows more.")


def tell_more(page: Page[M]) -> None:
    """Say on standard error that the list goes on behind this page, in whatever form it was printed."""
    if page.next is not None:
        say(f"There are more than these {len(page.items)}; --limit shows more, --cursor {page.next} the next page.")


def print_all(output: Output, items: Iterable[M], columns: Sequence[Column[M]], id_of: Callable[[M], object]) -> None:
    """A list that is complete."""
    if output == "json":
        _print_items(items)
    elif output == "ids":
        print_ids(id_of(item) for item in items)
    else:
        print_table(items, columns)


def _print_items(items: Iterable[BaseModel]) -> None:
    """The list as JSON, item by item as they come, so that a long one is read while it is made."""
    pretty = sys.stdout.isatty()
    before, between, after = ("\n", ",\n", "\n") if pretty else ("", ", ", "")
    print('{"items": [', end="")
    for position, item in enumerate(items):
        print(between if position else before, end="")
        text = json.dumps(_sent(item), ensure_ascii=False, indent=2 if pretty else None)
        print(indent(text, "  ") if pretty else text, end="", flush=True)
    print(f'{after}], "next": null}}')


def print_one(output: Output, item: M, show: Callable[[M], None], id_of: Callable[[M], object]) -> None:
    """One thing, which `show` prints for people."""
    if output == "json":
        print_json(item)
    elif output == "ids":
        print_ids([id_of(item)])
    else:
        show(item)


def print_ids(ids: Iterable[object]) -> None:
    """One id per line."""
    for id_ in ids:
        print(id_)


def print_json(value: BaseModel) -> None:
    """The API's JSON: the fields that the server sent, indented for a terminal, on one line for a pipe."""
    print_value(_sent(value))


def print_value(value: object) -> None:
    """Any value as JSON."""
    print(json.dumps(value, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None))


def _sent(value: BaseModel) -> dict[str, Any]:
    """What the server sent of it."""
    return value.model_dump(mode="json", exclude_unset=True)
