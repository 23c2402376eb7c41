"""Principals belong somewhere and look like nobody else; secrets of parameters stand apart; the installation has a row
for what it knows of itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from jobdeck.store.migrations import names_0002

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "installation",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_installation")),
    )
    for table, columns in _ADDED.items():
        for name, kind in columns.items():
            op.add_column(table, sa.Column(name, kind, nullable=True))
    op.create_index("ix_tokens_principal", "tokens", ["principal_id"], unique=False)
    op.create_index("ix_sessions_token", "sessions", ["token_id"], unique=False)
    op.create_index("ix_login_links_token", "login_links", ["token_id"], unique=False)
    connection = op.get_bind()
    _part_principals(connection)
    _fill_skeletons(connection)
    op.create_index("uq_principals_skeleton", "principals", ["skeleton"], unique=True)


_ADDED: dict[str, dict[str, sa.types.TypeEngine[str] | sa.types.TypeEngine[int]]] = {
    "principals": {"project_id": sa.Integer(), "created_by": sa.Integer(), "skeleton": sa.Text()},
    "tokens": {"created_by": sa.Integer()},
    "sessions": {"address": sa.Text(), "agent": sa.Text()},
    "login_links": {"session_hash": sa.Text()},
    "configurations": {"secrets": sa.Text()},
    "jobs": {"secrets": sa.Text()},
    "events": {"principal_id": sa.Integer(), "token_id": sa.Integer()},
}


def _part_principals(connection: sa.Connection) -> None:
    """Until now tokens of one name were one principal, also of different projects, where different people made them.
    The one whose token is the oldest keeps the principal; tokens of each other place get one of their own."""
    found = connection.execute(sa.text("SELECT id, principal_id, project_id FROM tokens ORDER BY id")).all()
    places: dict[int, dict[int | None, list[int]]] = {}
    for token, principal, project in found:
        places.setdefault(principal, {}).setdefault(project, []).append(token)
    for principal, by_project in places.items():
        first, *others = by_project.items()
        connection.execute(
            sa.text("UPDATE principals SET project_id = :project WHERE id = :id"),
            {"project": first[0], "id": principal},
        )
        for project, tokens in others:
            _give_own(connection, principal, project, tokens)


def _give_own(connection: sa.Connection, principal: int, project: int | None, tokens: list[int]) -> None:
    """A principal for `tokens`, and for the jobs that they submitted."""
    row = connection.execute(
        sa.text(
            "SELECT p.name, p.kind, p.created_at, q.name AS project FROM principals p "
            "LEFT JOIN projects q ON q.id = :project WHERE p.id = :id"
        ),
        {"project": project, "id": principal},
    ).one()
    name = names_0002.within(row.project, row.name) if row.project is not None else f"{row.name} (all projects)"
    taken = set(connection.execute(sa.text("SELECT name FROM principals")).scalars())
    while name in taken:
        name += "'"
    made = connection.execute(
        sa.text(
            "INSERT INTO principals (kind, name, created_at, project_id) VALUES (:kind, :name, :at, :project) "
            "RETURNING id"
        ),
        {"kind": row.kind, "name": name, "at": row.created_at, "project": project},
    ).scalar_one()
    for token in tokens:
        for statement in (
            "UPDATE tokens SET principal_id = :made WHERE id = :token",
            "UPDATE jobs SET created_by = :made WHERE token_id = :token",
        ):
            connection.execute(sa.text(statement), {"made": made, "token": token})


def _fill_skeletons(connection: sa.Connection) -> None:
    """Of names that look alike, which could be made until now, the oldest has the plain skeleton."""
    taken: set[str] = set()
    for id_, name in connection.execute(sa.text("SELECT id, name FROM principals ORDER BY id")).all():
        plain = names_0002.skeleton(name)
        key = plain if plain not in taken else f"{plain}#{id_}"
        taken.add(key)
        connection.execute(sa.text("UPDATE principals SET skeleton = :key WHERE id = :id"), {"key": key, "id": id_})
