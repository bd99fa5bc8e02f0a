"""What caches gave a run, and whose word was missing, in a line each.

Knows: words for these events. Must not know: where lines are shown.
"""

from __future__ import annotations

from rvbuild.cli.messages import count_text, duration_text, size_text
from rvbuild.cli.row import Row
from rvbuild.core.cache_use import CacheUse
from rvbuild.core.events import Shortfall
from rvbuild.core.printable import printable_line


def cache_row(use: CacheUse) -> Row:
    """What a cache gave and cost; in the summary of a run, each has one."""
    name = printable_line(use.name)
    if use.reason:
        cost = f"{duration_text(use.waited)} of waiting"
        return Row("cache", "", f"{name} was left out: {printable_line(use.reason)} ({cost})")
    gave = f"{count_text(use.pulled, 'result')}, saved {duration_text(use.saved)}"
    offered = f"offered {count_text(use.hits, 'result')}" if use.hits else "offered nothing"
    text = f"{name}: {gave if use.pulled else offered}, took {duration_text(use.waited)}"
    return Row("cache", size_text(use.size), text)


def shortfall_row(lack: Shortfall) -> Row:
    """Why results that caches have are made here."""
    have = "has" if len(lack.labels) == 1 else "have"
    keys = count_text(lack.keys, "key") if lack.keys else "no key that counts"
    need = f"{lack.needed} {'is' if lack.needed == 1 else 'are'} needed"
    text = f"caches: {count_text(len(lack.labels), 'result')} {have} the word of {keys}; {need}"
    if lack.fallen:
        text += f" (taken on the word of {', '.join(lack.fallen)}: revoked, or not known here)"
    return Row("note", "", printable_line(text))
