"""Tables that fit the terminal: columns shrink, then the least important ones go. A pipe gets everything."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rich.cells import cell_len, set_cell_size

from jobdeck.cli.show.text import line

T = TypeVar("T")
GAP = "  "


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """A column: its title, its value of an item, and what becomes of it where there is little room."""

    title: str
    value: Callable[[T], object]
    drop: int = 0
    """0: always shown; else the column with the highest number goes first."""
    least: int = 0
    """Cells it may be shortened to; 0: never shortened."""
    last: bool = False
    """Shortened only where nothing else helps: a name that people copy."""
    right: bool = False


def print_table(items: Iterable[T], columns: Sequence[Column[T]]) -> None:
    """Print `items` as a table to standard output; nothing but the titles where there are none."""
    rows = [[_cell(column.value(item)) for column in columns] for item in items]
    widths = [max([cell_len(c.title), *(cell_len(row[i]) for row in rows)]) for i, c in enumerate(columns)]
    shown = _fit(columns, widths, _room())
    print(_row([c.title for c in columns], columns, shown))
    for row in rows:
        print(_row(row, columns, shown))


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Print name and value per line, leaving out what is empty."""
    present = [(name, line(value)) for name, value in facts if value not in (None, "", [], {})]
    width = max((cell_len(name) for name, _ in present), default=0)
    for name, value in present:
        print(f"{name:<{width}}  {value}")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return line(", ".join(str(v) for v in value))
    return line(value)


def _room() -> int | None:
    """Cells of a line on the terminal; None where the output is no terminal and COLUMNS is not set."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdecimal():
        return shutil.get_terminal_size().columns
    return None


def _fit(columns: Sequence[Column[Any]], widths: list[int], room: int | None) -> dict[int, int]:
    """The width of each column that is shown, by index."""
    shown = dict(enumerate(widths))
    while room is not None:
        excess = sum(shown.values()) + len(GAP) * (len(shown) - 1) - room
        if excess <= 0:
            break
        droppable = [i for i in shown if columns[i].drop]
        slack = {i: shown[i] - columns[i].least for i in shown if 0 < columns[i].least < shown[i]}
        spare = {i: cells for i, cells in slack.items() if not (columns[i].last and droppable)}
        if sum(spare.values()) >= excess:
            return _shrunk(shown, spare, excess)
        if not droppable:
            return {i: columns[i].least if i in slack else width for i, width in shown.items()}
        del shown[max(droppable, key=lambda i: columns[i].drop)]
    return shown


def _shrunk(shown: dict[int, int], slack: dict[int, int], excess: int) -> dict[int, int]:
    """Widths less `excess` in all, taken from the widest column that has slack, cell by cell."""
    for _ in range(excess):
        widest = max((i for i in slack if slack[i] > 0), key=lambda i: shown[i])
        shown[widest] -= 1
        slack[widest] -= 1
    return shown


def _row(cells: Sequence[str], columns: Sequence[Column[Any]], shown: dict[int, int]) -> str:
    return GAP.join(_aligned(cells[i], width, columns[i].right) for i, width in shown.items()).rstrip()


def _aligned(text: str, width: int, right: bool) -> str:
    if cell_len(text) > width:
        text = set_cell_size(text, width - 1).rstrip() + "…"
    room = " " * (width - cell_len(text))
    return room + text if right else text + room
