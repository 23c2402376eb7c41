"""Which jobs: the filters of `jobs list` and `jobs counts`, an option for each parameter of core/filters/jobs.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, fields, make_dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from cyclopts import Group, Parameter

from jobdeck.cli.arguments.completing import states, types
from jobdeck.core.filters import rules
from jobdeck.core.filters.jobs import PARAMETERS

if TYPE_CHECKING:
    from jobdeck.client.jobs import Filters

WHICH = Group("Which jobs", sort_key=10)
_T = TypeVar("_T")
_OPTIONS = {"token": "token_id"}
"""Options that are named otherwise than in the API: `--token` is the one who asks. The project is asked for by all."""
_MORE: Mapping[str, Mapping[str, Any]] = {
    "state": {"completer": states}, "type": {"completer": types}, "q": {"name": ["-q", "--q", "--search"]},
}  # fmt: skip
"""What is said of some options besides."""


def _option(parameter: rules.Parameter) -> tuple[str, Any, Any]:
    """The field of an option."""
    more = dict(_MORE.get(parameter.name, {}))
    default: Any = None
    kind: Any = int if parameter.kind in ("number", "priority") else str
    kind = (list[kind] if parameter.many else kind) | None
    if parameter.kind == "flag":
        kind, default, more["negative"] = bool, False, ()
    name = _OPTIONS.get(parameter.name, parameter.name)
    return name, Annotated[kind, Parameter(help=parameter.help, **more)], field(default=default)


def _with_options(cls: type[_T]) -> type[_T]:
    """The class as a dataclass with a field for each option."""
    options = [_option(parameter) for parameter in PARAMETERS if parameter.name != "project"]
    made: type[_T] = make_dataclass(cls.__name__, options, bases=(cls,), frozen=True)
    made.__doc__, made.__module__ = cls.__doc__, cls.__module__
    return made


@Parameter(name="*", group=WHICH, negative_iterable=())
@_with_options
class Which:
    """Filters; all that are given must hold, and of several values of one filter any."""

    def filters(self, project: str | None) -> Filters:
        """As the client takes them; several values may also be given with commas between them."""
        names = {option: name for name, option in _OPTIONS.items()}
        given: Filters = {"project": project}
        for item in fields(self):  # type: ignore[arg-type]  # it is one, which mypy cannot see
            value = getattr(self, item.name)
            if value not in (None, False, []):
                name = names.get(item.name, item.name)
                given[name] = _split(value) if isinstance(value, list) else value  # type: ignore[literal-required]
        return given


def _split(values: list[Any]) -> list[Any]:
    parts = (part for value in values for part in (value.split(",") if isinstance(value, str) else [value]))
    return [part for part in parts if part != ""]
