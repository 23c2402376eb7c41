"""Clients that go away midway: streams, downloads and lists end with them, and nothing is left behind."""

from __future__ import annotations

import re
import socket

from tests.attacks.target import Target, all_of, until

LEFT_BEHIND = re.compile(
    r"request_crashed|Traceback|Task was destroyed|never retrieved|never awaited|Exception in|ResourceWarning"
)


def test_who_hangs_up_leaves_nothing_behind(server: Target) -> None:
    big = server.ask("POST", "/api/v1/projects/default/files", files={"file": ("big", b"x" * 20_000_000)}).json()["id"]
    job = server.ask("POST", "/api/v1/projects/default/jobs", json={"type": "noop"}).json()["id"]
    files = server.open_files
    paths = (
        "/api/v1/events", "/api/v1/events?after=0", f"/api/v1/events?job={job}", "/api/v1/jobs", "/api/v1/health",
        f"/api/v1/projects/default/files/{big}/content", f"/api/v1/jobs/{job}/logs",
        f"/api/v1/jobs/{job}/logs/download", "/metrics", "/jobs", f"/jobs/{job}", "/api/v1/openapi.json",
    )  # fmt: skip
    for path in paths:
        for moment in ("at once", "at the head", "with a reset"):
            connection = server.send(f"GET {path} HTTP/1.1", known=True)
            if moment == "at the head":
                connection.recv(100)
            elif moment == "with a reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()
    server.ask("POST", "/api/v1/projects/default/jobs", json={"type": "noop"})
    until(lambda: server.open_files <= files + 5, "what they held is closed")
    assert not LEFT_BEHIND.findall(server.log)


def test_head_is_answered_wherever_get_is(server: Target) -> None:
    """With the same head, and without a body; also where the body would never end."""
    file = server.ask("POST", "/api/v1/projects/default/files", files={"file": ("a", b"abc")}).json()["id"]
    for path in ("/api/v1/health", "/api/v1/jobs", "/metrics", f"/api/v1/projects/default/files/{file}/content",
                 "/api/v1/events", "/login", "/api/v1/openapi.json", "/api/v1/jobs/999999999"):  # fmt: skip
        answer = all_of(server.send(f"HEAD {path} HTTP/1.1", "Connection: close", known=True))
        head, _, body = answer.partition(b"\r\n\r\n")
        assert body == b"", path
        status = int(head.split(b" ", 2)[1])
        assert status == (404 if path.endswith("999999999") else 303 if path == "/login" else 200), (path, head)
    assert b"content-length: 3" in all_of(
        server.send(f"HEAD /api/v1/projects/default/files/{file}/content HTTP/1.1", "Connection: close", known=True)
    )
    assert 'method="HEAD"' in server.ask("GET", "/metrics").text
