"""The read side: what lists, pages and measurements ask of the control database, each in few and narrow queries."""

from __future__ import annotations

from typing import TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection

Reader: TypeAlias = AsyncConnection
"""A consistent view of the control database, for those who hand it on and speak no SQL themselves."""
