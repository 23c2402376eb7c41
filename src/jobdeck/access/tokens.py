"""Make tokens, and end them."""

from __future__ import annotations

from dataclasses import dataclass

from jobdeck.access.caller import Role, TokenText
from jobdeck.store.access import tokens
from jobdeck.store.sql.database import Tx
from jobdeck.store.sql.events import NewEvent, ids_of


@dataclass(frozen=True, slots=True)
class TokenWish:
    """A token to make for a principal."""

    principal_id: int
    name: str
    """A label."""
    role: Role
    project_id: int | None = None
    """None: for all projects."""
    project: str | None = None
    expires_at: int | None = None
    """µs; None: never."""


async def issue(tx: Tx, wish: TokenWish, actor: str) -> tuple[int, TokenText]:
    """Make a token; its id and its only copy."""
    text = TokenText.new()
    new = tokens.TokenValues(
        wish.principal_id, wish.name, wish.role, wish.project_id, text.lookup, text.hash, wish.expires_at,
        ids_of(actor)[0],
    )  # fmt: skip
    token_id = await tokens.create(tx, new)
    data = {
        "token": token_id, "name": wish.name, "principal": wish.principal_id, "role": str(wish.role),
        "project": wish.project,
    }  # fmt: skip
    tx.emit(NewEvent("token.created", wish.project_id, None, actor, data))
    return token_id, text


async def revoke(tx: Tx, stored: tokens.StoredToken, actor: str) -> None:
    """End a token; again is a no-op."""
    if await tokens.revoke(tx, stored.id):
        data = {"token": stored.id, "name": stored.name}
        tx.emit(NewEvent("token.revoked", stored.project_id, None, actor, data))
