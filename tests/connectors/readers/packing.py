"""Packs and unpacks what trials write."""

from __future__ import annotations

import bz2
import gzip

import pyarrow as pa

from tests.connectors.readers.made import Made

ENDINGS = {"": "", "gzip": ".gz", "zstd": ".zst", "bz2": ".bz2"}


def packed(data: bytes, compression: str) -> bytes:
    if compression == "gzip":
        return gzip.compress(data, 1, mtime=0)
    if compression == "bz2":
        return bz2.compress(data, 1)
    if compression == "zstd":
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, "zstd") as out:
            out.write(data)
        return bytes(sink.getvalue())
    return data


def unpacked(made: Made) -> bytes:
    """The content of the file, as peers are given it."""
    data = made.path.read_bytes()
    if made.compression == "gzip":
        return gzip.decompress(data)
    if made.compression == "bz2":
        return bz2.decompress(data)
    if made.compression == "zstd":
        return bytes(pa.CompressedInputStream(pa.BufferReader(data), "zstd").read())
    return data
