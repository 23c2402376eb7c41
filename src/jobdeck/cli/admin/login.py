"""`jobdeck login`: a link that logs a browser in as the one whose token the command uses."""

from __future__ import annotations

from jobdeck.cli.arguments.options import Common, asking
from jobdeck.cli.exits import say
from jobdeck.cli.show import text
from jobdeck.cli.show.output import print_json

COMMANDS = {"login": ("Administration", "Print a link that logs a browser in.")}
EXAMPLES = """
jobdeck login
"""


def login(*, common: Common | None = None) -> None:
    """Print a link that logs a browser in, once and within an hour, as the one whose token is used."""
    with asking(common) as (client, given):
        made = client.login_link()
    if given.output == "json":
        print_json(made)
        return
    print(made.url)
    if given.output == "table":
        say(f"Open it in a browser. It works once, until {text.moment(made.expires_at)}; keep it to yourself.")
