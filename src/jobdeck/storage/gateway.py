"""The only way out for connections: a forwarder on loopback that reaches one endpoint, and checks it at each use.

The storage library follows redirects and asks the name service by itself; through this it cannot leave the endpoint:
names are resolved and checked here, the checked address is connected to, and redirects are not passed on."""

from __future__ import annotations

import base64
import hmac
import secrets
import select
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from jobdeck.core.errors import JobdeckError
from jobdeck.storage.endpoints import Endpoint, reachable
from jobdeck.storage.errors import StorageUnavailable

CONNECT_SECONDS = 10.0
IDLE_SECONDS = 120.0
_HEAD_BYTES = 64 * 1024
_PIECE = 256 * 1024
_HOP = (b"proxy-authorization", b"proxy-connection", b"connection", b"keep-alive")


class Gateway:
    """Forwards to `endpoint` what carries its own password; `allowed` as in the setting `allowed_endpoints`."""

    def __init__(self, endpoint: Endpoint, allowed: Sequence[str]) -> None:
        self._endpoint, self._allowed = endpoint, tuple(allowed)
        password = secrets.token_urlsafe(24)
        self._key = b"basic " + base64.b64encode(f"jobdeck:{password}".encode())
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://jobdeck:{password}@127.0.0.1:{self._listening.getsockname()[1]}"
        self._refusal: JobdeckError | None = None
        threading.Thread(target=self._serve, name="storage-gateway", daemon=True).start()

    def refusal(self) -> JobdeckError | None:
        """What was refused last, once."""
        found, self._refusal = self._refusal, None
        return found

    def close(self) -> None:
        """Accept nothing any more; what is under way ends by itself."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._handle, args=(client,), name="storage-gateway", daemon=True).start()

    def _handle(self, client: socket.socket) -> None:
        with client:
            client.settimeout(IDLE_SECONDS)
            try:
                self._forward(client)
            except JobdeckError as error:
                self._refusal = error
                _answer(client, b"403 Forbidden")
            except (OSError, ValueError):
                return

    def _forward(self, client: socket.socket) -> None:
        head, rest = _read_head(client)
        method, target, headers = _parsed(head)
        if not hmac.compare_digest(headers.get(b"proxy-authorization", b"").replace(b"Basic", b"basic", 1), self._key):
            _answer(client, b"407 Proxy Authentication Required")
            return
        self._check_target(method, target)
        server = self._connect()
        with server:
            if method == b"CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                if rest:
                    server.sendall(rest)
                _relay(client, server)
                return
            server.sendall(_rewritten(head) + rest)
            self._answer_of(client, server)

    def _check_target(self, method: bytes, target: bytes) -> None:
        """Raises StorageUnavailable when it is not the endpoint: a redirect led there."""
        scheme = "https" if method == b"CONNECT" else "http"
        parts = urlsplit(f"https://{target.decode('latin-1')}" if method == b"CONNECT" else target.decode("latin-1"))
        asked = (
            parts.scheme,
            (parts.hostname or "").removesuffix("."),
            parts.port or (443 if scheme == "https" else 80),
        )
        if scheme != parts.scheme or asked != (self._endpoint.scheme, self._endpoint.host, self._endpoint.port):
            raise self._redirected()

    def _redirected(self) -> StorageUnavailable:
        return StorageUnavailable(
            f"The storage at {self._endpoint.shown} answered with a redirect, which is not followed.",
            hint="Look at its region and endpoint.",
        )

    def _connect(self) -> socket.socket:
        """Raises EndpointNotAllowed, StorageUnavailable."""
        for address in reachable(self._endpoint, self._allowed):
            try:
                server = socket.create_connection((address, self._endpoint.port), CONNECT_SECONDS)
            except OSError:
                continue
            server.settimeout(IDLE_SECONDS)
            return server
        raise StorageUnavailable(
            f"The storage at {self._endpoint.shown} does not answer.", hint="Look at its address, and whether it runs."
        )

    def _answer_of(self, client: socket.socket, server: socket.socket) -> None:
        """Pass the body of the request on and the answer back; a redirect becomes a refusal."""
        start = b""
        while b"\r\n" not in start and len(start) < _HEAD_BYTES:
            ready, _, _ = select.select([client, server], [], [], IDLE_SECONDS)
            if not ready:
                return
            if client in ready and not _pass(client, server) and server not in ready:
                return
            if server in ready:
                piece = server.recv(_PIECE)
                if not piece:
                    break
                start += piece
        status = start.split(b" ", 2)[1:2]
        if status and status[0].startswith(b"3") and status[0] != b"304":
            self._refusal = self._redirected()
            _answer(client, b"421 Misdirected Request")
            return
        client.sendall(start)
        _relay(client, server)


def _read_head(client: socket.socket) -> tuple[bytes, bytes]:
    """The head of a request, and what came behind it. Raises ValueError."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = client.recv(_PIECE)
        if not piece or len(data) > _HEAD_BYTES:
            raise ValueError("no request")
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def _parsed(head: bytes) -> tuple[bytes, bytes, dict[bytes, bytes]]:
    """Method, target and headers. Raises ValueError."""
    first, *lines = head.split(b"\r\n")
    method, target, _ = first.split(b" ")
    pairs = (line.split(b":", 1) for line in lines if b":" in line)
    return method, target, {name.strip().lower(): value.strip() for name, value in pairs}


def _rewritten(head: bytes) -> bytes:
    """The head as the endpoint is to get it: for one answer, and without what is between us and the library."""
    first, *lines = head.split(b"\r\n")
    method, target, version = first.split(b" ")
    parts = urlsplit(target.decode("latin-1"))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    kept = [line for line in lines if line.split(b":", 1)[0].strip().lower() not in _HOP]
    return b"\r\n".join([b" ".join((method, path.encode("latin-1"), version)), *kept, b"Connection: close", b"", b""])


def _pass(source: socket.socket, target: socket.socket) -> bool:
    """One piece from one to the other; False at the end."""
    piece = source.recv(_PIECE)
    if piece:
        target.sendall(piece)
    return bool(piece)


def _relay(client: socket.socket, server: socket.socket) -> None:
    """Both ways, until the server has ended or nobody says anything for long."""
    sources = [client, server]
    while server in sources:
        ready, _, _ = select.select(sources, [], [], IDLE_SECONDS)
        if not ready:
            return
        for source in ready:
            if not _pass(source, client if source is server else server):
                sources.remove(source)
                if source is client:
                    with suppress(OSError):
                        server.shutdown(socket.SHUT_WR)


def _answer(client: socket.socket, status: bytes) -> None:
    with suppress(OSError):
        client.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
