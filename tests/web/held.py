"""Requests of a page that wait until a test lets them go on."""

from __future__ import annotations

import asyncio

from playwright.async_api import Page, Route


async def held_back(page: Page, pattern: str) -> tuple[asyncio.Event, asyncio.Event]:
    """Requests to addresses of the pattern wait: when the first has come, and what lets them go on."""
    reached, go = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        reached.set()
        await go.wait()
        await route.continue_()

    await page.route(pattern, hold)
    return reached, go
