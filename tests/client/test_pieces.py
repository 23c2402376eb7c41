"""Tables that are larger than a piece of the answer arrive whole, and those that are cut off are told to be damaged."""

from __future__ import annotations

import http.server
import io
import threading
from collections.abc import Iterator

import pyarrow as pa
import pytest

from jobdeck.client import Client, UnexpectedAnswer
from jobdeck.client.http.pieces import Pieces

ROWS = pa.table({"id": list(range(200_000)), "name": [f"name {i:09}" for i in range(200_000)]})
"""One batch of about 5 MB."""


def stream() -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_stream(out, ROWS.schema) as writer:
        writer.write_table(ROWS)
    return out.getvalue()


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers each request with `body`."""

    body = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def client() -> Iterator[Client]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with Client(f"http://127.0.0.1:{server.server_port}", "token") as speaks:
            yield speaks
        server.shutdown()


def test_a_batch_larger_than_a_piece_arrives_whole(client: Client) -> None:
    Answers.body = stream()
    assert client.objects.to_arrow("lake/a/b").equals(ROWS)
    assert sum(batch.num_rows for batch in client.objects.batches("lake/a/b")) == 200_000


@pytest.mark.parametrize("kept", [0, 100, 1_000_000, 4_000_000])
def test_what_is_cut_off_anywhere_is_damaged(client: Client, kept: int) -> None:
    Answers.body = stream()[:kept]
    with pytest.raises(UnexpectedAnswer, match="arrived damaged"):
        client.objects.to_arrow("lake/a/b")


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_a_read_gives_all_that_was_asked_for_until_the_end(size: int) -> None:
    pieces = Pieces(iter([b"abc", b"", b"defg", b"h"]))
    read = [pieces.read(size) for _ in range(9)]
    assert b"".join(read) == b"abcdefgh"
    assert [len(part) for part in read] == [min(size, max(0, 8 - i * size)) for i in range(9)]
