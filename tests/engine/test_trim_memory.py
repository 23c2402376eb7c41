"""Memory that is not used any more goes back to the system."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_HOLES = """
import asyncio, psutil
from jobdeck.engine.duties.trim_memory import trim_memory

blocks = [bytearray(100_000) for _ in range(2000)]
stays = blocks[::20]  # so that no end of the heap is free
del blocks
before = psutil.Process().memory_info().rss
asyncio.run(trim_memory())
print(before - psutil.Process().memory_info().rss)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc's allocator")
def test_holes_between_what_stays_go_back() -> None:
    found = subprocess.run([sys.executable, "-c", _HOLES], capture_output=True, text=True, check=True, timeout=60)
    assert int(found.stdout) > 100_000_000
