"""What the user's environment says of buckets."""

from __future__ import annotations

from pathlib import Path

import pytest

from rvbuild.caches.aws_settings import find_endpoint, find_login, find_region
from rvbuild.caches.signature import BucketLogin
from rvbuild.core.errors import CacheRefused

FILE = """
[default]
aws_access_key_id = dk
aws_secret_access_key = d%s

[ci]
aws_access_key_id = ck
aws_secret_access_key = cs
aws_session_token = ct

[role]
role_arn = arn
"""
VARIABLES = {"AWS_ACCESS_KEY_ID": "vk", "AWS_SECRET_ACCESS_KEY": "vs"}


@pytest.mark.parametrize(
    ("environment", "login"),
    [
        ({}, BucketLogin("dk", "d%s")),
        ({"AWS_PROFILE": "ci"}, BucketLogin("ck", "cs", "ct")),
        (VARIABLES, BucketLogin("vk", "vs")),
        ({**VARIABLES, "AWS_SESSION_TOKEN": "vt"}, BucketLogin("vk", "vs", "vt")),
        ({**VARIABLES, "AWS_PROFILE": "ci"}, BucketLogin("vk", "vs")),
        ({"AWS_ACCESS_KEY_ID": "vk"}, BucketLogin("dk", "d%s")),
        ({"HOME": "/nowhere"}, None),
    ],
)
def test_who_asks(tmp_path: Path, environment: dict[str, str], login: BucketLogin | None):
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").write_text(FILE)
    assert find_login({"HOME": str(tmp_path), **environment}) == login


@pytest.mark.parametrize("profile", ["nobody", "role"])
def test_a_profile_without_a_login_is_an_error(tmp_path: Path, profile: str):
    file = tmp_path / "f"
    file.write_text(FILE)
    with pytest.raises(CacheRefused, match=f"'{profile}'"):
        find_login({"AWS_SHARED_CREDENTIALS_FILE": str(file), "AWS_PROFILE": profile})
    with pytest.raises(CacheRefused, match=f"'{profile}'"):
        find_login({"HOME": "/nowhere", "AWS_PROFILE": profile})


@pytest.mark.parametrize("data", [b"aws_secret_access_key = s3cret", b"[default]\ns3cret", b"\xff"])
def test_a_file_of_another_form_is_named_and_not_quoted(tmp_path: Path, data: bytes):
    file = tmp_path / "f"
    file.write_bytes(data)
    with pytest.raises(CacheRefused) as caught:
        find_login({"AWS_SHARED_CREDENTIALS_FILE": str(file)})
    assert str(file) in str(caught.value)
    assert "s3cret" not in repr(caught.value) + str(caught.value.__cause__)


def test_where_buckets_are():
    assert find_region({}) == "us-east-1"
    assert find_region({"AWS_DEFAULT_REGION": "a"}) == "a"
    assert find_region({"AWS_REGION": "b", "AWS_DEFAULT_REGION": "a"}) == "b"
    assert find_endpoint({}) == ""
    assert find_endpoint({"AWS_ENDPOINT_URL": "a"}) == "a"
    assert find_endpoint({"AWS_ENDPOINT_URL_S3": "b", "AWS_ENDPOINT_URL": "a"}) == "b"
