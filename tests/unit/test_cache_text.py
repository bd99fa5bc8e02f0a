"""What a person writes to name a cache."""

from __future__ import annotations

import pytest

from rvbuild.core.cache_text import CacheText, check_address, read_cache_text


@pytest.mark.parametrize(
    ("text", "cache"),
    [
        ("https://c/team", CacheText("https://c/team")),
        ("read /mnt/team", CacheText("/mnt/team")),
        ("write /mnt/team", CacheText("/mnt/team", reads=False, writes=True)),
        ("read+write  s3://b/p", CacheText("s3://b/p", reads=True, writes=True)),
        ("/mnt/team  cache ", CacheText("/mnt/team  cache")),
        ("write ./team cache", CacheText("./team cache", reads=False, writes=True)),
        ("~/team cache", CacheText("~/team cache")),
        ("./off", CacheText("./off")),
        ("off", None),
    ],
)
def test_a_text_names_an_address_and_what_it_is_for(text: str, cache: CacheText | None):
    assert read_cache_text(text) == cache


OTHERS = [
    ("", "has no address"),
    (" ", "has no address"),
    ("read", "has no address"),
    ("read+write ", "has no address"),
    ("a b", "has a space, which only a path may have"),
    ("both /mnt", "has a space, which only a path may have"),
    ("https://h/a b", r"has a space, which .* \(a URL: %20\)"),
    ("read a\nb", "control character"),
    ("/mnt/a\x7fb", "control character"),
    ("OFF", "is neither an address nor 'off': a folder of that name is ./OFF"),
    ("write on", "is neither an address nor 'off'"),
]


@pytest.mark.parametrize(("text", "problem"), OTHERS)
def test_other_texts_name_none(text: str, problem: str):
    with pytest.raises(ValueError, match=problem):
        read_cache_text(text)


@pytest.mark.parametrize("address", [" /mnt", "/mnt ", "write /mnt", "off"])
def test_an_address_that_would_be_read_as_another_is_none(address: str):
    with pytest.raises(ValueError, match=r"space|neither"):
        check_address(address)
