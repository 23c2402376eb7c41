"""What a connection to a bucket says: the address and options it may give, and nothing from the surroundings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from jobdeck.core.output.nearest import nearest
from jobdeck.storage import endpoints, options
from jobdeck.storage.endpoints import Endpoint
from jobdeck.storage.errors import InvalidStorageOption

ALLOWED = (
    "access_key_id", "secret_access_key", "session_token", "region", "endpoint", "skip_signature",
    "virtual_hosted_style_request", "unsigned_payload", "request_payer", "allow_http", "timeout", "connect_timeout",
)  # fmt: skip
"""Options that a connection may give. Others reach for files, other servers, or do without a check (`proxy_url`)."""
DEFAULT_REGION = "us-east-1"
_BUCKET = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,253}[A-Za-z0-9])?")


SECRET = ("access_key_id", "secret_access_key", "session_token")
"""Options that are kept with the secrets, wherever they were written."""
_OWN = ("url", "options")


def shaped(spec: dict[str, Any], secrets: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options and secrets in the one form in which they are kept: all but the url below `options`, keys in the secrets.

    Raises InvalidStorageOption for a name that is none, and for one that is given twice."""
    open_ones, hidden = _collected(spec, "options"), _collected(secrets, "secrets")
    for name in [name for name in open_ones if options.canonical(name) in SECRET]:
        if any(options.canonical(name) == options.canonical(other) for other in hidden):
            raise InvalidStorageOption(
                f"'{name}' is among the secrets already.", field=f"secrets.options.{name}", hint="Give it once."
            )
        hidden[name] = open_ones.pop(name)
    made = {**({"url": spec["url"]} if "url" in spec else {}), **({"options": open_ones} if open_ones else {})}
    return made, {"options": hidden} if hidden else {}


def _collected(spec: Mapping[str, Any], field: str) -> dict[str, Any]:
    """The options of the bucket, from beside the url and from below `options`."""
    below = spec.get("options", {})
    if not isinstance(below, dict):
        raise InvalidStorageOption("The options of a bucket are a table of names and values.", field=f"{field}.options")
    found = dict(below)
    for name, value in spec.items():
        if (name in _OWN and field == "options") or name == "options":
            continue
        if any(options.canonical(name) == options.canonical(other) for other in found):
            raise InvalidStorageOption(f"Option '{name[:100]}' is given twice.", field=f"{field}.{name}"[:300])
        found[name] = value
    for name in found:
        if options.canonical(str(name)) not in ALLOWED:
            raise _unknown(str(name), field)
    return found


def _unknown(name: str, field: str) -> InvalidStorageOption:
    near = nearest(options.canonical(name), (*ALLOWED, "url")).strip()
    hint = near or f"There are: url, {', '.join(ALLOWED)}."
    if options.canonical(name) in options.NAMES:
        hint = f"It is an option of the installation's own storage. Allowed are: {', '.join(ALLOWED)}."
    return InvalidStorageOption(f"A connection to a bucket has no option '{name[:100]}'.", field=field, hint=hint)


def leads_to(spec: Mapping[str, Any]) -> tuple[str, str]:
    """The bucket, and the address at which it is asked for. Raises InvalidStorageOption."""
    bucket, _ = address(str(spec.get("url", "")))
    return bucket, endpoint(bucket, _parsed(spec)).url


def _parsed(spec: Mapping[str, Any]) -> options.Options:
    """Raises InvalidStorageOption; its field names the option that its text names."""
    named = given(spec)
    try:
        return options.parse(named, "options.options", whole=False)
    except InvalidStorageOption as error:
        faulty = next((name for name in named if f"'{name}'" in error.message), None)
        error.field = f"options.options.{faulty}" if faulty else error.field
        raise


