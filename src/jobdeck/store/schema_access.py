"""The tables of who acts: principals, their keys and sessions, connections with their secrets, and what an installation
is known by."""

from __future__ import annotations

from sqlalchemy import Index, UniqueConstraint

from jobdeck.store.columns import integers, refs, table, texts, times

principals = table(
    "principals",
    integers("id", key=True),
    texts("kind"),
    texts("name", unique=True),
    times("created_at"),
    integers("project_id", "created_by", null=True),
    texts("skeleton", null=True),
    Index("uq_principals_skeleton", "skeleton", unique=True),
)
"""Who acts. `name` is whole (core/names.py) and never given again; `skeleton` is equal for names that look alike.
`project_id` is where the principal belongs; none: to the installation."""

tokens = table(
    "tokens",
    integers("id", key=True),
    refs("principal_id", "principals.id"),
    texts("name", "role"),
    refs("project_id", "projects.id", null=True),
    texts("lookup", unique=True),
    texts("hash"),
    times("created_at"),
    times("expires_at", "revoked_at", "last_used_at", null=True),
    integers("created_by", null=True),
    Index("ix_tokens_principal", "principal_id"),
)
"""A key of a principal. `name` is a label for people and says nothing about who acts."""

sessions = table(
    "sessions",
    texts("hash", key=True),
    refs("token_id", "tokens.id"),
    texts("csrf"),
    times("created_at", "last_seen_at", "expires_at"),
    texts("address", "agent", null=True),
    Index("ix_sessions_expires", "expires_at"),
    Index("ix_sessions_token", "token_id"),
)

login_links = table(
    "login_links",
    texts("hash", key=True),
    refs("token_id", "tokens.id"),
    times("created_at", "expires_at"),
    times("used_at", null=True),
    texts("session_hash", null=True),
    Index("ix_login_links_token", "token_id"),
)
"""`session_hash`: the session that made it, with which it ends; none: a token made it by itself."""

installation = table(
    "installation",
    texts("name", key=True),
    texts("value"),
)
"""What the installation knows of itself: the check value of its key, who is its administrator, which duties it did."""

connections = table(
    "connections",
    integers("id", key=True),
    refs("project_id", "projects.id"),
    texts("name", "kind", "options"),
    texts("secrets", null=True),
    refs("created_by", "principals.id", null=True),
    times("created_at"),
    UniqueConstraint("project_id", "name"),
)
