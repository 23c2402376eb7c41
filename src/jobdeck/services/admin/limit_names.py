"""The names that limits go by: which there can be, and which look like a slip."""

from __future__ import annotations

import re
from collections.abc import Collection

from jobdeck.core.errors import InvalidInput
from jobdeck.core.output.nearest import closest
from jobdeck.core.refs import MalformedRef, ObjectRef

MAX_RESOURCE = 1100
COMMON = "instance, type:<type>"
OWN = "project, type:<type>, object:<ref>, children:<job>, configuration:<id>, or any name that job types claim"
_BY_ID = re.compile(r"children:[0-9]{1,18}|configuration:[0-9]{1,18}(/token:[0-9]+)?")
_KINDS = ("project", "type", "object", "children", "configuration", "instance")


def check(resource: str, choices: str) -> None:
    if not resource.strip() or len(resource) > MAX_RESOURCE or not resource.isprintable():
        raise bad_name(resource, choices)


def own(resource: str, project: str) -> str:
    """The name as claims have it. One that no job of the project can ever claim is a slip, and is refused."""
    check(resource, OWN)
    kind, colon, name = resource.partition(":")
    if resource == "instance":
        raise InvalidInput(
            "'instance' is no resource of a project.",
            field="resource",
            hint="PUT /api/v1/limits/instance limits all projects together.",
        )
    if kind == "project" and colon and name != project:
        raise InvalidInput(
            f"'{resource[:100]}' is no resource of the project '{project}'.",
            field="resource",
            hint=f"Write project, or set it at /api/v1/projects/{name[:63]}/limits/project.",
        )
    if kind in ("children", "configuration") and colon and not _BY_ID.fullmatch(resource):
        raise InvalidInput(f"'{resource[:100]}': {kind}: is followed by an id, a number.", field="resource")
    if kind in ("type", "object", "children", "configuration") and not name:
        raise bad_name(resource, OWN)
    return _object(resource, name) if kind == "object" and colon else resource


def _object(resource: str, name: str) -> str:
    try:
        return f"object:{ObjectRef.parse(name)}"
    except MalformedRef as error:
        raise InvalidInput(f"'{resource[:100]}': {error.message}", field="resource", hint=error.hint) from error


def check_type(resource: str, name: str, there: Collection[str]) -> None:
    """Raises InvalidInput where no such type is installed, here or on a worker."""
    if name not in there:
        hint = nearest(name, there, "type:") or "jobdeck types list shows those that there are."
        raise InvalidInput(f"'{resource[:100]}': there is no job type '{name[:100]}'.", field="resource", hint=hint)


def check_connection(resource: str, name: str, there: Collection[str]) -> None:
    """Raises InvalidInput where the object's connection is none of the project's."""
    if name not in there:
        hint = nearest(name, there) or "jobdeck connections list shows those that there are."
        raise InvalidInput(
            f"'{resource[:100]}': there is no connection '{name[:100]}' in this project.", field="resource", hint=hint
        )


def check_free(resource: str, known: Collection[str], types: Collection[str]) -> None:
    """Raises InvalidInput for a name that job types may claim, and that looks like another one.

    Which names types claim is known only of those that are held, or have a limit. The name of a job type alone is a
    slip, too: a limit of the type has `type:` before it."""
    kind, _, _ = resource.partition(":")
    if resource == "project" or resource.startswith("project:") or resource in known:
        return
    slip, of_type = closest(kind, _KINDS), closest(resource, types)
    alike = closest(resource, known) or (f"type:{of_type}" if of_type else None)
    meant = f"{slip}{resource[len(kind) :]}" if slip else alike
    if meant is not None and meant != resource:
        raise slip_of(meant, f"No job has claimed '{resource[:100]}' so far")


def slip_of(meant: str, why: str) -> InvalidInput:
    """Of a name that looks like `meant`."""
    return InvalidInput(
        f"{why}, and it looks like '{meant[:100]}'.",
        field="resource",
        hint=f"Did you mean '{meant[:100]}'? If not, set it with as_written=true.",
    )


def nearest(name: str, there: Collection[str], before: str = "") -> str | None:
    """The question whether another name was meant, where one is like it."""
    near = closest(name, there)
    return f"Did you mean '{before}{near}'?" if near else None


def there_is_none(resource: str, what: str) -> InvalidInput:
    """Of a name with an id, that nothing has."""
    return InvalidInput(f"'{resource[:100]}': there is no {what} in this project.", field="resource")


def check_common(resource: str, types: Collection[str]) -> None:
    """Raises InvalidInput for what is no resource that all projects share."""
    check(resource, COMMON)
    kind, colon, name = resource.partition(":")
    if resource == "instance":
        return
    if kind == "type" and colon and name:
        check_type(resource, name, types)
        return
    raise InvalidInput(
        f"'{resource[:100]}' is no resource that all projects share.",
        field="resource",
        hint=nearest(resource, ["instance"])
        or "Write instance or type:<an installed job type>; a project's are at /api/v1/projects/<name>/limits.",
    )


def bad_name(resource: str, choices: str) -> InvalidInput:
    return InvalidInput(
        f"'{resource[:100]}' is not the name of a resource.", field="resource", hint=f"Write {choices}."
    )
