"""From a value to the form that shows it. What a field cannot hold is shown as JSON, so that nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from jobdeck.services.masking import MASK
from jobdeck.web.forms.draft import NONE, OUT, RAW, REST, DraftNode, DraftRow, child
from jobdeck.web.forms.schema import MISSING, Field, FieldShape, FormSchema, same

MOST_ROWS: Final = 200
"""Longer lists are shown as JSON: thousands of controls help nobody."""
NO_KEYS: Final[Mapping[str, list[str]]] = {}


def fill(form: FormSchema, value: Any, path: str, keys: Mapping[str, list[str]] = NO_KEYS) -> DraftNode:
    """The form of a whole value, an object. `keys`: of lists by path, the row keys that the page knows already."""
    return Filler(form, keys).node(form.root(), path, value)


class Filler:
    """Makes nodes of values."""

    def __init__(self, form: FormSchema, keys: Mapping[str, list[str]] = NO_KEYS) -> None:
        self._form = form
        self._keys = keys

    def node(self, field: Field, path: str, value: Any) -> DraftNode:
        """The node that shows `value`; MISSING for a new one."""
        if value is MISSING:
            return self._blank(field, path)
        if value is None and field.nullable:
            return self._null(field, path)
        node = self._shaped(field, path, value)
        if node is None:
            return DraftNode(field, path, RAW, "given", pretty(value))
        node.given = node.given or "given"
        return node

    def _blank(self, field: Field, path: str) -> DraftNode:
        if field.prefilled and (node := self._shaped(field, path, field.default)) is not None:
            node.given = ""
            return node
        node = DraftNode(field, path, OUT if field.selectable and not field.required else 0)
        self._open(node)
        shape = node.shape
        if shape is not None and shape.kind == "choice" and field.required and len(shape.options) == 1:
            node.text = json.dumps(shape.options[0])
        return node

    def _null(self, field: Field, path: str) -> DraftNode:
        if field.selectable or field.can_be_none:
            node = DraftNode(field, path, NONE, "null")
        else:
            node = DraftNode(field, path, 0, "null", "null" if self._lists_null(field) else "")
            self._open(node)
        return node

    def _lists_null(self, field: Field) -> bool:
        shape = field.shapes[0]
        return shape.kind == "choice" and (None in shape.options or field.prefilled or field.required)

    def _open(self, node: DraftNode) -> None:
        """Show the fields of an object that is not there yet."""
        shape = node.shape
        if shape is not None and shape.kind == "object":
            self._fields(node, shape, {})

    def _shaped(self, field: Field, path: str, value: Any) -> DraftNode | None:
        for strict in (True, False):
            for index, shape in enumerate(field.shapes):
                if not fits(self._form, shape, value, strict=strict):
                    continue
                node = DraftNode(field, path, index)
                if self._put(node, shape, value):
                    return node
        return None

    def _put(self, node: DraftNode, shape: FieldShape, value: Any) -> bool:
        """Put the value in; whether the controls of this shape can hold it."""
        if isinstance(value, str) and not _holds(shape, value):
            return False
        match shape.kind:
            case "object":
                return self._fields(node, shape, value)
            case "list":
                return self._items(node, shape, value)
            case "map":
                return self._entries(node, shape, value)
            case "boolean":
                node.ticked = value
            case "json":
                node.text = pretty(value)
            case "number" if isinstance(value, str):
                node.text = value
            case "choice" | "number":
                node.text = json.dumps(value)
            case "secret" if value == MASK:
                node.given = "kept"
            case _:
                node.text, node.given = value, "given" if value else "empty"
        return True

    def _fields(self, node: DraftNode, shape: FieldShape, value: Mapping[str, Any]) -> bool:
        fields = self._form.properties(shape)
        node.rows = [
            DraftRow(f.name, f.name, self.node(f, child(node.path, f.name), value.get(f.name, MISSING))) for f in fields
        ]
        known = {f.name for f in fields}
        rest = {name: item for name, item in value.items() if name not in known}
        if rest:
            node.rest = DraftNode(self._form.rest(), f"{node.path}/{REST}", 0, "given", pretty(rest))
        return True

    def _items(self, node: DraftNode, shape: FieldShape, value: list[Any]) -> bool:
        if len(value) > MOST_ROWS:
            return False
        field, known = self._form.item(shape), self._keys.get(node.path, [])
        for index, item in enumerate(value):
            key = known[index] if index < len(known) else fresh_key(known, node.rows)
            node.rows.append(DraftRow(key, "", self.node(field, child(node.path, key), item)))
        return True

    def _entries(self, node: DraftNode, shape: FieldShape, value: Mapping[str, Any]) -> bool:
        if len(value) > MOST_ROWS or not all(one_line(name) for name in value):
            return False
        field = self._form.item(shape)
        for name, item in value.items():
            key = fresh_key((), node.rows)
            node.rows.append(DraftRow(key, name, self.node(field, child(node.path, key), item)))
        return True


def fits(form: FormSchema, shape: FieldShape, value: Any, *, strict: bool) -> bool:
    """Whether this shape is the one for `value`: by its type; `strict`: by all that tells shapes apart."""
    match shape.kind:
        case "object":
            return isinstance(value, dict) and (not strict or _has_fields(form, shape, value))
        case "list":
            return isinstance(value, list) and (not strict or _all_fit(form, shape, value))
        case "map":
            return isinstance(value, dict) and (not strict or _all_fit(form, shape, list(value.values())))
        case "choice":
            return any(same(value, option) for option in shape.options)
        case "boolean":
            return isinstance(value, bool)
        case "number":
            if isinstance(value, str):
                return not strict
            whole = isinstance(value, int) and not isinstance(value, bool)
            return whole or (isinstance(value, float) and not (strict and shape.whole))
        case "json":
            return True
        case _:
            return isinstance(value, str)


def _holds(shape: FieldShape, text: str) -> bool:
    """Whether the control gives this text back unchanged. As JSON, every text can be written in plain characters."""
    if shape.kind in ("choice", "json"):
        return True
    return printable(text) if shape.kind == "text" else one_line(text)


def _has_fields(form: FormSchema, shape: FieldShape, value: Mapping[str, Any]) -> bool:
    fields = {field.name: field for field in form.properties(shape)}
    if any(field.required and name not in value for name, field in fields.items()):
        return False
    if shape.schema.get("additionalProperties") is False and value.keys() - fields.keys():
        return False
    return all(_one_fits(form, fields[name], item) for name, item in value.items() if name in fields)


def _all_fit(form: FormSchema, shape: FieldShape, items: list[Any]) -> bool:
    field = form.item(shape)
    return all(_one_fits(form, field, item) for item in items)


def _one_fits(form: FormSchema, field: Field, item: Any) -> bool:
    return (item is None and field.nullable) or any(fits(form, shape, item, strict=True) for shape in field.shapes)


def printable(text: str) -> bool:
    """Whether a text area gives this text back unchanged: browsers make one kind of line end of all."""
    return not any(c in "\r\0\x0c" or "\ud800" <= c <= "\udfff" for c in text)


def one_line(text: str) -> bool:
    """Whether an input of one line gives this text back unchanged."""
    return printable(text) and "\n" not in text


def pretty(value: Any) -> str:
    """As JSON for people; what they could not see or type is escaped."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return text if printable(text) else json.dumps(value, indent=2)


def fresh_key(known: list[str] | tuple[str, ...], rows: list[DraftRow]) -> str:
    """A row key that none of these has."""
    taken = [int(key[1:]) for key in (*known, *(row.key for row in rows)) if key[1:].isdigit()]
    return f"r{max(taken, default=-1) + 1}"
