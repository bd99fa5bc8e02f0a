"""What comes of a hash that is not the pinned one.

Knows: ``h1:``. Must not know: what was hashed, where it is from.
"""

from __future__ import annotations

from rvbuild.core.errors import WrongContent
from rvbuild.core.printable import brief
from rvbuild.transfers.urls import shown


def check_h1_of(expected: str, actual: str, what: str, url: str) -> None:
    """Compare the pinned hash of ``what`` with that of what came from ``url``.

    Raises:
        WrongContent: they differ.
    """
    if expected != actual:
        msg = f"the hash of {what} is not the pinned one"
        raise WrongContent(
            msg,
            where=shown(url),
            hint="the version was moved upstream, or the proxy or network was tampered with: find "
            "out which before you lock it again; another GOPROXY may have the right one",
            details=(f"pinned: {brief(expected)}", f"got:    {actual}"),
        )
