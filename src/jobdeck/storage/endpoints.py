"""Which addresses connections may reach: public ones, and those that the installation allows."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urlsplit

from jobdeck.storage.errors import EndpointNotAllowed, InvalidStorageOption, StorageUnavailable

Address = IPv4Address | IPv6Address
HINT = "An administrator can allow it with the setting allowed_endpoints."
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.(?!-)[a-z0-9_-]{1,63})*")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
_LOCAL_NAMES = ("localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback")
_EMBEDDING = (
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),
    (ipaddress.IPv6Network("64:ff9b:1::/48"), 0),
    (ipaddress.IPv6Network("::/96"), 0),
    (ipaddress.IPv6Network("::ffff:0:0:0/96"), 0),
    (ipaddress.IPv6Network("2002::/16"), 80),
)
"""IPv6 networks whose addresses stand for an IPv4 address, and how far to the right of it that ends (in bits)."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a connection leads: `host` is a name in lower case, or an address in its usual form."""

    scheme: str
    host: str
    port: int

    @property
    def shown(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == {"http": 80, "https": 443}[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.shown}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of `allowed_endpoints`: a name or a network, at one port or at all (None)."""

    name: str
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None
    port: int | None

    def allows(self, endpoint: Endpoint, address: Address | None) -> bool:
        if self.port is not None and self.port != endpoint.port:
            return False
        if self.network is None:
            return self.name == endpoint.host
        return address is not None and address.version == self.network.version and address in self.network


def parse(text: str) -> Endpoint:
    """The endpoint of `http[s]://host[:port]`. Raises InvalidStorageOption, and EndpointNotAllowed for odd hosts."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise _no_endpoint() from None
    extra = parts.path.strip("/") or parts.query or parts.fragment or parts.username is not None or "@" in parts.netloc
    if parts.scheme not in ("http", "https") or not parts.hostname or extra or port == 0:
        raise _no_endpoint()
    default = 443 if parts.scheme == "https" else 80
    return Endpoint(parts.scheme, _host(parts.hostname), port or default)


def _no_endpoint() -> InvalidStorageOption:
    return InvalidStorageOption(
        "Option 'endpoint' is no address of a storage.",
        field="endpoint",
        hint="Write https://host or https://host:port.",
    )


def _host(text: str) -> str:
    """A name, or an address in its usual form: others are read by some as one address and by some as another."""
    host = text.lower().removesuffix(".")
    if ":" in host:
        try:
            return str(IPv6Address(host)) if "%" not in host else _odd(text)
        except ValueError:
            return _odd(text)
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        try:
            return str(IPv4Address(host))
        except ValueError:
            return _odd(text)
    return host if len(host) <= 253 and _NAME.fullmatch(host) else _odd(text)


def _odd(host: str) -> str:
    raise EndpointNotAllowed(
        f"'{host[:100]!s}' is not written as a host name or an address usually is.",
        field="endpoint",
        hint="Write names in ASCII, IPv4 addresses as 192.0.2.1 and IPv6 addresses as [2001:db8::1].",
    )


def rules(entries: Sequence[str]) -> tuple[Rule, ...]:
    """The setting `allowed_endpoints`. Raises InvalidStorageOption."""
    return tuple(_rule(entry.strip().lower()) for entry in entries if entry.strip())


def _rule(entry: str) -> Rule:
    try:
        return Rule("", ipaddress.ip_network(entry.strip("[]") if entry.endswith("]") else entry), None)
    except ValueError:
        pass
    host, colon, port = entry.rpartition(":")
    if not colon:
        host, port = entry, ""
    if (port and not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536)) or (colon and not port):
        raise _no_rule(entry)
    host = host.removeprefix("[").removesuffix("]").removesuffix(".")
    number = int(port) if port else None
    try:
        return Rule("", ipaddress.ip_network(host), number)
    except ValueError:
        if not _NAME.fullmatch(host):
            raise _no_rule(entry) from None
        return Rule(host, None, number)


def _no_rule(entry: str) -> InvalidStorageOption:
    return InvalidStorageOption(
        f"Setting 'allowed_endpoints': '{entry[:100]}' is no host, address or network.",
        field="allowed_endpoints",
        hint="Write host, host:port, an address, or a network such as 10.1.0.0/16.",
    )


def check_written(endpoint: Endpoint, allowed: Sequence[str]) -> None:
    """What can be refused without asking the name service. Raises EndpointNotAllowed."""
    permitted = rules(allowed)
    address = _literal(endpoint.host)
    if any(rule.allows(endpoint, address) for rule in permitted):
        return
    if endpoint.host in _LOCAL_NAMES or endpoint.host.endswith(".localhost"):
        raise _refused(endpoint, "the machine itself")
    if address is not None:
        _check_address(endpoint, address)


def reachable(endpoint: Endpoint, allowed: Sequence[str]) -> list[str]:
    """The addresses to connect to, each checked; asked at each use, because names may change their addresses.

    One address that is not allowed refuses the whole name. Raises EndpointNotAllowed, StorageUnavailable."""
    check_written(endpoint, allowed)
    permitted = rules(allowed)
    found = _resolved(endpoint)
    for text in found:
        address = ipaddress.ip_address(text)
        if not any(rule.allows(endpoint, address) for rule in permitted):
            _check_address(endpoint, address)
    return found


def _resolved(endpoint: Endpoint) -> list[str]:
    try:
        answers = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise StorageUnavailable(
            f"The storage at {endpoint.shown} has no address.", hint="Look at the name of its endpoint."
        ) from None
    return list(dict.fromkeys(str(answer[4][0]).partition("%")[0] for answer in answers))


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _check_address(endpoint: Endpoint, address: Address) -> None:
    kind = private_kind(address)
    if kind:
        raise _refused(endpoint, kind)


def _refused(endpoint: Endpoint, kind: str) -> EndpointNotAllowed:
    return EndpointNotAllowed(
        f"Connections may not reach {endpoint.shown}: it is an address of {kind}.", field="endpoint", hint=HINT
    )


def private_kind(address: Address) -> str:
    """What an address that is not public belongs to; empty for a public one. What is embedded in it counts, too."""
    inner = _embedded(address)
    if inner is not None and private_kind(inner):
        return private_kind(inner)
    if address.is_loopback or address.is_unspecified:
        return "the machine itself"
    if address.is_link_local:
        return "the local link"
    if address.is_multicast:
        return "a group"
    if isinstance(address, IPv6Address) and (address.is_site_local or inner is not None):
        return "a private network"
    return "" if address.is_global and not address.is_reserved else "a private network"


def _embedded(address: Address) -> IPv4Address | None:
    if isinstance(address, IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.teredo is not None:
        return address.teredo[1]
    if int(address) > 1:
        for network, behind in _EMBEDDING:
            if address in network:
                return IPv4Address((int(address) >> behind) & 0xFFFFFFFF)
    return None
