"""Names that look alike, as they were told apart when principals first got skeletons."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_UNSEEN = frozenset("\u115f\u1160\u2800\u3164\uffa0\u034f\u17b4\u17b5") | {
    *map(chr, range(0xFE00, 0xFE10)), *map(chr, range(0xE0100, 0xE01F0)), *map(chr, range(0x180B, 0x1810)),
}  # fmt: skip
_ALSO_ALIKE = dict(zip("кмтвнгзκμτνη", "kmtbhr3kmtvn", strict=True))


def within(project: str, name: str) -> str:
    """The whole name of who was made inside a project."""
    return f"{project}/{name}"


def skeleton(name: str) -> str:
    """Equal for names that people could take for each other: whatever the case, the accents, the script or the width
    of their letters. Letters that look alike in some case are one (`I`, `l`, `i`, `1`)."""
    text = "".join(c for c in name if c not in _UNSEEN and unicodedata.category(c) != "Cf")
    for _ in range(2):  # a capital may look like another letter than the small one does
        text = "".join(_alike(c) for c in _without_marks(text)).casefold()
    return "".join(_alike(c) for c in text).replace("i", "l")


def _without_marks(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.category(c).startswith("M"))


@lru_cache(maxsize=4096)
def _alike(character: str) -> str:
    """The one that stands for all that look like `character`, by Unicode's table of confusables and what it lacks."""
    from confusable_homoglyphs.confusables import confusables_data  # a megabyte: only where a name is made

    small = unicodedata.name(character, "").removeprefix("LATIN LETTER SMALL CAPITAL ")
    if len(small) == 1:
        return small.lower()
    if character in _ALSO_ALIKE:
        return _ALSO_ALIKE[character]
    others = [_bare(entry["c"]) for entry in confusables_data.get(character, ())]
    if len(others) != 1 or not others[0]:
        return character
    (other,) = others
    pair = len(confusables_data.get(other, ())) == 1
    return min(character, other) if pair and len(other) == 1 else other


def _bare(text: str) -> str:
    return text.replace("\u200e", "")
