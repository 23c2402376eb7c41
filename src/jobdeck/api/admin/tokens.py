"""Tokens, and who the one in use speaks for."""

from __future__ import annotations

from fastapi import APIRouter

from jobdeck.api.http.depends import CallerDep, IdempotencyKey, IdPath, PagingDep, ServicesDep
from jobdeck.api.http.described import PREFIX, refusals, silent
from jobdeck.services.admin.tokens import Tokens
from jobdeck.wire.admin import Me, NewToken, Token, TokenRequest
from jobdeck.wire.base import Page

router = APIRouter(prefix=PREFIX, tags=["tokens"])


@router.get("/me", summary="Show who asks")
async def me(services: ServicesDep, caller: CallerDep) -> Me:
    """Name, role and project of the token in use."""
    return services.of(Tokens).me(caller)


@router.get("/tokens", summary="List tokens")
async def list_tokens(services: ServicesDep, caller: CallerDep, paging: PagingDep) -> Page[Token]:
    """Tokens without their secrets."""
    return await services.of(Tokens).page(caller, paging.cursor, paging.limit)


@router.post(
    "/tokens",
    status_code=201,
    responses=refusals(
        conflict="The name is taken; or the Idempotency-Key was used before, and the token is not shown again.",
        missing="There is no such project.",
    ),
    summary="Make a token",
)
async def create_token(
    services: ServicesDep, caller: CallerDep, body: TokenRequest, idempotency_key: IdempotencyKey = None
) -> NewToken:
    """The answer is the only place that ever shows the secret: the same key again makes no second token, and answers
    409 with the id of the first in `token`."""
    return await services.of(Tokens).create(caller, body, idempotency_key)


@router.delete("/tokens/{id}", summary="Revoke a token", **silent())
async def revoke_token(services: ServicesDep, caller: CallerDep, id: IdPath) -> None:
    """It is refused from now on."""
    await services.of(Tokens).revoke(caller, id)
