"""What a connection's requests carry and where they go: nothing from the surroundings, and nowhere but its endpoint."""

from __future__ import annotations

import base64
import socket
import traceback
from collections.abc import Iterator
from typing import Any

import obstore
import pytest

from jobdeck.core.errors import JobdeckError
from jobdeck.storage import endpoints, stores
from jobdeck.storage.errors import EndpointNotAllowed, StorageRefused, StorageUnavailable
from jobdeck.storage.folders import Folder
from jobdeck.storage.gateway import Gateway
from tests.storage.recorder import CONTENT, Answer, as_storage, recorder

SURROUNDINGS = {
    "AWS_ACCESS_KEY_ID": "WORKERKEY", "AWS_SECRET_ACCESS_KEY": "WORKERSECRET", "AWS_SESSION_TOKEN": "WORKERTOKEN",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1", "AWS_REGION": "mars-1",
    "AWS_PROXY_URL": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1", "http_proxy": "http://127.0.0.1:1",
    "HTTPS_PROXY": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1", "NO_PROXY": "*", "no_proxy": "*",
    "AWS_REQUEST_PAYER": "true", "AWS_SSE_CUSTOMER_KEY_BASE64": "WORKERSSEKEY", "AWS_SERVER_SIDE_ENCRYPTION": "AES256",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/etc/hostname", "AWS_ROLE_ARN": "arn:x", "AWS_SKIP_SIGNATURE": "true",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/x", "AWS_PROFILE": "work",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
}  # fmt: skip


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process with credentials of its own; opened storages of other tests are forgotten."""
    for name, value in SURROUNDINGS.items():
        monkeypatch.setenv(name, value)
    stores._foreign_bucket.cache_clear()
    yield
    stores._foreign_bucket.cache_clear()


def bucket(url: str, allowed: tuple[str, ...] = ("127.0.0.1",), **more: Any) -> Folder:
    return Folder("s3://bucket", {"endpoint": url, "allow_http": "true", **more}, allowed)


def uses(folder: Folder) -> None:
    """All that is ever done with a connection's bucket."""
    assert [e.name for e in folder.entries()] == ["in.csv"]
    assert folder.entry("in.csv") is not None
    with folder.open_input("in.csv") as file:
        assert file.read() == CONTENT
    folder.folders()
    folder.write("out.csv", b"x")
    with folder.open_output("more.csv") as out:
        out.write(b"x")


def accepting(method: str, path: str) -> Answer:
    return Answer(200, b"", {"ETag": '"e"'}) if method == "PUT" else as_storage(method, path)


@pytest.mark.usefixtures("surroundings")
def test_without_keys_requests_are_anonymous() -> None:
    with recorder(accepting) as server:
        uses(bucket(server.url))
        assert len(server.seen) >= 6
        assert server.headers_named("authorization") == []
        assert "WORKER" not in repr(server.seen)
        assert "proxy" not in repr(server.seen).lower()


@pytest.mark.usefixtures("surroundings")
def test_with_keys_requests_carry_these_and_nothing_else() -> None:
    with recorder(accepting) as server:
        uses(bucket(server.url, access_key_id="MYKEY", secret_access_key="MYSECRET"))
        signed = server.headers_named("authorization")
        assert len(signed) == len(server.seen)
        assert all("Credential=MYKEY/" in header and "/us-east-1/" in header for header in signed)
        assert "WORKER" not in repr(server.seen)
        assert "MYSECRET" not in repr(server.seen)
        assert server.headers_named("x-amz-security-token") == []
        assert server.headers_named("x-amz-request-payer") == []


@pytest.mark.usefixtures("surroundings")
def test_a_session_token_of_its_own_is_sent() -> None:
    with recorder(accepting) as server:
        bucket(server.url, access_key_id="MYKEY", secret_access_key="S", session_token="MYTOKEN").folders()
        assert server.headers_named("x-amz-security-token") == ["MYTOKEN"]


