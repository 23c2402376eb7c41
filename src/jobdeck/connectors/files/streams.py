"""Files as streams of bytes: unpacked, turned into UTF-8, bounded against bombs."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import zlib
from typing import IO, Any, Literal, cast

import pyarrow as pa

from jobdeck.connectors.errors import BadEncoding, FileDamaged, TooBigToRead

Compression = Literal["", "gzip", "zstd", "bz2"]
EXTENSIONS: dict[str, Compression] = {".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".zstd": "zstd", ".bz2": "bz2"}
MAGIC: dict[bytes, Compression] = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2"}
BOMB_FLOOR = 1 << 30
BOMB_RATIO = 200
"""A file may unpack to 1 GiB, or to 200 times its size if that is more; text data packs to a tenth or so."""
STEP = 1 << 20
PIECE = 1 << 17
"""Unpacked bytes that are asked for at a time: so near is the place told at which a file is damaged."""


class Sequential(io.RawIOBase):
    """Bytes that come about front to back, so that going on means doing all before again."""

    def __init__(self, raw: IO[bytes], name: str) -> None:
        self._raw, self._name = raw, name

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._raw.close()
        super().close()


class Unpacked(Sequential):
    """The unpacked bytes of a packed file, front to back."""

    def __init__(self, raw: IO[bytes], compression: Compression, size: int, name: str) -> None:
        super().__init__(raw, name)
        self._bound = max(BOMB_FLOOR, BOMB_RATIO * size)
        self._given = 0
        self._inner = _opened(raw, compression)
        # What was unpacked of a larger read is lost when the rest of it cannot be.
        self._next = getattr(self._inner, "read1", self._inner.read)
        self._compression = compression

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._next(min(len(buffer), PIECE))
        except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
            raise FileDamaged(
                f"{self._name} cannot be unpacked: {_reason(error, self._compression, self._given)}.",
                hint="It may be truncated; copy it again.",
            ) from error
        self._given += len(data)
        if self._given > self._bound:
            raise TooBigToRead(
                f"{self._name} unpacks to more than {self._bound} bytes.", hint="Unpack it yourself if this is meant."
            )
        buffer[: len(data)] = data
        return len(data)


def _opened(raw: IO[bytes], compression: Compression) -> Any:
    """The reader of the system's own for gzip takes neither the zeros that fill up blocks nor says what is wrong."""
    if compression == "gzip":
        return gzip.GzipFile(fileobj=raw, mode="rb")
    return bz2.BZ2File(raw) if compression == "bz2" else pa.CompressedInputStream(raw, compression)


def _reason(error: Exception, compression: Compression, given: int) -> str:
    if isinstance(error, EOFError):
        return f"it ends early, after {given} unpacked bytes"
    if isinstance(error, gzip.BadGzipFile) and "CRC" not in str(error) and "length" not in str(error):
        return f"behind its {given} unpacked bytes there is something that is no {compression}"
    return f"it is corrupt behind {given} unpacked bytes"


class Transcoded(Sequential):
    """Text of another encoding as UTF-8, front to back."""

    def __init__(self, raw: IO[bytes], encoding: str, name: str) -> None:
        super().__init__(raw, name)
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)("strict")
        self._waiting = b""
        self._read = 0
        self._ended = False

    def readinto(self, buffer: Any) -> int:
        while not self._waiting and not self._ended:
            self._fill()
        given = self._waiting[: len(buffer)]
        self._waiting = self._waiting[len(given) :]
        buffer[: len(given)] = given
        return len(given)

    def _fill(self) -> None:
        data = self._raw.read(STEP)
        self._ended = not data
        try:
            self._waiting = self._decoder.decode(data, final=self._ended).encode()
        except UnicodeError as error:
            place = error.start if isinstance(error, UnicodeDecodeError) else 0
            raise BadEncoding(
                f"{self._name} is not {self._encoding} near byte {self._read + place}.",
                hint="Set csv.encoding to the file's encoding; JSON is UTF-8, or UTF-16 with a byte order mark.",
            ) from error
        self._read += len(data)


def unpacked(raw: IO[bytes], compression: Compression, size: int, name: str) -> IO[bytes]:
    """The content of `raw`, a file of `size` bytes; reading it raises FileDamaged, TooBigToRead."""
    if not compression:
        return raw
    return cast("IO[bytes]", io.BufferedReader(Unpacked(raw, compression, size, name), STEP))


def transcoded(raw: IO[bytes], encoding: str, name: str) -> IO[bytes]:
    """`raw` as UTF-8; an empty `encoding` means that it is. Reading it raises BadEncoding."""
    if not encoding:
        return raw
    return cast("IO[bytes]", io.BufferedReader(Transcoded(raw, encoding, name), STEP))


def skip(stream: IO[bytes], count: int) -> None:
    """Go `count` bytes on, by seeking where that is possible without unpacking."""
    if not isinstance(getattr(stream, "raw", None), Sequential):
        stream.seek(count, io.SEEK_CUR)
        return
    while count > 0:
        data = stream.read(min(STEP, count))
        if not data:
            return
        count -= len(data)
