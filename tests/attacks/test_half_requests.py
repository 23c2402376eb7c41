"""Half a request is no request: a body that is cut off does nothing, whatever came of it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.attacks.target import Target, until

JSON = "Content-Type: application/json"
FORM = "Content-Type: application/x-www-form-urlencoded"
MULTIPART = "Content-Type: multipart/form-data; boundary=b"
UPLOAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\na\r\n1\r\n--b--\r\n'

WRITES = [
    ("POST", "jobs/{job}/cancel", JSON, b""),
    ("POST", "jobs/{job}/cancel", JSON, b"{}"),
    ("POST", "jobs/{job}/cancel", JSON, b'{"reason": "x"}'),
    ("POST", "jobs/{job}/cancel", JSON, b'{"rea'),
    ("POST", "jobs/{job}/pause", JSON, b"{}"),
    ("POST", "jobs/{job}/restart", JSON, b""),
    ("POST", "jobs/{job}/run-again", JSON, b"{}"),
    ("PATCH", "jobs/{job}", JSON, b'{"priority": 9}'),
    ("DELETE", "jobs/{job}", JSON, b""),
    ("POST", "projects/default/jobs", JSON, b'{"type": "noop"}'),
    ("POST", "projects/default/jobs/batch", JSON, b'{"jobs": [{"type": "noop"}]}'),
    ("POST", "bulk", JSON, b'{"operation": "cancel", "select": {"filter": {}}}'),
    ("POST", "projects", JSON, b'{"name": "half"}'),
    ("PUT", "projects/default/limits/type:noop", JSON, b'{"capacity": 1}'),
    ("PUT", "pauses/project:default", JSON, b"{}"),
    ("PUT", "pauses/project:default", JSON, b""),
    ("POST", "tokens", JSON, b'{"name": "half", "role": "admin"}'),
    ("POST", "views", JSON, b'{"name": "half", "query": "q=a"}'),
    ("POST", "projects/default/files", MULTIPART, UPLOAD),
    ("POST", "projects/default/files", MULTIPART, UPLOAD[:60]),
]
STATE = ("jobs", "projects", "projects/default/limits", "pauses", "tokens", "views", "bulk", "projects/default/files")


UNDER_WAY = "pending,running,pausing,canceling"


def state_of(server: Target) -> dict[str, object]:
    """All that these requests could have changed."""
    lists: dict[str, Any] = {path: server.ask("GET", f"/api/v1/{path}").json() for path in STATE}
    for token in lists["tokens"]["items"]:
        token.pop("last_used_at", None)
    told = ("id", "state", "priority", "attempt", "tags")  # the reason to wait is told anew as time goes by
    lists["jobs"] = [[job[name] for name in told] for job in lists["jobs"]["items"]]
    return lists


def gone(server: Target) -> int:
    """Requests whose client went away."""
    return len(re.findall(r"\[info *\] request .*status=499", server.log))


@pytest.fixture(scope="module")
def job(server: Target) -> int:
    """A job that waits until 2100, where no other is under way: those of earlier tests would end meanwhile."""
    until(lambda: not server.ask("GET", f"/api/v1/jobs?state={UNDER_WAY}").json()["items"], "nothing runs", 120)
    body = {"type": "sleep", "params": {"seconds": 1}, "not_before": "2100-01-01T00:00:00Z"}
    return int(server.ask("POST", "/api/v1/projects/default/jobs", json=body).json()["id"])


def test_a_body_that_is_cut_off_does_nothing(server: Target, job: int) -> None:
    """By its length, and in pieces without the last one."""
    before, left = state_of(server), gone(server)
    sent = 0
    for method, path, kind, body in WRITES:
        line = f"{method} /api/v1/{path.format(job=job)} HTTP/1.1"
        server.send(line, kind, f"Content-Length: {len(body) + 7}", body=body, known=True).close()
        piece = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
        server.send(line, kind, "Transfer-Encoding: chunked", body=piece, known=True).close()
        server.send(line, kind, "Transfer-Encoding: chunked", body=piece + b"5\r\nab", known=True).close()
        sent += 3
    until(lambda: gone(server) >= left + sent, "all of them are over")
    assert state_of(server) == before


def test_half_a_form_does_nothing(server: Target) -> None:
    """Of a page, by one who is logged in."""
    login = server.stranger("POST", "/login", data={"token": server.token})
    cookie = login.headers["set-cookie"].partition(";")[0]
    page = server.stranger("GET", "/nowhere", headers={"Cookie": cookie}).text
    csrf = page.partition('name="csrf-token" content="')[2].partition('"')[0]
    left = gone(server)
    form = f"_csrf={csrf}".encode()
    for line, body in (("POST /logout HTTP/1.1", form), ("POST /login HTTP/1.1", form + b"&token=x")):
        length = f"Content-Length: {len(body) + 1}"
        server.send(line, FORM, f"Cookie: {cookie}", f"X-CSRF-Token: {csrf}", length, body=body).close()
    until(lambda: gone(server) >= left + 2, "they are over")
    assert server.stranger("GET", "/api/v1/me", headers={"Cookie": cookie}).status_code == 200


def test_a_whole_request_is_done(server: Target) -> None:
    """The same bytes, to their end."""
    body = {"type": "sleep", "params": {"seconds": 1}, "not_before": "2100-01-01T00:00:00Z"}
    other = server.ask("POST", "/api/v1/projects/default/jobs", json=body).json()["id"]
    answer = server.send(
        f"POST /api/v1/jobs/{other}/cancel HTTP/1.1", JSON, "Content-Length: 2", "Connection: close",
        body=b"{}", known=True,
    ).recv(65536)  # fmt: skip
    assert answer.startswith(b"HTTP/1.1 202 ")
    assert server.ask("GET", f"/api/v1/jobs/{other}").json()["state"] == "canceled"
