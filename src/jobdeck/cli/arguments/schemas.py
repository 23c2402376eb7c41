"""What a job type's JSON schema says of parameters that are typed as `name=value`: where they belong, and as what."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Node = Mapping[str, Any]

_DEEPEST = 8
"""References that are followed into each other, at most."""


class Schema:
    """A type's parameters; without a schema, dots part names, and values are JSON where they are JSON."""

    def __init__(self, root: Node | None) -> None:
        self._root: Node = root or {}

    def path(self, name: str) -> list[str]:
        """`csv.encoding` as ["csv", "encoding"]. A name that the schema has with its dots stays whole."""
        return self._path(list(self._plain(self._root)), name)

    def value(self, path: Sequence[str], text: str) -> Any:
        """`text` as JSON where it is JSON; as it was typed where only text fits the schema at `path`."""
        try:
            value = json.loads(text, parse_constant=refuse)
        except (ValueError, RecursionError):
            return text
        kinds = self._kinds(path)
        return text if "string" in kinds and not kinds & _kinds_of(value) else value

    def _path(self, nodes: list[Node], name: str) -> list[str]:
        head, dot, tail = name.partition(".")
        if not dot or any(name in _properties(node) for node in nodes):
            return [name]
        if any(head in _properties(node) for node in nodes):
            return [head, *self._path(self._below(nodes, head), tail)]
        values = [plain for node in nodes for plain in self._plain(_others(node))]
        if not values:
            return name.split(".")
        # The names in a mapping are anyone's, and may have dots.
        before, _, last = name.rpartition(".")
        if any(last in _properties(node) for node in values):
            return [before, last]
        return [name] if any(_scalar(node) for node in values) else [head, *self._path(values, tail)]

    def _kinds(self, path: Sequence[str]) -> set[str]:
        """The JSON types that may stand at `path`; empty where that is not known."""
        nodes = list(self._plain(self._root))
        for name in path:
            nodes = self._below(nodes, name)
        kinds = [_kinds(node) for node in nodes]
        return set().union(*kinds) if all(kinds) else set()

    def _below(self, nodes: list[Node], name: str) -> list[Node]:
        found: list[Node] = []
        for node in nodes:
            found += self._plain(_properties(node)[name] if name in _properties(node) else _others(node))
        return found

    def _plain(self, node: Node | None, depth: int = 0) -> Iterator[Node]:
        """The alternatives that `node` stands for, references followed."""
        if node is None or depth > _DEEPEST:
            return
        reference = node.get("$ref")
        if isinstance(reference, str):
            yield from self._plain(self._root.get("$defs", {}).get(reference.rpartition("/")[2]), depth + 1)
            return
        inner = [*node.get("anyOf", ()), *node.get("oneOf", ()), *node.get("allOf", ())]
        if not inner:
            yield node
        for alternative in inner:
            yield from self._plain(alternative, depth + 1)


def refuse(name: str) -> None:
    """NaN and the infinities are no JSON, although Python's parser takes them."""
    raise ValueError(f"{name} is not JSON")


def _properties(node: Node) -> Mapping[str, Node]:
    found: Mapping[str, Node] = node.get("properties", {})
    return found


def _others(node: Node) -> Node | None:
    """What values of a mapping have to be, where names are free."""
    found = node.get("additionalProperties")
    return found if isinstance(found, dict) else None


def _scalar(node: Node) -> bool:
    kinds = _kinds(node)
    return bool(kinds) and not kinds & {"object", "array"}


def _kinds(node: Node) -> set[str]:
    stated = node.get("type")
    if stated is not None:
        kinds = {stated} if isinstance(stated, str) else set(stated)
        return kinds | {"integer"} if "number" in kinds else kinds
    values = node.get("enum", [node["const"]] if "const" in node else ())
    return set().union(*(_kinds_of(value) for value in values))


def _kinds_of(value: Any) -> set[str]:
    match value:
        case None:
            return {"null"}
        case bool():
            return {"boolean"}
        case int():
            return {"integer"}
        case float():
            return {"integer", "number"} if value.is_integer() else {"number"}
        case str():
            return {"string"}
        case list():
            return {"array"}
        case _:
            return {"object"}
