"""Roles include one another, and every permission has a least role."""

from __future__ import annotations

import pytest

from jobdeck.access.caller import (
    INSTANCE_WIDE,
    LEAST_ROLE,
    PERMISSION_OF_OPERATION,
    Caller,
    Permission,
    Role,
    at_most,
    includes,
)
from jobdeck.core.errors import Forbidden
from jobdeck.core.life.operations import Operation


def test_every_permission_has_a_role_and_every_operation_a_permission() -> None:
    assert set(LEAST_ROLE) == set(Permission)
    assert set(PERMISSION_OF_OPERATION) == set(Operation)


@pytest.mark.parametrize("permission", list(Permission))
def test_a_greater_role_includes_what_a_lesser_one_does(permission: Permission) -> None:
    held = [includes(role, permission) for role in Role]
    assert held == sorted(held)
    assert held[-1]


def test_viewers_change_nothing() -> None:
    readable = {p for p in Permission if includes(Role.VIEWER, p)}
    assert {p.partition(":")[2] for p in readable} == {"read"}


def test_roles_are_ordered() -> None:
    assert [[at_most(a, b) for b in Role] for a in Role] == [[True] * 3, [False, True, True], [False, False, True]]


@pytest.mark.parametrize("permission", sorted(INSTANCE_WIDE))
def test_a_bound_token_has_nothing_instance_wide(permission: Permission) -> None:
    assert Caller("a", 1, 1, Role.ADMIN).may(permission)
    bound = Caller("a", 1, 1, Role.ADMIN, project_id=1, project="p")
    with pytest.raises(Forbidden, match="bound to the project 'p'"):
        bound.require(permission)
