"""What goes wrong with object storage, one class a cause: never with the answer's body or a library's own dump."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from obstore.exceptions import BaseError

from jobdeck.core.errors import DiskFull, InvalidInput, JobdeckError, Unavailable


class InvalidStorageOption(InvalidInput, code="invalid_storage_option"):
    """An address or an option of a storage is unknown, not allowed, or has a value that cannot be used."""


class EndpointNotAllowed(InvalidInput, code="endpoint_not_allowed"):
    """A connection leads to an address that connections may not reach."""


class StorageUnavailable(Unavailable, code="storage_unavailable"):
    """The storage does not answer, or answers that something is wrong with itself."""


class StorageRefused(Unavailable, code="storage_refused", retryable=False):
    """The storage does not accept the keys, or they do not allow what was asked."""


class BucketMissing(Unavailable, code="bucket_not_found", retryable=False):
    """The storage has no such bucket."""


OBJECT_STORAGE = "The object storage"
"""What the installation's own storage is called."""

_STATUS = re.compile(r"status code\D{1,60}?(\d{3})\b")
_COLOURS = re.compile(r"\x1b\[\d+m")
_FULL = tuple(os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT))
_OPTIONS_AT_FAULT = ("Generic Config error", "builder error", "UnknownConfigurationKey", "is not valid for store")
_STORAGE_WORDS = (
    "Generic S3 error",
    "object_store",
    "status code",
    "lacked the necessary privileges",
    "error sending request",
)


@contextmanager
def told(who: str, bucket: str = "", refusal: Callable[[], JobdeckError | None] = lambda: None) -> Iterator[None]:
    """Errors of storage libraries as ours: `who` is the storage as people know it.

    `refusal`: what was refused on the way, if anything was. FileNotFoundError stays what it is. The library's own text
    is not even kept as the cause: tracebacks are shown to people, too."""
    try:
        yield
    except JobdeckError:
        raise
    except FileNotFoundError as error:
        if "NoSuchBucket" in str(error):
            raise _bucket_missing(who, bucket) from None
        if "Object at location" not in str(error):
            raise
        raise FileNotFoundError(errno.ENOENT, "There is no such object") from None
    except Exception as error:
        if not is_storage_error(error):
            raise
        raise (refusal() or explained(str(error), who, bucket)) from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise InvalidStorageOption(f"{who} cannot be used with these options.", hint="Look at its address.") from None


def is_storage_error(error: BaseException) -> bool:
    """Whether a storage library raised it; Delta's raises ordinary classes and tells by words."""
    if isinstance(error, BaseError):
        return True
    return type(error).__name__ in ("OSError", "DeltaError", "CommitFailedError") and any(
        word in str(error) for word in _STORAGE_WORDS
    )


def explained(text: str, who: str, bucket: str = "") -> JobdeckError:
    """The error that a library's `text` stands for."""
    plain = _COLOURS.sub("", text)
    if any(words in plain for words in _FULL):
        return DiskFull(
            f"{who} has no room left: its disk is full.", hint="Make room on it; everything goes on by itself."
        )
    if "LocalFileSystem" in plain:
        return _of_a_folder(plain, who)
    if "NoSuchBucket" in plain:
        return _bucket_missing(who, bucket)
    status = _STATUS.search(plain)
    if status is not None:
        return _answered(int(status[1]), who, bucket)
    if any(words in plain for words in ("lacked the necessary privileges", "Unauthenticated", "AccessDenied")):
        return _answered(403, who, bucket)
    if "without LOCATION" in plain or "redirect" in plain:
        return _answered(301, who, bucket)
    if any(words in plain for words in _OPTIONS_AT_FAULT):
        return InvalidStorageOption(
            f"{who} cannot be used with these options.", hint="Look at its address and options."
        )
    return StorageUnavailable(f"{who} does not answer.", hint="Look at its address, and whether it runs.")


def _bucket_missing(who: str, bucket: str) -> BucketMissing:
    named = f" '{bucket}'" if bucket else ""
    return BucketMissing(f"{who} has no bucket{named}.", hint="Make the bucket, or correct its name in the address.")


def _answered(status: int, who: str, bucket: str) -> JobdeckError:
    of = f" The bucket is '{bucket}'." if bucket else ""
    if status in (401, 403):
        return StorageRefused(
            f"{who} refused the keys ({status}).{of}",
            hint="Look at the name of the bucket, the keys, what they allow, and the clock.",
        )
    if 300 <= status < 400 or status == 421:
        return StorageUnavailable(
            f"{who} answered with a redirect, which is not followed.{of}", hint="Look at its region and endpoint."
        )
    return StorageUnavailable(f"{who} answered {status}.{of}", hint="Look at its address and its own log.")


def _of_a_folder(text: str, who: str) -> StorageUnavailable:
    """Why a local folder could not be used, in the system's words."""
    reason = next((os.strerror(n) for n in _TELLING if os.strerror(n) in text), "")
    return StorageUnavailable(
        f"{who} cannot be used{': ' + reason if reason else ''}.", hint="Look at its disk and the rights of its folder."
    )


_TELLING = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENAMETOOLONG, errno.ENOTDIR,
    errno.EISDIR, errno.ESTALE, errno.ETIMEDOUT,
)  # fmt: skip
