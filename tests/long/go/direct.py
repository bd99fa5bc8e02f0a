"""Modules of the shipped lock, made from their git repositories: each must have the lock's ``h1:``.

Run with the project's environment: ``python tests/long/go/direct.py``, with
``--mirror FROM=TO`` for repositories that are here.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from rvbuild.core.errors import RvbuildError
from rvbuild.kinds.go.fetch import GoClient, client
from rvbuild.recipes_yaml.lock import read_lock
from rvbuild.transfers.fetch_services import FetchServices
from rvbuild.transfers.fetch_settings import FetchSettings

LOCK = Path(__file__).parents[3] / "rvbuild.lock"
MODULES = (
    "github.com/moby/sys/user@v0.3.0",  # a folder
    "github.com/moby/sys/mountinfo@v0.7.2",
    "github.com/cespare/xxhash/v2@v2.3.0",  # a major version
    "github.com/coreos/go-systemd/v22@v22.5.0",
    "github.com/munnerz/goautoneg@v0.0.0-20191010083416-a7dc8b61c822",  # commits
    "github.com/google/shlex@v0.0.0-20191202100458-e7afc7fbc510",
    "github.com/evanphx/json-patch@v5.9.0+incompatible",
    "github.com/docker/cli@v27.3.1+incompatible",
    "github.com/pkg/errors@v0.9.1",
    "github.com/google/uuid@v1.6.0",
    "github.com/sirupsen/logrus@v1.9.3",
    "gopkg.in/yaml.v3@v3.0.1",
)
"""Of K3s 1.32's go.sum; their repositories are small."""


def main() -> int:
    """A line for each module; 1 if any has another hash, or cannot be had."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", default=MODULES, metavar="PATH@VERSION")
    parser.add_argument("--mirror", action="append", default=[], metavar="FROM=TO")
    given = parser.parse_args()
    mirrors = tuple((each.partition("=")[0], each.partition("=")[2]) for each in given.mirror)
    lock = read_lock(LOCK.read_bytes(), str(LOCK))
    locked = {module[:2]: module[2] for held in lock.go_modules.values() for module in held.modules}
    with tempfile.TemporaryDirectory(prefix="direct-") as folder:
        environment = {**os.environ, "GOPROXY": "direct"}
        services = FetchServices(
            FetchSettings(tmp=folder, mirrors=mirrors, environment=environment)
        )
        made = client(services)
        wrong = sum(not _agrees(made, module, locked) for module in given.modules)
        services.close()
    sys.stdout.write(f"direct: {len(given.modules)} tried, {wrong} failed\n")
    return 1 if wrong else 0


def _agrees(made: GoClient, module: str, locked: dict[tuple[str, str], str]) -> bool:
    path, _, version = module.partition("@")
    try:
        h1 = made.go_module(path, version)
    except RvbuildError as error:
        lines = "\n  ".join((str(error), *error.details))
        sys.stdout.write(f"{module}: {lines}\n")
        return False
    wanted = locked.get((path, version), "none: it is not in the lock")
    sys.stdout.write(f"{module}: {h1}{'' if h1 == wanted else f', and the lock has {wanted}'}\n")
    return h1 == wanted


if __name__ == "__main__":
    sys.exit(main())
