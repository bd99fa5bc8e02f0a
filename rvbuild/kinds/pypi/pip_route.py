"""How the user's pip reaches its indexes.

Knows: pip's options ``proxy`` and ``cert`` ("Configuration" of pip's documentation).
Must not know: which indexes there are.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from rvbuild.kinds.pypi.pip_config import pip_setting
from rvbuild.transfers.addresses import Route
from rvbuild.transfers.proxies import Proxies


def pip_route(environment: Mapping[str, str]) -> Route:
    """Pip's proxy and authorities; what pip's configuration does not say is the environment's.

    Raises:
        SourceError: a configuration file is not valid.
    """
    place, proxy = pip_setting(environment, "proxy")
    proxies = Proxies.of_environment(environment)
    if proxy:
        proxies = Proxies(schemes={"all": proxy}, named_by=f"{place}: proxy")
    _, file = pip_setting(environment, "cert")
    return Route(proxies=proxies, authorities=os.path.expanduser(file))
