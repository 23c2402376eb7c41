"""A small HTTP server that records what it is asked and answers as it is told: a storage that is up to no good."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LISTING = (
    '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><Name>bucket</Name><IsTruncated>false</IsTruncated>'
    "<Contents><Key>in.csv</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag>"
    "<Size>{size}</Size></Contents></ListBucketResult>"
)
CONTENT = b"a,b\n1,2\n"


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Recorder:
    """`seen`: method, path and headers of each request."""

    url: str
    answer: Callable[[str, str], Answer]
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def headers_named(self, name: str) -> list[str]:
        return [value for _, _, headers in self.seen for key, value in headers.items() if key.lower() == name]


def as_storage(method: str, path: str) -> Answer:
    """A bucket with one file."""
    if "list-type" in path:
        return Answer(200, LISTING.format(size=len(CONTENT)).encode())
    if path.partition("?")[0].endswith("in.csv"):
        return Answer(200, CONTENT, {"ETag": '"e"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"})
    return Answer(404)


@contextmanager
def recorder(answer: Callable[[str, str], Answer] = as_storage) -> Iterator[Recorder]:
    """Serve on loopback until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            made.seen.append((self.command, self.path, dict(self.headers)))
            given = made.answer(self.command, self.path)
            body, status, first, size = given.body, given.status, "0", len(given.body)
            span = self.headers.get("Range", "")
            if status == 200 and span.startswith("bytes="):
                first, _, last = span.removeprefix("bytes=").partition("-")
                end = min(len(body), int(last) + 1) if last else len(body)
                body, status = body[int(first) : end], 206
            self.send_response(status)
            for name, value in given.headers.items():
                self.send_header(name, value)
            if status == 206:
                self.send_header("Content-Range", f"bytes {first}-{int(first) + len(body) - 1}/{size}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815  (names that the library calls)

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Recorder(f"http://127.0.0.1:{server.server_port}", answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
