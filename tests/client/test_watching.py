from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from jobdeck.client import Client, NotFound, StillRunning, Unreachable
from jobdeck.client.http.sse import Message, TooLong, messages
from tests.client.contract_server import ContractServer, Fault


def test_watch_yields_each_change_and_ends_with_the_job(client: Client, server: ContractServer) -> None:
    id_ = server.add_job("pending")
    states = []
    for job in client.jobs.watch(id_):
        states.append(str(job.state))
        if states[-1] == "pending":
            server.change(id_, state="running")
        elif states[-1] == "running":
            server.change(id_, state="succeeded")
    assert states == ["pending", "running", "succeeded"]


def test_watch_goes_on_after_a_stream_that_broke(client: Client, server: ContractServer) -> None:
    id_ = server.add_job("pending")
    server.drop_stream_after = 1
    states = []
    for job in client.jobs.watch(id_):
        states.append(str(job.state))
        match states:
            case ["pending"]:
                server.change(id_, state="running")
            case [*_, "running"]:
                server.change(id_, state="pausing")
            case [*_, "pausing"]:
                server.change(id_, state="failed")
    assert states == ["pending", "running", "pausing", "failed"]


def test_watch_works_without_live_events(client: Client, server: ContractServer) -> None:
    server.streams = False
    id_ = server.add_job("pending", then=["running", "running", "canceled"])
    assert [str(job.state) for job in client.jobs.watch(id_)] == ["pending", "running", "canceled"]
    assert len(server.requests("GET", "/events")) == 1


def test_watch_waits_for_a_server_that_is_away(client: Client, server: ContractServer) -> None:
    id_ = server.add_job("running")
    watched = client.jobs.watch(id_)
    assert next(watched).state == "running"
    server.faults = [Fault("GET", "/events", "503"), *(Fault("GET", f"/jobs/{id_}", "503") for _ in range(4))]
    server.change(id_, state="succeeded")
    assert [str(job.state) for job in watched] == ["succeeded"]


def test_watch_ends_with_unreachable_when_patience_is_over(client: Client, server: ContractServer) -> None:
    id_ = server.add_job("running")
    watched = client.jobs.watch(id_, patience=0.1)
    next(watched)
    server.faults = [Fault("GET", f"/jobs/{id_}|/events", "drop") for _ in range(50)]
    with pytest.raises(Unreachable):
        next(watched)


def test_wait_tells_a_job_that_is_not_there(client: Client) -> None:
    with pytest.raises(NotFound):
        client.jobs.wait(7)


def test_wait_returns_a_paused_job(client: Client, server: ContractServer) -> None:
    assert client.jobs.wait(server.add_job("paused")).state == "paused"


def test_wait_wakes_up_at_once(client: Client, server: ContractServer) -> None:
    id_ = server.add_job("running")
    done = threading.Event()

    def end_it() -> None:
        with server.changed:
            server.changed.wait_for(lambda: bool(server.requests("GET", "/events")), timeout=5)
        server.change(id_, state="succeeded")
        done.set()

    thread = threading.Thread(target=end_it)
    thread.start()
    assert client.jobs.wait(id_, timeout=20).state == "succeeded"
    thread.join()
    assert done.is_set()


@pytest.mark.parametrize("timeout", [0.0, 0.3, 1.5])
def test_wait_gives_up_in_time_although_the_stream_beats(
    client: Client, server: ContractServer, timeout: float
) -> None:
    id_ = server.add_job("running")
    start = time.monotonic()
    with pytest.raises(StillRunning) as caught:
        client.jobs.wait(id_, timeout=timeout)
    assert timeout <= time.monotonic() - start < timeout + 30.0
    assert caught.value.job.id == id_


def test_events_are_followed_across_a_break_without_gap_or_repeat(client: Client, server: ContractServer) -> None:
    id_ = server.add_job("pending")
    server.change(id_, state="running")
    server.drop_stream_after = 1
    ids = []
    for event in client.events.follow(after=0):
        ids.append(event.id)
        if event.id < 4:
            server.change(id_, state="running")
        else:
            break
    assert ids == [1, 2, 3, 4]
    second = server.requests("GET", "/events")[1]
    assert second.headers["last-event-id"] == "1"


def test_events_end_when_the_server_stays_away(client: Client, server: ContractServer) -> None:
    server.faults = [Fault("GET", "/events", "drop") for _ in range(50)]
    with pytest.raises(Unreachable):
        next(client.events.follow(patience=0.3))


def _parsed(*chunks: bytes) -> list[Message]:
    return [message for message in messages(iter(chunks)) if message is not None]


def test_sse_pieces_are_put_together() -> None:
    whole = (
        ': hi\n\nid: 7\nevent: job.state\ndata: {"a":\ndata:1}\n\nretry: 5\n\ndata: ä\u2028b\r\n\r\ndata: half'.encode()
    )
    expected = [Message("7", "job.state", '{"a":\n1}'), Message("7", "message", "ä\u2028b")]
    assert _parsed(whole) == expected
    assert _parsed(*(whole[i : i + 1] for i in range(len(whole)))) == expected


def test_sse_that_never_ends_a_line_is_refused() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 100_000

    with pytest.raises(TooLong):
        list(messages(endless()))


def test_several_jobs_are_watched_at_the_same_time(client: Client, server: ContractServer) -> None:
    first, second, third = (server.add_job("running") for _ in range(3))
    server.add_job("running")  # of no interest
    seen: list[tuple[int, str]] = []
    for job in client.jobs.watch(first, second, third, second):
        seen.append((job.id, str(job.state)))
        match seen:
            case [*_, (3, "running")]:
                server.change(second, state="succeeded")
            case [*_, (2, "succeeded")]:
                server.change(third, state="pausing")
                server.change(4, state="succeeded")
            case [*_, (3, "pausing")]:
                server.change(third, state="paused")
                server.change(first, state="failed")
    assert [e for e in seen if e[0] == first] == [(first, "running"), (first, "failed")]
    assert [e for e in seen if e[0] == second] == [(second, "running"), (second, "succeeded")]
    assert [s for i, s in seen if i == third][-1] == "paused"
    assert 4 not in {i for i, _ in seen}
    assert len(server.requests("GET", "/events")) == 1


def test_a_stream_resumes_after_the_last_event_and_not_after_progress(client: Client, server: ContractServer) -> None:
    """Progress is told without an id: it must not send the stream back to the beginning of all times."""
    id_ = server.add_job("running")
    server.change(id_, state="pausing")
    server.change(id_, state="pausing")
    server.events[-1]["id"] = 0
    server.drop_stream_after = 2
    events = client.events.follow(after=0)
    assert [next(events).id for _ in range(3)] == [1, 0, 0]
    assert [s.headers["last-event-id"] for s in server.requests("GET", "/events")] == ["0", "1"]
