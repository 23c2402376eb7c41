"""A JSON array of objects, read as if it were JSON Lines."""

from __future__ import annotations

import codecs
import io
import json
from typing import IO, Any, cast

from jobdeck.connectors.errors import BadEncoding, FileDamaged, TooBigToRead
from jobdeck.connectors.files.streams import STEP, Sequential

MAX_ELEMENT = 16 * 1024 * 1024


class ArrayLines(Sequential):
    """A JSON array of objects as JSON Lines, front to back: one object a line, spaces between tokens as they are."""

    def __init__(self, raw: IO[bytes], name: str) -> None:
        super().__init__(raw, name)
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("strict").decode
        self._scan = json.JSONDecoder().raw_decode
        self._text, self._waiting, self._count = "", b"", 0
        self._step = STEP
        self._ended = self._done = False
        self._expects = "["

    def readinto(self, buffer: Any) -> int:
        while not self._waiting and not self._done:
            self._advance()
        given = self._waiting[: len(buffer)]
        self._waiting = self._waiting[len(given) :]
        buffer[: len(given)] = given
        return len(given)

    def _advance(self) -> None:
        self._more()
        lines: list[str] = []
        at = 0
        while (found := self._element(at)) is not None:
            at = found[1]
            if found[0]:
                lines.append(found[0].replace("\r", " ").replace("\n", " ") + "\n")
        self._text = self._text[at:]
        self._waiting = "".join(lines).encode()
        if self._ended and not self._done:
            self._damaged("it ends in the middle of the array")
        if lines:
            self._step = STEP
        elif len(self._text) > MAX_ELEMENT:
            raise TooBigToRead(f"{self._name}: element {self._count + 1} is larger than {MAX_ELEMENT} characters.")
        else:
            self._step *= 2

    def _more(self) -> None:
        data = self._raw.read(self._step)
        self._ended = not data
        try:
            self._text += self._decode(data, final=self._ended)
        except UnicodeDecodeError as error:
            raise BadEncoding(
                f"{self._name} is not UTF-8: {error}.", hint="JSON is always UTF-8; convert the file."
            ) from error

    def _element(self, at: int) -> tuple[str, int] | None:
        """The next element (or nothing, for punctuation) and where it ends; None when more text is needed."""
        while at < len(self._text) and self._text[at] in " \t\r\n":
            at += 1
        if at >= len(self._text) or (self._done and self._damaged("there is more after the array")):
            return None
        mark = self._text[at]
        if mark in self._expects:
            self._done = mark == "]"
            self._expects = {"[": "{]", ",": "{", "]": ""}.get(mark, self._expects)
            if mark != "{":
                return "", at + 1
        else:
            self._damaged(f"{mark!r} where {' or '.join(self._expects)} should be, near element {self._count + 1}")
        try:
            _, end = self._scan(self._text, at)
        except (ValueError, RecursionError) as error:
            if self._ended:
                self._damaged(f"element {self._count + 1}: {error}")
            return None
        self._count += 1
        self._expects = ",]"
        return self._text[at:end], end

    def _damaged(self, reason: str) -> bool:
        raise FileDamaged(
            f"{self._name} is no JSON array of objects: {reason}.", hint="Give format=jsonl for one object a line."
        )


def array_lines(raw: IO[bytes], name: str) -> IO[bytes]:
    """`raw` as JSON Lines; reading it raises FileDamaged, BadEncoding, TooBigToRead."""
    return cast("IO[bytes]", io.BufferedReader(ArrayLines(raw, name), STEP))
