"""No page and no script has an address that would leave the path prefix."""

from __future__ import annotations

import re

import pytest

from jobdeck.api.http.server.prefix import DATA, all_rooted, rooted
from jobdeck.web.rendering import PAGES, TEMPLATES

ASSETS = TEMPLATES.parent / "assets"
SCRIPTS = sorted(path for folder in (ASSETS, PAGES) for path in folder.rglob("*.ts"))
ASKS = re.compile(r"""(?:fetch\(|location\.(?:assign|replace)\(|\.open\("\w+", |\.href = |SharedWorker\()[`"'](?!#)""")
HOLDS = re.compile(r"""\s(data-[a-z-]+)="(?:/|\{\{ ?page\.(?:link|here)\()""")


def test_scripts_ask_below_the_prefix() -> None:
    """An address that is written out goes through `rooted` (root.ts)."""
    assert len(SCRIPTS) > 20
    found = [
        f"{path.relative_to(ASSETS.parent)}: {line.strip()}"
        for path in SCRIPTS
        for line in path.read_text(encoding="utf-8").splitlines()
        if ASKS.search(line) and "${rooted(" not in line
    ]
    assert not found


def test_attributes_that_hold_addresses_are_known() -> None:
    templates = [path for folder in (TEMPLATES, PAGES) for path in folder.rglob("*.html")]
    names = {n for path in templates for n in HOLDS.findall(path.read_text(encoding="utf-8"))}
    assert {"data-live-src", "data-src"} <= names
    assert names <= DATA, "name them in api/http/server/prefix.py"


@pytest.mark.parametrize(
    ("html", "below"),
    [
        ('<a href="/jobs?a=1#b">', '<a href="/p/q/jobs?a=1#b">'),
        ('<a href="/p/q/jobs">', '<a href="/p/q/jobs">'),
        ('<a href="/p/qs">', '<a href="/p/q/p/qs">'),
        ('<a href="//other/x"><a href="https://x/y"><a href="#z">',) * 2,
        ('<form action="/run" data-src="/run"><meta content="/static/x.js">',
         '<form action="/p/q/run" data-src="/p/q/run"><meta content="/p/q/static/x.js">'),
        ('<div data-live-src="/jobs/1" data-copy="/srv/jobs/a.csv" title="/jobs">',
         '<div data-live-src="/p/q/jobs/1" data-copy="/srv/jobs/a.csv" title="/jobs">'),
        ("&lt;a href=&#34;/jobs&#34;&gt; href=&quot;/jobs&quot;",) * 2,
    ],
)  # fmt: skip
def test_only_addresses_get_the_prefix(html: str, below: str) -> None:
    assert all_rooted(html, "/p/q") == below
    assert all_rooted(html, "") == html


def test_addresses_elsewhere_stay_as_they_are() -> None:
    found = [rooted(address, "/p") for address in ("/", "/p", "/p?x", "//x", "https://x/")]
    assert found == ["/p/", "/p", "/p?x", "//x", "https://x/"]
