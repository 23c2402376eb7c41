"""Parameters of a job, from the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jobdeck.cli.exits import UsageError


def parameters(pairs: Iterable[str], document: str | None, option: str | None = None) -> dict[str, Any]:
    """The JSON `document` (or `@file`, or `@-` for standard input), with each `name=value` put over it.

    A value that is JSON is taken as such (`3`, `true`, `["a"]`), any other as text; `"3"` in JSON's quotes is text."""
    params = _document(document, option or "--params-json") if document is not None else {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"'{pair}' is not a parameter.", f"Write {option or '--param'} name=value.")
        params[name] = _value(value)
    return params


def nested(params: dict[str, Any]) -> dict[str, Any]:
    """`{"a.b": 1}` as `{"a": {"b": 1}}`; raises UsageError where a name is both a value and a group of values."""
    found: dict[str, Any] = {}
    for name, value in params.items():
        *groups, last = name.split(".")
        group = found
        for part in groups:
            group = group.setdefault(part, {})
            if not isinstance(group, dict):
                raise UsageError(f"'{part}' of '{name}' is a value already.")
        group[last] = value
    return found


def _document(text: str, option: str) -> dict[str, Any]:
    try:
        value = json.loads(_content(text), parse_constant=_refuse)
    except ValueError as error:
        raise UsageError(
            f"{option} is not JSON: {error}.", "Give a JSON object, @FILE, or @- for standard input."
        ) from error
    if not isinstance(value, dict):
        raise UsageError(f"{option} is not a JSON object.", 'Write it like {"name": "value"}.')
    return value


def _content(text: str) -> str:
    if not text.startswith("@"):
        return text
    if text == "@-":
        return sys.stdin.read()
    try:
        return Path(text[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"'{text[1:]}' cannot be read: {_why(error)}.") from error


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except ValueError:
        return text


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _why(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "it is not text in UTF-8"
