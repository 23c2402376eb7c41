"""What a form holds while somebody fills it in: a tree of nodes, each as it was typed, right or wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as slot
from typing import Final, Literal

from jobdeck.web.forms.schema import MISSING, Field, FieldShape, same, shown

OUT: Final = -1
"""Instead of a shape: there is no value."""
NONE: Final = -2
"""Instead of a shape: null."""
RAW: Final = -3
"""Instead of a shape: written as JSON, because no shape of the field holds such a value."""

REST: Final = "~rest"
"""The part of an object's path that stands for what its fields do not hold; no escaped name looks like it."""

Given = Literal["", "given", "null", "empty", "kept"]
"""What an empty control stands for: a value that is left out (''; 'given' where there was one, so that a default is
written out), null, an empty value, or the secret that the server keeps."""
GIVEN: Final[dict[str, Given]] = {"": "", "given": "given", "null": "null", "empty": "empty", "kept": "kept"}


@dataclass(slots=True)
class DraftRow:
    """A part of an object, list or map. `key` stays the same while its place in a list changes."""

    key: str
    name: str
    node: DraftNode


@dataclass(slots=True)
class DraftNode:
    """One place of the form. `path` names its controls; it is made of property names and row keys."""

    field: Field
    path: str
    choice: int = 0
    """The index of the shape, or OUT, NONE, RAW."""
    given: Given = ""
    text: str = ""
    ticked: bool = False
    rows: list[DraftRow] = slot(default_factory=list)
    rest: DraftNode | None = None
    """Of an object: what its fields do not hold."""
    errors: list[str] = slot(default_factory=list)
    focus: bool = False

    @property
    def shape(self) -> FieldShape | None:
        return self.field.shapes[self.choice] if self.choice >= 0 else None

    @property
    def kind(self) -> str:
        """The kind of its shape; `raw`, or empty where there is no value."""
        shape = self.shape
        return shape.kind if shape is not None else "raw" if self.choice == RAW else ""

    @property
    def id(self) -> str:
        """Of its control in the page."""
        return f"f-{re.sub('[^A-Za-z0-9/-]', lambda m: f'_{ord(m[0]):x}_', self.path)}"

    @property
    def choices(self) -> list[tuple[str, str]]:
        """Of a choice: what each option is sent as, and how it reads."""
        field, shape = self.field, self.shape
        if shape is None or shape.kind != "choice":
            return []
        default = field.default if field.prefilled else MISSING
        found = [(json.dumps(o), f"{shown(o)} (default)" if same(o, default) else shown(o)) for o in shape.options]
        offers_none = field.prefilled or field.required or self.text == "null"
        if field.nullable and offers_none and None not in shape.options:
            found.append(("null", "none"))
        return found

    def walk(self) -> Iterator[DraftNode]:
        """The node and all below it, in the order of the page."""
        yield self
        for row in self.rows:
            yield from row.node.walk()
        if self.rest is not None:
            yield from self.rest.walk()

    def find(self, path: str) -> DraftNode | None:
        return next((node for node in self.walk() if node.path == path), None)

    @property
    def holds(self) -> bool:
        """Whether somebody put something in: not left out, and not merely the default."""
        if (
            self.errors
            or self.choice in (NONE, RAW)
            or (self.choice >= 0 and self.field.selectable and not self.field.required)
        ):
            return True
        shape = self.shape
        if shape is None:
            return False
        if shape.kind in ("object", "list", "map"):
            inside = any(row.node.holds or row.node.field.is_item for row in self.rows)
            return self.given in ("given", "null") or (inside and not self.field.prefilled)
        if shape.kind in ("boolean", "choice"):
            return self.given != ""
        return bool(self.text) or self.given in ("empty", "kept")


def child(path: str, name: str) -> str:
    """The path of a part; names may hold anything."""
    return f"{path}/{name.replace('~', '~0').replace('/', '~1')}"
