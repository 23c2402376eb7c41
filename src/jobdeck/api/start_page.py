"""What a browser sees at the root while there are no pages: what runs here, and where things are."""

from __future__ import annotations

from html import escape

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from jobdeck.api.depends import ServicesDep
from jobdeck.api.described import PREFIX

router = APIRouter(include_in_schema=False)

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Jobdeck</title>
<style>
:root {{ color-scheme: light dark; --text: #1c1e21; --page: #fff; --code: #f0f2f4 }}
@media (prefers-color-scheme: dark) {{ :root {{ --text: #e4e6eb; --page: #18191a; --code: #2a2c2e }} }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; padding: 0 1rem }}
body {{ color: var(--text); background: var(--page) }}
code {{ background: var(--code); padding: .1em .3em; border-radius: 4px }}
pre {{ background: var(--code); padding: .8em; border-radius: 6px; overflow-x: auto }}
pre code {{ padding: 0 }}
</style>
</head>
<body>
<main>
<h1>Jobdeck {version}</h1>
<p>The job center for data platforms is running here.</p>
<ul>
<li><a href="{prefix}/health">{prefix}/health</a> – whether it is well</li>
<li><code>{prefix}/openapi.json</code> – the description of the API (needs a token)</li>
<li><code>/metrics</code> – figures for Prometheus (needs a token)</li>
</ul>
<p>Programs send a token: on this machine the administrator's is in <code>admin.token</code> in the home folder, and the
command line uses it by itself.</p>
<pre><code>jobdeck jobs
jobdeck run sleep --param seconds=5 --wait
curl -H "Authorization: Bearer $(cat ~/.jobdeck/admin.token)" http://127.0.0.1:8380{prefix}/jobs</code></pre>
</main>
</body>
</html>
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@router.get("/", response_class=HTMLResponse)
async def start_page(services: ServicesDep) -> HTMLResponse:
    """A small page without scripts."""
    text = _PAGE.format(version=escape(services.installation.version), prefix=PREFIX)
    return HTMLResponse(text, headers={"Content-Security-Policy": _POLICY})
