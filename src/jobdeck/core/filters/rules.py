"""What a filter is made of: a rule, which says how a job meets it, and the parameters that its values come from.

Each kind of rule is written once as SQL (store/views/job_conditions.py) and once over columns
(store/segments/matching.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind = Literal["word", "state", "priority", "number", "run_id", "search", "moment", "length", "flag"]
"""What a parameter's values look like. A number is a whole one from 1; a moment is in µs, or so long ago; a length is
a time with its unit, seconds where there is none."""
Control = Literal["many", "one", "text", "span", "length", "flag"]
"""How a page asks for it: choices, a number, a text, two moments, two lengths, a box to be checked."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """The column of jobs has one of the values."""

    column: str


@dataclass(frozen=True, slots=True)
class Between:
    """The number in the column is at least the one bound and less than the other; `duration` is worked out.

    Of a filter with one parameter there is only the lower bound."""

    column: str


@dataclass(frozen=True, slots=True)
class IsMissing:
    """The column has no value."""

    column: str


@dataclass(frozen=True, slots=True)
class Holds:
    """The JSON list in the column has one of the values. There is one such column in segments: `tags`."""

    column: Literal["tags"]


@dataclass(frozen=True, slots=True)
class Named:
    """The column refers to the principal of this name."""

    column: str


@dataclass(frozen=True, slots=True)
class CodeOrFingerprint:
    """The job's error has this code, or this fingerprint; no code looks like a fingerprint."""


@dataclass(frozen=True, slots=True)
class Below:
    """The job has this run id, or runs below it."""


@dataclass(frozen=True, slots=True)
class HasWords:
    """All words are somewhere in what is searched of a job; or it is meant by its id."""


Rule: TypeAlias = OneOf | Between | IsMissing | Holds | Named | CodeOrFingerprint | Below | HasWords


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of requests, an argument of the client and an option of the command line: all have this name.

    With `many` it may have several values, which mean any of them."""

    name: str
    kind: Kind
    help: str
    many: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """`key` is the first parameter's name, or what both bounds of a range are called together.

    `control` is how pages ask for it, None where they do so in another way; `hint` is said beside it, and `other` where
    not only what is offered can be typed."""

    key: str
    label: str
    rule: Rule
    parameters: tuple[Parameter, ...]
    control: Control | None
    hint: str = ""
    other: str = ""


def single(
    name: str, label: str, rule: Rule, kind: Kind, control: Control | None, help: str, hint: str = "", other: str = ""
) -> Filter:
    """A filter of one value."""
    return Filter(name, label, rule, (Parameter(name, kind, help),), control, hint, other)


def several(
    name: str, label: str, rule: Rule, kind: Kind, control: Control | None, help: str, hint: str = "", other: str = ""
) -> Filter:
    """A filter of which several values mean any of them."""
    return Filter(name, label, rule, (Parameter(name, kind, help, many=True),), control, hint, other)


def moments(key: str, label: str, column: str, names: tuple[str, str], told: str) -> Filter:
    """A filter of when something happened."""
    low = Parameter(names[0], "moment", f"{told} since: 30m, 12h, 3d, 2w, or a time like 2026-11-20T08:00:00Z.")
    return Filter(key, label, Between(column), (low, Parameter(names[1], "moment", f"{told} before.")), "span")
