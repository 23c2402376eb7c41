"""Which endpoints connections may reach, however their addresses are written."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest

from jobdeck.storage import endpoints
from jobdeck.storage.errors import EndpointNotAllowed, InvalidStorageOption, StorageUnavailable

PRIVATE = [
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "224.0.0.1", "239.255.255.250", "255.255.255.255", "240.0.0.1", "198.18.0.1",
    "192.0.0.1", "[::1]", "[::]", "[fe80::1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]", "[::ffff:10.0.0.1]", "[::ffff:169.254.169.254]", "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::a00:1]", "[2002:7f00:1::]", "[2002:a9fe:a9fe::]", "[::7f00:1]", "[fec0::1]",
    "[2001:0:4136:e378:8000:63bf:f5ff:fffe]", "[0:0:0:0:0:0:0:1]", "[::ffff:8.8.8.8]",
]  # fmt: skip
ODD = [
    "2130706433", "0x7f000001", "0x7f.1", "017700000001", "127.1", "127.0.1", "0177.0.0.1", "0x7f.0.0.1", "127.0.0.01",
    "127.0.0.1.", "1.2.3.4.5", "256.1.1.1", "[fe80::1%25eth0]", "①②⑦.⓪.⓪.①", "１２７.0.0.1", "127。0。0。1",
    "exämple.com", "a..b", "-a.com", "a b.com", "foo.0x7f", "localhost%00.example.com", "exa\u200bmple.com", "[::1",
    "user:p@example.com",
]  # fmt: skip
LOCAL_NAMES = ["localhost", "LOCALHOST", "localhost.", "a.localhost", "a.b.LocalHost.", "localhost.localdomain"]
PUBLIC = ["8.8.8.8", "[2001:4860:4860::8888]", "s3.eu-central-1.amazonaws.com", "minio.example.com"]


@pytest.mark.parametrize("host", [*PRIVATE, *ODD, *LOCAL_NAMES])
@pytest.mark.parametrize("form", ["https://{}", "http://{}:9000", "https://{}/"])
def test_what_is_not_public_is_refused(host: str, form: str) -> None:
    with pytest.raises((EndpointNotAllowed, InvalidStorageOption)):
        endpoints.check_written(endpoints.parse(form.format(host)), ())


@pytest.mark.parametrize("host", PUBLIC)
def test_what_is_public_is_not(host: str) -> None:
    endpoints.check_written(endpoints.parse(f"https://{host}:9000"), ())


@pytest.mark.parametrize(
    "text",
    ["ftp://example.com", "example.com", "https://", "https://example.com/path", "https://example.com?x", "https://a#b",
     "https://u:p@example.com", "https://u@example.com", "https://example.com:0", "https://example.com:99999", "file:///x",
     "https://example.com:x", "unix:/x", ""],
)  # fmt: skip
def test_what_is_no_endpoint(text: str) -> None:
    with pytest.raises(InvalidStorageOption) as refused:
        endpoints.parse(text)
    assert "u:p" not in refused.value.message


def answering(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """The name service answers with these addresses."""

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        if not addresses:
            raise socket.gaierror("no such name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr("jobdeck.storage.endpoints.socket.getaddrinfo", resolve)


@pytest.mark.parametrize("address", [a.strip("[]") for a in PRIVATE])
def test_a_name_that_leads_to_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """One such address among public ones is enough: nobody knows which one would be taken."""
    answering(monkeypatch, "8.8.8.8", address)
    with pytest.raises(EndpointNotAllowed, match=r"evil\.example\.com"):
        endpoints.reachable(endpoints.parse("https://evil.example.com"), ())


def test_a_name_that_leads_to_public_addresses_is_reached_there(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, "8.8.8.8", "2001:4860:4860::8888", "8.8.8.8")
    found = endpoints.reachable(endpoints.parse("https://example.com"), ())
    assert found == ["8.8.8.8", "2001:4860:4860::8888"]


def test_a_name_without_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch)
    with pytest.raises(StorageUnavailable, match=r"The storage at gone\.example\.com has no address"):
        endpoints.reachable(endpoints.parse("https://gone.example.com"), ())


@pytest.mark.parametrize(
    ("entry", "endpoint", "address", "allowed"),
    [
        ("minio.internal", "http://minio.internal:9000", "10.0.0.5", True),
        ("MinIO.internal.", "http://MINIO.INTERNAL", "10.0.0.5", True),
        ("minio.internal:9000", "http://minio.internal:9000", "10.0.0.5", True),
        ("minio.internal:9000", "http://minio.internal:9001", "10.0.0.5", False),
        ("minio.internal", "http://other.minio.internal", "10.0.0.5", False),
        ("minio.internal", "http://minio.internal.evil.com", "10.0.0.5", False),
        ("10.0.0.0/8", "http://minio.internal", "10.0.0.5", True),
        ("10.0.0.0/8", "http://minio.internal", "192.168.0.5", False),
        ("10.0.0.5", "http://minio.internal", "10.0.0.5", True),
        ("10.0.0.5:9000", "http://10.0.0.5:9000", "10.0.0.5", True),
        ("10.0.0.5:9000", "http://10.0.0.5:9001", "10.0.0.5", False),
        ("10.0.0.5", "http://10.0.0.6", "10.0.0.6", False),
        ("127.0.0.1", "http://127.0.0.1:8333", "127.0.0.1", True),
        ("127.0.0.1", "http://[::ffff:127.0.0.1]:8333", "::ffff:127.0.0.1", False),
        ("localhost", "http://localhost:8333", "127.0.0.1", True),
        ("fd00::/8", "http://[fd00::7]:9000", "fd00::7", True),
        ("[fd00::7]:9000", "http://[fd00::7]:9000", "fd00::7", True),
        ("[fd00::7]", "http://[fd00::7]:9000", "fd00::7", True),
        ("fd00::/8", "http://10.0.0.5", "10.0.0.5", False),
    ],
)
def test_what_the_installation_allows(
    monkeypatch: pytest.MonkeyPatch, entry: str, endpoint: str, address: str, allowed: bool
) -> None:
    answering(monkeypatch, address)
    if allowed:
        assert endpoints.reachable(endpoints.parse(endpoint), (entry,)) == [address]
        return
    with pytest.raises(EndpointNotAllowed):
        endpoints.reachable(endpoints.parse(endpoint), (entry,))


@pytest.mark.parametrize(
    "entry", ["a b", "host:0", "host:x", "host:", ":80", "10.0.0.0/33", "http://host", "*", "host:99999"]
)
def test_rules_that_cannot_be_read_are_refused(entry: str) -> None:
    with pytest.raises(InvalidStorageOption, match="allowed_endpoints"):
        endpoints.rules((entry,))


def test_every_address_of_the_special_networks_is_private() -> None:
    """Their first and last addresses, so that no bound is off by one; the addresses beside them are public."""
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10"):
        of = ipaddress.ip_network(network)
        assert endpoints.private_kind(of[0])
        assert endpoints.private_kind(of[-1])
    for public in ("9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "100.128.0.0"):
        assert endpoints.private_kind(ipaddress.ip_address(public)) == ""
