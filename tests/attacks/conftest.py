"""One server for all attackers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.attacks.target import Target, target


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server that may have 512 files open, of which it is given 64."""
    with target(tmp_path_factory.mktemp("attacked") / "home", files=512) as made:
        yield made


@pytest.fixture(autouse=True)
def closing(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test leaves connections to the next one."""
    yield
    if "server" in request.fixturenames:
        request.getfixturevalue("server").close_all()