def given(spec: Mapping[str, Any]) -> dict[str, str]:
    """The options that a connection's configuration names, by their one name. Raises InvalidStorageOption."""
    found = spec.get("options", {})
    if not isinstance(found, dict):
        raise InvalidStorageOption("The options of a bucket are a table of names and values.", field="options.options")
    beside = sorted(name for name in spec if options.canonical(name) in options.NAMES)
    if beside:
        raise InvalidStorageOption(
            f"Option '{beside[0][:100]}' stands beside the options of the bucket and not among them.",
            field="options",
            hint="Write keys, region and endpoint below options, or below options of the secrets.",
        )
    made: dict[str, str] = {}
    for name, value in found.items():
        plain = options.canonical(str(name))
        if plain not in ALLOWED:
            raise InvalidStorageOption(
                f"Option '{str(name)[:100]}' is not allowed in a connection.",
                field=f"options.options.{str(name)[:100]}",
                hint=f"Allowed are: {', '.join(ALLOWED)}.",
            )
        if not isinstance(value, str | bool | int):
            raise InvalidStorageOption(f"Option '{plain}' is a text.", field=f"options.options.{str(name)[:100]}")
        if plain in made:
            raise InvalidStorageOption(f"Option '{plain}' is given twice.", field=f"options.options.{str(name)[:100]}")
        made[plain] = str(value).lower() if isinstance(value, bool) else str(value)
    return made


def check(spec: Mapping[str, Any], allowed: Sequence[str]) -> None:
    """All that can be said of a connection without reaching out. Raises InvalidStorageOption, EndpointNotAllowed."""
    bucket, _ = address(str(spec.get("url", "")))
    parsed = _parsed(spec)
    endpoints.check_written(endpoint(bucket, parsed), allowed)


def address(url: str) -> tuple[str, str]:
    """Bucket and prefix of `s3://bucket/prefix`. Raises InvalidStorageOption."""
    scheme, found, rest = url.partition("://")
    bucket, _, prefix = rest.partition("/")
    if not found or scheme != "s3" or not _BUCKET.fullmatch(bucket) or ".." in bucket:
        raise InvalidStorageOption(
            "Connections of kind 'files' are S3 buckets.",
            field="options.url",
            hint="Set the url to s3://bucket/prefix.",
        )
    return bucket, prefix.strip("/")


def endpoint(bucket: str, made: options.Options) -> Endpoint:
    """Where it leads; Amazon's own address for its region where it names none."""
    named = made.bucket.get("endpoint")
    if named:
        return endpoints.parse(str(named))
    region = str(made.bucket.get("region", DEFAULT_REGION)).lower()
    host = f"s3.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"
    if made.bucket.get("virtual_hosted_style_request"):
        host = f"{bucket}.{host}"
    return endpoints.parse(f"https://{host}")


def complete(bucket: str, made: options.Options) -> tuple[dict[str, Any], dict[str, str] | None]:
    """Options of the bucket with which nothing is taken from environment or machine, and the keys to sign with.

    Without keys, requests are anonymous. Keys go by another way than the options: among those, the environment's
    session token would be put beside them."""
    keys = _keys(made)
    config: dict[str, Any] = {
        "region": str(made.bucket.get("region", DEFAULT_REGION)),
        "endpoint": endpoint(bucket, made).url,
        "aws_endpoint_url_s3": endpoint(bucket, made).url,
        "skip_signature": keys is None,
        "virtual_hosted_style_request": bool(made.bucket.get("virtual_hosted_style_request", False)),
        "unsigned_payload": bool(made.bucket.get("unsigned_payload", False)),
        "request_payer": bool(made.bucket.get("request_payer", False)),
        "imdsv1_fallback": False,
        "disable_tagging": False,
        "s3_express": False,
        "conditional_put": "etag",
    }
    return config, keys


def _keys(made: options.Options) -> dict[str, str] | None:
    if "access_key_id" not in made.bucket or made.bucket.get("skip_signature"):
        return None
    return {
        name: str(made.bucket[name])
        for name in ("access_key_id", "secret_access_key", "session_token")
        if name in made.bucket
    }
