"""Tokens: made once, kept as hashes, refused as soon as they have ended."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from jobdeck.access.caller import Authenticator, Role, TokenText
from jobdeck.access.tokens import TokenWish, issue, revoke
from jobdeck.core.errors import Unauthenticated
from jobdeck.store import projects
from jobdeck.store.access import principals, tokens
from jobdeck.store.schema import tokens as table
from jobdeck.store.sql.clock import SetClock
from jobdeck.store.sql.database import Database, Tx


async def make(database: Database, name: str = "ci", expires_in: float | None = None) -> str:
    async def work(tx: Tx) -> str:
        project = await projects.by_name(tx.connection, "p") or await projects.create(tx, "p", "P", 1.0, None)
        expires_at = tx.now + int(expires_in * 1_000_000) if expires_in else None
        _, text = await issue(
            tx,
            TokenWish(await principals.ensure(tx, name), name, Role.OPERATOR, project.id, project.name, expires_at),
            "admin",
        )
        return str(text)

    return await database.transact(work)


async def stored(database: Database) -> list[tokens.StoredToken]:
    async with database.read() as connection:
        return await tokens.page(connection, None, 0, 100)


def clock(database: Database) -> SetClock:
    assert isinstance(database.clock, SetClock)
    return database.clock


async def test_a_token_says_who_asks(database: Database) -> None:
    caller = await Authenticator(database).caller(await make(database))
    assert (caller.name, caller.role, caller.project) == ("ci", Role.OPERATOR, "p")


async def test_the_secret_is_nowhere_in_the_database(database: Database) -> None:
    text = await make(database)
    async with database.read() as connection:
        row = (await connection.execute(select(table))).mappings().one()
    parsed = TokenText.parse(text)
    assert parsed is not None
    assert parsed.secret not in str(dict(row))
    assert row["hash"] == parsed.hash
    assert parsed.secret not in repr(parsed)


def test_tokens_have_256_random_bits() -> None:
    made = {TokenText.new() for _ in range(200)}
    assert len({t.secret for t in made}) == len({t.lookup for t in made}) == 200
    assert all(len(t.secret) == 43 for t in made)
    assert all(TokenText.parse(str(t)) == t for t in made)


@pytest.mark.parametrize("change", ["secret", "lookup", "case", "short", "long", "newline", "empty", "nul", "unicode"])
async def test_what_is_not_the_token_is_refused(database: Database, change: str) -> None:
    text = await make(database)
    other = await make(database, "other")
    changed = {
        "secret": text[:20] + other[20:],
        "lookup": other[:20] + text[20:],
        "case": text.upper(),
        "short": text[:-1],
        "long": text + "x",
        "newline": f"{text[:30]}\n{text[30:]}",
        "empty": "",
        "nul": f"{text}\0",
        "unicode": f"{text[:-1]}ä",
    }[change]
    with pytest.raises(Unauthenticated):
        await Authenticator(database).caller(changed)


async def test_an_expired_token_is_refused(database: Database) -> None:
    text = await make(database, expires_in=60)
    authenticator = Authenticator(database)
    await authenticator.caller(text)
    clock(database).advance(59.9)
    await authenticator.caller(text)
    clock(database).advance(0.1)
    with pytest.raises(Unauthenticated, match="expired"):
        await authenticator.caller(text)


async def test_a_revoked_token_is_refused_at_once(database: Database) -> None:
    text = await make(database)
    authenticator = Authenticator(database)
    await authenticator.caller(text)
    (token,) = await stored(database)
    await database.transact(lambda tx: revoke(tx, token, "admin"))
    with pytest.raises(Unauthenticated, match="revoked"):
        await authenticator.caller(text)
    first = (await stored(database))[0].revoked_at
    clock(database).advance(10)
    await database.transact(lambda tx: revoke(tx, token, "admin"))
    assert (await stored(database))[0].revoked_at == first


async def test_its_use_is_noted_at_most_once_a_minute(database: Database) -> None:
    text = await make(database)
    authenticator = Authenticator(database)
    seen = []
    for seconds in (0, 30, 29, 2, 30):
        clock(database).advance(seconds)
        await authenticator.caller(text)
        seen.append((await stored(database))[0].last_used_at)
    assert seen[0] == seen[1] == seen[2]
    assert seen[3] == seen[4] == (seen[0] or 0) + 61_000_000
