"""What travels between a worker and a child process: length-prefixed JSON, in which integers of any size survive."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from jobdeck.core.environment import Environment
from jobdeck.core.errors import ErrorInfo
from jobdeck.core.outcome import Failed, Lost, Outcome, Stopped, Succeeded
from jobdeck.core.tasks import Checkpointed, Printed, Progressed, ResultFile, TaskMessage, TaskRequest, Touched, Warned

MAX_FRAME = 256 * 1024 * 1024
"""Bytes; a longer frame is nonsense, not a message."""

_ENCODER = json.JSONEncoder(separators=(",", ":"))
_HEAD = struct.Struct(">I")
_MESSAGES: Mapping[str, type[Any]] = {c.__name__: c for c in (Checkpointed, Progressed, Printed, Touched, Warned)}
_OUTCOMES: Mapping[str, type[Any]] = {c.__name__: c for c in (Succeeded, Failed, Stopped, Lost)}


class BrokenWire(Exception):
    """What arrived is not a frame of this protocol."""


def pack(frame: Mapping[str, Any]) -> bytes:
    """One frame as bytes. The standard library's JSON, because faster ones lose integers beyond 64 bits."""
    body = _ENCODER.encode(frame).encode()
    return _HEAD.pack(len(body)) + body


class Unpacker:
    """Cuts a stream of bytes into frames, wherever the pieces happen to begin and end."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """The frames complete by now; raises BrokenWire."""
        self._buffer += data
        while len(self._buffer) >= _HEAD.size:
            (size,) = _HEAD.unpack_from(self._buffer)
            if size > MAX_FRAME:
                raise BrokenWire(f"a frame of {size} bytes")
            end = _HEAD.size + size
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[_HEAD.size : end])
            del self._buffer[:end]
            yield _parse(body)


def _parse(body: bytes) -> dict[str, Any]:
    try:
        frame = json.loads(body)
    except ValueError as error:
        raise BrokenWire(str(error)) from error
    if not isinstance(frame, dict):
        raise BrokenWire("a frame that is no object")
    return frame


def _values(value: Any) -> dict[str, Any]:
    return {f.name: getattr(value, f.name) for f in fields(value)}


def message_to_json(message: TaskMessage) -> dict[str, Any]:
    """Its fields and, as `kind`, its class."""
    return {"kind": type(message).__name__, **_values(message)}


def message_from_json(value: dict[str, Any]) -> TaskMessage:
    """Raises BrokenWire for anything that is no message."""
    message: TaskMessage = _build(_MESSAGES, value)
    return message


def outcome_to_json(outcome: Outcome) -> dict[str, Any]:
    """Its fields and, as `kind`, its class; an error as an object of its fields."""
    value = {"kind": type(outcome).__name__, **_values(outcome)}
    if isinstance(outcome, Failed):
        value["error"] = _values(outcome.error)
    return value


def outcome_from_json(value: dict[str, Any]) -> Outcome:
    """Raises BrokenWire for anything that is no outcome."""
    if isinstance(value.get("error"), dict):
        value = {**value, "error": _build({"": ErrorInfo}, {"kind": "", **value["error"]})}
    outcome: Outcome = _build(_OUTCOMES, value)
    return outcome


def _build(table: Mapping[str, type[Any]], value: Any) -> Any:
    try:
        arguments = dict(value)
        return table[arguments.pop("kind")](**arguments)
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenWire(f"not one of {', '.join(table)}: {error}") from error


def request_to_json(request: TaskRequest) -> dict[str, Any]:
    """Its fields, all of them plain."""
    value = _values(request)
    value["results"] = dict(request.results)
    value["result_files"] = {step: file.path for step, file in request.result_files.items()}
    value["environment"] = request.environment.model_dump(mode="json")
    return value


def request_from_json(value: dict[str, Any]) -> TaskRequest:
    """The request that was sent."""
    files = {step: ResultFile(path) for step, path in value["result_files"].items()}
    environment = Environment.model_validate(value["environment"])
    return TaskRequest(**{**value, "result_files": files, "environment": environment})
