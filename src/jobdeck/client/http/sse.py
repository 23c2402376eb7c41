"""Reads a stream of server-sent events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MAX_EVENT = 1024 * 1024
"""Bytes of one event; more than the server ever sends."""


@dataclass(frozen=True, slots=True)
class Message:
    """One event: its id (the last one sent, where it had none), its name and its data."""

    id: str
    event: str
    data: str


class TooLong(ValueError):
    """An event does not end."""


class _Open:
    """The event that is being read."""

    def __init__(self) -> None:
        self.last_id = ""
        self._event = ""
        self._data: list[str] = []

    def take(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                self._event = value
            case "data":
                self._data.append(value)
            case "id" if "\0" not in value:
                self.last_id = value
            case _:
                pass

    def close(self) -> Message | None:
        message = Message(self.last_id, self._event or "message", "\n".join(self._data)) if self._data else None
        self._event, self._data = "", []
        return message


def messages(chunks: Iterable[bytes]) -> Iterator[Message | None]:
    """The events in `chunks`; None for each chunk, so that the reader can look at its clock while nothing happens."""
    current = _Open()
    for line in _lines(chunks):
        if line is None:
            yield None
        elif line:
            current.take(line)
        elif (message := current.close()) is not None:
            yield message


def _lines(chunks: Iterable[bytes]) -> Iterator[str | None]:
    rest = b""
    for chunk in chunks:
        rest += chunk
        if len(rest) > MAX_EVENT and b"\n" not in rest:
            raise TooLong("An event is longer than any event can be.")
        *lines, rest = rest.split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r").decode("utf-8", "replace")
        yield None
