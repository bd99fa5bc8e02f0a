"""Forges: where they offer the archive of a commit.

Knows: the addresses of a few forges. Must not know: whether the archive is right.
Sources: each forge's documentation of "source code archive" downloads.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from rvbuild.git.clone_urls import is_git_url


def archive_url(url: str, commit: str) -> str | None:
    """The address of the ``.tar.gz`` of ``commit``, if ``url`` is on a forge known to offer it."""
    if not is_git_url(url):  # insteadOf leads anywhere
        return None
    parts = urlsplit(url)
    path = parts.path.strip("/").removesuffix(".git")
    names = path.split("/")
    if parts.scheme != "https" or parts.query or len(names) < 2 or "" in names:
        return None
    base, host = f"https://{parts.netloc}/{path}", (parts.hostname or "").lower()
    if host == "gitlab.com" or host.startswith("gitlab."):
        return f"{base}/-/archive/{commit}/{names[-1]}-{commit}.tar.gz"
    if len(names) != 2:
        return None
    if host in {"github.com", "codeberg.org", "git.sr.ht"}:
        return f"{base}/archive/{commit}.tar.gz"
    return f"{base}/get/{commit}.tar.gz" if host == "bitbucket.org" else None
