"""Parameters as they are stored: masks stand where secrets are, and the secrets lie beside, sealed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol


class Stored(NamedTuple):
    """Parameters without their secrets, and these, sealed; None where there are none."""

    params: dict[str, Any]
    box: str | None


class ParamSeals(Protocol):
    """Seals and opens the secrets among parameters."""

    def seal(self, type_name: str, project_id: int, params: Mapping[str, Any], typed_by: int) -> Stored:
        """What is to be stored of `params`; `typed_by` is the principal who knows the secrets."""
        ...

    def open(self, project_id: int, params: dict[str, Any], box: str | None) -> dict[str, Any]:
        """The parameters with their secrets."""
        ...
