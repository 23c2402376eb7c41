"""From what a browser sent back to the form, as it was typed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from jobdeck.core.errors import TooLarge
from jobdeck.web.forms.draft import GIVEN, NONE, OUT, RAW, REST, DraftNode, DraftRow, child
from jobdeck.web.forms.schema import Field, FieldShape, FormSchema

MOST_CONTROLS: Final = 20_000
_KEY: Final = re.compile(r"r[0-9]{1,6}")
_STATES: Final = {"out": OUT, "none": NONE, "raw": RAW}
_DEEPEST: Final = 30


@dataclass(frozen=True, slots=True)
class Sent:
    """The names and values of a form. Controls of a node are called `<letter>:<path>`:

    v: its text or choice · s: its shape · e: what empty means · z: none is ticked · i: the keys of its rows, in order ·
    k: the name of a row in a map."""

    values: dict[str, list[str]]

    @classmethod
    def of(cls, body: bytes) -> Sent:
        """From the body of a request, urlencoded. Raises TooLarge."""
        try:
            pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MOST_CONTROLS)
        except ValueError as error:
            raise TooLarge(f"A form may have {MOST_CONTROLS} fields.", hint="Write it as JSON.") from error
        return cls.from_pairs(pairs)

    @classmethod
    def from_pairs(cls, pairs: Sequence[tuple[str, str]]) -> Sent:
        found: dict[str, list[str]] = {}
        for name, value in pairs:
            found.setdefault(name, []).append(value.replace("\r\n", "\n"))
        return cls(found)

    def get(self, name: str, default: str = "") -> str:
        """The last value of that name: a box that is ticked comes after the one that says it is not."""
        return self.values.get(name, [default])[-1]

    def has(self, name: str) -> bool:
        return name in self.values

    def keys(self, path: str) -> list[str]:
        return list(dict.fromkeys(key for key in self.values.get(f"i:{path}", []) if _KEY.fullmatch(key)))


def read(form: FormSchema, sent: Sent, path: str) -> DraftNode:
    """The form as it was sent."""
    return _Reader(form, sent).node(form.root(), path, 0)


class _Reader:
    def __init__(self, form: FormSchema, sent: Sent) -> None:
        self._form = form
        self._sent = sent

    def node(self, field: Field, path: str, depth: int) -> DraftNode:
        sent = self._sent
        node = DraftNode(field, path, self._choice(field, path), GIVEN.get(sent.get(f"e:{path}"), ""))
        shape = node.shape
        if depth > _DEEPEST or shape is None or shape.kind not in ("object", "list", "map"):
            node.text = sent.get(f"v:{path}")
            node.ticked = node.text == "on"
        elif shape.kind == "object":
            self._fields(node, shape, depth)
        else:
            self._rows(node, shape, depth)
        return node

    def _choice(self, field: Field, path: str) -> int:
        said = self._sent.get(f"s:{path}")
        if said in _STATES:
            return _STATES[said]
        if self._sent.get(f"z:{path}") == "on":
            return NONE
        if said.isascii() and said.isdigit() and int(said[:4]) < len(field.shapes):
            return int(said[:4])
        return OUT if field.selectable and not field.required else 0

    def _fields(self, node: DraftNode, shape: FieldShape, depth: int) -> None:
        for field in self._form.properties(shape):
            path = child(node.path, field.name)
            node.rows.append(DraftRow(field.name, field.name, self.node(field, path, depth + 1)))
        rest = f"{node.path}/{REST}"
        if self._sent.has(f"v:{rest}"):
            node.rest = DraftNode(self._form.rest(), rest, 0, "given", self._sent.get(f"v:{rest}"))

    def _rows(self, node: DraftNode, shape: FieldShape, depth: int) -> None:
        field: Any = self._form.item(shape)
        for key in self._sent.keys(node.path):
            path = child(node.path, key)
            node.rows.append(DraftRow(key, self._sent.get(f"k:{path}"), self.node(field, path, depth + 1)))
