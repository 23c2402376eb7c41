"""Secrets at rest: only the right key opens them, in the right place."""

from __future__ import annotations

import base64
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jobdeck.access.vault import KEY_FILE, SecretsUnreadable, UnusableSecretKey, Vault

SECRETS = {"password": "s3cret ä", "options": {"key": "\x00"}}


def test_what_was_sealed_is_opened_by_the_same_key_in_the_same_place(tmp_path: Path) -> None:
    sealed = Vault.in_home(tmp_path).seal(SECRETS, "connection:1/a")
    assert "s3cret" not in sealed
    again = Vault.in_home(tmp_path)
    assert again.open(sealed, "connection:1/a") == SECRETS
    assert again.seal(SECRETS, "connection:1/a") != sealed, "equal secrets do not look equal"
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600


def test_another_place_another_key_and_changed_text_open_nothing(tmp_path: Path) -> None:
    vault = Vault.in_home(tmp_path)
    sealed = vault.seal(SECRETS, "connection:1/a")
    other = Vault(base64.b64encode(os.urandom(32)).decode())
    changed = ("A" if sealed[20] != "A" else "B").join((sealed[:20], sealed[21:]))
    for opened, text, place in (
        (vault, sealed, "connection:1/b"), (other, sealed, "connection:1/a"), (vault, changed, "connection:1/a"),
        (vault, "", "connection:1/a"), (vault, "ä", "connection:1/a"),
    ):  # fmt: skip
        with pytest.raises(SecretsUnreadable):
            opened.open(text, place)


@pytest.mark.parametrize("key", ["", "short", "ä" * 43, base64.b64encode(b"x" * 31).decode()])
def test_a_key_is_32_bytes(key: str) -> None:
    with pytest.raises(UnusableSecretKey):
        Vault(key)


def test_of_many_that_start_at_once_all_use_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        vaults = list(threads.map(lambda _: Vault.in_home(tmp_path), range(8)))
    sealed = vaults[0].seal(SECRETS, "p")
    assert all(vault.open(sealed, "p") == SECRETS for vault in vaults)
    assert [p.name for p in tmp_path.iterdir()] == [KEY_FILE]
