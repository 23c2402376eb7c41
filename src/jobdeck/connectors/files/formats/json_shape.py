"""What a JSON value can be, learned value by value: a tree that only widens, in time that grows with the values."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa

from jobdeck.connectors.columns import MAX_COLUMNS
from jobdeck.connectors.errors import TooManyColumns
from jobdeck.connectors.exact_numbers import exactly
from jobdeck.connectors.files.formats import types
from jobdeck.connectors.files.formats.json_values import text_of
from jobdeck.connectors.files.formats.rows import LONGEST_VALUE
from jobdeck.connectors.files.formats.types import EXACT_FLOAT
from jobdeck.core.values import clip

BOOL, INT, WIDE, BIG, HUGE, FLOAT, TEXT, LIST, OBJECT = (1 << place for place in range(9))
"""WIDE: an integer that no float holds exactly; BIG: one beyond 64 bits; HUGE: a number that no type holds."""
_NUMBER = INT | WIDE | BIG | FLOAT
_GROUPS = (BOOL, _NUMBER, TEXT, LIST, OBJECT)


class Names:
    """Counts the names of one file, at every level, so that a file whose names are data ends in an error.

    `changes` counts what was learned."""

    def __init__(self) -> None:
        self.count = 0
        self.changes = 0

    def add(self, name: str) -> None:
        """Raises TooManyColumns."""
        self.count += 1
        self.changes += 1
        if self.count > MAX_COLUMNS:
            raise TooManyColumns(
                f"has more than {MAX_COLUMNS} different names, and no more are allowed; the next is {name[:60]!r}"
            )


class Node:
    """All values so far at one place."""

    __slots__ = ("_names", "fields", "items", "seen")

    def __init__(self, names: Names) -> None:
        self._names = names
        self.seen = 0
        self.items: Node | None = None
        self.fields: dict[str, Node] = {}

    def feed(self, value: Any) -> None:
        """Learn from one value. Raises TooManyColumns."""
        kind = type(value)
        if value is None:
            return
        if kind is str:
            self._see(TEXT)
        elif kind is bool:
            self._see(BOOL)
        elif kind is int:
            self._see(_integer(value))
        elif kind is dict:
            self._see(OBJECT)
            self._feed_fields(value)
        elif kind is list:
            self._see(LIST)
            self.items = self.items or Node(self._names)
            for item in value:
                self.items.feed(item)
        else:
            self._see(_fraction(value))

    def _see(self, mark: int) -> None:
        if not self.seen & mark:
            self.seen |= mark
            self._names.changes += 1

    def _feed_fields(self, value: dict[str, Any]) -> None:
        fields = self.fields
        for name, item in value.items():
            node = fields.get(name)
            if node is None:
                self._names.add(name)
                node = fields[name] = Node(self._names)
            if item is not None:
                node.feed(item)

    @property
    def mixed(self) -> bool:
        """Whether only text (of the JSON) holds all values."""
        numbers = bool(self.seen & FLOAT) and bool(self.seen & (WIDE | BIG))
        return bool(self.seen & HUGE) or numbers or sum(bool(self.seen & group) for group in _GROUPS) > 1

    def type(self) -> pa.DataType:
        """The narrowest type of all values, not settled yet with those of other files; null where there was none."""
        seen = self.seen
        if not seen:
            return pa.null()
        if self.mixed or seen & TEXT:
            return pa.string()
        if seen & LIST and self.items is not None:
            return pa.list_(self.items.type())
        if seen & OBJECT:
            return pa.struct([(name, node.type()) for name, node in self.fields.items()])
        if seen & BOOL:
            return pa.bool_()
        if seen & FLOAT:
            return pa.float64()
        return types.BIG if seen & BIG else types.WIDE if seen & WIDE else types.INT


_CALLED = ((BOOL, "truth values"), (_NUMBER | HUGE, "numbers"), (TEXT, "texts"), (LIST, "lists"), (OBJECT, "objects"))


class Mixtures:
    """The first value of another kind than those before it, for each column that is text because it mixes kinds."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[Node, str, str]] = {}

    def feed(self, nodes: dict[str, Node], row: dict[str, Any], where: str) -> None:
        """Look at a row from which `nodes` have just learned something."""
        for name, value in row.items():
            if name not in self._first and (found := _mixed(nodes[name], value, name)) is not None:
                node, path, odd = found
                self._first[name] = (node, path, f"{clip(text_of(odd), LONGEST_VALUE)} in {where}")

    def told(self, file: str) -> dict[str, str]:
        """The remarks, by column."""
        return {name: _remark(file, name, *found) for name, found in self._first.items()}


def _mixed(node: Node, value: Any, path: str) -> tuple[Node, str, Any] | None:
    if value is None:
        return None
    if node.mixed:
        return node, path, value
    if isinstance(value, dict):
        inner = ((node.fields[name], item, f"{path}.{name}") for name, item in value.items())
    elif isinstance(value, list) and node.items is not None:
        items = node.items
        inner = ((items, item, path) for item in value)
    else:
        return None
    return next((found for each in inner if (found := _mixed(*each)) is not None), None)


def _remark(file: str, column: str, node: Node, path: str, first: str) -> str:
    kinds = [called for marks, called in _CALLED if node.seen & marks]
    what = f"Column '{column}'" if path == column else f"The field '{path}' of column '{column}'"
    if len(kinds) == 1:
        return f"{what} of {file} is text: its numbers have more digits than a float64 keeps; see {first}."
    return (
        f"{what} of {file} is text, because it has {', '.join(kinds[:-1])} and {kinds[-1]}: "
        f"the first value of another kind than those before it is {first}."
    )


def _integer(value: int) -> int:
    if -EXACT_FLOAT <= value <= EXACT_FLOAT:
        return INT
    if -(2**63) <= value < 2**63:
        return WIDE
    return BIG if -(10**38) < value < 10**38 else HUGE


def _fraction(value: Decimal | float) -> int:
    return FLOAT if isinstance(value, float) or exactly(value, types.FLOAT) is not None else HUGE