def told_of(error: BaseException) -> str:
    """All that anybody may get to see of it."""
    facts = getattr(error, "facts", {})
    return "".join(traceback.format_exception(error)) + repr(getattr(error, "hint", "")) + repr(facts)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("listing", [True, False])
def test_redirects_are_not_followed(status: int, listing: bool) -> None:
    with recorder(lambda _method, _path: Answer(200, b"SECRET-OF-INTERNAL-SERVICE")) as internal:

        def redirecting(method: str, path: str) -> Answer:
            if ("list-type" in path) is listing:
                return Answer(status, b"x", {"Location": f"{internal.url}/secret"})
            return as_storage(method, path)

        with recorder(redirecting) as server, pytest.raises(StorageUnavailable, match="redirect") as refused:
            uses(bucket(server.url))
        assert internal.seen == []
        assert "SECRET" not in told_of(refused.value)
        assert internal.url.removeprefix("http://") not in refused.value.message


def test_a_redirect_to_itself_is_not_followed_either() -> None:
    with recorder(lambda _method, _path: Answer(302, b"", {"Location": "/again"})) as server:
        with pytest.raises(StorageUnavailable, match="redirect"):
            bucket(server.url).folders()
        assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (500, StorageUnavailable, "answered 500"),
        (503, StorageUnavailable, "answered 503"),
        (400, StorageUnavailable, "answered 400"),
        (403, StorageRefused, r"refused the keys \(403\)"),
        (401, StorageRefused, r"refused the keys \(401\)"),
    ],
)
def test_what_a_server_says_is_not_shown(status: int, kind: type[JobdeckError], words: str) -> None:
    body = b"<html>INTERNALSECRETBODY status code: 200</html>"
    with recorder(lambda _method, _path: Answer(status, body, {"X-Internal": "INTERNALHEADER"})) as server:
        folder = bucket(server.url, access_key_id="MYKEY", secret_access_key="MYSECRET")
        host = server.url.removeprefix("http://")
        for use in (folder.folders, lambda: folder.read("x"), lambda: folder.write("x", b"")):
            with pytest.raises(kind, match=f"The storage at {host} {words}.*The bucket is 'bucket'") as refused:
                use()
            told = told_of(refused.value)
            for word in ("INTERNAL", "Debug", "MYSECRET", "MYKEY", "object_store", "jobdeck:"):
                assert word not in told


@pytest.mark.parametrize("body", [b"", b"<html>INTERNAL", b"\xff\xfe", b"{}"])
def test_an_answer_that_is_no_listing(body: bytes) -> None:
    with recorder(lambda _method, _path: Answer(200, body)) as server, pytest.raises(StorageUnavailable) as refused:
        bucket(server.url).folders()
    assert "INTERNAL" not in told_of(refused.value)


def test_an_endpoint_that_is_not_allowed_gets_no_packet() -> None:
    with recorder() as server:
        with pytest.raises(EndpointNotAllowed, match=r"127\.0\.0\.1"):
            uses(bucket(server.url, allowed=()))
        with pytest.raises(EndpointNotAllowed):
            uses(bucket(server.url, allowed=("127.0.0.1:1", "10.0.0.0/8", "localhost")))
        assert server.seen == []


