"""Memory that is not used any more goes back to the system."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_MAPPED = """
import ctypes, sys
from jobdeck.cli.serve import give_back_memory

class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd a b c d e".split()]

libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Info
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
give_back_memory()
libc.free(libc.malloc(ctypes.c_size_t(8_000_000)))  # after this, glibc takes all smaller ones from its heap
before = libc.mallinfo2().hblks
libc.malloc(ctypes.c_size_t(200_000))
print(libc.mallinfo2().hblks - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc's allocator")
def test_a_large_block_is_a_mapping_of_its_own() -> None:
    found = subprocess.run([sys.executable, "-c", _MAPPED], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "1"
