"""Private Go modules: what to do where a proxy refuses one, or nobody says where it is kept."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from site_of_bytes import Asked, client, head, serve

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import RvbuildError, SourceError
from rvbuild.git.repositories import Repositories
from rvbuild.kinds.go.direct import Direct
from rvbuild.kinds.go.go_proxy import GoProxy
from rvbuild.kinds.go.go_settings import GoSettings, parse_proxies
from rvbuild.transfers.fetch_services import FetchServices
from rvbuild.transfers.fetch_settings import FetchSettings
from rvbuild.transfers.transport import Transport

MODULES = {
    "go.corp.example/lib": "https://go.corp.example/lib",
    "go.corp.example/lib/v2": "https://go.corp.example/lib",
    "github.com/corp/lib/sub/v3": "https://github.com/corp/lib",
}
STATUSES = {
    "400 Bad Request": True,
    "401 Unauthorized": True,
    "404 Not Found": True,
    "410 Gone": True,
    "503 Service Unavailable": False,
}


def refusal(transport: Transport, url: str, path: str) -> str:
    """What to do about a module of which a proxy says something else."""
    version = "v2.0.0" if path.endswith("v2") else "v3.0.0" if path.endswith("v3") else "v1.0.0"
    proxy = GoProxy(transport, lambda: GoSettings(proxies=parse_proxies(url), private=""))
    with pytest.raises(RvbuildError) as caught:
        proxy.go_mod(path, version)
    return hint_text(caught.value.hint)


@pytest.mark.parametrize(("status", "named"), STATUSES.items(), ids=STATUSES)
@pytest.mark.parametrize(("path", "repository"), MODULES.items(), ids=MODULES)
def test_what_to_do_where_a_proxy_refuses(status: str, path: str, repository: str, *, named: bool):
    """One that does not answer may have the module: that is no hint at all."""

    def answer(_asked: Asked, send: Callable[[bytes], None]) -> None:
        send(head(status, "Content-Length: 0", "Connection: close"))

    with serve(answer) as server, client() as transport:
        hint = refusal(transport, server.url, path)
    assert ("let GOPRIVATE have the beginning of its path" in hint) == named
    assert (f"give --mirror {repository}=REPOSITORY" in hint) == named


def test_a_toolchain_is_not_private():
    def answer(_asked: Asked, send: Callable[[bytes], None]) -> None:
        send(head("404 Not Found", "Content-Length: 0", "Connection: close"))

    with serve(answer) as server, client() as transport:
        assert "GOPRIVATE" not in refusal(transport, server.url, "golang.org/toolchain")


PAGES = {
    "nobody is there": None,
    "a page without a tag": b"<html><head></head></html>",
    "another page": b'<html><head><meta name="go-import" content="x.example git https://x"></head>',
    "another system": (
        b'<html><head><meta name="go-import" content="go.corp.example/lib svn https://x"></head>'
    ),
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_what_to_do_where_nobody_says_where_a_module_is(page: bytes | None, tmp_path: Path):
    def page_at(url: str) -> bytes:
        if page is None:
            msg = "nobody is there"
            raise SourceError(msg, where=url)
        return page

    settings = FetchSettings(tmp=str(tmp_path), environment={"HOME": str(tmp_path)})
    made = Direct(Repositories.of(FetchServices(settings)), page_at)
    with pytest.raises(SourceError) as caught:
        made.go_mod("go.corp.example/lib", "v1.0.0", io.BytesIO())
    hint = hint_text(caught.value.hint)
    assert "give --mirror https://go.corp.example/lib=REPOSITORY" in hint
