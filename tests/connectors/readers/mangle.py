"""Random bytes, and valid files with something changed, cut out, doubled or put in."""

from __future__ import annotations

import random
from pathlib import Path

from tests.connectors.readers.made import Made
from tests.connectors.readers.packing import ENDINGS, packed, unpacked

PIECES = [
    b"", b"\n", b"\r", b"\r\n", b"\0", b'"', b'""', b",", b";", b"\t", b"|", b"\\", b"\xff", b"\xef\xbb\xbf", b"\xc3",
    b"{", b"}", b"[", b"]", b":", b"null", b"NaN", b"Infinity", b"1e999", b"-", b"007", b"9007199254740993", b"1.5",
    b"\\ud800", b"\\u0000", b"\xed\xa0\x80", b"true", b"{}", b"[]", b"//", b"#", b" ", b"\x1f\x8b", b"PAR1",
    b"PK\x03\x04",
    b"\xe2\x80\xa8", b"\xf0\x9f\x98\x80", b"x" * 100, b'{"a": 1}', b"a,b\n1,2\n", b"\x1a", b"sep=;\n", b"+5", b"'",
]  # fmt: skip
"""What files have that readers stumble over."""
HEADS = [
    b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\x1f\x8b\x08\0", b"PAR1", b"\x93NUMPY\x01\0v\0", b"PK\x03\x04",
    b"{", b"[", b"[{", b'{"a":', b"a,b\n", b"<", b"ORC", b"BZh9", b"\x28\xb5\x2f\xfd",
]  # fmt: skip
ENDS = {
    "csv": [".csv", ".tsv", ".txt", "", ".csv.gz", ".csv.bz2", ".csv.zst"],
    "json": [".json", ".json.gz"],
    "jsonl": [".jsonl", ".ndjson", ".jsonl.gz", ".jsonl.zst"],
    "parquet": [".parquet", ".pq"],
    "numpy": [".npy", ".npz"],
}


def random_bytes(r: random.Random, folder: Path, format: str) -> Made:
    """A file that is called one of `format`, of bytes or of pieces that such files have."""
    if r.random() < 0.4:
        body = r.randbytes(r.choice([0, 1, 2, 3, 7, 30, 300]))
    else:
        body = b"".join(r.choice(PIECES) for _ in range(r.randint(0, 25)))
    data = r.choice(HEADS) * (r.random() < 0.4) + body
    ending = r.choice(ENDS[format])
    compression = next((name for name, end in ENDINGS.items() if end and ending.endswith(end)), "")
    path = folder / f"made{ending}"
    path.write_bytes(packed(data, compression) if r.random() < 0.8 else data)
    return Made(path, format, "bytes", "random", compression=compression)


def mutated(r: random.Random, made: Made) -> Made:
    """`made` with a few changes, in its packed or in its plain bytes."""
    inside = bool(made.compression) and r.random() < 0.7
    data = bytearray(unpacked(made) if inside else made.path.read_bytes())
    for _ in range(r.choice([1, 1, 1, 2, 5])):
        _change(r, data)
    made.path.write_bytes(packed(bytes(data), made.compression) if inside else bytes(data))
    return Made(made.path, made.format, made.tool, "mutated", made.dialect, made.params, None, made.compression)


def _change(r: random.Random, data: bytearray) -> None:
    at = r.randint(0, len(data))
    until = min(len(data), at + r.choice([1, 1, 2, 8, 50]))
    match r.choice(["flip", "cut", "drop", "put", "put", "double", "swap"]):
        case "flip" if at < len(data):
            data[at] = r.randint(0, 255)
        case "cut":
            del data[at:]
        case "drop":
            del data[at:until]
        case "put":
            data[at:at] = r.choice(PIECES)
        case "double":
            data[at:at] = data[at:until]
        case "swap" if at < len(data):
            data[at:until] = r.choice(PIECES)
