"""What a JSON schema asks for, in the words of a form: fields, and the shapes that their values may have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from jobdeck.core.amounts import grouped

Kind = Literal[
    "text", "secret", "ref", "file", "moment", "number", "boolean", "choice", "object", "list", "map", "json"
]
"""`ref`: an object of the project; `file`: a file of the project, a path or an address; `moment`: a time;
`json`: anything that has no control of its own, written as JSON."""
SCALARS: Final = frozenset({"text", "secret", "ref", "file", "moment", "number", "boolean", "choice", "json"})
_FORMATS: Final[dict[str, Kind]] = {
    "password": "secret", "object-ref": "ref", "file-ref": "file", "date-time": "moment",
}  # fmt: skip
_NAMES: Final[dict[Kind, str]] = {
    "text": "text", "secret": "secret", "ref": "object", "file": "file", "moment": "time", "boolean": "yes or no",
    "choice": "choice", "object": "fields", "map": "names and values", "json": "JSON",
}  # fmt: skip
_PLAIN_TYPES: Final = {"string", "integer", "number", "boolean", "object", "array", "null"}
_DEEPEST = 40


class NoValue:
    """Stands for a value that is not there, which null is not."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = NoValue()


@dataclass(frozen=True, slots=True)
class FieldShape:
    """One form that a field's value may have. `schema` is resolved: no reference at its top."""

    kind: Kind
    label: str
    schema: Mapping[str, Any]
    options: tuple[Any, ...] = ()
    """Of a choice: the values to choose from."""
    seen: frozenset[str] = frozenset()
    """The definitions that this one lies in: one of them again is a recursion."""

    @property
    def whole(self) -> bool:
        """Of a number: without a fraction."""
        return bool(self.schema.get("type") == "integer")

    @property
    def many_lines(self) -> bool:
        return bool(self.schema.get("format") in ("multiline", "sql", "textarea"))


@dataclass(frozen=True, slots=True)
class Field:
    """A place for a value. `name` is empty for the items of lists and maps."""

    name: str
    label: str
    help: str
    required: bool
    default: Any
    nullable: bool
    shapes: tuple[FieldShape, ...]
    is_item: bool = False
    folded: bool = False
    """Whether it stays out of sight until somebody asks for it."""

    @property
    def selectable(self) -> bool:
        """Whether the person chooses the shape, or whether there is a value at all."""
        if len(self.shapes) > 1:
            return True
        shape = self.shapes[0]
        if shape.kind in ("object", "map", "list") and self.nullable:
            return True
        return shape.kind == "object" and not self.required and _recursive(shape)

    @property
    def can_be_none(self) -> bool:
        """Whether null has a box of its own: where it is allowed and is not what an empty control means anyway."""
        if self.selectable or not self.nullable or self.shapes[0].kind == "choice":
            return False
        return self.default is not None and (self.default is not MISSING or self.required)

    @property
    def placeholder(self) -> str:
        """What an empty control shows: the default, or an example."""
        if self.default is not MISSING and self.default not in (None, ""):
            return f"{shown(self.default)} (default)"
        examples = self.shapes[0].schema.get("examples") if self.shapes else None
        return f"such as {shown(examples[0])}" if isinstance(examples, list) and examples else ""

    @property
    def left_out(self) -> str:
        """What leaving it out means, in a few words."""
        return "left out" if self.default in (MISSING, None) else f"default: {shown(self.default)[:60]}"

    @property
    def prefilled(self) -> bool:
        """Whether the default stands in the control itself; else it is told beside it."""
        kinds = ("boolean", "choice", "list", "map", "object")
        return self.default not in (MISSING, None) and not self.selectable and self.shapes[0].kind in kinds


def _recursive(shape: FieldShape) -> bool:
    return shape.schema.get("$from") in shape.seen


