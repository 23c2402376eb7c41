"""The tables of who acts: principals, their keys and sessions, connections with their secrets, and what an installation
is known by."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint

from jobdeck.store.schema_base import metadata

principals = Table(
    "principals", metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
    Column("project_id", Integer),
    Column("created_by", Integer),
    Column("skeleton", Text),
    Index("uq_principals_skeleton", "skeleton", unique=True),
)  # fmt: skip
"""Who acts. `name` is whole (core/names.py) and never given again; `skeleton` is equal for names that look alike.
`project_id` is where the principal belongs; none: to the installation."""

tokens = Table(
    "tokens", metadata,
    Column("id", Integer, primary_key=True),
    Column("principal_id", ForeignKey("principals.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("project_id", ForeignKey("projects.id")),
    Column("lookup", Text, nullable=False, unique=True),
    Column("hash", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("last_used_at", BigInteger),
    Column("created_by", Integer),
    Index("ix_tokens_principal", "principal_id"),
)  # fmt: skip
"""A key of a principal. `name` is a label for people and says nothing about who acts."""

sessions = Table(
    "sessions", metadata,
    Column("hash", Text, primary_key=True),
    Column("token_id", ForeignKey("tokens.id"), nullable=False),
    Column("csrf", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("last_seen_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("address", Text),
    Column("agent", Text),
    Index("ix_sessions_expires", "expires_at"),
    Index("ix_sessions_token", "token_id"),
)  # fmt: skip

login_links = Table(
    "login_links", metadata,
    Column("hash", Text, primary_key=True),
    Column("token_id", ForeignKey("tokens.id"), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
    Column("session_hash", Text),
    Index("ix_login_links_token", "token_id"),
)  # fmt: skip
"""`session_hash`: the session that made it, with which it ends; none: a token made it by itself."""

installation = Table(
    "installation", metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)  # fmt: skip
"""What the installation knows of itself: the check value of its key, who is its administrator, which duties it did."""

connections = Table(
    "connections", metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("options", Text, nullable=False),
    Column("secrets", Text),
    Column("created_by", ForeignKey("principals.id")),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("project_id", "name"),
)  # fmt: skip
