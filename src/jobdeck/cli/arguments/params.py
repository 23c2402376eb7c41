"""Parameters of a job, from the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobdeck.cli.arguments.schemas import Schema, refuse
from jobdeck.cli.exits import UsageError
from jobdeck.core.values import merged

if TYPE_CHECKING:
    from jobdeck.client import Client

Pair = tuple[str, str]


def pairs(texts: Iterable[str] | None, option: str = "--param") -> list[Pair]:
    """Each `name=value` in two; raises UsageError."""
    found = []
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name.strip(".") or ".." in f".{name}.":
            raise UsageError(f"'{text}' is not a parameter.", f"Write {option} name=value.")
        found.append((name, value))
    return found


def document(text: str | None, option: str = "--params-json") -> dict[str, Any]:
    """The JSON object `text` (or of `@file`, or `@-` for standard input); none is an empty one."""
    if text is None:
        return {}
    try:
        value = json.loads(_content(text), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{option} is not JSON: {error}.", "Give a JSON object, @FILE, or @- for standard input."
        ) from error
    if not isinstance(value, dict):
        raise UsageError(f"{option} is not a JSON object.", 'Write it like {"name": "value"}.')
    return value


def are_plain(typed: Iterable[Pair]) -> bool:
    """Whether all of it is text in values of its own, whatever a schema says."""
    return all("." not in name and isinstance(Schema(None).value((), value), str) for name, value in typed)


def schema_for(client: Client, type_: str, typed: Iterable[Pair]) -> Schema:
    """The schema of the type's parameters, where it makes a difference to `typed`."""
    from jobdeck.client.errors import ApiError

    if are_plain(typed):
        return Schema(None)
    try:
        return Schema(client.types.get(type_).params_schema)
    except ApiError:  # an unknown type is refused with what is done with it
        return Schema(None)


def assembled(
    typed: Iterable[Pair],
    schema: Schema,
    *,
    base: Mapping[str, Any] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """`base`, with `flags` and each `name=value` put over it, groups of values merged.

    A value that is JSON is taken as such (`3`, `true`, `["a"]`) unless only text fits; any other is text, and `"3"` in
    JSON's quotes is text, too. A name with dots is a value in a group. Raises UsageError where the same was given twice
    and differs."""
    given: dict[str, Any] = {}
    for name, value in (flags or {}).items():
        _put(given, [name], value, name)
    for name, text in typed:
        path = schema.path(name)
        _put(given, path, schema.value(path, text), name)
    return merged(base or {}, given)


def _put(group: dict[str, Any], path: list[str], value: Any, label: str) -> None:
    name, rest = path[0], path[1:]
    if rest:
        value = {rest[-1]: value}
        for part in reversed(rest[:-1]):
            value = {part: value}
    if name not in group:
        group[name] = merged(value, {}) if isinstance(value, dict) else value
        return
    there = group[name]
    if isinstance(there, dict) and isinstance(value, dict):
        for part, inner in value.items():
            _put(there, [part], inner, label)
    elif json.dumps(there, sort_keys=True) != json.dumps(value, sort_keys=True):
        raise UsageError(f"{label} is given twice: {_short(there)} and {_short(value)}.", "Give it once.")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else f"{text[:99]}…"


def _content(text: str) -> str:
    if not text.startswith("@"):
        return text
    if text == "@-":
        return sys.stdin.read()
    try:
        return Path(text[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"'{text[1:]}' cannot be read: {_why(error)}.") from error


def _why(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "it is not text in UTF-8"
