"""Secrets among the parameters of jobs and configurations: sealed where they are stored, and typed again where what
uses them changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobdeck.access.vault import Vault
from jobdeck.core.errors import InvalidInput, Unavailable
from jobdeck.core.identity.sealed import Stored, at, hidden, named, put
from jobdeck.core.secrecy import MASK
from jobdeck.services.masking import Masker


class SecretNeededAgain(InvalidInput):
    """A masked secret was kept while what uses it changes; it has to be typed again."""

    code = "secret_needed_again"


class ParamVault:
    """Seals what is masked. A box opens only among parameters of the project for which it was made."""

    def __init__(self, masker: Masker, vault: Vault | None) -> None:
        self._masker = masker
        self._vault = vault

    def seal(self, type_name: str, project_id: int, params: Mapping[str, Any], typed_by: int) -> Stored:
        """Raises Unavailable where there are secrets and no key."""
        plain = dict(params)
        shown = self._masker.mask(type_name, plain)
        found = [[list(place), value] for place, value in hidden(plain, shown)]
        if not found:
            return Stored(plain, None)
        return Stored(shown, self._key().seal({"by": typed_by, "at": found}, _place(project_id)))

    def open(self, project_id: int, params: dict[str, Any], box: str | None) -> dict[str, Any]:
        """Raises SecretsUnreadable."""
        if box is None:
            return params
        for place, value in self._key().open(box, _place(project_id))["at"]:
            params = put(params, tuple(place), value)
        return params

    def typed_by(self, project_id: int, box: str | None) -> int | None:
        """The principal who typed the secrets, who may use them as they like."""
        return None if box is None else self._key().open(box, _place(project_id))["by"]

    def kept(
        self, type_name: str, project_id: int, before: Mapping[str, Any], box: str | None, *, typed: Any,
        wanted: Mapping[str, Any], principal_id: int,
    ) -> int:  # fmt: skip
        """The principal who knows the secrets of `wanted`, which came of `before` and of what was `typed` over it.

        Raises SecretNeededAgain where a secret of somebody else is kept although anything else differs: whoever may
        not see a secret must not have it sent elsewhere either."""
        plain = dict(before)
        secret = [place for place, _ in hidden(plain, self._masker.mask(type_name, plain))]
        kept = [p for p in secret if at(typed, p) in (None, MASK) and at(wanted, p) == at(plain, p)]
        if not kept:
            return principal_id
        owner = self.typed_by(project_id, box)
        if owner == principal_id or dict(wanted) == plain:
            return owner if owner is not None else principal_id
        names = [named(place) for place in kept]
        raise SecretNeededAgain(
            f"Other parameters change, so the secret {names[0][:200]} has to be typed again"
            + (f", and {len(names) - 1} more." if len(names) > 1 else "."),
            field=names[0][:300],
            hint="Write the secrets themselves, or change nothing else. Only who typed them may keep them masked.",
            secrets=names[:100],
        )

    def _key(self) -> Vault:
        if self._vault is None:
            raise Unavailable("This process has no key to keep secrets with.", hint="Set JOBDECK_SECRET_KEY.")
        return self._vault


def _place(project_id: int) -> str:
    return f"params:{project_id}"
