"""Servers that are too slow to start for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bucket_server import BucketServer, bucket_server


@pytest.fixture(scope="session")
def buckets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BucketServer]:
    with bucket_server(tmp_path_factory.mktemp("buckets")) as server:
        yield server
