"""Whether the person who asked for an operation on a selection still may, while it is carried out."""

from __future__ import annotations

from jobdeck.access.caller import caller_of, refuse_ended
from jobdeck.core.errors import Unauthenticated
from jobdeck.core.life.bulk import Why
from jobdeck.services.jobs.bulks import permission_of
from jobdeck.store.access import tokens
from jobdeck.store.bulks.records import StoredBulk
from jobdeck.store.sql.database import Tx


async def permission_lost(tx: Tx, bulk: StoredBulk) -> Why | None:
    """Why that one may not any more; in the transaction that would do it."""
    stored = await tokens.by_id(tx.connection, bulk.token_id)
    try:
        if stored is None:
            return Why("permission", "the token that asked for it is gone")
        refuse_ended(stored, tx.now)
    except Unauthenticated:
        return Why("permission", "the token that asked for it was revoked or has expired")
    why = caller_of(stored).why_not(permission_of(bulk.operation))
    return Why("permission", why) if why is not None else None
