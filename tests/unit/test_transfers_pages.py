"""Pages of servers and people, HTML or not: what they list, or an error."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hostile_answers import PAGES

from rvbuild.core.errors import SourceError
from rvbuild.kinds.crates.sparse_index import parse_config
from rvbuild.kinds.go.import_root import go_imports
from rvbuild.kinds.pypi.simple_index import parse_index
from rvbuild.transfers.html_tags import Tag, tags_of


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    "read",
    [
        lambda page: tags_of(page, "http://a.example/"),
        lambda page: go_imports(page, "http://a.example/"),
        lambda page: parse_index(page.encode(), "http://a.example/"),
        lambda page: parse_index(page.encode(), "http://me:secret@a.example/"),
        lambda page: parse_config(page.encode(), "http://a.example/"),
    ],
    ids=["tags", "go-import", "index", "index with a login", "registry"],
)
def test_any_page_is_read_or_an_error(read: Callable[[str], object], page: str):
    try:
        read(page)
    except SourceError as error:
        assert "a.example" in str(error.where)  # noqa: PT017 - either end is right


def test_the_tags_of_a_page():
    page = "<!DOCTYPE html><HEAD><Base HREF='b'></head><a href=x&amp;y disabled>a</a><br/>"
    assert tags_of(page, "http://a.example/") == [
        Tag("head"),
        Tag("base", {"href": "b"}),
        Tag("head", closing=True),
        Tag("a", {"href": "x&y", "disabled": None}),
        Tag("a", closing=True),
        Tag("br"),
        Tag("br", closing=True),
    ]
