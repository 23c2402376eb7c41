"""Without a token nobody keeps others out, by whatever they begin and do not end."""

from __future__ import annotations

import resource
import socket
import time

import psutil

from tests.attacks.target import Target, all_of, until

HALF_HEADERS = b"GET /api/v1/health HTTP/1.1\r\nX: "


def crowd(target: Target, count: int, source: str, sent: bytes = HALF_HEADERS) -> None:
    """Connections that are left open, as many as are let in."""
    for _ in range(count):
        try:
            target.connect(source).sendall(sent)
        except OSError:
            pass  # it was the one to give way


def is_closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        while connection.recv(4096):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def test_the_limit_of_open_files_is_raised(server: Target) -> None:
    assert server.process is not None
    assert psutil.Process(server.process.pid).rlimit(resource.RLIMIT_NOFILE) == (512, 512)


def test_many_idle_connections_stop_neither_server_nor_jobs(server: Target) -> None:
    """From one address and from several; jobs that start meanwhile find the files that they need."""
    for host in range(1, 6):
        crowd(server, 220, f"127.0.0.{host}")
    assert server.open_files < 512 - 100, "what jobs and the database need is left"
    for source in ("127.0.0.1", "127.0.0.5", "127.0.0.77"):
        connection = server.connect(source)
        connection.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert all_of(connection).startswith(b"HTTP/1.1 200 "), source
    jobs = [server.ask("POST", "/api/v1/projects/default/jobs", json={"type": "sleep", "params": {"seconds": 0}})]
    jobs += [server.ask("POST", "/api/v1/projects/default/jobs", json={"type": "noop"}) for _ in range(3)]
    with server.client() as client:
        for job in jobs:
            assert client.jobs.wait(job.json()["id"], timeout=60).state == "succeeded"
    assert "Too many open files" not in server.log


def test_streams_and_slow_uploads_of_those_who_are_known_are_kept(server: Target) -> None:
    """Newcomers take the places of strangers, never of those who are known."""
    stream = server.send("GET /api/v1/events HTTP/1.1", known=True)
    assert stream.recv(4096).startswith(b"HTTP/1.1 200 ")
    head = 'Content-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    whole = f"--b\r\n{head}a,b\r\n1,2\r\n\r\n--b--\r\n".encode()
    upload = server.send(
        "POST /api/v1/projects/default/files HTTP/1.1",
        "Content-Type: multipart/form-data; boundary=b",
        f"Content-Length: {len(whole)}",
        "Expect: 100-continue",
        "Connection: close",
        known=True,
    )
    assert upload.recv(4096).startswith(b"HTTP/1.1 100 "), "the server asks for the body of one whom it knows"
    upload.sendall(whole[:40])
    crowd(server, 300, "127.0.0.1")
    upload.sendall(whole[40:])
    assert all_of(upload).startswith(b"HTTP/1.1 201 ")
    job = server.ask("POST", "/api/v1/projects/default/jobs", json={"type": "noop"}).json()
    seen = b""
    while f'"job":{job["id"]},'.encode() not in seen:
        seen += stream.recv(65536)


def test_what_is_slow_is_ended(server: Target) -> None:
    """Nothing sent; half a line; headers, one by one; a stranger's body that does not come, or comes in drops."""
    login = ("POST /login HTTP/1.1", "Content-Type: application/x-www-form-urlencoded", "Content-Length: 100")
    silent, half = server.connect(), server.send("GET /login HTTP/1.1")
    half.sendall(b"GE")
    dripping, body, drops = server.connect(), server.send(*login), server.send(*login)
    chunked = server.send(*login[:2], "Transfer-Encoding: chunked", body=b"5\r\nab")
    kept = server.send("GET /login HTTP/1.1")
    for connection in (half, kept):
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    began = time.monotonic()
    dripping.sendall(b"GET /login HTTP/1.1\r\n")
    waiting = {"silent": silent, "half": half, "body": body, "chunked": chunked, "kept": kept}
    ended: dict[str, float] = {}
    while (waiting.keys() | {"dripping", "drops"}) - ended.keys():
        assert time.monotonic() - began < 60, f"still open: {(waiting.keys() | {'dripping', 'drops'}) - ended.keys()}"
        for name, connection, drop in (("dripping", dripping, b"X: y\r\n"), ("drops", drops, b"a")):
            if name not in ended:
                try:
                    connection.sendall(drop)
                except OSError:
                    ended[name] = time.monotonic() - began
        for name, connection in waiting.items():
            if name not in ended and is_closed(connection):
                ended[name] = time.monotonic() - began
        time.sleep(0.2)
    assert ended["kept"] < 9, "an idle connection is kept for a short time only"


def test_a_refused_body_is_not_taken_in_for_ever(server: Target) -> None:
    """Who is refused before the body is read cannot go on sending it."""
    connection = server.send("POST /api/v1/projects/default/jobs HTTP/1.1", "Content-Length: 1000000000000")
    assert connection.recv(65536).startswith(b"HTTP/1.1 401 ")
    began = time.monotonic()
    try:
        while time.monotonic() - began < 60:
            connection.sendall(b"x")
            time.sleep(0.1)
    except OSError:
        pass
    assert time.monotonic() - began < 30


def test_who_does_not_read_the_answer_is_cut_off(server: Target) -> None:
    """Bounded by what stands in the sockets; the server stays as it is meanwhile."""
    files = server.open_files
    for _ in range(50):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(b"GET /login HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
        server.opened.append(connection)
    assert server.stranger("GET", "/api/v1/health").status_code == 200
    server.close_all()
    until(lambda: server.open_files <= files + 5, "their connections are closed")


def test_strangers_bodies_are_small(server: Target) -> None:
    for path in ("/login", "/logout", "/jobs/bulk", "/nowhere", "/run/import"):
        for size, status in ((8192, {200, 303, 401, 403, 404, 405, 422}), (8193, {413}), (1_000_000, {413})):
            answer = server.stranger("POST", path, data={"token": "x" * (size - 6)})
            assert answer.status_code in status, (path, size, answer.status_code)
    chunks = server.send(
        "POST /login HTTP/1.1",
        "Content-Type: application/x-www-form-urlencoded",
        "Transfer-Encoding: chunked",
        body=b"2001\r\n" + b"x" * 8193 + b"\r\n",
    )
    assert chunks.recv(4096).startswith(b"HTTP/1.1 413 ")
