"""Secrets at rest: encrypted with the installation's key, and bound to the place that they are stored for."""

from __future__ import annotations

import base64
import binascii
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from jobdeck.core.errors import InvalidInput, JobdeckError
from jobdeck.core.home import hand_to_owner

KEY_FILE = "secret.key"
_KEY_BYTES = 32
_NONCE_BYTES = 12


class UnusableSecretKey(InvalidInput, code="unusable_secret_key"):
    """The key of the installation is not 32 bytes in base64."""


class SecretsUnreadable(JobdeckError, code="secrets_unreadable", kind="unavailable"):
    """Secrets were stored with another key than this process has, for another place, or were changed by hand.

    It does not pass by itself, as what is merely unavailable does: a job that needs them fails at once."""


class Vault:
    """Encrypts with AES-256-GCM. All servers and workers of an installation need the same key."""

    def __init__(self, key: str) -> None:
        """`key` is 32 bytes in base64; raises UnusableSecretKey."""
        try:
            raw = base64.b64decode(key.strip().encode("ascii"), altchars=b"-_", validate=True)
        except (UnicodeEncodeError, binascii.Error):
            raw = b""
        if len(raw) != _KEY_BYTES:
            raise UnusableSecretKey(
                "The key for secrets is not 32 bytes in base64.",
                field="secret_key",
                hint=f"Take the content of {KEY_FILE} of the home in which the secrets were made.",
            )
        self._cipher = AESGCM(raw)

    @classmethod
    def in_home(cls, home: Path) -> Vault:
        """With the key in `<home>/secret.key`, made where there is none: whole, once, and for its owner only."""
        path = home / KEY_FILE
        if not path.exists():
            _make(path)
        path.chmod(0o600)
        return cls(path.read_text(encoding="ascii", errors="replace"))

    def seal(self, secrets: dict[str, Any], place: str) -> str:
        """`secrets` as text that can be stored; only with the same `place` can it be opened."""
        nonce = os.urandom(_NONCE_BYTES)
        box = self._cipher.encrypt(nonce, json.dumps(secrets).encode(), place.encode())
        return base64.urlsafe_b64encode(nonce + box).decode()

    def open(self, sealed: str, place: str) -> dict[str, Any]:
        """What was sealed; raises SecretsUnreadable for another key, another place, or changed text."""
        try:
            raw = base64.urlsafe_b64decode(sealed.encode())
            plain = self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError) as error:
            raise SecretsUnreadable(
                "Secrets cannot be read: they were stored with another key.",
                hint=f"Give every server and worker the same {KEY_FILE} (or JOBDECK_SECRET_KEY), or make them anew.",
            ) from error
        found: dict[str, Any] = json.loads(plain)
        return found


def _make(path: Path) -> None:
    """Of two processes that start at one moment both use the key of the one that was first."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp makes it mode 600
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(base64.urlsafe_b64encode(AESGCM.generate_key(_KEY_BYTES * 8)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
            hand_to_owner(file.fileno(), path.parent)
        try:
            os.link(partial, path)
        except FileExistsError:
            return
    finally:
        partial.unlink(missing_ok=True)
