"""Every template compiles and every macro file loads: one that is broken would take all pages down."""

from __future__ import annotations

from collections import Counter

import pytest
from jinja2 import meta, nodes

from jobdeck.web.rendering import PAGES, TEMPLATES, Templates, macro_files
from jobdeck.web.static_files import StaticFiles

FILES = {
    path.relative_to(root).as_posix(): path for root in (TEMPLATES, PAGES) for path in sorted(root.rglob("*.html"))
}
"""By the name that other templates and pages know them by."""


@pytest.fixture(scope="module")
def templates() -> Templates:
    made = Templates(StaticFiles(), "1")
    made.macros.renew()
    return made


@pytest.mark.parametrize("name", FILES)
def test_it_compiles_and_names_only_what_there_is(templates: Templates, name: str) -> None:
    """Also the macros, filters and other templates that it uses, which else only a request would miss."""
    environment = templates.environment
    environment.get_template(name)
    tree = environment.parse(FILES[name].read_text())
    for other in meta.find_referenced_templates(tree):
        if other is not None:
            environment.get_template(other)
    for got in tree.find_all(nodes.Getattr):
        if isinstance(got.node, nodes.Name) and got.node.name == "ui":
            assert getattr(templates.macros, got.attr), f"{name}: there is no macro {got.attr}"


def test_no_two_macros_share_a_name(templates: Templates) -> None:
    """They are all under one name, `ui`: the second would never be found."""
    found: Counter[str] = Counter()
    names = {path: name for name, path in FILES.items()}
    for path in macro_files():
        module = templates.environment.get_template(names[path]).module
        found.update(name for name in vars(module) if not name.startswith("_"))
    assert found
    assert [name for name, count in found.items() if count > 1] == []


def test_what_is_to_be_typed_is_code_and_nothing_else_is_markup(templates: Templates) -> None:
    shown = templates.environment.from_string("{{ hint|codes }}").render(hint="Run `jobdeck job <id>`, or ` not.")
    assert shown == "Run <code>jobdeck job &lt;id&gt;</code>, or ` not."
