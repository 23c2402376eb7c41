"""One table of options: for every library that speaks to the storage, and with words that people can act on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobdeck.storage import connection, options, stores
from jobdeck.storage.blobs import Blobs
from jobdeck.storage.errors import EndpointNotAllowed, InvalidStorageOption


def test_names_of_every_form_are_one_option() -> None:
    made = options.parse({
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "allow_http": "TRUE", "aws_default_region": "eu", "timeout": "90",
        "aws_connect_timeout": "1500ms", "max_retries": "3", "AWS_Access_Key_Id": "k", "secret_access_key": "s",
    })  # fmt: skip
    assert made.bucket == {
        "endpoint": "http://127.0.0.1:1", "region": "eu", "access_key_id": "k", "secret_access_key": "s",
    }  # fmt: skip
    assert made.client == {"allow_http": True, "timeout": "90s", "connect_timeout": "1.5s"}
    assert made.max_retries == 3
    tables = made.for_tables()
    assert (tables["aws_endpoint"], tables["allow_http"], tables["aws_conditional_put"]) == (
        "http://127.0.0.1:1", "true", "etag",
    )  # fmt: skip
    assert (tables["timeout"], tables["max_retries"]) == ("90s", "3")
    assert "secret" not in repr(made).replace("secret_access_key", "")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"endpont": "x"}, "no storage option 'endpont'"),
        ({"bucket": "x"}, "no storage option 'bucket'"),
        ({"endpoint": "https://a", "aws_endpoint_url": "https://b"}, "given twice"),
        ({"allow_http": "maybe"}, "true or false"),
        ({"skip_signature": ""}, "true or false"),
        ({"timeout": "soon"}, "a time such as 30s"),
        ({"max_retries": "-1"}, "a number"),
        ({"endpoint": "nonsense"}, "no address"),
        ({"endpoint": "http://127.0.0.1:1"}, "without encryption"),
        ({"endpoint": "https://a:99999"}, "no address"),
        ({"endpoint": "https://a b"}, "no address"),
        ({"endpoint": ""}, "no address"),
        ({"proxy_url": "::::"}, "no address"),
        ({"region": "x.evil.com/"}, "a name such as"),
        ({"region": ""}, "a name such as"),
        ({"conditional_put": "maybe"}, "one of etag"),
        ({"access_key_id": "k"}, "go together"),
        ({"secret_access_key": "SECRETVALUE"}, "go together"),
        ({"access_key_id": "k\n", "secret_access_key": "SECRETVALUE"}, "no storage takes"),
        ({"access_key_id": "ä", "secret_access_key": "SECRETVALUE"}, "no storage takes"),
    ],
)
def test_what_cannot_be_used_is_said_before_the_library_panics(given: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidStorageOption, match=words) as refused:
        Blobs("s3://bucket", given)
    assert "SECRETVALUE" not in refused.value.message


@pytest.mark.parametrize(
    "url", ["gs://b", "az://b", "http://b", "s3://", "s3://a b", "s3:b", "file:x", "nonsense", "memory://"]
)
def test_storages_that_are_not_supported(url: str) -> None:
    with pytest.raises(InvalidStorageOption, match="storage_url"):
        Blobs(url)


def test_every_known_option_can_be_opened() -> None:
    """What passes the check passes the library: no name in the table that it does not know."""
    values: dict[str, Any] = {
        "allow_http": "true", "http2_only": "false", "http1_only": "true", "conditional_put": "etag", "region": "eu",
        "timeout": "5s", "copy_if_not_exists": "multipart", "checksum_algorithm": "SHA256",
        "endpoint": "https://127.0.0.1:1", "proxy_url": "http://127.0.0.1:1", "server_side_encryption": "AES256",
        "metadata_endpoint": "https://127.0.0.1:1", "s3_express": "false",
    }  # fmt: skip
    for name in sorted(options.NAMES - {"bucket", "proxy_ca_certificate", "secret_access_key"}):
        given = {name: values.get(name, "true" if name in options._FLAGS | options._CLIENT_FLAGS else "5")}
        if name == "access_key_id":
            given["secret_access_key"] = "s"
        stores.own("s3://bucket", given)


@pytest.mark.parametrize(
    "name",
    ["proxy_url", "proxy_excludes", "proxy_ca_certificate", "allow_invalid_certificates", "metadata_endpoint",
     "imdsv1_fallback", "container_credentials_relative_uri", "container_credentials_full_uri", "sts_endpoint",
     "container_authorization_token_file", "web_identity_token_file", "role_arn", "role_session_name", "bucket",
     "aws_endpoint_url_sts", "google_service_account", "azure_storage_account_key", "user_agent", "max_retries",
     "s3_express", "copy_if_not_exists", "root_certificate", "default_headers"],
)  # fmt: skip
@pytest.mark.parametrize("form", ["{}", "aws_{}", "AWS_{}"])
def test_options_that_connections_may_not_give(name: str, form: str) -> None:
    spec = {"url": "s3://bucket", "options": {form.format(name): "SECRETVALUE"}}
    with pytest.raises(InvalidStorageOption, match="not allowed in a connection") as refused:
        connection.check(spec, ())
    assert "SECRETVALUE" not in refused.value.message


@pytest.mark.parametrize(
    "url",
    [
        "gs://b/x",
        "az://b",
        "abfss://c@a/x",
        "file:///etc",
        "http://b",
        "s3://",
        "",
        "s3://k:s@bucket/x",
    ],
)
def test_kinds_of_storage_that_connections_cannot_be(url: str) -> None:
    with pytest.raises(InvalidStorageOption, match="S3 buckets"):
        connection.check({"url": url}, ())


def test_keys_beside_the_options_are_refused_and_not_dropped() -> None:
    with pytest.raises(InvalidStorageOption, match="beside the options"):
        connection.check({"url": "s3://bucket", "aws_access_key_id": "k", "aws_secret_access_key": "s"}, ())


def test_an_endpoint_on_the_machine_itself_is_refused() -> None:
    spec = {"url": "s3://bucket", "options": {"aws_endpoint": "http://127.0.0.1:9", "aws_allow_http": True}}
    with pytest.raises(EndpointNotAllowed, match=r"127\.0\.0\.1:9"):
        connection.check(spec, ())
    connection.check(spec, ("127.0.0.1:9",))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "https://s3.us-east-1.amazonaws.com"),
        ({"region": "eu-central-1"}, "https://s3.eu-central-1.amazonaws.com"),
        ({"region": "cn-north-1"}, "https://s3.cn-north-1.amazonaws.com.cn"),
        ({"virtual_hosted_style_request": "true", "region": "eu-west-1"}, "https://bucket.s3.eu-west-1.amazonaws.com"),
        ({"endpoint": "https://minio.example.com:9000"}, "https://minio.example.com:9000"),
    ],
)
def test_where_a_connection_leads(given: dict[str, str], expected: str) -> None:
    assert connection.endpoint("bucket", options.parse(given)).url == expected


def test_the_environment_comes_back_after_a_connection_was_opened(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import os

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "WORKERKEY")
    spec = {"endpoint": "https://minio.example.com", "region": tmp_path.name[:20].replace("_", "-")}
    stores.foreign("s3://bucket", spec, ())
    assert os.environ["AWS_ACCESS_KEY_ID"] == "WORKERKEY"
