"""The fenced blocks of a page of documentation, by section.

A block that no test can run is marked in the page by the line before it::

    <!-- not run: needs root -->
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

_SECTION = re.compile(r"^## (.*)$", re.MULTILINE)
_BLOCK = re.compile(
    r"(?:<!-- not run: ([^\n]*) -->\n)?```([a-z]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)


@frozen
class Block:
    """A fenced block: its language, its text, and why it is not run; empty if it is."""

    language: str
    text: str
    not_run: str


@frozen
class Page:
    """The blocks of each section of the second level, by its title."""

    sections: Mapping[str, tuple[Block, ...]]

    @classmethod
    def read(cls, file: Path) -> Page:
        _, *parts = _SECTION.split(file.read_text())
        return cls(
            {
                title: tuple(Block(m[2], m[3], m[1] or "") for m in _BLOCK.finditer(body))
                for title, body in zip(parts[::2], parts[1::2], strict=True)
            }
        )

    def texts(self, title: str, language: str) -> list[str]:
        """The blocks of a section in a language that are run."""
        return [
            block.text
            for block in self.sections[title]
            if block.language == language and not block.not_run
        ]

    def with_language(self, language: str) -> set[str]:
        """The titles of sections that have such blocks, to be run or not."""
        return {
            title
            for title, section in self.sections.items()
            if any(block.language == language for block in section)
        }

    def marked(self) -> dict[str, list[str]]:
        """The first words of the blocks that are not run, by the reason."""
        words: dict[str, list[str]] = {}
        for section in self.sections.values():
            for block in section:
                if block.not_run:
                    words.setdefault(block.not_run, []).append(block.text.split()[0])
        return words
