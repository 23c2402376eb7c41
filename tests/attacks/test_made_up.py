"""Whatever strangers make up – methods, names, hosts, paths – leaves nothing in the figures, the log or a terminal."""

from __future__ import annotations

import re

import pytest

from jobdeck.api.http.frame import METHODS
from tests.attacks.target import Target, all_of

METHOD = re.compile(r'method="([^"]*)"')
ROUTE = re.compile(r'route="([^"]*)"')


def figures(server: Target) -> str:
    return server.ask("GET", "/metrics").text


def test_made_up_methods_are_told_so_and_not_counted_by_name(server: Target) -> None:
    for method in ("BREW", "get", "PROPFIND", "TRACE", "CONNECT", "M" * 20_000, "G%45T", "x.y"):
        target = "test:80" if method == "CONNECT" else "/api/v1/health"
        answer = all_of(server.send(f"{method} {target} HTTP/1.1", "Connection: close"))
        assert answer.startswith(b"HTTP/1.1 501 "), (method[:20], answer[:100])
        assert b'"code":"method_not_implemented"' in answer
    assert set(METHOD.findall(figures(server))) <= METHODS | {"other"}


def test_nothing_that_strangers_send_makes_the_figures_grow(server: Target) -> None:
    def attack(number: int) -> None:
        name = f"n{number}" * 50
        one = server.connect()
        for line in (
            f"GET /{name} HTTP/1.1", f"{name} / HTTP/1.1", f"GET /api/v1/{name} HTTP/1.1",
            f"GET /static/{name} HTTP/1.1",
            f"GET /api/v1/health?{name}=1 HTTP/1.1", f"HEAD /jobs/{number} HTTP/1.1", f"OPTIONS /{name} HTTP/1.1",
        ):  # fmt: skip
            one.sendall(
                f"{line}\r\nHost: {name[:50]}.example\r\nUser-Agent: {name}\r\nReferer: {name}\r\n\r\n".encode()
            )
        one.shutdown(1)
        one.close()

    attack(0)
    first = {line.rpartition(" ")[0] for line in figures(server).splitlines()}
    for number in range(1, 60):
        attack(number)
    later = {line.rpartition(" ")[0] for line in figures(server).splitlines()}
    assert not [line for line in later if "n1n1" in line]
    assert len(later - first) <= 40, "only statuses and known routes that had not been asked before"
    routes = set(ROUTE.findall("\n".join(later)))
    assert all(route == "(none)" or route.startswith(("/api/v1/", "/metrics", "/")) for route in routes)
    assert not [route for route in routes if re.search(r"\d\d|n\d", route.replace("/api/v1", ""))]


@pytest.mark.parametrize(
    "part", ["%1b[2J%1b]0;owned%07", "%c2%9b31m", "%e2%80%ae", "%0d%0aforged", "%e2%80%a8x", "%08%7f"]
)
def test_the_log_shows_what_a_terminal_would_obey(server: Target, part: str) -> None:
    for path in (f"/{part}", f"/api/v1/{part}", f"/static/{part}"):
        server.stranger("GET", path, headers={"User-Agent": "\x1b[2J", "X-Request-Id": "\x1b[2J12345678"})
    server.ask("POST", "/api/v1/tokens", json={"name": f"a\x1b[31m\u202e{part}", "role": "viewer"})
    log = server.log
    assert not re.findall("[\0-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]", log)
    assert "\nforged" not in log


BAD_HEADS = [
    (["GET / HTTP/1.1", "Host: a/b"], 400),
    (["GET / HTTP/1.1", "Host: a:99999"], 400),
    (["GET / HTTP/1.1", "Host: a:x"], 400),
    (["GET / HTTP/1.1", "Host: [::1"], 400),
    (["GET / HTTP/1.1", "Host: [:::::]:80"], 400),
    (["GET / HTTP/1.1", "Host: a b"], 400),
    (["GET / HTTP/1.1", "Host: \xe9"], 400),
    (["GET / HTTP/1.1", "Host: a", "Host: b"], 400),
    (["GET / HTTP/1.1"], 400),
    (["GET /jobs HTTP/1.1", "Host: a", "X: " + "y" * 40_000], 431),
    (["GET /" + "y" * 40_000 + " HTTP/1.1", "Host: a"], 431),
    (["POST /login HTTP/1.1", "Host: a", "Content-Length: 1", "Content-Length: 2"], 400),
    (["POST /login HTTP/1.1", "Host: a", "Content-Length: \xb2"], 400),
    (["POST /login HTTP/1.1", "Host: a", "Content-Length: -1"], 400),
    (["POST /login HTTP/1.1", "Host: a", "Content-Length: " + "9" * 5000], 400),
    (["POST /login HTTP/1.1", "Host: a", "Content-Length: 3", "Transfer-Encoding: chunked"], 400),
    (["POST /login HTTP/1.1", "Host: a", "Transfer-Encoding: gzip"], 400),
    (["GET", "Host: a"], 400),
    (["\x16\x03\x01\x02\x00\x01"], 400),
    (["GET /\xff HTTP/1.1", "Host: a"], 400),
    (["POST /login HTTP/1.1", "Host: a", "Origin: http://[", "Content-Length: 0"], 403),
    (["GET /api/v1/me HTTP/1.1", "Host: a", "Authorization: Bearer \xff\xb2"], 401),
    (["GET /api/v1/me HTTP/1.1", "Host: a", 'Cookie: jobdeck_session=\xff"\\x; =; a'], 401),
    (["GET /static/%00 HTTP/1.1", "Host: a"], 400),
    (["GET /login?next=%00 HTTP/1.1", "Host: a"], 400),
    (["GET /login?next=%ff%fe&link=%ed%a0%80 HTTP/1.1", "Host: a"], 410),
]  # fmt: skip


@pytest.mark.parametrize(("head", "status"), BAD_HEADS)
def test_what_is_no_request_is_told_so(server: Target, head: list[str], status: int) -> None:
    connection = server.connect()
    connection.sendall("\r\n".join([*head, "Connection: close", "", ""]).encode("latin-1"))
    answer = all_of(connection)
    assert int(answer.split(b" ", 2)[1]) == status, answer[:300]
    assert b"Traceback" not in answer


def test_nothing_went_wrong_inside(server: Target) -> None:
    assert not re.findall(r"request_crashed|Traceback|Task was destroyed|never retrieved|Exception in ASGI", server.log)
