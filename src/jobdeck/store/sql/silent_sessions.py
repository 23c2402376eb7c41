"""Sessions whose process fell silent in the middle of a transaction, with all the locks that it took.

PostgreSQL itself ends those that are silent between two statements (idle_in_transaction_session_timeout), most of the
time: it was seen not to. Those that travel together are one to it until the last has come: no time-out ends them.
Who only reads holds no lock that anyone waits for, and is left alone."""

from __future__ import annotations

from sqlalchemy import bindparam, text

from jobdeck.store.sql.database import Connection
from jobdeck.store.sql.statements import FLOAT, Prepared


async def end(connection: Connection, seconds: float) -> int:
    """End our sessions on PostgreSQL whose next statement has been on its way for so long; how many there were."""
    return len(await _END.run(connection, seconds=seconds))


_END = Prepared(
    text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid() "
        "AND wait_event_type = 'Client' AND wait_event = 'ClientRead' AND xact_start IS NOT NULL "
        "AND (state = 'active' AND query_start < clock_timestamp() - make_interval(secs => :seconds) "
        "OR state LIKE 'idle in transaction%' AND state_change < clock_timestamp() - make_interval(secs => :seconds) "
        "AND EXISTS (SELECT FROM pg_locks WHERE pg_locks.pid = pg_stat_activity.pid "
        "AND locktype <> 'virtualxid' AND mode <> 'AccessShareLock'))"
    ).bindparams(bindparam("seconds", type_=FLOAT))
)