class FormSchema:
    """A JSON schema, read field by field: schemas may contain themselves."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root

    def root(self) -> Field:
        """The whole of it, which is an object."""
        return self._field("", {**self._root, "type": self._root.get("type", "object")}, frozenset(), required=True)

    def properties(self, shape: FieldShape) -> list[Field]:
        """The fields of an object, in the order they are declared."""
        required = shape.schema.get("required") or ()
        return [
            self._field(name, schema, self._inside(shape), required=name in required)
            for name, schema in _properties(shape.schema).items()
        ]

    def item(self, shape: FieldShape) -> Field:
        """Each item of a list, or each value of a map."""
        if shape.kind == "list":
            schema = shape.schema.get("items", True)
        else:
            patterns = shape.schema.get("patternProperties") or {}
            schema = next(iter(patterns.values()), shape.schema.get("additionalProperties", True))
        return self._field("", schema, self._inside(shape), required=True, is_item=True)

    @staticmethod
    def rest() -> Field:
        """What an object holds besides its declared fields."""
        anything = FieldShape("json", "JSON", {})
        return Field(
            "", "Other values", "Names that the form does not know, as JSON.", False, MISSING, False, (anything,)
        )

    def _inside(self, shape: FieldShape) -> frozenset[str]:
        own = shape.schema.get("$from")
        return shape.seen | {own} if own else shape.seen

    def _field(self, name: str, schema: Any, seen: frozenset[str], *, required: bool, is_item: bool = False) -> Field:
        asked = dict(schema) if isinstance(schema, Mapping) else {}
        resolved = self._resolve(asked)
        found = list(self._shapes(asked, seen, 0))
        shapes = tuple(shape for shape in found if shape is not None)
        nullable = None in found
        default = resolved.get("default", MISSING)
        if not shapes:
            shapes = (FieldShape("choice", "nothing", {}, (None,)),) if nullable else (FieldShape("json", "JSON", {}),)
        shapes = tuple(_with_choices(shape, default, nullable or is_item) for shape in shapes)
        label, words = _label(name, asked.get("title")), _help(asked, resolved, shapes)
        return Field(
            name, label, words, required, default, nullable, shapes, is_item, _folded(resolved, shapes, required)
        )

    def _shapes(self, schema: Mapping[str, Any], seen: frozenset[str], depth: int) -> Iterator[FieldShape | None]:
        """Each shape; None stands for null."""
        schema = self._resolve(schema)
        choices = schema.get("anyOf") or schema.get("oneOf")
        if choices and depth < _DEEPEST:
            for choice in choices:
                shared = {k: v for k, v in schema.items() if k in ("format", "writeOnly")}
                yield from self._shapes({**shared, **choice} if isinstance(choice, Mapping) else {}, seen, depth + 1)
            return
        types = schema.get("type")
        for one in types if isinstance(types, list) else [types]:
            yield None if one == "null" else _shape({**schema, "type": one}, seen)

    def _resolve(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Without references and single `allOf`s; `$from` says which definition it came from."""
        found = dict(schema)
        for _ in range(_DEEPEST):
            reference = found.pop("$ref", None)
            parts = found.get("allOf")
            if isinstance(reference, str):
                found = {**self._definition(reference), **found, "$from": reference}
            elif isinstance(parts, list) and len(parts) == 1 and isinstance(parts[0], Mapping):
                found = {**parts[0], **{k: v for k, v in found.items() if k != "allOf"}}
            else:
                break
        return found

    def _definition(self, reference: str) -> Mapping[str, Any]:
        found: Any = self._root
        for part in reference.removeprefix("#/").split("/") if reference.startswith("#/") else []:
            found = found.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, Mapping) else {}
        return found if isinstance(found, Mapping) and found is not self._root else {}


def _shape(schema: Mapping[str, Any], seen: frozenset[str]) -> FieldShape:
    kind = _kind(schema)
    options: tuple[Any, ...] = ()
    if kind == "choice":
        options = (schema["const"],) if "const" in schema else tuple(schema["enum"])
    return FieldShape(kind, _shape_label(kind, schema), schema, options, seen)


