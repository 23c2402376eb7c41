"""Puts what the server found wrong at the fields that are at fault."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from jobdeck.web.forms.draft import DraftNode
from jobdeck.web.forms.schema import FieldShape
from jobdeck.web.forms.values import is_unused

_ENDS = ("", ".", "[")


def place(root: DraftNode, faults: Iterable[tuple[str, str]], prefix: str) -> list[tuple[str, str]]:
    """Put each fault (a path like `params.files[0]` below `prefix`, and a text) at its node; the rest is answered.

    Paths into a choice of shapes name every shape that did not fit; only what is said of the chosen one is told."""
    elsewhere: list[tuple[str, str]] = []
    kept: list[tuple[DraftNode, str]] = []
    doubtful: list[tuple[DraftNode, DraftNode, str]] = []
    for path, text in faults:
        rest = path.removeprefix(prefix) if prefix else f".{path}"
        if rest == path:
            elsewhere.append((path, text))
            continue
        chain = list(_chain(root, rest))
        node, choice = chain[-1][0], next((n for n, left in chain if _is_of_another_shape(n, left)), None)
        if choice is None:
            kept.append((node, text))
        else:
            doubtful.append((choice, node, text))
    told = {id(node) for node, _ in kept}
    for choice, node, text in doubtful:
        if not any(id(one) in told for one in choice.walk()):
            kept.append((node, text))
            told.add(id(node))
    for node, text in kept:
        if node is root:
            elsewhere.append((prefix, text))
        elif (message := _sentence(text)) not in node.errors:
            node.errors.append(message)
    return elsewhere


def _is_of_another_shape(node: DraftNode, left: str) -> bool:
    shape = node.shape
    return bool(left) and shape is not None and len(node.field.shapes) > 1 and not _is_about(shape, left)


def _chain(node: DraftNode, rest: str) -> Iterator[tuple[DraftNode, str]]:
    """The nodes on the way to the place at fault, each with what is left of the path there."""
    yield node, rest
    best: tuple[int, str, DraftNode] | None = None
    for token, child in _parts(node):
        at = _find(rest, token)
        if at >= 0 and (best is None or (at, -len(token)) < (best[0], -len(best[1]))):
            best = at, token, child
    if best is not None:
        at, token, child = best
        yield from _chain(child, rest[at + len(token) :])


def _parts(node: DraftNode) -> Iterator[tuple[str, DraftNode]]:
    index = 0
    for row in node.rows:
        if node.kind != "list":
            yield f".{row.name}", row.node
        elif not is_unused(row.node):
            yield f"[{index}]", row.node
            index += 1


def _find(rest: str, token: str) -> int:
    """Where `token` stands as a whole; the names of shapes may stand before it."""
    at = rest.find(token)
    while at >= 0 and rest[at + len(token) : at + len(token) + 1] not in _ENDS:
        at = rest.find(token, at + 1)
    return at


def _is_about(shape: FieldShape, left: str) -> bool:
    """`left` begins with the name that the check has for a shape: a class, `str`, `list[…]`."""
    names = {
        "object": re.escape(str(shape.schema.get("title", ""))) or "dict", "list": r"list\[", "map": r"dict\[",
        "number": "int" if shape.whole else "float", "boolean": "bool", "choice": "literal|bool|enum",
    }  # fmt: skip
    return (
        re.match(rf"\.(?:{names.get(shape.kind, 'str|constrained-str|function|url|datetime|path')})", left) is not None
    )


def _sentence(text: str) -> str:
    text = text.removeprefix("Value error, ").strip()
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
