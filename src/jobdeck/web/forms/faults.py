"""Puts what the server found wrong at the fields that are at fault."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from jobdeck.web.forms.draft import Node
from jobdeck.web.forms.schema import Shape
from jobdeck.web.forms.values import is_unused

_ENDS = ("", ".", "[")


def place(root: Node, faults: Iterable[tuple[str, str]], prefix: str) -> list[tuple[str, str]]:
    """Put each fault (a path like `params.files[0]` below `prefix`, and a text) at its node; the rest is answered.

    Paths into a choice of shapes name every shape that did not fit; only what is said of the chosen one is told."""
    elsewhere: list[tuple[str, str]] = []
    told: dict[str, list[tuple[str, str, Node]]] = {}
    for path, text in faults:
        rest = path.removeprefix(prefix)
        if rest == path and prefix:
            elsewhere.append((path, text))
            continue
        if prefix == "":
            rest = f".{rest}"
        chain = list(_chain(root, rest))
        choice = next((n for n, _ in chain if len(n.field.shapes) > 1), None)
        node, left = chain[-1]
        told.setdefault(choice.path if choice else f"={node.path}", []).append((left, text, node))
        if choice is not None:
            told[choice.path][-1] = (_left_at(chain, choice), text, node)
    for path, found in told.items():
        kept = found if path.startswith("=") else _of_chosen(root.find(path), found)
        for _, text, node in kept:
            if node is root:
                elsewhere.append((prefix or path, text))
            elif (message := _sentence(text)) not in node.errors:
                node.errors.append(message)
    return elsewhere


def _left_at(chain: list[tuple[Node, str]], choice: Node) -> str:
    return next(left for node, left in chain if node is choice)


def _chain(node: Node, rest: str) -> Iterator[tuple[Node, str]]:
    """The nodes on the way to the place at fault, each with what is left of the path there."""
    yield node, rest
    best: tuple[int, str, Node] | None = None
    for token, child in _parts(node):
        at = _find(rest, token)
        if at >= 0 and (best is None or (at, -len(token)) < (best[0], -len(best[1]))):
            best = at, token, child
    if best is not None:
        at, token, child = best
        yield from _chain(child, rest[at + len(token) :])


def _parts(node: Node) -> Iterator[tuple[str, Node]]:
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


def _of_chosen(choice: Node | None, found: list[tuple[str, str, Node]]) -> list[tuple[str, str, Node]]:
    shape = choice.shape if choice else None
    if shape is None:
        return found[:1]
    kept = [one for one in found if _is_about(shape, one[0])]
    return kept or found


def _is_about(shape: Shape, left: str) -> bool:
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
