"""What a file is, by its name, where who sent it did not say."""

from __future__ import annotations

import mimetypes

_UNSAID = "application/octet-stream"
_OURS = {
    "jsonl": "application/x-ndjson", "ndjson": "application/x-ndjson", "json": "application/json", "csv": "text/csv",
    "tsv": "text/tab-separated-values", "txt": "text/plain", "parquet": "application/vnd.apache.parquet",
    "gz": "application/gzip", "zst": "application/zstd", "bz2": "application/x-bzip2",
}  # fmt: skip
"""By the end of the name; the system's own table differs from machine to machine."""


def media_type(name: str, said: str | None) -> str | None:
    """What was `said` at the upload; programs that do not know say `application/octet-stream`, or nothing."""
    if said is not None and said.partition(";")[0].strip().lower() != _UNSAID:
        return said
    end = name.rpartition(".")[2].lower()
    return _OURS.get(end) or mimetypes.guess_type(name)[0] or said
