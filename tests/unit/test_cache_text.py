"""What a person writes to name a cache."""

from __future__ import annotations

import pytest

from rvbuild.core.cache_text import CacheText, read_cache_text


@pytest.mark.parametrize(
    ("text", "cache"),
    [
        ("https://c/team", CacheText("https://c/team")),
        ("read /mnt/team", CacheText("/mnt/team")),
        ("write /mnt/team", CacheText("/mnt/team", reads=False, writes=True)),
        ("read+write  s3://b/p", CacheText("s3://b/p", reads=True, writes=True)),
        ("off", None),
    ],
)
def test_a_text_names_an_address_and_what_it_is_for(text: str, cache: CacheText | None):
    assert read_cache_text(text) == cache


@pytest.mark.parametrize("text", ["", " ", "read", "read+write ", "a b", "both /mnt", "read a\nb"])
def test_other_texts_name_none(text: str):
    with pytest.raises(ValueError, match="write an address"):
        read_cache_text(text)
