"""Roles and what they include: the table of permissions as data."""

from __future__ import annotations

from enum import StrEnum

from jobdeck.core.life.operations import Operation


class Role(StrEnum):
    """What a token may do; each role includes the ones before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


class Permission(StrEnum):
    """What a use case asks for. The words before the colon are the resource."""

    JOB_READ = "job:read"
    JOB_SUBMIT = "job:submit"
    JOB_OPERATE = "job:operate"
    JOB_DELETE = "job:delete"
    FILE_READ = "file:read"
    FILE_WRITE = "file:write"
    OBJECT_READ = "object:read"
    OBJECT_DROP = "object:drop"
    LIMIT_READ = "limit:read"
    LIMIT_SET = "limit:set"
    CONNECTION_READ = "connection:read"
    CONNECTION_WRITE = "connection:write"
    CONFIGURATION_READ = "configuration:read"
    CONFIGURATION_WRITE = "configuration:write"
    PROJECT_READ = "project:read"
    PROJECT_CREATE = "project:create"
    PROJECT_CHANGE = "project:change"
    PROJECT_PAUSE = "project:pause"
    TOKEN_MANAGE = "token:manage"  # noqa: S105  (a word, not a secret)
    TYPE_READ = "type:read"
    WORKER_READ = "worker:read"
    WORKER_DRAIN = "worker:drain"
    INSTANCE_PAUSE = "instance:pause"
    INSTANCE_LIMIT_READ = "instance-limit:read"
    INSTANCE_LIMIT_SET = "instance-limit:set"
    METRICS_READ = "metrics:read"
    HISTORY_READ = "history:read"


LEAST_ROLE: dict[Permission, Role] = {
    Permission.JOB_READ: Role.VIEWER,
    Permission.JOB_SUBMIT: Role.OPERATOR,
    Permission.JOB_OPERATE: Role.OPERATOR,
    Permission.JOB_DELETE: Role.OPERATOR,
    Permission.FILE_READ: Role.VIEWER,
    Permission.FILE_WRITE: Role.OPERATOR,
    Permission.OBJECT_READ: Role.VIEWER,
    Permission.OBJECT_DROP: Role.OPERATOR,
    Permission.LIMIT_READ: Role.VIEWER,
    Permission.LIMIT_SET: Role.ADMIN,
    Permission.CONNECTION_READ: Role.VIEWER,
    Permission.CONNECTION_WRITE: Role.ADMIN,
    Permission.CONFIGURATION_READ: Role.VIEWER,
    Permission.CONFIGURATION_WRITE: Role.OPERATOR,
    Permission.PROJECT_READ: Role.VIEWER,
    Permission.PROJECT_CREATE: Role.ADMIN,
    Permission.PROJECT_CHANGE: Role.ADMIN,
    Permission.PROJECT_PAUSE: Role.ADMIN,
    Permission.TOKEN_MANAGE: Role.ADMIN,
    Permission.TYPE_READ: Role.VIEWER,
    Permission.WORKER_READ: Role.VIEWER,
    Permission.WORKER_DRAIN: Role.ADMIN,
    Permission.INSTANCE_PAUSE: Role.ADMIN,
    Permission.INSTANCE_LIMIT_READ: Role.VIEWER,
    Permission.INSTANCE_LIMIT_SET: Role.ADMIN,
    Permission.HISTORY_READ: Role.ADMIN,
    Permission.METRICS_READ: Role.VIEWER,
}
"""The least role that includes each permission."""

INSTANCE_WIDE = frozenset(
    {
        Permission.PROJECT_CREATE,
        Permission.PROJECT_CHANGE,
        Permission.WORKER_DRAIN,
        Permission.INSTANCE_PAUSE,
        Permission.INSTANCE_LIMIT_READ,
        Permission.INSTANCE_LIMIT_SET,
        Permission.METRICS_READ,
    }
)
"""Permissions that a token bound to one project never has, whatever its role."""

PERMISSION_OF_OPERATION: dict[Operation, Permission] = {
    Operation.CANCEL: Permission.JOB_OPERATE,
    Operation.PAUSE: Permission.JOB_OPERATE,
    Operation.RESUME: Permission.JOB_OPERATE,
    Operation.RESTART: Permission.JOB_OPERATE,
    Operation.DELETE: Permission.JOB_DELETE,
}

_RANK = {role: rank for rank, role in enumerate(Role)}


def includes(role: Role, permission: Permission) -> bool:
    """Whether `role` includes `permission`."""
    return _RANK[role] >= _RANK[LEAST_ROLE[permission]]


def at_most(role: Role, other: Role) -> bool:
    """Whether `role` allows nothing that `other` does not."""
    return _RANK[role] <= _RANK[other]
