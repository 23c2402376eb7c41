"""How the form of a job and the answer of a dry run are shown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from starlette.responses import Response

from jobdeck.core.errors import JobdeckError
from jobdeck.services.masking import secret_names
from jobdeck.web.page import PageContext
from jobdeck.web.pages.run.draft import RunDraft
from jobdeck.wire.admin import TypeInfo
from jobdeck.wire.objects import File
from jobdeck.wire.plans import JobPlan

_FILE = re.compile(r"file:([0-9]{1,18})")
_MOST_FILES = 50
"""Files whose names are looked up for one form."""
_HOW = {
    "same": "as it is", "read": "read from text", "widened": "widened, nothing is lost",
    "checked": "checked value by value", "empty": "nulls",
}  # fmt: skip


def by_category(types: Iterable[TypeInfo]) -> list[tuple[str, list[TypeInfo]]]:
    """Types by category; what is only for trying out comes last."""
    groups: dict[str, list[TypeInfo]] = {}
    for one in types:
        groups.setdefault(one.category, []).append(one)
    return sorted(groups.items(), key=lambda group: (group[0] == "test", group[0]))


async def show(
    page: PageContext, draft: RunDraft, plan: JobPlan | None = None, *, block: str | None = None
) -> Response:
    """The whole page, or its block alone for a script."""
    wrong = draft.complaints
    if page.is_fragment and page.project is None:
        page.projects = (await page.services.projects.page(page.caller, None, 500)).items
    return await page.render(
        "run/page.html",
        block=block,
        status=422 if wrong and not page.is_fragment else 200,
        draft=draft,
        wrong=wrong,
        plan=plan,
        how=_HOW,
        file_names=await _file_names(page, draft),
        secret_names=secret_names(draft.origin.type.params_schema),
        max_upload=page.services.installation.max_upload,
        **changes(draft, counted=bool(wrong)),
    )


def changes(draft: RunDraft, *, counted: bool = False) -> dict[str, Any]:
    """What differs from the job that is run again, or from the configuration; nothing while the form has faults."""
    differ = None
    if draft.origin.before is not None and not counted:
        try:
            differ = draft.changes()
        except ValueError:  # JSON that is being written
            differ = None
    return {"changes": differ, "origin": draft.origin, "as_text": as_text}


async def _file_names(page: PageContext, draft: RunDraft) -> dict[str, File]:
    """The project's files that the form names, by how it names them."""
    found: dict[str, File] = {}
    texts = [node.text for node in draft.root.walk() if node.kind == "file"]
    for text in list(dict.fromkeys(texts))[:_MOST_FILES]:
        match = _FILE.fullmatch(text)
        if match and draft.origin.project:
            try:
                found[text] = await page.services.files.get(page.caller, draft.origin.project, int(match[1]))
            except JobdeckError:  # the check of the parameters says it better, at its field
                continue
    return found


def as_text(value: Any) -> str:
    """A parameter in a list of changes: short, texts in quotes where they would be taken for something else."""
    text = value if isinstance(value, str) and value.strip() == value != "" else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:119]}…"
