"""Which server a client talks to, and with which token."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from jobdeck.core.errors import InvalidInput
from jobdeck.core.home import ADDRESS, ADMIN_TOKEN, default_home

DEFAULT_URL = "http://127.0.0.1:8380"
DEFAULT_PROJECT = "default"
PROJECT_VARIABLE = "JOBDECK_PROJECT"
URL_VARIABLE = "JOBDECK_URL"
TOKEN_VARIABLE = "JOBDECK_TOKEN"  # noqa: S105 - a name, not a secret


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the server is, without a trailing slash, and the token to show it, if any."""

    url: str
    token: str | None = field(default=None, repr=False)
    unread: str | None = None
    """Why the administrator's token in the home folder could not be read, where it is there."""
    origin: str = ""
    """Why this address is asked, as a sentence; empty where it was given."""

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine by its address."""
        return is_loopback(urlsplit(self.url).hostname or "")


def resolve(url: str | None, token: str | None, home: str | Path | None) -> Settings:
    """What was given, else the environment, else where the home was served last, else the defaults; raises InvalidInput
    for an address that is none, and for a token that is empty.

    The administrator's token in the home folder goes only to this machine, unless that folder was named."""
    folder = Path(home).expanduser() if home is not None else default_home()
    found, origin = (url, "") if url else _address_without(folder)
    address = _address(found)
    secret, unread = _named_token(token), None
    if secret is None and (home is not None or is_loopback(urlsplit(address).hostname or "")):
        secret, unread = _token_in(folder)
    if secret and not secret.isascii():
        raise InvalidInput("The token has characters that no token has.", field="token", hint="Copy it again.")
    return Settings(address, secret, unread, origin)


def _named_token(given: str | None) -> str | None:
    """What was given, else the environment. An empty one is a slip, such as a variable of a build that was not set:
    going on as the home's administrator would be a surprise."""
    named = given if given is not None else os.environ.get(TOKEN_VARIABLE)
    if named is not None and not named.strip():
        name = "The token" if given is not None else TOKEN_VARIABLE
        raise InvalidInput(f"{name} is empty.", field="token", hint="Name a token, or leave it out (unset it).")
    return named.strip() if named else None


def _address_without(home: Path) -> tuple[str, str]:
    """The address to ask where none was given, and why it is that one."""
    if named := os.environ.get(URL_VARIABLE):
        return named, f"{URL_VARIABLE} names this address."
    served, unread = _last_served(home)
    if served:
        return served, f"There the home {home} was served last."
    if unread:
        return DEFAULT_URL, f"Where the home {home} was served last is not known, so the usual one was asked: {unread}"
    return DEFAULT_URL, f"Nothing has served the home {home} yet (--home, JOBDECK_HOME), so the usual one was asked."


def named_project() -> str | None:
    """The project that the environment names, if it does."""
    return os.environ.get(PROJECT_VARIABLE) or None


def is_loopback(host: str) -> bool:
    """Whether `host` names this machine and no other."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _address(text: str) -> str:
    if not _is_address(text):
        hint = f"Write it like {DEFAULT_URL}."
        raise InvalidInput(f"'{text}' is not the address of a server.", field="url", hint=hint)
    return text.rstrip("/")


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _last_served(home: Path) -> tuple[str | None, str | None]:
    """The address at which a server of this home listened last, or why it could not be read though it is there."""
    text, unread = _read(home / ADDRESS)
    return (text if text and _is_address(text) else None), unread


def _token_in(home: Path) -> tuple[str | None, str | None]:
    """The token, or why it could not be read though it is there."""
    return _read(home / ADMIN_TOKEN)


def _read(path: Path) -> tuple[str | None, str | None]:
    """The text of a file, or why it could not be read though it is there."""
    try:
        return path.read_text(encoding="utf-8").strip() or None, None
    except (FileNotFoundError, NotADirectoryError):
        return None, None
    except OSError as error:
        return None, f"{path} cannot be read: {error.strerror or error}."
    except UnicodeDecodeError:
        return None, f"{path} holds no text."
