"""What must not happen in a page: errors in its console, refusals by its own policy, requests to other hosts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from playwright.async_api import BrowserContext, ConsoleMessage, Page, Request, WebError


@dataclass
class Watch:
    """Looks at all pages of a context; `allow` names what a test provokes."""

    home: str
    found: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)

    def over(self, context: BrowserContext) -> None:
        context.on("console", self._console)
        context.on("weberror", self._error)
        context.on("request", self._request)

    def allow(self, pattern: str) -> None:
        """Whatever matches this regular expression is not held against the page."""
        self.allowed.append(pattern)

    def allow_status(self, *statuses: int) -> None:
        """Answers with these statuses, which browsers note as errors in the console."""
        for status in statuses:
            self.allow(rf"the server responded with a status of {status}|Response Status Error Code {status}")

    def allow_outage(self) -> None:
        """The server goes away."""
        self.allow(r"net::ERR_|Failed to fetch|network error")

    @property
    def trouble(self) -> list[str]:
        return [text for text in self.found if not any(re.search(pattern, text) for pattern in self.allowed)]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.found.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def _error(self, error: WebError) -> None:
        self.found.append(f"uncaught: {error.error}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.home, "data:", "blob:", "about:")):
            self.found.append(f"request to another host: {request.url}")


async def log_in(page: Page, url: str, token: str) -> None:
    """Give the page's context a session of `token`, without looking at the login page."""
    answer = await page.context.request.post(f"{url}/login", form={"token": token}, max_redirects=0)
    assert answer.status == 303, await answer.text()
