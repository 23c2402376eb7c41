"""What pydantic says of a value, in the words that people are told; its own speak of inputs, strings and patterns."""

from __future__ import annotations

import re

from jobdeck.core.output.nearest import closest

_CHOICES = re.compile(r"\^\(([\w|-]+)\)\$")
_SAID = (
    (r"Value error, (.*)", r"\1"),
    (r"Assertion failed, (.*)", r"\1"),
    (r"Input should be greater than or equal to (\S+)", r"it must be \1 or more"),
    (r"Input should be less than or equal to (\S+)", r"it must be \1 or less"),
    (r"Input should be greater than (\S+)", r"it must be more than \1"),
    (r"Input should be less than (\S+)", r"it must be less than \1"),
    (r"Input should be a multiple of (\S+)", r"it must be a multiple of \1"),
    (r"Input should be a (?:valid|finite) number(?:,.*)?", "it must be a number"),
    (r"(?:Input should be a valid|Unable to parse input string as an) integer(?:,.*)?", "it must be a whole number"),
    (r"Input should be a valid boolean(?:,.*)?", "it must be true or false"),
    (r"Input should be a valid string", "it must be text"),
    (r"Input should be a valid (?:list|array|tuple)", "it must be a list"),
    (r"Input should be a valid (?:dictionary|object|mapping)(?: .*)?", "it must be an object with names and values"),
    (r"Input should be a valid (?:datetime|date|time)\b.*", "it must be a time like 2026-11-20T07:34:00Z"),
    (r"Input should be (?:None|null)", "it must be left out"),
    (r"String should have at least 1 character", "it must not be empty"),
    (r"String should have at least (\d+) characters", r"it must have at least \1 characters"),
    (r"String should have at most (\d+) characters?", r"it must have at most \1 characters"),
    (r"(?:List|Dictionary|Tuple|Set) should have at least 1 item after validation.*", "it must not be empty"),
    (r"(?:List|Dictionary|Tuple|Set) should have at least (\d+) items.*", r"it must have at least \1 values"),
    (r"(?:List|Dictionary|Tuple|Set) should have at most (\d+) items?.*", r"it must have at most \1 values"),
    (r"value is not a valid IPv4 or IPv6 (\w+)", r"it must be an IP address or a network, such as 10.0.0.0/8"),
)
"""What pydantic says as a pattern, and what is said instead."""
_TRANSLATED = tuple((re.compile(said, re.DOTALL), told) for said, told in _SAID)
_PATTERN = re.compile(r"String should match pattern '(.*)'", re.DOTALL)
_LITERALS = re.compile(r"Input should be ('.*')", re.DOTALL)


def told(message: str, given: object = None) -> str:
    """The complaint in plain words; one that is not known stays as it is. `given` is the value at fault."""
    if literals := _LITERALS.fullmatch(message):
        words = re.findall(r"'([^']*)'", literals[1])
        return f"it must be {_one_of(words)}{_meant(given, words)}"
    if pattern := _PATTERN.fullmatch(message):
        choices = _CHOICES.fullmatch(pattern[1])
        words = choices[1].split("|") if choices else []
        return f"it must be {_one_of(words)}{_meant(given, words)}" if words else _form(pattern[1])
    for said, instead in _TRANSLATED:
        if found := said.fullmatch(message):
            return found.expand(instead)
    return message


_FORMS = {
    r"^[0-9a-f]{12}$": "it must be 12 of the characters 0 to 9 and a to f, as lists of failures show it",
    r"^[a-z0-9][a-z0-9_.-]{0,62}$": (
        "it has up to 63 lower-case letters, digits, '.', '-' and '_', a letter or digit first"
    ),
}
"""Patterns of ours in words."""


def _form(pattern: str) -> str:
    return _FORMS.get(pattern, f"it must have the form {pattern}")


def _meant(given: object, words: list[str]) -> str:
    near = closest(given, words) if isinstance(given, str) else None
    return f"; did you mean '{near}'?" if near else ""


def _one_of(words: list[str]) -> str:
    return f"one of {', '.join(words)}" if len(words) > 1 else repr(words[0]) if words else "empty"
