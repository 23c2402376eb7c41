"""The one who asks: a principal, by way of a token, with a role, in one project or all."""

from __future__ import annotations

from dataclasses import dataclass

from jobdeck.access.roles import INSTANCE_WIDE, LEAST_ROLE, Permission, Role, includes
from jobdeck.core.errors import Forbidden


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what the token allows."""

    name: str
    principal_id: int
    token_id: int
    role: Role
    project_id: int | None = None
    """None: all projects."""
    project: str | None = None
    expires_at: int | None = None
    """Of the token, µs; None: never."""
    session: str | None = None
    """Names a browser's session."""

    def sees(self, project_id: int | None) -> bool:
        """Whether anything of this project (None: of the whole installation) exists for the caller."""
        return self.project_id is None or self.project_id == project_id

    def may(self, permission: Permission) -> bool:
        return self.why_not(permission) is None

    def why_not(self, permission: Permission) -> str | None:
        """The reason, as the end of a sentence, why the caller lacks `permission`; None when it is there."""
        if not includes(self.role, permission):
            return f"the role '{LEAST_ROLE[permission]}' is needed, and this token has '{self.role}'"
        if self.project_id is not None and permission in INSTANCE_WIDE:
            return f"this token is bound to the project '{self.project}'"
        return None

    def require(self, permission: Permission) -> None:
        """Raises Forbidden when the caller lacks `permission`."""
        why = self.why_not(permission)
        if why is not None:
            raise Forbidden(
                f"Not allowed ({permission}): {why}.",
                hint="Ask an administrator for a token that may.",
                permission=str(permission),
            )
