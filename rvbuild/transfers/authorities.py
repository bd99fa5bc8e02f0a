"""Which authorities may vouch for a server.

Knows: where a machine keeps certificates. Must not know: connections.

Sources: the variables of OpenSSL (SSL_CTX_load_verify_locations(3)), of curl(1) and of the
requests library; the files are those that Go's crypto/x509 looks for (root_linux.go).
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping

import certifi

from rvbuild.core.errors import SourceError

_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_FOLDER = "SSL_CERT_DIR"
_SYSTEM = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Gentoo
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",  # Alpine
)
HINT = (
    "behind a company's own authority, put its certificate into the system's store (as "
    "update-ca-certificates does), or name a file with SSL_CERT_FILE"
)


def authorities(environment: Mapping[str, str], file: str = "") -> ssl.SSLContext:
    """What a client of TLS trusts.

    The first of these that there is: ``file``; ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``;
    ``REQUESTS_CA_BUNDLE``; ``CURL_CA_BUNDLE``; the system's store, as curl and git on this machine
    use it; the certificates that come with Python's clients.

    Args:
        environment: The user's.
        file: What a package client's configuration names; empty for nothing.

    Raises:
        SourceError: what somebody named cannot be read.
    """
    if file:
        return _of(file, file)
    folder = environment.get(_FOLDER, "")
    named = next((name for name in _VARIABLES if environment.get(name)), "")
    if named or folder:
        path = environment.get(named, "")
        if path and os.path.isdir(path):  # the requests library takes a folder, too
            return _of("", named, path)
        return _of(path, named or _FOLDER, folder)
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"] and not _has_folder():
        context.load_verify_locations(next(filter(os.path.isfile, _SYSTEM), certifi.where()))
    return context


def _of(file: str, named_by: str, folder: str = "") -> ssl.SSLContext:
    try:
        # a folder's certificates are read when a server names one of them
        return ssl.create_default_context(cafile=file or None, capath=folder or None)
    except OSError as error:  # ssl.SSLError is one
        msg = f"cannot read the trusted certificates: {error.strerror or error}"
        raise SourceError(msg, where=named_by, hint="correct or unset it") from error


def _has_folder() -> bool:
    """Whether OpenSSL's own folder of certificates has any: they are read when they are needed."""
    try:
        return bool(os.listdir(ssl.get_default_verify_paths().openssl_capath))
    except OSError:
        return False
