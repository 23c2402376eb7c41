"""The read side: what lists, pages and measurements ask of the control database, each in few and narrow queries."""

from __future__ import annotations

from typing import TypeAlias

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

Reader: TypeAlias = AsyncConnection
"""A consistent view of the control database, for those who hand it on and speak no SQL themselves."""

JobRow: TypeAlias = RowMapping
"""A row of one of the tables; one of jobs has the names of its `project` and its creator (`created_by_name`) too."""
