"""Names of the objects that jobs work on: `<connection>/<path>`, and project files as `file:<id>`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote, unquote

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

from jobdeck.core.errors import InvalidInput
from jobdeck.core.values import clip

MAX_REF = 1024
SHOWN_NAME = 100
"""Characters of a file's name that are shown."""

FileText = Annotated[str, Field(json_schema_extra={"format": "file-ref"})]
"""A file that a job reads: `file:<id>`, a path of the server, or an address. Forms offer uploads and project files."""


def shown(name: str) -> str:
    """A file's name as it can stand in a line of text: bounded, and what is not seen or ends a line written out."""
    plain = "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in name)
    return clip(plain, SHOWN_NAME)


def with_id(name: str, ref: str) -> str:
    """`orders.csv (file:22)`: what people see of the project file `ref`."""
    return f"{name} ({ref})"


class MalformedRef(InvalidInput, code="malformed_ref"):
    """The text is not `<connection>/<path>`."""


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """`connection` and the path segments below it, unescaped. Text form: segments percent-encoded where needed."""

    connection: str
    path: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> ObjectRef:
        """`lake/in.shop/orders` → ObjectRef("lake", ("in.shop", "orders")); raises MalformedRef."""
        if not text or len(text) > MAX_REF:
            raise MalformedRef(f"An object reference has 1 to {MAX_REF} characters.", hint=_HINT)
        segments = [unquote(part) for part in text.split("/")]
        if len(segments) < 2 or any(not s or s in (".", "..") or _UNFIT.search(s) for s in segments):
            raise MalformedRef(f"'{clip(text)}' is not an object reference.", hint=_HINT)
        ref = cls(segments[0], tuple(segments[1:]))
        if len(str(ref)) > MAX_REF:
            raise MalformedRef(f"An object reference has 1 to {MAX_REF} characters, escapes included.", hint=_HINT)
        return ref

    def __str__(self) -> str:
        return "/".join("".join(map(_escaped, s)) for s in (self.connection, *self.path))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        def validate(value: object) -> ObjectRef:
            if isinstance(value, ObjectRef):
                return value
            if not isinstance(value, str):
                raise ValueError(_HINT)  # noqa: TRY004  (pydantic reports ValueError as a fault of the input)
            try:
                return cls.parse(value)
            except MalformedRef as error:
                raise ValueError(f"{error.message} {error.hint}") from error

        return core_schema.no_info_plain_validator_function(
            validate, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "format": "object-ref", "maxLength": MAX_REF, "examples": ["lake/in.shop/orders"]}


_HINT = "Write <connection>/<path>, for example lake/in.shop/orders."
_PLAIN = " .,:;=@+-_()[]{}!$&'*~"
_UNFIT = re.compile("[\0\ud800-\udfff]")
"""What no database and no file system takes: NUL, and lone surrogates, which are no characters."""


def _escaped(character: str) -> str:
    """Letters of any script stay readable; what would be taken for something else, or not seen, is percent-encoded."""
    if character in _PLAIN or character.isalnum() or (not character.isascii() and character.isprintable()):
        return character
    return quote(character, safe="")
