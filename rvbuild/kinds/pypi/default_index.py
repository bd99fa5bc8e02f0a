"""The index that an installed client asks where nobody configured one.

Knows: how pip and uv say their default. Must not know: configurations.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping

from rvbuild.core.errors import SourceError
from rvbuild.kinds.pypi.client_option import HINT
from rvbuild.transfers.client_output import client_output

_ASK_PIP = """
import glob, os, sys
try:
    import pip
except ImportError:
    import ensurepip
    bundled = os.path.join(os.path.dirname(ensurepip.__file__), "_bundled")
    sys.path += glob.glob(os.path.join(bundled, "pip-*.whl"))
from pip._internal.models.index import PyPI
print(PyPI.simple_url)
"""
_ADDRESS = re.compile(r"default\W[^<(]*[<(]?(?:default )?(https?://[^\s<>()\"']+)", re.IGNORECASE)


def clients_default(environment: Mapping[str, str]) -> str:
    """The default index of an installed client: pip (also the one bundled in Python), or uv.

    pip has no other way to say it than its own module; should that move, its help text has it.

    Raises:
        SourceError: no client is installed.
    """
    path = environment.get("PATH")
    pythons = [sys.executable, *filter(None, (shutil.which(p, path=path) for p in ("python3",)))]
    commands = [[python, "-I", "-c", _ASK_PIP] for python in dict.fromkeys(pythons)]
    commands += [[python, "-I", "-m", "pip", "help", "install"] for python in pythons]
    uv = shutil.which("uv", path=path)
    commands += [[uv, "pip", "install", "--help"]] if uv else []
    for command in commands:
        answer = _answer(command, environment)
        address = re.fullmatch(r"https?://\S+", answer) or _ADDRESS.search(answer)
        if address:
            return address[address.lastindex or 0]
    msg = "no package index is configured, and neither pip nor uv is here to name its default"
    raise SourceError(msg, hint=HINT)


def _answer(command: list[str], environment: Mapping[str, str]) -> str:
    own = {"PIP_CONFIG_FILE": os.devnull, "NO_COLOR": "1"}
    output = client_output(command, {**environment, **own})
    return output.stdout.strip() if output.success else ""
