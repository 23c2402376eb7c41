"""Prints answers in the form that was asked for: `table` for people, `json` as the API gave it, `ids` for pipes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from textwrap import indent
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from jobdeck.cli.show.table import TableColumn, print_table
from jobdeck.cli.show.terminal import wrapped
from jobdeck.cli.show.text import clean

if TYPE_CHECKING:
    from pydantic import BaseModel

    from jobdeck.wire.base import Page

M = TypeVar("M", bound="BaseModel")
Output = Literal["table", "json", "ids"]


def print_page(
    output: Output, page: Page[M], columns: Sequence[TableColumn[M]], id_of: Callable[[M], object], none: str
) -> None:
    """A page of a list; `none` as with `print_all`."""
    if output == "json":
        print_json(page)
    else:
        print_all(output, page.items, columns, id_of, none)


def print_all(
    output: Output, items: Iterable[M], columns: Sequence[TableColumn[M]], id_of: Callable[[M], object], none: str
) -> None:
    """A list that is complete; `none` is what a person is told, on standard error, where it is empty."""
    if output == "json":
        _print_items(items)
    elif output == "ids":
        print_ids(id_of(item) for item in items)
    elif not print_table(items, columns):
        print(wrapped(clean(none), 2, sys.stderr), file=sys.stderr, flush=True)


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
    print_parts(output, item, show, [id_of(item)])


def print_parts(output: Output, item: M, show: Callable[[M], object], ids: Iterable[object]) -> None:
    """One thing that is made of others, whose ids are given; `show` prints it for people."""
    if output == "json":
        print_json(item)
    elif output == "ids":
        print_ids(ids)
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
