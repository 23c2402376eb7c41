"""From the form back to the value; what cannot be understood is said at its place."""

from __future__ import annotations

import json
import math
from typing import Any

from jobdeck.services.masking import MASK
from jobdeck.web.forms.draft import NONE, OUT, DraftNode
from jobdeck.web.forms.schema import MISSING, FieldShape, same

FILL_IN = "Fill this in."


def value_of(node: DraftNode, *, masked: bool = False) -> Any:
    """The value, or MISSING where it is left out. Faults are added to `errors` of their nodes, and the text as it was
    typed takes the value's place. `masked`: with secrets as they may be shown."""
    value = _value(node, masked)
    if value is MISSING and node.field.required:
        node.errors.append(FILL_IN)
    if node.field.prefilled and node.given == "" and value is not MISSING and same(value, node.field.default):
        return MISSING
    return value


def _value(node: DraftNode, masked: bool) -> Any:
    shape = node.shape
    if node.choice in (OUT, NONE):
        return MISSING if node.choice == OUT else None
    if shape is None:
        return _json(node)
    if shape.kind in ("object", "list", "map"):
        return _many(node, masked)
    match shape.kind:
        case "boolean":
            return node.ticked
        case "number":
            return _number(node, shape)
        case "choice" | "json":
            return _json(node)
        case "secret":
            return _secret(node, masked)
        case _:
            return _empty(node, "") if node.text == "" else node.text


def _many(node: DraftNode, masked: bool) -> Any:
    if node.kind == "object":
        return _object(node, masked)
    found: Any = _list(node, masked) if node.kind == "list" else _map(node, masked)
    is_root = not node.field.name and not node.field.is_item
    optional = not (node.field.selectable or node.field.is_item or is_root)
    if not found and optional and node.given not in ("given", "empty") and not node.field.prefilled:
        return None if node.given == "null" else MISSING
    return found


def _empty(node: DraftNode, empty: Any) -> Any:
    """What an empty control stands for. Texts in a list are there even when they are empty."""
    if node.given == "null":
        return None
    shape = node.shape
    is_text = shape is not None and shape.kind == "text"
    return empty if node.given == "empty" or (node.field.is_item and is_text) else MISSING


def _secret(node: DraftNode, masked: bool) -> Any:
    if node.text:
        return MASK if masked else node.text
    return MASK if node.given == "kept" else _empty(node, "")


def _json(node: DraftNode) -> Any:
    if not node.text.strip():
        return _empty(node, MISSING)
    try:
        return strict_json(node.text)
    except ValueError as error:
        node.errors.append(str(error))
        return node.text


def strict_json(text: str) -> Any:
    """The value of a JSON text; raises ValueError saying where it goes wrong. NaN and the like are no JSON."""
    try:
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"This is not JSON: {error.msg.lower()} in line {error.lineno}, column {error.colno}."
        ) from error
    except RecursionError as error:
        raise ValueError("This is nested too deep.") from error


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number that JSON knows.")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is too large.")
    return number


def _number(node: DraftNode, shape: FieldShape) -> Any:
    text = node.text.strip()
    if not text:
        return _empty(node, MISSING)
    try:
        found = strict_json(text.removeprefix("+"))
    except ValueError:
        found = None
    if isinstance(found, bool) or not isinstance(found, int | float):
        node.errors.append("Write a whole number, such as 12." if shape.whole else "Write a number, such as 12 or 0.5.")
        return node.text
    return found


def _object(node: DraftNode, masked: bool) -> Any:
    found: dict[str, Any] = {}
    begun = _must_be(node) or any(row.node.holds for row in node.rows)
    for row in node.rows:
        # An optional object that nobody began needs none of its fields.
        value = value_of(row.node, masked=masked) if begun else MISSING
        if value is not MISSING:
            found[row.name] = value
    if node.rest is not None:
        rest = _json(node.rest)
        if isinstance(rest, dict):
            found |= {k: v for k, v in rest.items() if k not in found}
        elif rest is not MISSING and not node.rest.errors:
            node.rest.errors.append("Write an object: names and values in braces.")
    return found if found or _must_be(node) else MISSING


def _must_be(node: DraftNode) -> bool:
    """Whether an object is there even when it is empty."""
    return node.field.required or node.field.selectable or node.given in ("given", "empty")


def _list(node: DraftNode, masked: bool) -> list[Any]:
    found = []
    for row in node.rows:
        value = _value(row.node, masked)
        if value is not MISSING:
            found.append(value)
        elif not is_unused(row.node):
            row.node.errors.append("Fill this in, or remove it.")
    return found


def is_unused(node: DraftNode) -> bool:
    """A line for a file or an object that nobody used is no file and no object."""
    return node.kind in ("file", "ref") and not node.text


def _map(node: DraftNode, masked: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for row in node.rows:
        value = _value(row.node, masked)
        if row.name in found:
            row.node.errors.append(f"The name '{row.name}' is there twice.")
        elif value is MISSING:
            row.node.errors.append("Fill this in, or remove it.")
        else:
            found[row.name] = value
    return found
