"""A commit that nobody gives to git, and the error of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rvbuild.core.errors import SourceError
from rvbuild.kinds.git.fetch import client
from rvbuild.transfers.fetch_services import FetchServices
from rvbuild.transfers.fetch_settings import FetchSettings

COMMIT = "1" * 40


def refused(
    home: Path,
    url: str,
    config: str = "",
    mirrors: tuple[tuple[str, str], ...] = (),
    **environment: str,
) -> SourceError:
    """The error of a commit that no repository has.

    Args:
        home: The user's folder; what is fetched goes below it.
        url: The repository's.
        config: The user's configuration of git.
        mirrors: Asked before the address.
        environment: More variables.
    """
    (home / ".gitconfig").write_text(config)
    base = {"HOME": str(home), "PATH": "/usr/bin:/bin", "GIT_CONFIG_NOSYSTEM": "1"}
    settings = FetchSettings(
        tmp=str(home / "tmp"), environment={**base, **environment}, mirrors=mirrors
    )
    services = FetchServices(settings)
    try:
        with pytest.raises(SourceError) as caught:
            client(services).resolve(url, COMMIT)
    finally:
        services.close()
    return caught.value
