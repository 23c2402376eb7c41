"""What every job can be told besides its parameters, as a form made from the request's own schema."""

from __future__ import annotations

from typing import Any, Final

from jobdeck.web.forms.schema import FormSchema
from jobdeck.wire.jobs import Job, SubmitRequest

PATH: Final = "o"
_OF_NEW: Final = ("priority", "tags", "not_before", "description", "deduplicate")
_OF_AGAIN: Final = ("priority", "tags", "description")
_WORDS: Final[dict[str, dict[str, Any]]] = {
    "priority": {"description": "0 to 9; higher goes first."},
    "tags": {"description": "Words to find it by."},
    "not_before": {"title": "Not before", "description": "It waits until then."},
    "description": {"description": "One line for lists; the job type writes one when this is empty."},
    "deduplicate": {"title": "No duplicates"},
}


def options_form(source: Job | None) -> FormSchema:
    """The form of the options; of a job that is run again, only those that can then be given."""
    schema = SubmitRequest.model_json_schema()
    names = _OF_AGAIN if source else _OF_NEW
    properties = {
        name: {**schema["properties"][name], **_WORDS[name], "x-jobdeck": {"folded": False}} for name in names
    }
    if source is not None:
        del properties["priority"]["default"]
        properties["description"]["examples"] = [source.description]
    return FormSchema({**schema, "properties": properties, "required": []})


def options_of(source: Job | None) -> dict[str, Any]:
    """What they are before anybody changes them."""
    return {"priority": source.priority, "tags": list(source.tags)} if source is not None else {}
