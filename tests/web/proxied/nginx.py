"""A real nginx in front of a server, with the configurations of docs/operations.md and a certificate of its own CA."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.architecture.tree import ROOT
from tests.docs.serving import free_port

VARIABLE = "JOBDECK_TEST_NGINX"
UNPACKED = ROOT / ".venv" / "nginx"
MISSING = (
    "NO NGINX: the tests behind a proxy cannot run. Install nginx (Debian: apt-get install nginx), or name one in "
    f"{VARIABLE}."
)
TEXT = ROOT / "docs" / "operations.md"
NAME = "jobs.example.com"


def nginx() -> str | None:
    """The program; None where there is none."""
    named = os.environ.get(VARIABLE)
    if named:
        return shutil.which(named)
    found = map(shutil.which, ("nginx", "/usr/sbin/nginx", str(UNPACKED / "usr" / "sbin" / "nginx")))
    return next(filter(None, found), None)


def unpack() -> None:
    """Debian's package beside the virtual environment, without installing it, which would start it on port 80."""
    if nginx() is not None or shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return
    UNPACKED.mkdir(parents=True, exist_ok=True)
    quiet = {"cwd": UNPACKED, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    for command in (["apt-get", "download", "nginx"], ["apt-get", "update"], ["apt-get", "download", "nginx"]):
        subprocess.run(command, check=False, **quiet)  # type: ignore[call-overload]
        for package in UNPACKED.glob("nginx_*.deb"):
            subprocess.run(["dpkg-deb", "-x", package.name, "."], check=False, **quiet)  # type: ignore[call-overload]
            return


def blocks() -> list[str]:
    """The configurations in docs/operations.md: of the root of an address, and below a path."""
    return re.findall(r"```nginx\n(.*?)```", TEXT.read_text(encoding="utf-8"), re.DOTALL)


@dataclass
class Proxy:
    """nginx with one of those configurations: other ports, another folder of certificates, and nothing else changed."""

    folder: Path
    upstream: int
    config: str
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Under the name of this machine, for which the certificate is good, too."""
        return f"https://localhost:{self.port}"

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    def start(self) -> None:
        """Start it; it listens when this returns."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._make_certificates()
        config = self.config.replace("127.0.0.1:8380", f"127.0.0.1:{self.upstream}")
        config = config.replace("listen 443 ssl", f"listen 127.0.0.1:{self.port} ssl")
        config = config.replace(f"server_name {NAME}", f"server_name localhost {NAME}")
        config = config.replace(f"/etc/ssl/{NAME}", str(self.folder / "server"))
        main = (
            f"daemon off; pid {self.folder}/pid; error_log {self.folder}/error.log;\n"
            f"events {{}}\nhttp {{ access_log {self.folder}/access.log; {self._temporary()}\n{config}\n}}\n"
        )
        (self.folder / "nginx.conf").write_text(main)
        program = nginx()
        assert program is not None
        command = [program, "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), "-e", str(self.folder / "e")]
        self._process = subprocess.Popen(command)
        self._until_listening()

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)

    def _temporary(self) -> str:
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        return " ".join(f"{kind}_temp_path {self.folder}/{kind};" for kind in kinds)

    def _until_listening(self) -> None:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            assert self._process is not None
            assert self._process.poll() is None, (self.folder / "error.log").read_text()
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError("nginx does not listen")

    def _make_certificates(self) -> None:
        """A CA, and a certificate that it signed for the server."""
        make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        days = ["-days", "2"]
        self._run(*make, *days, "-subj", "/CN=Our own CA", "-keyout", "ca.key", "-out", "ca.pem")
        names = f"subjectAltName=DNS:localhost,DNS:{NAME},IP:127.0.0.1"
        signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", names, "-addext", "basicConstraints=CA:FALSE"]
        self._run(*make, *days, *signed, "-subj", f"/CN={NAME}", "-keyout", "server.key", "-out", "server.pem")

    def _run(self, *command: str) -> None:
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)


if __name__ == "__main__":
    unpack()
