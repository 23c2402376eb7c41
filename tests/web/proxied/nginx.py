"""A real nginx in front of a server, with the configurations of docs/operations.md and a certificate of its own CA."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.architecture.tree import ROOT
from tests.docs.serving import free_port
from tests.web.proxied import certificates

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
    for found in map(shutil.which, ("nginx", "/usr/sbin/nginx", str(UNPACKED / "usr" / "sbin" / "nginx"))):
        if found and subprocess.run([found, "-v"], check=False, capture_output=True).returncode == 0:
            return found
    return None


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
            if nginx() is None and os.geteuid() == 0:  # a library that it needs is not there
                needs = ["apt-get", "install", "--yes", "libpcre2-8-0", "libssl3", "libcrypt1"]
                subprocess.run(needs, check=False, **quiet)  # type: ignore[call-overload]
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
        certificates.make(self.folder, "localhost", NAME)
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


if __name__ == "__main__":
    unpack()
    if nginx() is None:
        print(f"{'!' * 100}\n{MISSING}\n{'!' * 100}", file=sys.stderr)
