"""The text of a token: a public part to find it by, and a secret of 256 random bits of which only a hash is kept.

A fast hash is right here: nobody can guess 256 bits. Slow hashes are for passwords, which people choose."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

PREFIX = "jd"
_SHAPE = re.compile(r"jd_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class TokenText:
    """A token as its owner holds it."""

    lookup: str
    secret: str

    @classmethod
    def new(cls) -> TokenText:
        return cls(secrets.token_hex(8), secrets.token_urlsafe(32))

    @classmethod
    def parse(cls, text: str) -> TokenText | None:
        """The parts of a token's text, None when it is not one."""
        shape = _SHAPE.fullmatch(text)
        return cls(shape[1], shape[2]) if shape else None

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.secret.encode()).hexdigest()

    def matches(self, stored_hash: str) -> bool:
        """Whether this is the token that was stored; takes the same time whatever the answer."""
        return hmac.compare_digest(self.hash, stored_hash)

    def __str__(self) -> str:
        return f"{PREFIX}_{self.lookup}_{self.secret}"

    def __repr__(self) -> str:
        return f"TokenText({self.lookup!r}, …)"
