"""Who did something: the name that people read, and the ids that nobody else can have."""

from __future__ import annotations

from typing import Self


class Actor(str):
    """A principal's name, with its id and that of the token by which it acted. Taken as text, it is the name."""

    __slots__ = ("principal_id", "token_id")
    principal_id: int
    token_id: int

    def __new__(cls, name: str, principal_id: int, token_id: int) -> Self:
        made = super().__new__(cls, name)
        made.principal_id = principal_id
        made.token_id = token_id
        return made


def ids_of(actor: str | None) -> tuple[int | None, int | None]:
    """The ids of the principal and the token; none where the system acted by itself."""
    return (actor.principal_id, actor.token_id) if isinstance(actor, Actor) else (None, None)
