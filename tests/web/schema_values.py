"""Schemas of all kinds with values that fit them, and what a browser would send of a form: for tests of the forms."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from hypothesis import strategies as st

from jobdeck.services.masking import MASK

texts = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["", " ", "\n", "\r", "a\r\nb", "\x00", "null", "true", "1", MASK, "é\u2028", '"']),
)
ints = st.integers(-(10**30), 10**30)
floats = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-5, 5))
any_json = st.recursive(
    st.one_of(st.none(), st.booleans(), ints, floats, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=5,
)


def optional(**fields: st.SearchStrategy[Any]) -> dict[str, st.SearchStrategy[Any]]:
    return fields


circles = st.fixed_dictionaries({"kind": st.just("circle"), "radius": floats})
squares = st.fixed_dictionaries(
    {"kind": st.just("square"), "side": ints}, optional=optional(corners=st.lists(texts, max_size=2))
)
options = st.fixed_dictionaries(
    {},
    optional=optional(
        first=st.none() | texts, second=st.none() | ints, third=st.booleans(), fourth=st.sampled_from(["a", "b", None]),
        **{"not/a field~": any_json},
    ),
)  # fmt: skip
trees: st.SearchStrategy[Any] = st.deferred(
    lambda: st.fixed_dictionaries(
        {"name": texts},
        optional=optional(left=st.none() | trees, leaves=st.lists(trees, max_size=2), loose=trees | ints),
    )
)
columns = st.none() | st.lists(texts | options, max_size=3) | st.dictionaries(texts, texts | options, max_size=3)
rich = st.fixed_dictionaries(
    {
        "text": texts, "needed_or_none": st.none() | ints, "flag": st.booleans(),
        "needed_mode": st.sampled_from(["a", "b"]),
    },
    optional=optional(
        empty=texts, maybe=st.none() | texts, nothing=st.none() | texts, count=ints, share=st.none() | floats,
        on=st.booleans(), tri=st.none() | st.booleans(), mode=st.sampled_from(["append", "replace", 3, True]),
        into=st.none() | texts, file=st.none() | texts, files=st.lists(texts.filter(bool), max_size=3),
        at=st.none() | texts,
        words=st.lists(texts, max_size=3), numbers=st.lists(st.none() | ints, max_size=3),
        names=st.dictionaries(texts, texts, max_size=3),
        weights=st.none() | st.dictionaries(texts, st.none() | floats, max_size=2), shape=st.none() | circles | squares,
        shapes=st.lists(circles | squares | texts, max_size=3), columns=columns, options=options, made=options,
        tree=st.none() | trees, secret=st.just(MASK) | st.none(), anything=any_json,
        pair=st.tuples(ints, texts).map(list), switch=ints | texts | st.booleans() | st.lists(ints, max_size=2),
        other=any_json,
    ),
)  # fmt: skip


class Controls(HTMLParser):
    """Reads the names and values that a browser would send of a page, in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.pairs: list[tuple[str, str]] = []
        self.ids: list[str] = []
        self._select: tuple[str, list[str]] | None = None
        self._area: tuple[str, list[str]] | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        name = found.get("name")
        if "id" in found:
            self.ids.append(found["id"] or "")
        if tag == "select" and name:
            self._select = (name, [])
        elif tag == "option" and self._select is not None:
            if not self._select[1] or "selected" in found:
                self._select[1][:] = [found.get("value") or ""]
        elif tag == "textarea" and name:
            self._area = (name, [])
        elif tag == "input" and name and (found.get("type") != "checkbox" or "checked" in found):
            self.pairs.append((name, found.get("value") or ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "select" and self._select is not None:
            self.pairs.append((self._select[0], self._select[1][0]))
            self._select = None
        elif tag == "textarea" and self._area is not None:
            text = "".join(self._area[1]).removeprefix("\n")
            self.pairs.append((self._area[0], text.replace("\n", "\r\n")))
            self._area = None

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self._area[1].append(data)
