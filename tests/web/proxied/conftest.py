from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.web.deck import Deck
from tests.web.proxied.nginx import MISSING, Proxy, blocks, nginx, unpack

MORE = """
    location /other/place/ {
        proxy_pass http://jobdeck/;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-Prefix /other/place;
    }
}
"""
"""A second path, which the proxy takes off."""


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deck]:
    """A server that believes a proxy on this machine."""
    made = Deck(tmp_path_factory.mktemp("behind") / "home", {"JOBDECK_TRUSTED_PROXIES": "127.0.0.1"})
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def at_root(behind: Deck, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    yield from _running(behind, tmp_path_factory, blocks()[0])


@pytest.fixture(scope="module")
def below_path(behind: Deck, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    yield from _running(behind, tmp_path_factory, blocks()[1].rstrip().removesuffix("}") + MORE)


def _running(behind: Deck, tmp_path_factory: pytest.TempPathFactory, config: str) -> Iterator[Proxy]:
    unpack()
    if nginx() is None:
        if os.environ.get("CI"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    proxy = Proxy(tmp_path_factory.mktemp("nginx"), behind.port, config)
    proxy.start()
    yield proxy
    proxy.stop()
