"""Secrets in parameters are never shown, however deep they sit."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field, SecretStr

from jobdeck.core.jobtype import JobType
from jobdeck.core.registry import RegisteredType, TypeRegistry
from jobdeck.services.masking import MASK, Masker


class Login(BaseModel):
    user: str
    password: SecretStr
    key: str | None = Field(default=None, json_schema_extra={"writeOnly": True})


class Fetch(JobType):
    class Params(BaseModel):
        """What is fetched, and as whom."""

        url: str
        login: Login | None = None
        logins: list[Login] = []
        by_name: dict[str, Login] = {}


class Plain(JobType):
    class Params(BaseModel):
        """A field that only sounds secret."""

        token: str = ""


def mask(type_name: str, params: Any) -> Any:
    types = [RegisteredType(t.type_name(), "tests:X", t) for t in (Fetch, Plain, Program)]
    return Masker(TypeRegistry(types)).mask(type_name, params)


def test_what_the_schema_marks_is_masked() -> None:
    login = {"user": "u", "password": "p", "key": "k"}
    masked = {"user": "u", "password": MASK, "key": MASK}
    params = {"url": "x", "login": login, "logins": [login, login], "by_name": {"a": login}}
    shown = mask("fetch", params)
    assert shown == {"url": "x", "login": masked, "logins": [masked, masked], "by_name": {"a": masked}}
    assert params["login"] is login
    assert login["password"] == "p"
    assert mask("fetch", {"url": "x", "login": None}) == {"url": "x", "login": None}
    assert mask("fetch", {"url": "x", "login": {"key": None}}) == {"url": "x", "login": {"key": None}}


def test_a_text_whose_name_sounds_secret_is_masked_though_the_schema_does_not_mark_it() -> None:
    assert mask("plain", {"token": "t"}) == {"token": MASK}
    told = {"max_tokens": 5, "user": "u", "options": {"password": "p", "tokens": ["a", 1]}, "environment": {"A": "v"}}
    hidden = {"max_tokens": 5, "user": "u", "options": {"password": MASK, "tokens": [MASK, 1]}}
    assert mask("plain", told) == {**hidden, "environment": {"A": MASK}}


def test_of_a_type_that_is_gone_names_tell() -> None:
    params = {"url": "x", "auth": [{"apiKey": "k", "Password": "p", "user": "u"}], "secret": None}
    masked = {"apiKey": MASK, "Password": MASK, "user": "u"}
    assert mask("gone", params) == {"url": "x", "auth": [masked], "secret": None}


class Program(JobType):
    class Params(BaseModel):
        """Variables by pattern, and a pair of a name and a secret."""

        env: dict[Annotated[str, Field(pattern="^[A-Z]+$")], SecretStr] = {}
        pair: tuple[str, SecretStr] | None = None


def test_names_by_pattern_and_places_in_a_tuple_are_masked() -> None:
    params = {"env": {"A": "s3cret", "B": "s3cret"}, "pair": ["a", "s3cret"]}
    assert mask("program", params) == {"env": {"A": MASK, "B": MASK}, "pair": ["a", MASK]}


def test_variables_of_a_type_that_is_gone_are_masked() -> None:
    params = {"argv": ["a"], "env": {"HOST": "s3cret", "NONE": None}}
    assert mask("gone", params) == {"argv": ["a"], "env": {"HOST": MASK, "NONE": None}}
