"""Sessions and login links, on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from jobdeck.access.caller import Authenticator, Role, TokenText
from jobdeck.access.sessions import (
    DAY,
    LINK_LIFE,
    MOST_LINKS,
    MOST_SESSIONS,
    BrowserSessions,
    Device,
    LoginLinkEnded,
    LoginLinkUsed,
)  # fmt: skip
from jobdeck.access.tokens import TokenWish, issue
from jobdeck.core.errors import NotFound, Unauthenticated
from jobdeck.store.access import principals, tokens
from jobdeck.store.access import sessions as stored_sessions
from jobdeck.store.schema import login_links, sessions
from jobdeck.store.sql.database import Database, Tx
from jobdeck.store.sql.events import read_after


@pytest.fixture
async def keeper(database: Database) -> BrowserSessions:
    return BrowserSessions(database, Authenticator(database), days=14)


@pytest.fixture
async def token(database: Database) -> TokenText:
    """Of a viewer, who expires when it is told to."""

    async def work(tx: Tx) -> TokenText:
        return (await issue(tx, TokenWish(await principals.ensure(tx, "ann"), "ann", Role.VIEWER), "test"))[1]

    return await database.transact(work)


async def put(database: Database, **columns: int) -> None:
    """Write columns of every session and link, as time would."""

    async def work(tx: Tx) -> None:
        for table in (sessions, login_links):
            known = {name: value for name, value in columns.items() if name in table.c}
            if known:
                await tx.connection.execute(update(table).values(known))

    await database.transact(work)


async def test_a_session_acts_as_its_token(keeper: BrowserSessions, token: TokenText) -> None:
    begun = await keeper.begin(str(token))
    session = await keeper.find(begun.cookie)
    assert (session.caller.name, session.caller.role) == ("ann", Role.VIEWER)
    assert session.caller.session == session.hash
    token_of_page = session.csrf_token()
    assert token_of_page != session.csrf_token()
    assert session.proves(token_of_page)
    other = await keeper.find((await keeper.begin(str(token))).cookie)
    for wrong in (None, "", session.csrf, token_of_page[:-2], "00" * 43, "ä", other.csrf_token()):
        assert not session.proves(wrong)


async def test_logins_and_logouts_are_told_and_open_nothing(
    database: Database, keeper: BrowserSessions, token: TokenText
) -> None:
    by_token = await keeper.begin(str(token))
    link = await keeper.make_link(by_token.caller)
    by_link = await keeper.begin_by_link(link.code)
    session = await keeper.find(by_token.cookie)
    for _ in range(2):
        await keeper.end(session)  # the second time nothing happens, and nothing is told
    async with database.read() as connection:
        told = [event for event in await read_after(connection, 0, 100) if event.kind.startswith("session.")]
    assert [(event.kind, event.data.get("by")) for event in told] == [
        ("session.begun", "token"), ("session.begun", "link"), ("session.ended", None),
    ]  # fmt: skip
    assert {(event.actor, event.data["token"]) for event in told} == {("ann", session.caller.token_id)}
    assert [event.data["session"] == session.public_id for event in told] == [True, False, True]
    for secret in (by_token.cookie, by_link.cookie, link.code, str(token), session.hash, session.csrf):
        assert secret not in str(told)


async def test_neither_cookie_nor_code_is_stored(database: Database, keeper: BrowserSessions, token: TokenText) -> None:
    begun = await keeper.begin(str(token))
    link = await keeper.make_link(begun.caller)
    async with database.read() as connection:
        rows = [*(await connection.execute(select(sessions))), *(await connection.execute(select(login_links)))]
    assert len(rows) == 2
    assert begun.cookie not in str(rows)
    assert link.code not in str(rows)


@pytest.mark.parametrize("cookie", ["", "x" * 43, "x" * 10_000, "\udcff" * 43])
async def test_an_unknown_cookie_is_refused(keeper: BrowserSessions, cookie: str) -> None:
    with pytest.raises(Unauthenticated, match="ended"):
        await keeper.find(cookie)


async def test_a_session_slides_on_with_use_and_ends_without(
    database: Database, keeper: BrowserSessions, token: TokenText
) -> None:
    cookie = (await keeper.begin(str(token))).cookie
    now = await database.now()
    await put(database, last_seen_at=now - 2 * DAY, expires_at=now + DAY)
    await keeper.find(cookie)
    session = await keeper.find(cookie)
    async with database.read() as connection:
        found = await stored_sessions.by_hash(connection, session.hash)
    assert found is not None
    assert found.expires_at >= now + 14 * DAY
    await put(database, expires_at=now)
    with pytest.raises(Unauthenticated, match="ended"):
        await keeper.find(cookie)


async def test_it_ends_by_logging_out_and_with_its_token(
    database: Database, keeper: BrowserSessions, token: TokenText
) -> None:
    first, second = await keeper.begin(str(token)), await keeper.begin(str(token))
    await keeper.end(await keeper.find(first.cookie))
    with pytest.raises(Unauthenticated):
        await keeper.find(first.cookie)
    session = await keeper.find(second.cookie)
    await database.transact(lambda tx: tokens.revoke(tx, session.caller.token_id))
    with pytest.raises(Unauthenticated, match="revoked"):
        await keeper.find(second.cookie)


async def test_a_link_opens_once(keeper: BrowserSessions, token: TokenText) -> None:
    code = (await keeper.make_link((await keeper.begin(str(token))).caller)).code
    assert (await keeper.peek(code)).name == "ann"
    assert (await keeper.peek(code)).name == "ann"
    begun = await keeper.begin_by_link(code)
    assert (await keeper.find(begun.cookie)).caller.name == "ann"
    for again in (keeper.peek, keeper.begin_by_link):
        with pytest.raises(LoginLinkUsed):
            await again(code)


async def test_a_link_ends_after_an_hour_and_with_its_token(
    database: Database, keeper: BrowserSessions, token: TokenText
) -> None:
    caller = (await keeper.begin(str(token))).caller
    link = await keeper.make_link(caller)
    now = await database.now()
    assert now < link.expires_at <= now + LINK_LIFE
    await put(database, expires_at=now)
    with pytest.raises(LoginLinkEnded):
        await keeper.begin_by_link(link.code)
    link = await keeper.make_link(caller)
    await database.transact(lambda tx: tokens.revoke(tx, caller.token_id))
    with pytest.raises(Unauthenticated, match="revoked"):
        await keeper.begin_by_link(link.code)
    with pytest.raises(LoginLinkEnded):
        await keeper.peek("guessed")


async def test_what_has_ended_is_removed(database: Database, keeper: BrowserSessions, token: TokenText) -> None:
    kept = await keeper.begin(str(token))
    await keeper.begin(str(token))
    await keeper.make_link(kept.caller)
    now = await database.now()
    await put(database, expires_at=now - 1)
    again = await keeper.begin(str(token))
    await database.transact(lambda tx: stored_sessions.remove_ended(tx, tx.now, tx.now))
    async with database.read() as connection:
        assert len((await connection.execute(select(sessions))).all()) == 1
        assert not (await connection.execute(select(login_links))).all()
    assert (await keeper.find(again.cookie)).caller.name == "ann"


async def test_a_link_ends_with_the_session_that_made_it(keeper: BrowserSessions, token: TokenText) -> None:
    session = await keeper.find((await keeper.begin(str(token))).cookie)
    link = await keeper.make_link(session.caller)
    await keeper.end(session)
    for way in (keeper.peek, keeper.begin_by_link):
        with pytest.raises(LoginLinkEnded):
            await way(link.code)


async def test_a_session_ends_though_it_is_used_all_the_time(
    database: Database, keeper: BrowserSessions, token: TokenText
) -> None:
    cookie = (await keeper.begin(str(token))).cookie
    now = await database.now()
    await put(database, created_at=now - 89 * DAY)
    link = await keeper.make_link((await keeper.find(cookie)).caller)
    await put(database, created_at=now - 90 * DAY)
    with pytest.raises(Unauthenticated, match="ended"):
        await keeper.find(cookie)
    with pytest.raises(LoginLinkEnded):
        await keeper.peek(link.code)


async def test_sessions_are_listed_and_ended(keeper: BrowserSessions, token: TokenText) -> None:
    mine = await keeper.find((await keeper.begin(str(token), Device("10.0.0.1", "A\x1b[2J browser"))).cookie)
    other = await keeper.begin(str(token))
    listed = await keeper.page(mine.caller)
    assert sorted(found.current for found in listed) == [False, True]
    assert [found.stored.agent for found in listed if found.current] == ["A[2J browser"]
    await keeper.end_one(mine.caller, next(found.id for found in listed if not found.current))
    with pytest.raises(Unauthenticated):
        await keeper.find(other.cookie)
    with pytest.raises(NotFound):
        await keeper.end_one(mine.caller, "0" * 12)
    assert await keeper.end_every(mine.caller) == 1
    assert await keeper.page(mine.caller) == []


async def test_sessions_and_links_are_bounded(keeper: BrowserSessions, token: TokenText) -> None:
    caller = (await keeper.begin(str(token))).caller
    for _ in range(MOST_SESSIONS + 1):
        await keeper.begin(str(token))
    assert len(await keeper.page(caller)) == MOST_SESSIONS
    links = [await keeper.make_link(caller) for _ in range(MOST_LINKS + 1)]
    good = 0
    for link in links:  # the clock of this test stands still: which of them was the oldest is not told
        try:
            good += (await keeper.peek(link.code)).name == "ann"
        except LoginLinkEnded:
            continue
    assert good == MOST_LINKS
    assert (await keeper.peek(links[-1].code)).name == "ann"
