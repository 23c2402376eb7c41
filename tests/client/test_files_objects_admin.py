from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from jobdeck.client import Client, InvalidInput, NotFound, PandasMissing, UnexpectedAnswer
from jobdeck.wire.jobs import SubmitRequest
from tests.client.contract_server import ContractServer, Fault

CONTENT = bytes(range(256)) * 5000


def test_a_file_travels_there_and_back(client: Client, server: ContractServer, tmp_path: Path) -> None:
    source = tmp_path / "Ä; name=x.csv"
    source.write_bytes(CONTENT)
    file = client.files.upload(source, tags=["a", "b"])
    assert (file.name, file.bytes) == (source.name, len(CONTENT))
    assert b'name="tags"' in server.seen[-1].body
    assert client.files.download(file.id, tmp_path / "back").read_bytes() == CONTENT
    assert [f.id for f in client.files.list()] == [file.id]
    client.files.delete(file.id)
    assert not server.files


def test_an_upload_that_broke_starts_from_the_beginning(client: Client, server: ContractServer) -> None:
    server.faults = [Fault("POST", "/projects/default/files", "drop")]
    file = client.files.upload(io.BytesIO(CONTENT), name="x.bin")
    first, second = server.requests("POST", "/projects/default/files")
    assert first.body == second.body
    assert file.bytes == len(CONTENT)


