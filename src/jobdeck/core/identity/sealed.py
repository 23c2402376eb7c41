"""Parameters as they are stored: masks stand where secrets are, and the secrets lie beside, sealed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from jobdeck.core.secrecy import MASK

Place = tuple[str | int, ...]
"""Where a value lies in parameters: names and positions from the top."""


class Stored(NamedTuple):
    """Parameters without their secrets, and these, sealed; None where there are none."""

    params: dict[str, Any]
    box: str | None


class ParamSeals(Protocol):
    """Seals and opens the secrets among parameters."""

    def seal(self, type_name: str, project_id: int, params: Mapping[str, Any], typed_by: int) -> Stored:
        """What is to be stored of `params`; `typed_by` is the principal who knows the secrets."""
        ...

    def open(self, project_id: int, params: dict[str, Any], box: str | None) -> dict[str, Any]:
        """The parameters with their secrets."""
        ...


def hidden(plain: Any, masked: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """The values that have a mask in `masked`, which is `plain` with masks, and their places."""
    if masked == MASK and plain != MASK:
        yield place, plain
    elif isinstance(plain, dict) and isinstance(masked, dict):
        for name, value in plain.items():
            yield from hidden(value, masked.get(name), (*place, name))
    elif isinstance(plain, list) and isinstance(masked, list):
        for index, (value, shown) in enumerate(zip(plain, masked, strict=True)):
            yield from hidden(value, shown, (*place, index))


def put(params: Any, place: Place, value: Any) -> Any:
    """`params` with `value` at `place`; the original stays as it is. What is no longer there stays away."""
    if not place:
        return value
    first, *rest = place
    try:
        changed = dict(params) if isinstance(params, dict) else list(params)
        changed[first] = put(params[first], tuple(rest), value)  # type: ignore[index]
    except (KeyError, IndexError, TypeError):
        return params
    return changed


def at(params: Any, place: Place) -> Any:
    """The value at `place`; None where there is nothing."""
    for step in place:
        try:
            params = params[step]
        except (KeyError, IndexError, TypeError):
            return None
    return params


def named(place: Place) -> str:
    """`params.env.TOKEN`, as messages name it."""
    return "params" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
