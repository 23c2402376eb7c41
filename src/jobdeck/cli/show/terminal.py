"""What the terminal is like: how wide, whether it shows colours; lines that break between words."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TextIO

from rich.cells import cell_len

LEAST_ROOM = 20
"""Cells of a line below which nothing is wrapped: words alone would fill it."""


def is_terminal(out: TextIO | None = None) -> bool:
    """Whether a person looks on: standard output (or `out`) is a terminal."""
    stream = sys.stdout if out is None else out
    return stream.isatty()


def room(out: TextIO | None = None) -> int | None:
    """Cells of a line on the terminal; None where the output is no terminal and COLUMNS is not set."""
    if is_terminal(out) or os.environ.get("COLUMNS", "").isdecimal():
        return shutil.get_terminal_size().columns
    return None


def paint(text: str, style: str, out: TextIO | None = None) -> str:
    """`text` in colour where the output is a terminal that shows colours and nobody has asked for none (NO_COLOR)."""
    if not (style and text and is_terminal(out)):
        return text
    from rich.console import Console
    from rich.style import Style

    console = Console(file=sys.stdout if out is None else out)
    system = None if console.no_color else console._color_system  # noqa: SLF001 (its public name is only a text)
    return Style.parse(style).render(text, color_system=system) if system is not None else text


def wrapped(text: str, indent: int = 0, out: TextIO | None = None) -> str:
    """`text` broken between words where it is wider than the terminal, its further lines `indent` cells in.

    A word that is wider than a line stays whole, so that an address or a name can be copied."""
    cells = room(out) if is_terminal(out) else None
    if cells is None or cells - indent < LEAST_ROOM or cell_len(text) <= cells:
        return text
    return "\n".join(_lines(text, indent, cells))


def _lines(text: str, indent: int, cells: int) -> list[str]:
    lead = text[: len(text) - len(text.lstrip(" "))]
    lines: list[str] = []
    line = ""
    for word in text.split():
        start = lead if not lines else " " * indent
        if line.strip() and cell_len(f"{line} {word}") > cells:
            lines.append(line)
            line = " " * indent + word
        else:
            line = f"{line} {word}" if line.strip() else start + word
    return [*lines, line]