def test_a_name_is_looked_up_at_each_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is public when the connection is made, and leads to the machine itself later, is not reached then."""
    real = socket.getaddrinfo
    answers = ["127.0.0.1"]

    def resolve(host: str, *more: Any, **named: Any) -> Any:
        return real(answers[0] if host == "bucket.example.com" else host, *more, **named)

    monkeypatch.setattr("jobdeck.storage.endpoints.socket.getaddrinfo", resolve)
    with recorder() as server:
        port = server.url.rpartition(":")[2]
        folder = bucket(f"http://bucket.example.com:{port}", allowed=("127.0.0.0/30",))
        assert [e.name for e in folder.entries()] == ["in.csv"]
        assert server.headers_named("host") == [f"bucket.example.com:{port}"]
        asked = len(server.seen)
        answers[0] = "127.0.0.9"
        with pytest.raises(EndpointNotAllowed, match=r"bucket\.example\.com"):
            list(folder.entries())
        assert len(server.seen) == asked


def test_the_gateway_serves_nobody_else() -> None:
    """Another process of the machine finds its port: without its password, and to other places, it goes nowhere."""
    with recorder() as server, recorder() as other:
        folder = bucket(server.url)
        gateway = stores.foreign("s3://bucket", folder.options, ("127.0.0.1",)).gateway
        assert gateway is not None
        own = gateway.url.removeprefix("http://")
        secret, _, place = own.rpartition("@")
        host, port = place.split(":")
        right = "Proxy-Authorization: Basic " + base64.b64encode(secret.encode()).decode()
        for lines in (
            [f"GET {server.url}/ HTTP/1.1"],
            [f"GET {server.url}/ HTTP/1.1", "Proxy-Authorization: Basic eDp5"],
            [f"GET {other.url}/ HTTP/1.1", right],
            [f"CONNECT {other.url.removeprefix('http://')} HTTP/1.1", right],
            [f"CONNECT {server.url.removeprefix('http://')} HTTP/1.1", right],
            ["GET / HTTP/1.1", right],
            ["nonsense"],
        ):
            with socket.create_connection((host, int(port)), 10) as raw:
                raw.sendall(("\r\n".join([*lines, "Host: x", "", ""])).encode())
                answer = raw.recv(1000)
            assert answer.split(b" ")[1:2] in ([b"407"], [b"403"], []), lines
        assert server.seen == []
        assert other.seen == []


def test_a_server_that_is_away() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    with pytest.raises(StorageUnavailable, match=f"The storage at 127.0.0.1:{port} does not answer"):
        bucket(f"http://127.0.0.1:{port}").folders()


def test_a_real_server(s3_bucket: Any, s3_endpoint: str) -> None:
    """Large objects pass the gateway whole, and wrong keys are told as such."""
    content = bytes(range(256)) * 40_000
    s3_bucket.put("x/big", content)
    more = {"access_key_id": "testkey", "secret_access_key": "testsecret"}
    folder = Folder(f"{s3_bucket.url}/x", {"endpoint": s3_endpoint, "allow_http": "true", **more}, ("127.0.0.1",))
    with folder.open_input("big") as file:
        assert file.read() == content
    with folder.open_output("copy") as out:
        out.write(content)
    assert bytes(obstore.get(s3_bucket.store(), "x/copy").bytes()) == content
    wrong = Folder(folder.url, {**folder.options, "secret_access_key": "wrong"}, folder.endpoints)
    with pytest.raises(StorageRefused, match="refused the keys"):
        list(wrong.entries())
    anonymous = Folder(folder.url, {"endpoint": s3_endpoint, "allow_http": "true"}, folder.endpoints)
    with pytest.raises(StorageRefused, match="refused the keys"):
        list(anonymous.entries())


def test_the_way_to_an_encrypted_endpoint_is_a_tunnel_to_it_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        gateway = Gateway(endpoints.parse(f"https://127.0.0.1:{port}"), ("127.0.0.1",))
        secret, _, place = gateway.url.removeprefix("http://").rpartition("@")
        right = b"Proxy-Authorization: Basic " + base64.b64encode(secret.encode())
        with socket.create_connection(("127.0.0.1", int(place.split(":")[1])), 10) as client:
            client.sendall(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n%s\r\n\r\nhello" % (port, right))
            inner, _ = server.accept()
            with inner:
                assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
                assert inner.recv(100) == b"hello"
                inner.sendall(b"x" * 1_000_000)
                inner.shutdown(socket.SHUT_WR)
                back = b""
                while piece := client.recv(1 << 16):
                    back += piece
        assert back == b"x" * 1_000_000
        with socket.create_connection(("127.0.0.1", int(place.split(":")[1])), 10) as client:
            client.sendall(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n%s\r\n\r\n" % (port + 1, right))
            assert client.recv(1000).startswith(b"HTTP/1.1 403 ")
        gateway.close()
