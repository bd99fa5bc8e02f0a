"""What the user's environment says of buckets: who asks, in which region, at which endpoint.

Knows: the variables and the file that AWS' own clients read. Must not know: requests.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping

from rvbuild.caches.signature import BucketLogin
from rvbuild.core.errors import CacheRefused

LOGIN_HINT = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN), or AWS_PROFILE to a "
    "profile of ~/.aws/credentials; `aws configure export-credentials --format env` writes those "
    "of any other kind of login"
)
_REGION = "us-east-1"


def find_login(environment: Mapping[str, str]) -> BucketLogin | None:
    """Who asks; None for nobody: a public bucket answers all the same.

    Rules, the first that fits holds:

    1. ``AWS_ACCESS_KEY_ID`` and ``AWS_SECRET_ACCESS_KEY``, with ``AWS_SESSION_TOKEN``.
    2. The profile ``AWS_PROFILE``, else ``default``, of ``AWS_SHARED_CREDENTIALS_FILE``, else of
       ``~/.aws/credentials``.

    Raises:
        CacheRefused: the file cannot be read, or lacks the profile that is asked for.
    """
    key, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if key and secret:
        return BucketLogin(key, secret, environment.get("AWS_SESSION_TOKEN", ""))
    home = environment.get("HOME", "")
    path = environment.get("AWS_SHARED_CREDENTIALS_FILE") or f"{home}/.aws/credentials"
    profile = environment.get("AWS_PROFILE", "")
    if os.path.isfile(path):
        return _of_profile(path, profile)
    if profile:
        raise _no_profile(path, profile)
    return None


def _of_profile(path: str, profile: str) -> BucketLogin | None:
    parser = configparser.RawConfigParser(strict=False, default_section="")
    try:
        with open(path, encoding="utf-8") as file:
            parser.read_file(file)
    except (OSError, UnicodeDecodeError, configparser.Error) as error:  # its text may have secrets
        msg = f"the logins of buckets cannot be read ({type(error).__name__})"
        raise CacheRefused(msg, where=path, hint=LOGIN_HINT) from None
    name = profile or "default"
    values = dict(parser[name]) if parser.has_section(name) else {}
    key, secret = values.get("aws_access_key_id"), values.get("aws_secret_access_key")
    if key and secret:
        return BucketLogin(key, secret, values.get("aws_session_token", ""))
    if profile:
        raise _no_profile(path, profile)
    return None


def _no_profile(path: str, profile: str) -> CacheRefused:
    msg = f"no login in the profile {profile!r}, which AWS_PROFILE names"
    return CacheRefused(msg, where=path, hint=LOGIN_HINT)


def find_region(environment: Mapping[str, str]) -> str:
    """The region of buckets whose address names none."""
    return environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or _REGION


def find_endpoint(environment: Mapping[str, str]) -> str:
    """The server of buckets whose address names none; empty for AWS itself."""
    return environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL") or ""
