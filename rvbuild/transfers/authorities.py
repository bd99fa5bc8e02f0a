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
from collections.abc import Iterable, Mapping

import certifi

from rvbuild.core.errors import SourceError
from rvbuild.core.printable import brief

_FOLDER = "SSL_CERT_DIR"
_RANKS = (("SSL_CERT_FILE", _FOLDER), ("REQUESTS_CA_BUNDLE",), ("CURL_CA_BUNDLE",))
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


def authorities(
    environment: Mapping[str, str], file: str = "", named_by: str = ""
) -> ssl.SSLContext:
    """What a client of TLS trusts.

    Rules, the first that fits holds; what somebody names is all that is trusted:

    1. ``file``, of a package client's configuration: a file or a folder.
    2. ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``, both if both are set, as for OpenSSL and Go. The
       second has folders, with a colon between them; one that is not there is passed over if
       another is.
    3. ``REQUESTS_CA_BUNDLE``, then ``CURL_CA_BUNDLE``, as for the requests library and pip: a file
       or a folder.
    4. The system's store, as curl and git on this machine use it.
    5. The certificates that come with Python's clients.

    Example: with ``SSL_CERT_DIR=/company`` and ``REQUESTS_CA_BUNDLE=/b.pem``, only the authorities
    in ``/company`` are trusted.

    An intermediate authority vouches, too, without the one above it, as for curl and Go.

    Args:
        environment: The user's.
        file: Empty for nothing.
        named_by: The client's setting that has it; by default the file.

    Raises:
        SourceError: what somebody named cannot be read.
    """
    if file:
        return _of({named_by or file: file})
    for names in _RANKS:
        paths = {name: environment[name] for name in names if environment.get(name)}
        if paths:
            return _of(paths)
    context = _as_curl(ssl.create_default_context())
    if not context.cert_store_stats()["x509_ca"] and not _has_folder():
        context.load_verify_locations(next(filter(os.path.isfile, _SYSTEM), certifi.where()))
    return context


def _of(paths: Mapping[str, str]) -> ssl.SSLContext:
    """What trusts those paths alone, by the name of the variable or the setting that has each."""
    context = _as_curl(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    for named_by, path in paths.items():
        try:
            _load(context, path, folders=named_by == _FOLDER)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError, a NUL a ValueError
            reason = getattr(error, "strerror", None) or error
            msg = f"cannot read the trusted certificates in {brief(path)!r}: {reason}"
            msg += "" if named_by == path else f", of {named_by}"
            hint = f"correct or unset {named_by}"
            raise SourceError(msg, where=named_by, hint=hint) from error
    return context


def _load(context: ssl.SSLContext, path: str, *, folders: bool) -> None:
    """Trust what is in a file or a folder; or, with ``folders``, in a list of folders."""
    paths = path.split(os.pathsep) if folders else [path]
    present = list(filter(os.path.isdir, paths))
    if not present:
        if folders:
            os.listdir(paths[0])  # raises why it is none
        context.load_verify_locations(cafile=path)
        return
    # a folder's certificates are read when a server names one of them
    context.load_verify_locations(capath=os.pathsep.join(present))
    for file in _without_hashes(present):
        with contextlib.suppress(ssl.SSLError):  # no certificate, as a README
            context.load_verify_locations(file)


def _without_hashes(folders: Iterable[str]) -> list[str]:
    """The files of those folders that nobody prepared for OpenSSL (c_rehash). Go reads them."""
    paths = []
    for folder in folders:
        names = os.listdir(folder)
        if not any(map(_HASHED.fullmatch, names)):
            paths += [path for name in sorted(names) if os.path.isfile(path := f"{folder}/{name}")]
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
