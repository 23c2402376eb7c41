"""Tables that fit the terminal: columns shrink, then the least important ones go. A pipe gets everything, exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from rich.cells import cell_len, set_cell_size

from jobdeck.cli.show.colours import HEAD
from jobdeck.cli.show.terminal import is_terminal, paint, room, wrapped
from jobdeck.cli.show.text import ago, line, moment

T = TypeVar("T")
GAP = "  "


@dataclass(frozen=True, slots=True)
class TableColumn(Generic[T]):
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
    style: Callable[[T], str] | None = None
    """The colour of its value of an item, on a terminal."""


def print_table(items: Iterable[T], columns: Sequence[TableColumn[T]]) -> bool:
    """Print `items` as a table to standard output; whether there were any. Nothing is printed where there are none.

    Times are told from now on a terminal, and exactly elsewhere."""
    every = list(items)
    if not every:
        return False
    rows = [[_cell(column.value(item)) for column in columns] for item in every]
    widths = [max([cell_len(c.title), *(cell_len(row[i]) for row in rows)]) for i, c in enumerate(columns)]
    shown = _fit(columns, _worth_showing(columns, rows, widths), room())
    print(_row([c.title for c in columns], columns, shown, [HEAD] * len(columns)))
    for item, row in zip(every, rows, strict=True):
        print(_row(row, columns, shown, [column.style(item) if column.style else "" for column in columns]))
    return True


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Print name and value per line, leaving out what is empty; on a terminal, long values break between words."""
    present = [(name, _fact(value)) for name, value in facts if value not in (None, "", [], {})]
    width = max((cell_len(name) for name, _ in present), default=0)
    for name, value in present:
        head = f"{name:<{width}}"
        print(wrapped(f"{head}  {value}", width + len(GAP)).replace(head, paint(head, HEAD), 1))


def _fact(value: object) -> str:
    """A time exactly, and on a terminal from now as well."""
    if isinstance(value, datetime):
        return f"{moment(value)} ({ago(value)})" if is_terminal() else moment(value)
    return line(value)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return ago(value) if is_terminal() else moment(value)
    if isinstance(value, list | tuple):
        return line(", ".join(str(v) for v in value))
    return line(value)


def _worth_showing(columns: Sequence[TableColumn[Any]], rows: list[list[str]], widths: list[int]) -> dict[int, int]:
    """The widths by index; on a terminal without columns that may go and have nothing in any row."""
    empty = {i for i, column in enumerate(columns) if column.drop and not any(row[i] for row in rows)}
    return {i: width for i, width in enumerate(widths) if i not in empty or room() is None}


def _fit(columns: Sequence[TableColumn[Any]], widths: dict[int, int], cells: int | None) -> dict[int, int]:
    """The width of each column that is shown, by index."""
    shown = dict(widths)
    while cells is not None:
        excess = sum(shown.values()) + len(GAP) * (len(shown) - 1) - cells
        if excess <= 0:
            break
        droppable = [i for i in shown if columns[i].drop]
        slack = {i: shown[i] - columns[i].least for i in shown if 0 < columns[i].least < shown[i]}
        spare = {i: more for i, more in slack.items() if not (columns[i].last and droppable)}
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


def _row(
    cells: Sequence[str], columns: Sequence[TableColumn[Any]], shown: dict[int, int], styles: Sequence[str]
) -> str:
    return GAP.join(_aligned(cells[i], width, columns[i].right, styles[i]) for i, width in shown.items()).rstrip()


def _aligned(text: str, width: int, right: bool, style: str) -> str:
    if cell_len(text) > width:
        text = set_cell_size(text, width - 1).rstrip() + "…"
    pad, painted = " " * (width - cell_len(text)), paint(text, style)
    return pad + painted if right else painted + pad
