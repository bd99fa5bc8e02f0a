"""A forge of this machine: as much of Gitea's API as Renovate asks for, over bare repositories.

Knows: repositories, files of a branch, merge requests. Must not know: what is in them.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from attrs import define, field

_BOT = {"id": 1, "login": "bot", "full_name": "Bot", "email": "bot@example.invalid"}
_WHEN = "2026-01-01T00:00:00Z"
_API = "/api/v1/"


@define
class Forge:
    """Repositories by their names, each a bare one of this machine; and what was asked for.

    Attributes:
        repositories: The folder of each, by ``OWNER/NAME``.
        merge_requests: As the API has them, in order.
        comments: The texts of comments on them, in order.
        requests: ``METHOD PATH STATUS`` of each request, in order.
        address: Where it answers, once it does.
    """

    repositories: dict[str, Path]
    merge_requests: list[dict[str, Any]] = field(factory=list)
    comments: list[str] = field(factory=list)
    requests: list[str] = field(factory=list)
    address: str = ""

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, object]:
        """The status and the document for a request; 404 for what this forge has not."""
        words = (method, unquote(urlsplit(path).path).removeprefix(_API))
        for pattern, reply in _ROUTES:
            if match := re.fullmatch(pattern, " ".join(words)):
                document = reply(self, body, *match.groups())
                return (404, {"message": "not found"}) if document is None else (200, document)
        return 404, {"message": "not found"}

    @contextmanager
    def serving(self) -> Iterator[Forge]:
        """Answer on this machine, until the block ends."""
        handler = type("Handler", (_Handler,), {"forge": self})
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            self.address = f"http://127.0.0.1:{server.server_address[1]}/"
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield self
            server.shutdown()

    # ---- replies: of None is nothing there

    def _user(self, _: object) -> object:
        return _BOT

    def _version(self, _: object) -> object:
        return {"version": "1.24.0"}

    def _nothing(self, _: object, *__: str) -> object:
        return []

    def _repository(self, _: object, name: str) -> object:
        if name not in self.repositories:
            return None
        return {
            "id": 1,
            "full_name": name,
            "default_branch": "main",
            "ssh_url": str(self.repositories[name]),
            "allow_merge_commits": True,
            "has_issues": False,
            "has_pull_requests": True,
            "owner": _BOT,
            "permissions": {"admin": False, "pull": True, "push": True},
        }

    def _file(self, _: object, name: str, path: str) -> object:
        words = ["git", "-C", str(self.repositories[name]), "show", f"HEAD:{path}"]
        ran = subprocess.run(words, capture_output=True, check=False)
        if ran.returncode:
            return None
        content = base64.b64encode(ran.stdout).decode()
        return {"type": "file", "name": Path(path).name, "path": path, "content": content}

    def _list(self, _: object, __: str) -> object:
        return [self._with_head(each) for each in reversed(self.merge_requests)]

    def _create(self, body: dict[str, Any], name: str) -> object:
        self.merge_requests.append(
            {
                "number": len(self.merge_requests) + 1,
                "state": "open",
                "title": body["title"],
                "body": body["body"],
                "mergeable": True,
                "created_at": _WHEN,
                "updated_at": _WHEN,
                "base": {"ref": body["base"]},
                "head": {"label": body["head"], "repo": {"full_name": name}},
                "user": _BOT,
                "labels": [],
            }
        )
        return self._with_head(self.merge_requests[-1])

    def _change(self, body: dict[str, Any], _: str, number: str) -> object:
        row = self.merge_requests[int(number) - 1]
        row.update({key: body[key] for key in ("title", "body", "state") if key in body})
        return self._with_head(row)

    def _comment(self, body: dict[str, Any], *_: str) -> object:
        self.comments.append(body["body"])
        return {"id": len(self.comments), "body": body["body"]}

    def _state(self, body: dict[str, Any], _: str) -> object:
        status = {"id": 1, "status": body["state"], "context": body["context"]}
        return {**status, "created_at": _WHEN}

    def _with_head(self, row: dict[str, Any]) -> dict[str, Any]:
        """A merge request with the commit that its branch has, or had before it was removed."""
        head = row["head"]
        repository = self.repositories[head["repo"]["full_name"]]
        words = ["git", "-C", str(repository), "rev-parse", "--verify", "-q", head["label"]]
        ran = subprocess.run(words, capture_output=True, text=True, check=False)
        head["sha"] = ran.stdout.strip() or head["sha"]
        return row


_NAME = r"([\w.-]+/[\w.-]+)"
_ROUTES = [
    (r"GET user", Forge._user),
    (r"GET version", Forge._version),
    (rf"GET repos/{_NAME}", Forge._repository),
    (rf"GET repos/{_NAME}/contents/(.*)", Forge._file),
    (rf"GET repos/{_NAME}/pulls", Forge._list),
    (rf"POST repos/{_NAME}/pulls", Forge._create),
    (rf"PATCH repos/{_NAME}/pulls/(\d+)", Forge._change),
    (rf"POST repos/{_NAME}/issues/(\d+)/comments", Forge._comment),
    (rf"POST repos/{_NAME}/statuses/\w+", Forge._state),
    (rf"GET repos/{_NAME}/(?:commits/.*/statuses|issues/\d+/comments|labels)", Forge._nothing),
]


class _Handler(BaseHTTPRequestHandler):
    forge: Forge

    def _reply(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        status, document = self.forge.answer(self.command, self.path, body)
        self.forge.requests.append(f"{self.command} {self.path} {status}")
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = _reply  # noqa: N815 - names of http.server

    def log_message(self, *_: object) -> None:
        """Keep quiet."""
