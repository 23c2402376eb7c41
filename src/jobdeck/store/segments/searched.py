"""What is searched of an ended job, besides its creator: texts made from its row, in groups that are kept together.

`store/views/searching.py` says the same in SQL, of rows that no segment has."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from jobdeck.core.values import encode

COMMAND_TYPE = "command"
"""The job type whose command line is searched, too: `argv` of its parameters."""
MOST_PARAMS = 16 * 1024
"""Characters of parameters (JSON) up to which the texts in them are searched."""
ERROR = ("error_code", "error_message", "error_hint", "error_place")
"""A fingerprint is no text: a piece of it means nothing, so it is found as a whole only."""
Parts: TypeAlias = tuple[str, ...]
"""The texts of one job, or what they are made from."""


def described(values: Mapping[str, Sequence[Any]]) -> Iterator[Parts]:
    """The description, mostly another one for each job."""
    yield from ((text,) for text in values["description"])


def named(values: Mapping[str, Sequence[Any]]) -> Iterator[Parts]:
    """Subject, type and command line, mostly the same for many jobs."""
    for subject, type_name, params in zip(values["subject"], values["type"], values["params"], strict=True):
        yield subject or "", type_name, command_line(params) if type_name == COMMAND_TYPE else ""


def failed(values: Mapping[str, Sequence[Any]]) -> Iterator[Parts]:
    """All that is said of why a job failed."""
    for parts in zip(*(values[name] for name in ERROR), strict=True):
        yield tuple(part or "" for part in parts) if parts[0] is not None else ()


def given(values: Mapping[str, Sequence[Any]]) -> Iterator[Parts]:
    """Tags and parameters, as JSON: `spelled` has the texts in them."""
    for tags, params in zip(values["tags"], values["params"], strict=True):
        yield tags, params if len(params) <= MOST_PARAMS else "{}"


def spelled(parts: Parts) -> Parts:
    """The texts in values of JSON."""
    return tuple(text for part in parts for text in _texts(json.loads(part)))


def _texts(value: Any) -> Iterator[str]:
    level = [value]
    while level:
        yield from (item for item in level if isinstance(item, str))
        level = [child for item in level for child in _children(item)]


def _children(value: Any) -> Sequence[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else ()


def command_line(params: str) -> str:
    """What is searched of the parameters of a job that runs a command, as it is typed."""
    argv = json.loads(params).get("argv")
    return "" if argv is None else encode(argv).replace('","', " ")
