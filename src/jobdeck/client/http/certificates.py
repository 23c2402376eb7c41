"""Whose certificates are believed: those of the system, and those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name."""

from __future__ import annotations

import os
import ssl

import httpx2

from jobdeck.core.errors import InvalidInput

FILE = "SSL_CERT_FILE"
FOLDER = "SSL_CERT_DIR"


def trusted() -> ssl.SSLContext:
    """What certificates are checked with, also this machine's. Raises InvalidInput for a file without any."""
    context = httpx2.create_ssl_context(trust_env=False)
    file, folder = os.environ.get(FILE), os.environ.get(FOLDER)
    try:
        if file or folder:
            context.load_verify_locations(file or None, folder or None)
    except OSError as error:  # ssl.SSLError is one
        raise InvalidInput(
            f"{FILE if file else FOLDER} names no certificates: {file or folder}: {error.strerror or error}.",
            field=FILE if file else FOLDER,
            hint="Name a file with the CA's certificate in PEM.",
        ) from error
    return context


def untrusted(error: BaseException) -> str | None:
    """What to do where a server's certificate was refused; None for any other trouble."""
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" not in text:
        return None
    if "ostname mismatch" in text or "IP address mismatch" in text:
        return "Ask for it by a name that its certificate has."
    return f"Where it is of a CA of your own, name the certificate of that CA in {FILE}."
