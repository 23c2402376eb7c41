"""The name of this machine, for people who want to know where a task runs."""

from __future__ import annotations

import socket

HOST = socket.gethostname()
