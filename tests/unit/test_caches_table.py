"""Which address is of which kind of cache."""

from __future__ import annotations

import subprocess
import sys

import pytest
from cache_places import services

from rvbuild.caches.table import open_cache
from rvbuild.core.errors import CacheRefused


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("/mnt/team/cache", "DirectoryCache"),
        ("cache", "DirectoryCache"),
        ("~/cache", "DirectoryCache"),
        ("file:///mnt/team%20x/cache", "DirectoryCache"),
        ("http://cache.corp/team", "HttpCache"),
        ("HTTPS://al:secret@cache.corp", "HttpCache"),
        ("s3://team/a", "S3Cache"),
    ],
)
def test_kinds(address: str, kind: str):
    with services() as given:
        cache = open_cache(address, given)
    assert f"{kind}(" in repr(cache)


@pytest.mark.parametrize(
    ("address", "hint"),
    [
        ("cache.corp:8080/team", "begins with one of file://, http://, https://, s3://"),
        ("al:sec@cache.corp/team", "begins with one of file://, http://, https://, s3://"),
        ("ftp://al:sec/ret@h/x", "begins with one of file://, http://, https://, s3://"),
        ("https://al:sec/ret@h/x", "as %40 %2F"),
        ("s3://b/p?endpoint=https://al:sec@h", "leave the login out of the address and of the end"),
    ],
)
def test_what_to_write_instead(address: str, hint: str):
    with services() as given, pytest.raises(CacheRefused) as caught:
        open_cache(address, given)
    assert hint in str(caught.value.hint)
    assert "of ssh" not in str(caught.value.hint)
    assert "sec" not in str(caught.value).replace(hint, "").replace("AWS_SECRET", "")


@pytest.mark.parametrize(
    "address",
    [
        *("", "ftp://h/x", "http:", "host:path", "git@host:path", "reapi://h", "oci://h"),
        *("https://al:sec@ret@h/x", "https://al:sec/ret@h/x"),
    ],
)
def test_what_is_no_address(address: str):
    with services() as given, pytest.raises(CacheRefused) as caught:
        open_cache(address, given)
    assert "sec" not in str(caught.value)


def test_a_kind_is_imported_when_it_is_used():
    code = (
        "import sys, rvbuild.caches.table\n"
        "print([n for n in sys.modules if n in "
        "{'rvbuild.caches.http', 'rvbuild.caches.s3', 'rvbuild.caches.directory'}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
