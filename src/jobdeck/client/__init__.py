"""The Python client: `Client`, its errors, and nothing that the server needs."""

from jobdeck.client.errors import (
    ApiError,
    ClientError,
    Forbidden,
    Invalid,
    NotFound,
    PandasMissing,
    RateLimited,
    Refused,
    ServerFailed,
    StillRunning,
    Unauthorized,
    UnexpectedAnswer,
    Unreachable,
)
from jobdeck.client.facade import Client
from jobdeck.core.errors import InvalidInput

__all__ = [
    "ApiError",
    "Client",
    "ClientError",
    "Forbidden",
    "Invalid",
    "InvalidInput",
    "NotFound",
    "PandasMissing",
    "RateLimited",
    "Refused",
    "ServerFailed",
    "StillRunning",
    "Unauthorized",
    "UnexpectedAnswer",
    "Unreachable",
]
