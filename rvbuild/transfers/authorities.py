"""Which authorities may vouch for a server.

Knows: where a machine keeps certificates. Must not know: connections.

Sources: the variables of OpenSSL (SSL_CTX_load_verify_locations(3)), of curl(1) and of the
requests library; the files are those that Go's crypto/x509 looks for (root_linux.go).
"""

from __future__ import annotations

import contextlib
import os
import re
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
_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")
HINT = (
    "behind a company's own authority, put its certificate into the system's store (as "
    "update-ca-certificates does), or name a file with SSL_CERT_FILE; where SSL_CERT_FILE, "
    "SSL_CERT_DIR, REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE is set, the system's store does not count"
)


def authorities(environment: Mapping[str, str], file: str = "") -> ssl.SSLContext:
    """What a client of TLS trusts.

    The first of these that there is: ``file``; ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``;
    ``REQUESTS_CA_BUNDLE``; ``CURL_CA_BUNDLE``; the system's store, as curl and git on this machine
    use it; the certificates that come with Python's clients. An intermediate authority among
    them vouches, too, without the one above it, as for curl and Go.

    Args:
        environment: The user's.
        file: The file or the folder that a package client's configuration names; empty for
            nothing.

    Raises:
        SourceError: what somebody named cannot be read.
    """
    if file:
        return _of("", file, file) if os.path.isdir(file) else _of(file, file)
    folder = environment.get(_FOLDER, "")
    named = next((name for name in _VARIABLES if environment.get(name)), "")
    if named or folder:
        path = environment.get(named, "")
        if path and os.path.isdir(path):  # the requests library takes a folder, too
            return _of("", named, path)
        return _of(path, named or _FOLDER, folder)
    context = _as_curl(ssl.create_default_context())
    if not context.cert_store_stats()["x509_ca"] and not _has_folder():
        context.load_verify_locations(next(filter(os.path.isfile, _SYSTEM), certifi.where()))
    return context


def _of(file: str, named_by: str, folder: str = "") -> ssl.SSLContext:
    try:
        # a folder's certificates are read when a server names one of them
        context = ssl.create_default_context(cafile=file or None, capath=folder or None)
        for path in _without_hashes(folder):
            with contextlib.suppress(ssl.SSLError):  # no certificate, as a README
                context.load_verify_locations(path)
        return _as_curl(context)
    except OSError as error:  # ssl.SSLError is one
        msg = f"cannot read the trusted certificates: {error.strerror or error}"
        raise SourceError(msg, where=named_by, hint="correct or unset it") from error


def _without_hashes(folder: str) -> list[str]:
    """The files of those folders that nobody prepared for OpenSSL, as c_rehash does; Go reads them.

    Args:
        folder: One or several, with a colon between.
    """
    paths = []
    for each in filter(os.path.isdir, folder.split(os.pathsep)):
        names = os.listdir(each)
        if not any(map(_HASHED.fullmatch, names)):
            paths += [path for name in sorted(names) if os.path.isfile(path := f"{each}/{name}")]
    return paths


def _as_curl(context: ssl.SSLContext) -> ssl.SSLContext:
    """What curl, git and Go ask of a chain, whatever this Python asks.

    Python 3.13 refuses authorities that lack fields of RFC 5280, and many a company's does.
    """
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _has_folder() -> bool:
    """Whether OpenSSL's own folder of certificates has any: they are read when they are needed."""
    try:
        return bool(os.listdir(ssl.get_default_verify_paths().openssl_capath))
    except OSError:
        return False
