"""What a connection is after a change: options and secrets put over those of before, and which of these must be typed
again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jobdeck.core.errors import InvalidInput
from jobdeck.core.secrecy import MASK
from jobdeck.services.masking import SecretNeededAgain

if TYPE_CHECKING:  # it loads pyarrow, which a server else never does
    from jobdeck.connectors.base import Connector


def changed(connector: Connector, before: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """`given` over `before`, groups of values merged; null takes a value out, a mask leaves it as it is. A name that
    means the same as one of before takes its place."""
    made = dict(before)
    for name, value in given.items():
        plain = connector.plain_name(name)
        same = [other for other in made if other == name or connector.plain_name(other) == plain]
        there = made.get(same[0]) if same else None
        if value == MASK and same:
            continue
        for other in same:
            del made[other]
        if isinstance(value, dict):
            inner = changed(connector, there if isinstance(there, dict) else {}, value)
            if inner:
                made[name] = inner
        elif value is not None:
            made[name] = value
    return made


def check_typed_again(
    connector: Connector, was: Any, becomes: Any, kept: Mapping[str, Any], given: Mapping[str, Any]
) -> None:
    """Raises SecretNeededAgain where a secret is kept although the address changes: whoever may not see it must not
    have it sent elsewhere either."""
    if was == becomes:
        return
    missing = _kept_names(connector, kept, given, "")
    if missing:
        raise SecretNeededAgain(
            f"The address changes, so the secret {missing[0]} has to be typed again"
            + (f", and {len(missing) - 1} more." if len(missing) > 1 else "."),
            field=f"secrets.{missing[0]}"[:300],
            hint="Give the secrets with the new address, or take them out (null).",
            secrets=missing[:100],
        )


def refuse_masks(value: Any, field: str) -> None:
    """Raises InvalidInput for a mask that stands for nothing."""
    if value == MASK:
        hint = "Write the secret itself."
        raise InvalidInput(f"A secret is masked that is not there: {field}.", field=field, hint=hint)
    if isinstance(value, dict):
        for name, inner in value.items():
            refuse_masks(inner, f"{field}.{name}"[:300])


def _kept_names(connector: Connector, kept: Mapping[str, Any], given: Mapping[str, Any], above: str) -> list[str]:
    """The names of secrets that were not given anew, nor taken out."""
    anew = {connector.plain_name(name): value for name, value in given.items()}
    names: list[str] = []
    for name, value in kept.items():
        plain = connector.plain_name(name)
        new = anew.get(plain, MASK)
        if isinstance(value, dict) and new is not None:
            names += _kept_names(connector, value, new if isinstance(new, dict) else {}, f"{above}{name}.")
        elif new == MASK:
            names.append(f"{above}{name}")
    return names
