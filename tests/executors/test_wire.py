"""Frames survive being cut anywhere; nonsense is told from frames; lines keep every byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobdeck.core.environment import ConnectionSpec, Environment
from jobdeck.core.errors import ErrorInfo
from jobdeck.core.outcome import Failed, Lost, Outcome, Stopped, Succeeded
from jobdeck.core.tasks import Checkpointed, Printed, Progressed, TaskMessage, Touched, Warned
from jobdeck.executors.processes.lines import Lines
from jobdeck.executors.testing import request
from jobdeck.executors.wire import (
    BrokenWire,
    Unpacker,
    message_from_json,
    message_to_json,
    outcome_from_json,
    outcome_to_json,
    pack,
    request_from_json,
    request_to_json,
)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(VALUES, max_size=4), st.integers(1, 50))
def test_frames_survive_any_cut(values: list[object], size: int) -> None:
    stream = b"".join(pack({"value": value}) for value in values)
    unpacker = Unpacker()
    frames = [f for at in range(0, len(stream), size) for f in unpacker.feed(stream[at : at + size])]
    assert frames == [{"value": value} for value in values]


@pytest.mark.parametrize("stream", [b"\xff\xff\xff\xff", b"\0\0\0\x01x", b"\0\0\0\x02[]", b"\0\0\0\x02\xff\xff"])
def test_nonsense_is_refused(stream: bytes) -> None:
    with pytest.raises(BrokenWire):
        list(Unpacker().feed(stream))


@pytest.mark.parametrize("value", [{}, {"kind": "Printed"}, {"kind": "os.system"}, None, [1]])
def test_what_is_no_message_is_refused(value: dict[str, object]) -> None:
    with pytest.raises(BrokenWire):
        message_from_json(value)


@pytest.mark.parametrize(
    "message",
    [
        Checkpointed({"a": 10**30}),
        Progressed(1),
        Printed(5, "info", "x"),
        Touched("input", "a/b", "1", 2, 3),
        Warned("w", 2),
    ],
)
def test_messages_come_back(message: TaskMessage) -> None:
    assert message_from_json(message_to_json(message)) == message


@pytest.mark.parametrize(
    "outcome", [Succeeded([10**30]), Failed(ErrorInfo("c", "m", "h", "t", False, "a.b")), Stopped(True), Lost("why")]
)
def test_outcomes_come_back(outcome: Outcome) -> None:
    assert outcome_from_json(outcome_to_json(outcome)) == outcome


def test_requests_come_back() -> None:
    connection = ConnectionSpec(name="x", kind="lake", options={"secret": "s"})
    environment = Environment(storage_url="file:///x", allowed_paths=("/a",), connections={"x": connection})
    sent = request(
        "echo", part=10**30, cursor=[1], results={"a": [1]}, environment=environment, timeout=1.5, failures=2
    )
    assert request_from_json(request_to_json(sent)) == sent


@given(
    st.lists(st.text(st.characters(exclude_characters="\n\r\0", codec="utf-8"), max_size=20)),
    st.integers(1, 9),
)
def test_lines_survive_any_cut(texts: list[str], size: int) -> None:
    stream = "".join(text + "\n" for text in texts).encode()
    lines = Lines("stdout")
    printed = [p for at in range(0, len(stream), size) for p in lines.feed(stream[at : at + size])]
    assert [p.text for p in (*printed, *lines.finish())] == texts
