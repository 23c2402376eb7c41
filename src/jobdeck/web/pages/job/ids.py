"""The number of a job in the paths of its pages: `/jobs/{job_id:id}`."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from starlette.convertors import IntegerConvertor, register_url_convertor

from jobdeck.wire.base import MAX_ID, Digits

JobPath = Annotated[Digits, Path(ge=0, le=MAX_ID)]


class IdConvertor(IntegerConvertor):
    """As many digits as an id can have: the framework's own takes any number of them, more than Python reads."""

    regex = "[0-9]{1,19}"


register_url_convertor("id", IdConvertor())  # before the routes of these pages are made
