"""How the user's pip reaches its indexes.

Knows: pip's options ``proxy`` and ``cert`` ("Configuration" of pip's documentation).
Must not know: which indexes there are.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from rvbuild.kinds.pypi.pip_config import pip_options
from rvbuild.transfers.addresses import Route
from rvbuild.transfers.proxies import Proxies


def pip_route(environment: Mapping[str, str]) -> Route:
    """Pip's proxy and authorities; what pip's configuration does not say is the environment's.

    Raises:
        SourceError: a configuration file is not valid.
    """
    options = pip_options(environment)
    proxies = Proxies.of_environment(environment)
    if (proxy := options.get("proxy")) is not None:
        proxies = Proxies(schemes={"all": "".join(proxy.texts)}, named_by=proxy.place)
    cert = options.get("cert")
    file = " ".join(cert.texts) if cert else ""
    place = cert.place if cert else ""
    file = os.path.expanduser(file)
    return Route(proxies=proxies, authorities=file, authorities_named_by=place)
