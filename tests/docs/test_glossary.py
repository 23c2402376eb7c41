"""ARCHITECTURE.md is short; the words that a newcomer has to learn are few, and each is used."""

from __future__ import annotations

import re

from tests.architecture.tree import PACKAGE, ROOT, python_files

MOST = 25


def glossary() -> list[str]:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    (part,) = re.findall(r"^## Glossary$(.*?)^## ", text, re.MULTILINE | re.DOTALL)
    return re.findall(r"^\| (?!word \|)([a-z ]+) \|", part, re.MULTILINE)


def test_the_glossary_is_short() -> None:
    words = glossary()
    assert 15 < len(words) <= MOST
    assert len(set(words)) == len(words)


def test_each_word_of_the_glossary_is_used_in_code_and_docs() -> None:
    code = "\n".join(path.read_text() for path in python_files() if path.is_relative_to(PACKAGE)).casefold()
    docs = "\n".join(path.read_text() for path in (ROOT / "docs").glob("*.md")).casefold()
    unused = [word for word in glossary() if not (word in code and word in docs)]
    assert unused == []


def test_the_architecture_is_read_in_one_sitting() -> None:
    """Three pages of 600 words; what only those need who change one layer stands in docs/inside.md."""
    assert len((ROOT / "ARCHITECTURE.md").read_text().split()) <= 3 * 600
