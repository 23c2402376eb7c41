"""Options of an S3 storage: one table of names, one check, and their forms for each library that speaks to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from jobdeck.core.output.nearest import nearest
from jobdeck.storage.errors import InvalidStorageOption

_ALIASES = {
    "endpoint_url": "endpoint", "endpoint_url_s3": "endpoint", "default_region": "region", "token": "session_token",
    "bucket_name": "bucket", "requester_pays": "request_payer",
}  # fmt: skip
_TEXTS = {
    "access_key_id", "secret_access_key", "session_token", "region", "endpoint", "bucket", "checksum_algorithm",
    "conditional_put", "copy_if_not_exists", "metadata_endpoint", "server_side_encryption", "sse_kms_key_id",
    "sse_customer_key_base64", "container_credentials_relative_uri", "container_credentials_full_uri",
    "container_authorization_token_file", "web_identity_token_file", "role_arn", "role_session_name",
}  # fmt: skip
_FLAGS = {
    "skip_signature", "virtual_hosted_style_request", "unsigned_payload", "imdsv1_fallback", "sse_bucket_key_enabled",
    "request_payer", "disable_tagging", "s3_express", "disable_bulk_delete",
}  # fmt: skip
_CLIENT_TEXTS = {"proxy_url", "proxy_ca_certificate", "proxy_excludes"}
_CLIENT_FLAGS = {"allow_http", "allow_invalid_certificates", "http1_only", "http2_only"}
_CLIENT_TIMES = {"connect_timeout", "timeout", "pool_idle_timeout"}
_RETRY = {"max_retries", "retry_timeout"}
CLIENT = _CLIENT_TEXTS | _CLIENT_FLAGS | _CLIENT_TIMES
"""Options of the connection and not of the bucket; Delta takes all in one mapping, obstore takes them apart."""
NAMES = _TEXTS | _FLAGS | CLIENT | _RETRY

_SPAN = re.compile(r"(\d{1,6})(ms|s|m|h)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}
_WORDS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
_REGION = re.compile(r"[A-Za-z0-9-]{1,64}")
CONDITIONAL_PUTS = ("etag", "disabled")


@dataclass(frozen=True, slots=True)
class Options:
    """Checked options by their one name: `bucket` for the service, `client` for the way there, and the retries."""

    bucket: dict[str, str | bool] = field(default_factory=dict, repr=False)
    client: dict[str, str | bool] = field(default_factory=dict, repr=False)
    max_retries: int = 8
    retry_timeout: float = 60.0

    def retry(self) -> dict[str, Any]:
        """For obstore."""
        return {"max_retries": self.max_retries, "retry_timeout": timedelta(seconds=self.retry_timeout)}

    def for_tables(self) -> dict[str, str]:
        """For Delta: all in one mapping of texts. Commits need that a put can be made conditional."""
        given = {f"aws_{name}": _text(value) for name, value in self.bucket.items()}
        retry = {"max_retries": str(self.max_retries), "retry_timeout": f"{self.retry_timeout:g}s"}
        return {"aws_conditional_put": "etag", **given, **_texts(self.client), **retry}


def canonical(name: str) -> str:
    """`AWS_ENDPOINT_URL`, `aws_endpoint` and `endpoint` are one option."""
    plain = name.lower().removeprefix("aws_")
    return _ALIASES.get(plain, plain)


def parse(options: Mapping[str, str], setting: str = "storage_options", *, whole: bool = True) -> Options:
    """Raises InvalidStorageOption naming the option, never its value. Not `whole`: one key may be without the other."""
    bucket: dict[str, str | bool] = {}
    client: dict[str, str | bool] = {}
    retry: dict[str, float] = {}
    for given, value in options.items():
        name = canonical(given)
        _known(given, name, setting)
        if name in bucket or name in client or name in retry:
            raise InvalidStorageOption(f"Option '{name}' is given twice.", field=setting)
        if name in _RETRY:
            retry[name] = _number(name, value, setting) if name == "max_retries" else _time(name, value, setting)
        elif name in CLIENT:
            client[name] = _client_value(name, value, setting)
        else:
            bucket[name] = _flag(name, value, setting) if name in _FLAGS else value
    made = Options(bucket, client, int(retry.get("max_retries", 8)), retry.get("retry_timeout", 60.0))
    _check(made, setting)
    if whole and ("access_key_id" in made.bucket) != ("secret_access_key" in made.bucket):
        raise InvalidStorageOption("Options 'access_key_id' and 'secret_access_key' go together.", field=setting)
    return made


def _known(given: str, name: str, setting: str) -> None:
    if name not in NAMES or name == "bucket":
        known = sorted(NAMES - {"bucket"})
        hint = nearest(name, known).strip() or f"There are: {', '.join(known)}."
        raise InvalidStorageOption(f"There is no storage option '{given[:100]}'.", field=setting, hint=hint)


def _client_value(name: str, value: str, setting: str) -> str | bool:
    if name in _CLIENT_FLAGS:
        return _flag(name, value, setting)
    return f"{_time(name, value, setting):g}s" if name in _CLIENT_TIMES else value


def _flag(name: str, value: str, setting: str) -> bool:
    try:
        return _WORDS[value.strip().lower()]
    except KeyError:
        raise InvalidStorageOption(f"Option '{name}' is true or false.", field=setting) from None


def _number(name: str, value: str, setting: str) -> int:
    if not re.fullmatch(r"\d{1,3}", value):
        raise InvalidStorageOption(f"Option '{name}' is a number from 0 to 999.", field=setting)
    return int(value)


def _time(name: str, value: str, setting: str) -> float:
    match = _SPAN.fullmatch(value.strip())
    if match is None:
        raise InvalidStorageOption(f"Option '{name}' is a time such as 30s or 2m.", field=setting)
    return int(match[1]) * _SECONDS[match[2]]


def _check(made: Options, setting: str) -> None:
    """What the library would answer with a panic, or with words that help nobody."""
    for name, value in made.bucket.items():
        if isinstance(value, str) and (not value.isprintable() or not value.isascii()):
            raise InvalidStorageOption(f"Option '{name}' has characters that no storage takes.", field=setting)
    for name in ("endpoint", "metadata_endpoint"):
        if name in made.bucket:
            _check_address(
                name, str(made.bucket[name]), allow_http=made.client.get("allow_http") is True, setting=setting
            )
    if "proxy_url" in made.client:
        _check_address("proxy_url", str(made.client["proxy_url"]), allow_http=True, setting=setting)
    if not _REGION.fullmatch(str(made.bucket.get("region", "x"))):
        raise InvalidStorageOption("Option 'region' is a name such as eu-central-1.", field=setting)
    if made.bucket.get("conditional_put", "etag") not in CONDITIONAL_PUTS:
        raise InvalidStorageOption(f"Option 'conditional_put' is one of {', '.join(CONDITIONAL_PUTS)}.", field=setting)


def _check_address(name: str, text: str, *, allow_http: bool, setting: str) -> None:
    if not _is_address(text):
        raise InvalidStorageOption(
            f"Option '{name}' is no address.", field=setting, hint="Write https://host or http://host:port."
        )
    if text.startswith("http:") and not allow_http:
        raise InvalidStorageOption(
            f"Option '{name}' is an address without encryption.",
            field=setting,
            hint="Use https, or set allow_http=true.",
        )


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    odd = re.search(r"[\s\\\"<>^`{|}]", text)
    return text.startswith(("http://", "https://")) and bool(parts.hostname) and port != 0 and not odd


def _text(value: str | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else value


def _texts(values: Mapping[str, str | bool]) -> dict[str, str]:
    return {name: _text(value) for name, value in values.items()}
