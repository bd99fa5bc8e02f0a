"""The tags of a page, as a server or a person wrote it.

Knows: HTML. Must not know: which tags mean something.
"""

from __future__ import annotations

from html.parser import HTMLParser

from attrs import field, frozen

from rvbuild.core.errors import SourceError
from rvbuild.transfers.urls import shown


@frozen
class Tag:
    """One tag, its name and those of its attributes in lower case.

    Attributes:
        name: ``a``.
        attributes: By name; an attribute without a value has None.
        closing: Whether it ends an element: ``</a>``.
    """

    name: str
    attributes: dict[str, str | None] = field(factory=dict)
    closing: bool = False


def tags_of(page: str, url: str) -> list[Tag]:
    """The tags of a page, in their order.

    Args:
        page: Its text.
        url: Where it is, for the error.

    Raises:
        SourceError: Python's parser of HTML cannot read it.
    """
    parser = _Parser()
    try:
        parser.feed(page)
        parser.close()
    except (AssertionError, ValueError) as error:  # <![x<a>, &#9…9; of 5000 digits
        msg = "the page is no HTML that can be read"
        raise SourceError(msg, where=shown(url)) from error
    return parser.tags


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[Tag] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(Tag(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(Tag(tag, closing=True))
