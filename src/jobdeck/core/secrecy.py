"""What stands where a secret is, and which names tell that they hold one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

MASK: Final = "********"
SHORTEST: Final = 6
"""Characters of the shortest secret that is looked for in text: shorter ones stand everywhere."""
TELLING: Final = (
    r"password|passwd|passphrase|secret|token|api_?key|access_?key|private_?key|credential|cookie|pgpass|"
    r"(?:^|_)(?:pwd|pw|dsn|bearer)(?:$|_)"
)
"""Names that match it, in whatever case, tell of a secret. Scripts of pages read it, too."""
_TELLING = re.compile(TELLING, re.IGNORECASE)


@lru_cache(maxsize=10_000)
def sounds_secret(name: str) -> bool:
    """Whether a field or variable of this name holds a secret, as far as a name can tell."""
    return _TELLING.search(name) is not None


class Redaction:
    """Takes the values of those `variables` whose names sound secret out of text, line by line of each value."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        values = {line for name, value in variables.items() if sounds_secret(name) for line in value.splitlines()}
        long = sorted((v for v in values if len(v) >= SHORTEST), key=len, reverse=True)  # the longest match wins
        self._found = re.compile("|".join(map(re.escape, long))) if long else None

    def of(self, text: str) -> str:
        """`text` with a mask in the place of each secret."""
        return text if self._found is None else self._found.sub(MASK, text)