def test_an_empty_file_is_a_file(client: Client, server: ContractServer, tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    assert client.files.upload(tmp_path / "empty").bytes == 0


def test_bytes_are_a_file(client: Client, server: ContractServer) -> None:
    file = client.files.upload(CONTENT, name="x.bin")
    assert (file.name, file.bytes) == ("x.bin", len(CONTENT))
    assert client.files.upload(b"").name == "upload"


def test_what_cannot_be_sent_is_an_error_of_the_client(client: Client) -> None:
    with pytest.raises(InvalidInput) as told:
        client.jobs.submit("noop", priority=11)
    assert told.value.field == "priority"


def test_a_damaged_download_leaves_nothing(client: Client, server: ContractServer, tmp_path: Path) -> None:
    file = client.files.upload(io.BytesIO(CONTENT), name="x.bin")
    server.files[file.id] = (server.files[file.id][0], CONTENT[:-1])
    with pytest.raises(UnexpectedAnswer, match="damaged"):
        client.files.download(file.id, tmp_path / "back")
    assert not list(tmp_path.iterdir())


def test_objects_are_named_by_their_reference(client: Client, server: ContractServer) -> None:
    assert [o.ref for o in client.objects.list()] == ["lake/in.shop/orders"]
    ref = "lake/in.shop/100%25 Ü?#"
    found = client.objects.describe(ref)
    assert found.ref == ref
    assert [c.name for c in found.columns] == ["id", "name"]
    assert client.objects.rows(ref, limit=2, version="3").items[1]["id"] == 2**60
    assert server.seen[-1].query == {"limit": ["2"], "version": ["3"]}
    assert client.objects.versions(ref)[0].job == 7


def test_the_project_of_the_environment_holds(
    client: Client, server: ContractServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In all that is about one project, unless another one is named."""
    monkeypatch.setenv("JOBDECK_PROJECT", "shop")
    assert client.jobs.submit("sleep").project == "shop"
    assert [job.project for job in client.jobs.submit_all([SubmitRequest(type="sleep")])] == ["shop"]
    assert client.jobs.submit("sleep", project="other").project == "other"
    assert [job.project for job in client.jobs.list()] == ["shop", "shop"]
    assert [job.project for job in client.jobs.list(project="other")] == ["other"]
    client.files.upload(io.BytesIO(b"x"), name="x")
    client.objects.describe("lake/b/t")
    client.limits.set("type:sleep", 2)
    client.connections.create("c", "files")
    client.configurations.list()
    assert [seen.path.split("/")[2] for seen in server.seen[-5:]] == ["shop"] * 5
    monkeypatch.delenv("JOBDECK_PROJECT")
    assert client.jobs.submit("sleep").project == "default"
    assert len(list(client.jobs.list())) == 4


def test_frames_without_pandas_say_what_to_install(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(PandasMissing) as missing:
        client.objects.to_pandas("lake/b/t")
    assert "pip install pandas" in str(missing.value.hint)


def test_limits_are_named_by_their_resource(client: Client, server: ContractServer) -> None:
    assert client.limits.set("object:lake/b/t", 3).capacity == 3
    assert server.limits == {"object:lake/b/t": 3}
    assert [limit.holders for limit in client.limits.list()] == [[1]]
    client.limits.clear("object:lake/b/t")
    assert not server.limits


def test_a_token_is_shown_once_and_never_in_a_repr(client: Client, server: ContractServer) -> None:
    made = client.tokens.create("ci", "operator", project="default", expires_in_days=7)
    assert made.token == "jd_new_secret"
    assert "jd_new_secret" not in repr(made)
    assert server.seen[-1].json == {"name": "ci", "role": "operator", "project": "default", "expires_in_days": 7}
    assert "jd_secret" not in repr(client.tokens.list())
    client.tokens.revoke(made.id)


def test_one_more_token_of_a_principal_is_asked_for_by_the_name_of_the_contract(
    client: Client, server: ContractServer
) -> None:
    client.tokens.create("second", "viewer", whose="alice")
    assert server.seen[-1].json == {"name": "second", "role": "viewer", "for": "alice"}


def test_the_rest_of_administration(client: Client, server: ContractServer) -> None:
    assert client.health().status == "ok"
    assert client.projects.list()[0].name == "default"
    assert client.projects.create("shop", weight=2).weight == 2
    assert client.workers.list()[0].running == [1]
    assert client.workers.drain("w1").state == "draining"
    assert client.types.get("sleep").params_schema["type"] == "object"
    assert [t.name for t in client.types.list()] == ["sleep"]
    assert client.configurations.create("nightly", "sleep", {"seconds": 1}).params == {"seconds": 1}
    assert client.configurations.list() == []
    assert client.connections.list()[0].kind == "lake"
    assert client.connections.get("bucket").options["url"] == "s3://b/p"
    assert client.connections.change("bucket", {"region": None}).name == "bucket"
    assert server.seen[-1].json == {"options": {"region": None}, "secrets": {}}
    assert client.connections.test("good").ok
    assert client.projects.get("shop").weight == 2
    assert client.configurations.change(3, name="daily").version == 3
    assert server.seen[-1].json["params"] == client.configurations.get(3).params
    client.configurations.delete(3)


def test_pauses_and_limits_of_all_projects(client: Client, server: ContractServer) -> None:
    assert client.pauses.set("project:a b", "upgrade").reason == "upgrade"
    assert [p.scope for p in client.pauses.list()] == ["project:a b"]
    assert client.pauses.get("project:a b").by == "admin"
    client.pauses.clear("project:a b")
    with pytest.raises(NotFound):
        client.pauses.get("project:a b")
    assert client.limits.set("type:sleep", 3, instance=True).capacity == 3
    assert server.seen[-1].path == "/limits/type%3Asleep"
    assert [x.resource for x in client.limits.list(instance=True)] == ["type:sleep"]
    client.limits.clear("type:sleep", instance=True)
    assert not server.limits


@pytest.mark.parametrize("ref", ["shop.orders", "lake", "lake/", "/orders", ""])
def test_what_is_no_reference_is_refused_by_the_name_that_was_given(
    client: Client, server: ContractServer, ref: str
) -> None:
    objects = client.objects
    for look in (objects.rows, objects.describe, objects.versions, objects.to_arrow):
        with pytest.raises(InvalidInput, match=f"'{ref}' is not an object reference") as refused:
            look(ref)
        assert refused.value.hint == "Write <connection>/<path>, for example lake/in.shop/orders."
    assert not server.seen
