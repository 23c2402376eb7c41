"""Uploads: a multipart form read as it comes, the file's content passed on piece by piece."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from jobdeck.core.errors import InvalidInput
from jobdeck.services.data.files import Upload

MAX_FIELD = 64 * 1024
MAX_PARTS = 100
FILE_FIELD = "file"
_ESCAPED = (("%22", '"'), ("%0D", "\r"), ("%0A", "\n"))
"""What browsers and clients escape in the name of a file."""


@dataclass(slots=True)
class _Part:
    headers: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.options.get("name", "")


_Event = _Part | bytes | None
"""A part begins; a piece of its data; it ended."""


class FormReader:
    """Turns the bytes of a multipart body into parts and their data."""

    def __init__(self, body: AsyncIterator[bytes], content_type: str) -> None:
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if not boundary:
            raise InvalidInput("The form has no boundary.", field="Content-Type")
        self._body = body
        self._events: deque[_Event] = deque()
        self._part = _Part()
        self._header = (bytearray(), bytearray())
        self._parts = 0
        self._complete = False
        self._parser = MultipartParser(boundary, {
            "on_part_begin": self._begin, "on_header_field": self._header_name, "on_header_value": self._header_value,
            "on_header_end": self._header_done, "on_headers_finished": self._headers_done, "on_part_data": self._data,
            "on_part_end": self._end, "on_end": self._finish,
        })  # fmt: skip

    async def events(self) -> AsyncIterator[_Event]:
        """Parts, their data and their ends, in order; raises InvalidInput for a form that is broken or cut off."""
        async for chunk in self._body:
            try:
                self._parser.write(chunk)
            except MultipartParseError as error:
                raise InvalidInput(f"The form is broken: {error}.", field="body") from error
            while self._events:
                yield self._events.popleft()
        if not self._complete:
            raise InvalidInput("The form is cut off before its end.", field="body")

    def _begin(self) -> None:
        self._part = _Part()
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise InvalidInput(f"A form has at most {MAX_PARTS} parts.", field="body")

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header[0].extend(data[start:end])

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1].extend(data[start:end])

    def _header_done(self) -> None:
        name, value = self._header
        self._part.headers[name.decode("latin-1").lower()] = value.decode("latin-1")
        self._header = (bytearray(), bytearray())

    def _headers_done(self) -> None:
        _, options = parse_options_header(self._part.headers.get("content-disposition", ""))
        try:
            self._part.options = {key.decode(): value.decode() for key, value in options.items()}
        except UnicodeDecodeError as error:
            raise InvalidInput("The name of a part is not UTF-8.", field="file") from error
        self._events.append(self._part)

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._events.append(data[start:end])

    def _end(self) -> None:
        self._events.append(None)

    def _finish(self) -> None:
        self._complete = True


async def read_upload(body: AsyncIterator[bytes], content_type: str) -> Upload:
    """The upload in a form with the part `file` and the fields `name`, `tags` (repeatable), `permanent`.

    Fields may stand before or behind the file: those behind are known once the content was read."""
    events = FormReader(body, content_type).events()
    fields: list[tuple[str, str]] = []
    async for event in events:
        if isinstance(event, _Part):
            if event.name == FILE_FIELD:
                return _upload(event, events, fields)
            fields.append((event.name, await _text(event.name, events)))
    raise InvalidInput("The form has no part 'file'.", field="file", hint="Send the content as the part `file`.")


def _upload(part: _Part, events: AsyncIterator[_Event], fields: list[tuple[str, str]]) -> Upload:
    name = part.options.get("filename", "")
    for escaped, plain in _ESCAPED:
        name = name.replace(escaped, plain)
    kind = part.headers.get("content-type", "").strip()[:200] or None
    name = next((value for field_name, value in reversed(fields) if field_name == "name"), name)
    upload = Upload(name, _nothing(), kind if kind is None or kind.isprintable() else None)
    upload.content = _content(events, upload, fields)
    return upload


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


async def _content(
    events: AsyncIterator[_Event], upload: Upload, fields: list[tuple[str, str]]
) -> AsyncIterator[bytes]:
    """The file's data; then the fields behind it, so that the upload is complete when this ends."""
    async for event in events:
        if event is None:
            break
        assert isinstance(event, bytes)
        yield event
    async for event in events:
        if isinstance(event, _Part):
            if event.name == FILE_FIELD:
                raise InvalidInput("A form carries one file; there is a second one.", field="file")
            fields.append((event.name, await _text(event.name, events)))
    _apply(upload, fields)


async def _text(name: str, events: AsyncIterator[_Event]) -> str:
    found = bytearray()
    async for event in events:
        if event is None:
            break
        assert isinstance(event, bytes)
        found.extend(event)
        if len(found) > MAX_FIELD:
            raise InvalidInput(f"The field '{name[:100]}' is too long.", field=name[:100])
    try:
        return found.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"The field '{name[:100]}' is not UTF-8.", field=name[:100]) from error


def _apply(upload: Upload, fields: list[tuple[str, str]]) -> None:
    for name, value in fields:
        if name == "tags":
            upload.tags = (*upload.tags, *(tag.strip() for tag in value.split(",") if tag.strip()))
        elif name == "name" and value == upload.name:
            continue
        elif name == "name":
            raise InvalidInput("The field 'name' stands behind the file.", field="name", hint="Send it before it.")
        elif name == "permanent" and value in ("true", "false"):
            upload.permanent = value == "true"
        elif name == "permanent":
            raise InvalidInput("permanent is true or false.", field="permanent")
        else:
            raise InvalidInput(
                f"There is no field '{name[:100]}'.", field=name[:100], hint="There are: file, name, tags, permanent."
            )