def _kind(schema: Mapping[str, Any]) -> Kind:
    kind = schema.get("type")
    if "const" in schema or schema.get("enum"):
        return "choice"
    if kind == "string":
        return "secret" if schema.get("writeOnly") else _FORMATS.get(str(schema.get("format")), "text")
    if kind in ("integer", "number"):
        return "number"
    if kind == "boolean":
        return "boolean"
    if kind == "array":
        return "json" if "prefixItems" in schema or schema.get("items") is False else "list"
    if kind == "object":
        return "object" if _properties(schema) or schema.get("additionalProperties") is False else "map"
    return "json"


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    found = schema.get("properties")
    return found if isinstance(found, Mapping) else {}


def _with_choices(shape: FieldShape, default: Any, neither: bool) -> FieldShape:
    """A box to tick says yes or no; where it may also be neither, it is a choice."""
    if shape.kind == "boolean" and (neither or not isinstance(default, bool)):
        return FieldShape("choice", shape.label, shape.schema, (True, False), shape.seen)
    return shape


def _shape_label(kind: Kind, schema: Mapping[str, Any]) -> str:
    if kind == "number":
        return "whole number" if schema.get("type") == "integer" else "number"
    if kind == "object" and isinstance(schema.get("title"), str):
        return _words(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", schema["title"]))
    if kind == "list":
        items = schema.get("items")
        inside = items.get("type") if isinstance(items, Mapping) else None
        return {"string": "list of texts", "integer": "list of numbers", "number": "list of numbers"}.get(
            str(inside), "list"
        )
    if kind == "choice" and "const" in schema:
        return shown(schema["const"])
    return _NAMES[kind]


def _label(name: str, title: Any) -> str:
    automatic = name.replace("_", " ").title()
    return title if isinstance(title, str) and title != automatic and name else _words(name.replace("_", " "))


def _words(text: str) -> str:
    return text[:1].upper() + (text[1:] if text[1:2].isupper() else text[1:].lower() if " " in text else text[1:])


def _help(asked: Mapping[str, Any], resolved: Mapping[str, Any], shapes: Sequence[FieldShape]) -> str:
    """Its description, and the bounds that nothing else shows."""
    text = str(asked.get("description") or resolved.get("description") or "")
    bounds = bounds_of(shapes[0].schema) if len(shapes) == 1 and shapes[0].kind != "json" else ""
    return text if bounds.rstrip(".") in text else f"{text} {bounds}".strip()


def bounds_of(schema: Mapping[str, Any]) -> str:
    """`0 to 9.`, `At least 1.`; nothing where there are no bounds that people meet."""
    kind = schema.get("type")
    if kind in ("integer", "number"):
        low, high = schema.get("minimum"), schema.get("maximum")
        above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
        if low is not None and high is not None:
            return f"{grouped(low)} to {grouped(high)}."
        found = [(low, "At least"), (above, "More than"), (high, "At most"), (below, "Less than")]
        return " ".join(f"{word} {grouped(bound)}." for bound, word in found if bound is not None)
    if kind == "array":
        least, most = schema.get("minItems") or 0, schema.get("maxItems")
        if least > 1:
            return f"At least {grouped(least)}."
        return f"At most {grouped(most)}." if most is not None and most <= 100 else ""
    return ""


def _folded(schema: Mapping[str, Any], shapes: Sequence[FieldShape], required: bool) -> bool:
    """Optional fields are; choices among a few words are decisions that people want to see."""
    own = schema.get("x-jobdeck")
    if isinstance(own, Mapping) and "folded" in own:
        return bool(own["folded"])
    return not required and not (len(shapes) == 1 and shapes[0].kind == "choice" and len(shapes[0].options) > 1)


def shown(value: Any) -> str:
    """A value as people read it: texts as they are, the rest as JSON."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def same(one: Any, other: Any) -> bool:
    """Equal as JSON: 1 is neither 1.0 nor true, and nothing equals MISSING."""
    if one is MISSING or other is MISSING:
        return False
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
