"""What the API answers when it cannot do as asked: RFC 9457 problem documents."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from jobdeck.wire.base import Response

MEDIA_TYPE = "application/problem+json"


class FieldError(Response):
    """What is wrong with one field of the request."""

    field: str
    message: str


class Problem(Response):
    """`code` is stable and for programs, `detail` for people; further facts (`state`, `allowed`, …) may follow."""

    type: str = "about:blank"
    title: str = ""
    status: int
    detail: str = ""
    code: str = "error"
    field: str | None = Field(default=None, description="The input at fault: `params.into`, `limit`, …")
    hint: str | None = Field(default=None, description="What to do next.")
    errors: list[FieldError] = Field(default_factory=list, description="Every field at fault, when there are several.")

    @property
    def facts(self) -> dict[str, Any]:
        """The extension members, by name."""
        return dict(self.model_extra or {})
