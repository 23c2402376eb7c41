"""A JSON document – an array of objects, or objects that follow each other – read as if it were JSON Lines."""

from __future__ import annotations

import codecs
import io
import json
import re
from typing import IO, Any, NoReturn, cast

from jobdeck.connectors.errors import BadEncoding, FileDamaged, TooBigToRead
from jobdeck.connectors.files.formats.json_values import reason_of
from jobdeck.connectors.files.streams import STEP, Sequential

MAX_ELEMENT = 16 * 1024 * 1024
_SPACE = re.compile(r"[ \t\r\n]*")
_NEAR = 16
"""Characters before the end within which more text may mend what is no JSON yet."""
_EXPECTED = {"[": "{]", ",": "{", "]": ""}
_HINT = "A JSON file holds objects: in an array, one behind the other, or one a line (format=jsonl)."


class DocumentLines(Sequential):
    """The objects of a JSON document, one a line, front to back; spaces between tokens as they are."""

    def __init__(self, raw: IO[bytes], name: str) -> None:
        super().__init__(raw, name)
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("strict").decode
        self._scan = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode
        self._text, self._waiting, self._count = "", b"", 0
        self._step = STEP
        self._ended = self._done = False
        self._array: bool | None = None
        self._expects = "[{"

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
        if self._ended:
            self._end()
        elif lines:
            self._step = STEP
        elif len(self._text) > MAX_ELEMENT:
            raise TooBigToRead(
                f"{self._name}: object {self._count + 1} has more than {MAX_ELEMENT} characters.",
                hint="An object is a row; where the rows are inside of one object, take them out of it.",
            )
        else:
            self._step *= 2

    def _end(self) -> None:
        if self._array and not self._closed:
            self._damaged("it ends in the middle of the array")
        self._done = True

    @property
    def _closed(self) -> bool:
        return self._expects == ""

    def _more(self) -> None:
        data = self._raw.read(self._step)
        self._ended = not data
        try:
            self._text += self._decode(data, final=self._ended)
        except UnicodeDecodeError as error:
            raise BadEncoding(
                f"{self._name} is not UTF-8 behind object {self._count}: byte {error.object[error.start]:#04x}.",
                hint="JSON is always UTF-8; convert the file.",
            ) from None

    def _element(self, at: int) -> tuple[str, int] | None:
        """The next object (or nothing, for punctuation) and where it ends; None when more text is needed."""
        at = cast("re.Match[str]", _SPACE.match(self._text, at)).end()
        if at >= len(self._text):
            return None
        mark = self._text[at]
        if mark not in self._expects or not self._expects:
            self._unexpected(mark)
        if self._array is None:
            self._array = mark == "["
        if mark != "{":
            self._expects = _EXPECTED[mark]
            return "", at + 1
        end = self._object_end(at)
        if end is None:
            return None
        self._count += 1
        self._expects = ",]" if self._array else "{"
        return self._text[at:end], end

    def _object_end(self, at: int) -> int | None:
        try:
            return self._scan(self._text, at)[1]
        except json.JSONDecodeError as error:
            waits = error.pos > len(self._text) - _NEAR or error.msg.startswith("Unterminated")
            if self._ended or not waits:
                shown = json.JSONDecodeError(error.msg, self._text[at : error.pos + 64], error.pos - at)
                self._damaged(f"object {self._count + 1}: {reason_of(shown)}")
        except RecursionError:
            self._damaged(f"object {self._count + 1} nests too deep")
        return None

    def _unexpected(self, mark: str) -> NoReturn:
        if self._closed:
            self._damaged("there is more after the array")
        wanted = " or ".join(self._expects)
        self._damaged(f"{mark!r} where {wanted} should be, after object {self._count}")

    def _damaged(self, reason: str) -> NoReturn:
        raise FileDamaged(f"{self._name} is no JSON of objects: {reason}.", hint=_HINT)


def document_lines(raw: IO[bytes], name: str) -> IO[bytes]:
    """`raw` as JSON Lines; reading it raises FileDamaged, BadEncoding, TooBigToRead."""
    return cast("IO[bytes]", io.BufferedReader(DocumentLines(raw, name), STEP))
