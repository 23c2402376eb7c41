"""Names by which people tell each other apart: what a name may be, and which names could be taken for each other."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from jobdeck.core.errors import Conflict, InvalidInput

RESERVED = ("admin", "jobdeck")
"""The administrator of the first start, and the actor of what the system does by itself."""
APART = "/"
"""Stands between the project and the name of who was made inside a project."""
_UNSEEN = frozenset("\u115f\u1160\u2800\u3164\uffa0\u034f\u17b4\u17b5") | {
    *map(chr, range(0xFE00, 0xFE10)), *map(chr, range(0xE0100, 0xE01F0)), *map(chr, range(0x180B, 0x1810)),
}  # fmt: skip
"""Printable as Unicode has it, and seen by nobody."""
_LIKE_LATIN = {"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU", "GLAGOLITIC", "GEORGIAN"}
_ALSO_ALIKE = dict(zip("кмтвнгзκμτνη", "kmtbhr3kmtvn", strict=True))


class UnusableName(InvalidInput, code="unusable_name"):
    """A name with characters that are not seen, that steer a terminal, or that turn the direction of text."""


class NameTaken(Conflict, code="name_taken"):
    """Another principal has this name, or one that people would take for it; or it is reserved."""


def normal(name: str, field: str = "name") -> str:
    """The name as it is kept: one spelling (NFKC) and single spaces. Raises UnusableName."""
    spelled = unicodedata.normalize("NFKC", name)
    if any(c in _UNSEEN for c in name + spelled) or not name.isprintable() or not spelled.isprintable():
        raise UnusableName(
            "A name has only characters that can be seen.",
            field=field,
            hint="Leave out control characters, marks of direction and characters without width.",
        )
    words = " ".join(spelled.split())
    _refuse_mixed(words, field)
    if not words or APART in words or not any(c.isalnum() for c in words):
        raise UnusableName(f"A name has a letter or digit, and no '{APART}'.", field=field, hint="Choose another name.")
    return words


def skeleton(name: str) -> str:
    """Equal for names that people could take for each other: whatever the case, the accents, the script or the width
    of their letters. Letters that look alike in some case are one (`I`, `l`, `i`, `1`)."""
    text = "".join(c for c in name if c not in _UNSEEN and unicodedata.category(c) != "Cf")
    for _ in range(2):  # a capital may look like another letter than the small one does
        text = "".join(_alike(c) for c in _without_marks(text)).casefold()
    return "".join(_alike(c) for c in text).replace("i", "l")


def refuse_reserved(name: str, field: str = "name") -> None:
    """Raises NameTaken for a name that people would take for one of the system's own."""
    letters = "".join(c for c in skeleton(name) if c.isalnum())
    if letters in {skeleton(own) for own in RESERVED}:
        raise NameTaken(f"The name '{name[:100]}' is reserved.", field=field, hint="Choose another name.")


def within(project: str | None, name: str) -> str:
    """The whole name of who was made inside a project: nobody outside of it can have the same."""
    return name if project is None else f"{project}{APART}{name}"


def _without_marks(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.category(c).startswith("M"))


def _refuse_mixed(name: str, field: str) -> None:
    from confusable_homoglyphs.categories import unique_aliases

    scripts = sorted(_LIKE_LATIN & unique_aliases(name))
    if len(scripts) > 1:
        raise UnusableName(
            f"The name mixes letters of {' and '.join(s.capitalize() for s in scripts)}, which look alike.",
            field=field,
            hint="Write it in one script.",
        )


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
